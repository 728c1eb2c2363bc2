"""From nothing to a play in the history, through the real edge, as three kinds of client do it."""

import json
import subprocess
import sysconfig
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.engines.data import ROOT
from tests.e2e.song import PASSWORD, Listener, hear, hear_so_far
from tests.support import audio

SECONDS = 12
AAC_FRAME = 1024


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    """Return a real OGG Vorbis master."""
    return audio.save(tmp_path_factory.mktemp("song") / "master.ogg", audio.sweep(SECONDS))


@pytest.fixture(scope="module")
def song(installation, master):
    """Return a listener and a track that they uploaded and that is playable."""
    listener = Listener(installation.url)
    track = listener.release()["name"]
    job = listener.job(listener.upload(track, master)["job"])
    assert job["state"] == "COMPLETED", job
    return listener, listener.playable(track)


def history(installation, user):
    """Read a user's rows of the history from the database itself."""
    return installation.rows(
        "streaming",
        "SELECT track_id::text, listened_sec, platform, host(ip_address) FROM playback_history WHERE user_id = %s",
        user.removeprefix("users/"),
    )


def test_an_uploaded_song_is_heard_whole_through_the_edge(song, master, tmp_path):
    """Every rendition decodes to the length of the master, within one audio frame."""
    listener, track = song
    whole = len(audio.decode(master))
    playback = listener.post("/v1/playbacks", {"track": track["name"], "platform": "WEB"})
    renditions = {rendition["uri"].rsplit("/", 1)[1]: rendition for rendition in playback["renditions"]}

    heard = [
        variant
        for manifest in playback["manifests"]
        for variant in hear(listener, manifest["uri"], playback["mediaToken"])
    ]

    assert {variant.variant for variant in heard} == set(renditions)
    assert len(heard) == 4
    for variant in heard:
        rendition = renditions[variant.variant]
        rate = rendition["sampleRateHz"]
        file = tmp_path / f"{variant.variant}.mp4"
        file.write_bytes(variant.data)
        decoded = len(audio.decode(file)) - rendition.get("primingSamples", 0) - rendition.get("paddingSamples", 0)
        expected = round(whole * rate / 44_100)
        assert abs(decoded - expected) <= AAC_FRAME, variant.variant
        assert int(rendition["samples"]) == expected
        assert variant.seconds == pytest.approx(SECONDS, abs=0.05)
    assert track["isAvailable"] is True
    assert track["duration"] == f"{SECONDS}s"
    assert playback["duration"] == f"{SECONDS}s"


def test_a_play_that_was_reported_stands_in_the_history_once(song, installation):
    """With the seconds that the server could verify and the address that the edge saw."""
    _, track = song
    listener = Listener(installation.url)
    playback = listener.post("/v1/playbacks", {"track": track["name"], "platform": "WEB"})
    started = time.monotonic()
    time.sleep(2)
    report = {"intervals": [{"from": 0, "to": SECONDS}], "position": SECONDS, "ended": True, "sequence": 1}
    for _ in range(3):
        listener.post(f"/v1/{playback['name']}:report", report)
    passed = time.monotonic() - started

    rows = history(installation, listener.user["name"])
    plays = listener.get("/v1/users/me/plays")["plays"]

    assert [(row[0], row[2], row[3]) for row in rows] == [(track["name"].removeprefix("tracks/"), "WEB", "127.0.0.1")]
    assert 1 <= rows[0][1] <= passed
    assert [(play["track"], play["counted"]) for play in plays] == [(track["name"], False)]


class BufCurl:
    """The same calls with native gRPC, as a person at a terminal makes them."""

    def __init__(self, url):
        """Call the edge at `url`."""
        self.url = url
        self.headers = []

    def __call__(self, method, **request):
        """Call `package.Service/Method`."""
        command = [f"{sysconfig.get_path('scripts')}/buf", "curl", "--schema", str(ROOT / "gen/spotilike.binpb")]
        command += ["--protocol", "grpc", "--http2-prior-knowledge", *self.headers, "--data", json.dumps(request)]
        done = subprocess.run(  # noqa: S603 (our own argv)
            [*command, f"{self.url}/spotilike.{method}"], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def test_the_same_song_over_native_grpc(installation, master):
    """Buf curl signs up, releases, uploads, waits, plays and reads the history."""
    call = BufCurl(installation.url)
    account = {"email": f"grpc-{time.time_ns()}@example.org", "username": f"grpc-{time.time_ns()}"}
    call("user.v1.UserService/CreateUser", user=account, password=PASSWORD)
    session = call("user.v1.SessionService/CreateSession", email=account["email"], password=PASSWORD)
    call.headers = ["--header", f"Authorization: Bearer {session['accessToken']}"]
    artist = call("catalog.v1.ArtistService/CreateArtist", artist={"displayName": "Wire"})
    released = {"artist": artist["name"], "title": "HTTP/2", "releaseDate": {"year": 2020, "month": 1, "day": 1}}
    album = call("catalog.v1.AlbumService/CreateAlbum", album=released)
    track = call("catalog.v1.TrackService/CreateTrack", track={"album": album["name"], "title": "Frames"})["name"]
    data = master.read_bytes()
    upload = call("catalog.v1.UploadService/CreateUpload", track=track, filename=master.name, sizeBytes=str(len(data)))
    put = httpx.put(f"{installation.url}{upload['parts'][0]['url']}", content=data)
    done = call(
        "catalog.v1.UploadService/CompleteUpload",
        name=upload["name"],
        parts=[{"number": 1, "etag": put.headers["etag"]}],
    )

    deadline = time.monotonic() + 60
    state: dict[str, Any] = {}
    while state.get("state") != "READY" and time.monotonic() < deadline:
        state = call("catalog.v1.TrackService/GetTrack", name=track)
    playback = call("streaming.v1.PlaybackService/StartPlayback", track=track, platform="CLI")
    call(
        "streaming.v1.PlaybackService/ReportPlayback",
        name=playback["name"],
        intervals=[{"from": 0, "to": 1}],
        ended=True,
    )

    assert done["job"].startswith("jobs/")
    assert state["duration"] == f"{SECONDS}s"
    assert {manifest["codec"] for manifest in playback["manifests"]} == {"AAC", "OPUS"}


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Return files that no listener should ever hear."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "empty.ogg").touch()
    (folder / "text.ogg").write_text("This is a letter, not a song.\n" * 100)
    (folder / "playlist.mp3").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfile:///etc/passwd\n")
    audio.cut(folder / "truncated.mp3", audio.save(folder / "whole.mp3", audio.tones(10)), 1 / 3)
    audio.picture(folder / "picture.png").rename(folder / "picture.mp3")
    return folder


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty.ogg", "EMPTY"),
        ("text.ogg", "UNSUPPORTED_CONTAINER"),
        ("playlist.mp3", "UNSUPPORTED_CONTAINER"),
        ("truncated.mp3", "TRUNCATED"),
        ("picture.mp3", "NO_AUDIO_STREAM"),
    ],
)
def test_a_file_that_is_no_song_fails_with_its_reason_within_ten_seconds(song, odd, name, reason):
    """The artist reads a sentence, and the worker goes on."""
    listener, _ = song
    track = listener.release(Path(name).stem)["name"]
    began = time.monotonic()

    job = listener.job(listener.upload(track, odd / name)["job"])

    assert time.monotonic() - began < 10
    assert (job["state"], job["reason"]) == ("FAILED", reason), job
    assert len(job["message"]) > 20
    assert "errorLog" not in job or not job["errorLog"]


def test_the_artist_hears_a_master_before_it_is_encoded(installation, tmp_path):
    """The first segments come through the edge while the job runs; in the end it is the whole sound."""
    master = audio.save(tmp_path / "long.flac", audio.noise(90))
    listener = Listener(installation.url)
    name = listener.upload(listener.release()["name"], master)["job"]

    shown = listener.audible(name)
    growing = listener.plain.get(shown["previewUri"])
    first = hear_so_far(listener, shown["previewUri"])
    still = listener.get(f"/v1/{name}")
    listener.job(name)

    assert growing.headers["cache-control"] == "no-store"
    assert "#EXT-X-ENDLIST" not in growing.text
    assert still["state"] == "PROCESSING"
    assert listener.get(f"/v1/{name}").get("previewUri", "") == ""
    (tmp_path / "first.mp4").write_bytes(first.data)
    (tmp_path / "all.mp4").write_bytes(hear_so_far(listener, shown["previewUri"]).data)
    assert len(audio.decode(tmp_path / "first.mp4")) >= 3 * 44_100
    assert len(audio.decode(tmp_path / "all.mp4")) == pytest.approx(90 * 44_100, abs=2 * AAC_FRAME)
