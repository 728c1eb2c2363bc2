"""The whole song with plain HTTP and JSON, as a client in any language would do it.

`python -m tests.e2e.song http://127.0.0.1:8080 master.ogg` signs somebody up, makes an artist, an album and a track,
uploads the master, waits for the job, plays every segment and reports it, and prints what it heard.
"""

import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

PATIENCE_SECONDS = 120
PASSWORD = "correct horse battery"

Json = dict[str, Any]


class Listener:
    """Somebody who is signed in at the edge."""

    def __init__(self, url: str) -> None:
        """Sign up and sign in."""
        self.http = httpx.Client(base_url=url, timeout=30)
        self.plain = httpx.Client(base_url=url, timeout=60)
        """Sends no access token: uploads and media have proofs of their own."""
        mark = uuid4().hex[:12]
        self.account = {"email": f"{mark}@example.org", "username": f"listener-{mark}"}
        self.user = self.post("/v1/users", {"user": self.account, "password": PASSWORD})
        session = self.post("/v1/sessions", {"email": self.account["email"], "password": PASSWORD})
        self.token = session["accessToken"]
        self.http.headers["Authorization"] = f"Bearer {self.token}"

    def get(self, path: str, **query: str) -> Json:
        """Read a resource."""
        return self._answer(self.http.get(path, params=query))

    def post(self, path: str, body: Json) -> Json:
        """Make something, or do something with it."""
        return self._answer(self.http.post(path, json=body))

    def _answer(self, response: httpx.Response) -> Json:
        assert response.is_success, f"{response.request.url.path}: {response.status_code} {response.text}"
        answer: Json = response.json()
        return answer

    def release(self, title: str = "Song") -> Json:
        """Make an artist, an album that is out and a track on it; answers the track."""
        artist = self.post("/v1/artists", {"displayName": f"The {title}s"})
        day = {"year": 2020, "month": 2, "day": 29}
        album = self.post("/v1/albums", {"artist": artist["name"], "title": title, "releaseDate": day})
        return self.post("/v1/tracks", {"album": album["name"], "title": title})

    def upload(self, track: str, master: Path) -> Json:
        """Send a master part by part; answers the completed upload."""
        announced = {"track": track, "filename": master.name, "sizeBytes": master.stat().st_size}
        upload = self.post("/v1/uploads", announced)
        with master.open("rb") as file:
            sent = [self.send(part, file.read(int(part["sizeBytes"]))) for part in upload["parts"]]
        return self.post(f"/v1/{upload['name']}:complete", {"parts": sent})

    def send(self, part: Json, data: bytes) -> Json:
        """Put one part where it belongs; the signature in the URL is all the store asks for."""
        response = self.plain.put(part["url"], content=data)
        assert response.is_success, response.text
        return {"number": part["number"], "etag": response.headers["etag"]}

    def job(self, name: str) -> Json:
        """Wait until a job has ended."""
        return self.ended(name)

    def ended(self, name: str) -> Json:
        """Wait until a job or a picture has ended."""
        return self.until(name, lambda seen: seen["state"] in ("COMPLETED", "FAILED"))

    def playable(self, track: str) -> Json:
        """Wait until the catalog has published a track."""
        return self.until(track, lambda seen: seen["state"] == "READY")

    def audible(self, job: str) -> Json:
        """Wait until the artist can hear what is encoded of a job."""
        return self.until(job, lambda seen: seen["previewUri"])

    def until(self, name: str, is_so: Callable[[Json], Any]) -> Json:
        """Look until something is so. The resource may not be known yet, and a part may just be coming back."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        seen: Json = {}
        while time.monotonic() < deadline:
            try:
                response = self.http.get(f"/v1/{name}")
                seen = response.json()
                if response.is_success and is_so(seen):
                    return seen
            except httpx.TransportError as error:
                seen = {"error": repr(error)}
            time.sleep(0.1)
        raise TimeoutError(f"{name} has not come so far: {seen}")

    def media(self, path: str, token: str, first: int | None = None, length: int = 0) -> bytes:
        """Fetch media, whole or a range of it."""
        headers = {"X-Media-Token": token}
        if first is not None:
            headers["Range"] = f"bytes={first}-{first + length - 1}"
        response = self.plain.get(path, headers=headers)
        assert response.status_code == (200 if first is None else 206), f"{path}: {response.status_code}"
        return response.content


@dataclass(frozen=True)
class Heard:
    """One rendition, fetched as a player does."""

    variant: str
    data: bytes
    """Initialisation and every segment, in order."""
    seconds: float
    """Sum of the segments' durations."""


def hear(listener: Listener, manifest: str, token: str) -> list[Heard]:
    """Fetch every variant of a multivariant playlist, segment by segment (RFC 8216)."""
    variants = [line for line in _lines(listener, manifest, token) if not line.startswith("#")]
    assert variants, f"{manifest} names no variant"
    return [_variant(listener, _beside(manifest, variant), token) for variant in variants]


def _variant(listener: Listener, playlist: str, token: str) -> Heard:
    lines = _lines(listener, playlist, token)
    assert lines[-1] == "#EXT-X-ENDLIST"
    return _named(listener, playlist, lines, token)


def hear_so_far(listener: Listener, playlist: str) -> Heard:
    """Fetch what a preview names by now."""
    return _named(listener, playlist, _lines(listener, playlist, ""), "")


def _named(listener: Listener, playlist: str, lines: list[str], token: str) -> Heard:
    """Fetch the initialisation and every segment that a playlist names."""
    uri, size, first = re.findall(r'#EXT-X-MAP:URI="([^"]+)",BYTERANGE="(\d+)@(\d+)"', "\n".join(lines))[0]
    data = listener.media(_beside(playlist, uri), token, int(first), int(size))
    seconds = 0.0
    for duration, size, first, uri in re.findall(
        r"#EXTINF:([\d.]+),[^\n]*\n#EXT-X-BYTERANGE:(\d+)@(\d+)\n([^#\n]+)", "\n".join(lines)
    ):
        data += listener.media(_beside(playlist, uri), token, int(first), int(size))
        seconds += float(duration)
    return Heard(playlist.rsplit("/", 1)[1], data, seconds)


def _lines(listener: Listener, playlist: str, token: str) -> list[str]:
    text = listener.media(playlist, token).decode()
    assert text.startswith("#EXTM3U")
    return [line for line in text.splitlines() if line]


def _beside(playlist: str, uri: str) -> str:
    return f"{playlist.rsplit('/', 1)[0]}/{uri}"


def sing(url: str, master: Path) -> None:
    """Go the whole way and print what was heard."""
    listener = Listener(url)
    track = listener.release()["name"]
    job = listener.job(listener.upload(track, master)["job"])
    assert job["state"] == "COMPLETED", job
    print(f"{track}: {listener.playable(track)['duration']}")  # noqa: T201 (this is a script)
    playback = listener.post("/v1/playbacks", {"track": track, "platform": "WEB"})
    for manifest in playback["manifests"]:
        for heard in hear(listener, manifest["uri"], playback["mediaToken"]):
            print(f"{manifest['codec']} {heard.variant}: {len(heard.data)} bytes, {heard.seconds:.3f} s")  # noqa: T201


if __name__ == "__main__":
    sing(sys.argv[1], Path(sys.argv[2]))
