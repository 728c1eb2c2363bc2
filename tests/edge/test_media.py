"""Audio comes from the object store, and only what the media token opens."""

import io
import time
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from minio import Minio

from cli.engines.ports import PortBook
from tests.edge.conftest import USER
from tests.support.echo_services import EchoServices, Signer
from tests.support.edge import RunningEdge, running
from tests.support.engines import Engines

AUDIO = bytes(number * 7 % 256 for number in range(200_000))
CACHED = "public, max-age=31536000, immutable"


@pytest.fixture(scope="session")
def folder(engines: Engines) -> str:
    """Return the prefix of two stored files."""
    folder = f"tracks/{uuid4()}/{uuid4()}/"
    keys = engines.s3_credentials("admin")
    store = Minio(engines.s3_endpoint, keys.access_key, keys.secret_key, secure=False, region="us-east-1")
    for name, content_type in (("aac.m4a", "audio/mp4"), ("deep/index.m3u8", "application/vnd.apple.mpegurl")):
        store.put_object(
            "audio",
            folder + name,
            io.BytesIO(AUDIO),
            len(AUDIO),
            content_type=content_type,
            metadata={"Cache-Control": CACHED},
        )
    return folder


@pytest.fixture
def token(echo: EchoServices, folder: str) -> str:
    """Return a media token for the folder."""
    return echo.media.token(pfx=f"audio/{folder}", play="p")


@pytest.fixture
def headers(token: str) -> dict[str, str]:
    """Return the header that our player sends."""
    return {"x-media-token": token}


async def test_a_file_comes_whole_with_its_own_headers(edge: RunningEdge, folder, headers):
    """What the store keeps about itself stays behind."""
    answer = await edge.ask("GET", f"/media/audio/{folder}aac.m4a", headers=headers)
    assert (answer.status, answer.body) == (200, AUDIO)
    assert answer.headers["content-type"] == "audio/mp4"
    assert answer.headers["cache-control"] == CACHED
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert not [name for name in answer.headers if name.startswith(("x-amz-", "seaweed", "x-envoy-"))]


async def test_the_token_may_stand_in_the_path(edge: RunningEdge, folder, token):
    """Native players cannot send headers; the playlist's relative addresses inherit the token."""
    start = f"/media/{token}/audio/{folder}deep/index.m3u8"
    assert (await edge.ask("GET", start)).body == AUDIO
    inherited = str(httpx.URL(f"http://edge{start}").join("../aac.m4a").raw_path, "ascii")
    assert (await edge.ask("GET", inherited)).body == AUDIO


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=1000-65535", slice(1000, 65_536)),
        ("bytes=199999-", slice(199_999, 200_000)),
        ("bytes=-500", slice(199_500, 200_000)),
        ("bytes=150000-999999", slice(150_000, 200_000)),
    ],
)
async def test_a_range_is_equal_byte_by_byte(edge: RunningEdge, folder, headers, asked, expected):
    """RFC 9110, section 14."""
    answer = await edge.ask("GET", f"/media/audio/{folder}aac.m4a", headers={**headers, "range": asked})
    assert (answer.status, answer.body) == (206, AUDIO[expected])
    assert answer.headers["content-range"] == f"bytes {expected.start}-{expected.stop - 1}/{len(AUDIO)}"


async def test_head_tells_the_length(edge: RunningEdge, folder, headers):
    """Nothing else is sent."""
    answer = await edge.ask("HEAD", f"/media/audio/{folder}aac.m4a", headers=headers)
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", str(len(AUDIO)))


async def test_what_the_client_has_is_not_sent_again(edge: RunningEdge, folder, headers):
    """By entity tag."""
    path = f"/media/audio/{folder}aac.m4a"
    etag = (await edge.ask("HEAD", path, headers=headers)).headers["etag"]
    answer = await edge.ask("GET", path, headers={**headers, "if-none-match": etag})
    assert (answer.status, answer.body) == (304, b"")


async def test_a_range_behind_the_end_is_refused(edge: RunningEdge, folder, headers):
    """The real length is told."""
    answer = await edge.ask("GET", f"/media/audio/{folder}aac.m4a", headers={**headers, "range": "bytes=900000-"})
    assert (answer.status, answer.reason) == (416, "RANGE_UNSATISFIABLE")
    assert answer.headers["content-range"] == f"bytes */{len(AUDIO)}"


async def test_a_query_changes_nothing(edge: RunningEdge, folder, headers):
    """The store would read lists and permissions out of it."""
    for query in ("acl", "uploads", "versionId=1", "response-content-type=text/html", "X-Amz-Signature=0"):
        answer = await edge.ask("GET", f"/media/audio/{folder}aac.m4a?{query}", headers=headers)
        assert (answer.status, answer.body, answer.headers["content-type"]) == (200, AUDIO, "audio/mp4")


async def test_a_missing_file_is_not_found(edge: RunningEdge, folder, headers):
    """In our words, not in the store's XML."""
    answer = await edge.ask("GET", f"/media/audio/{folder}opus.m4a", headers=headers)
    assert (answer.status, answer.reason) == (404, "MEDIA_NOT_FOUND")
    assert (await edge.ask("HEAD", f"/media/audio/{folder}opus.m4a", headers=headers)).status == 404


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "OPTIONS"])
async def test_audio_can_only_be_read(edge: RunningEdge, folder, headers, method):
    """Whatever the token says."""
    answer = await edge.ask(method, f"/media/audio/{folder}aac.m4a", headers=headers)
    assert (answer.status, answer.reason) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "GET, HEAD"


async def test_audio_needs_a_token(edge: RunningEdge, folder, bearer):
    """An access token is none."""
    for headers in ({}, bearer, {"cookie": "spotilike_media=x"}):
        answer = await edge.ask("GET", f"/media/audio/{folder}aac.m4a", headers=headers)
        assert (answer.status, answer.reason) == (401, "MEDIA_TOKEN_MISSING")


def bad_tokens(echo: EchoServices, pfx: str) -> dict[str, str]:
    """Make tokens that are not valid, or not media tokens."""
    forger = Signer(echo.media.issuer, echo.media.audience, "media+jwt")
    return {
        "expired": echo.media.token(pfx=pfx, exp=int(time.time()) - 30),
        "without end": echo.media.token(pfx=pfx, exp=None),
        "forged": forger.token(pfx=pfx),
        "of the user service": echo.access.token(sub=USER, pfx=pfx),
        "of the user service in its clothes": echo.access.token(
            pfx=pfx, iss=echo.media.issuer, aud=echo.media.audience
        ),
        "for the API": echo.media.token(pfx=pfx, aud="spotilike"),
    }


async def test_a_bad_media_token_is_refused_in_both_places(edge: RunningEdge, echo: EchoServices, folder):
    """Each has its own reason to be bad."""
    for name, token in bad_tokens(echo, f"audio/{folder}").items():
        answer = await edge.ask("GET", f"/media/audio/{folder}aac.m4a", headers={"x-media-token": token})
        assert (name, answer.status, answer.reason) == (name, 401, "MEDIA_TOKEN_INVALID")
        answer = await edge.ask("GET", f"/media/{token}/audio/{folder}aac.m4a")
        assert (name, answer.status, answer.reason) == (name, 401, "MEDIA_TOKEN_INVALID")


async def test_the_token_in_the_path_beats_the_one_in_the_header(edge: RunningEdge, echo: EchoServices, folder, token):
    """One token decides; the other cannot lend it its folder."""
    other = echo.media.token(pfx="audio/tracks/other/attempt/")
    path = f"/media/{other}/audio/{folder}aac.m4a"
    answer = await edge.ask("GET", path, headers={"x-media-token": token})
    assert (answer.status, answer.reason) == (403, "MEDIA_FORBIDDEN")


@pytest.mark.parametrize(
    "prefix",
    [None, "", "audio", "audio/", "audio//", "/", "uploads/{folder}", 7, ["audio/{folder}"], "AUDIO/{folder}"],
)
async def test_a_token_without_one_folder_opens_nothing(edge: RunningEdge, echo: EchoServices, folder, prefix):
    """Even one that we sign by mistake."""
    claim = prefix.replace("{folder}", folder) if isinstance(prefix, str) else prefix
    headers = {"x-media-token": echo.media.token(pfx=claim)}
    answer = await edge.ask("GET", f"/media/audio/{folder}aac.m4a", headers=headers)
    assert (answer.status, answer.reason) == (403, "MEDIA_FORBIDDEN")


@pytest.mark.parametrize(
    "path",
    [
        "/media/audio/tracks/other/attempt/aac.m4a",
        "/media/uploads/tracks/a/b",
        "/media/{folder}aac.m4a",
        "/media/audio/{folder}../other/aac.m4a",
        "/media/audio/{folder}../../../uploads/x",
        "/media/audio/{folder}%2e%2e/other/aac.m4a",
        "/media/audio/{folder}%2E%2E/%2e%2e/other/aac.m4a",
        "/media/audio/{folder}.%2e/other",
        "/media/audio/{folder}%252e%252e/other/aac.m4a",
        "/media/audio/{folder}aac.m4a%00",
        "/media/audio/{folder}aac%6d4a%3b",
        "/media/audio/{other}",
        "/media//audio/{folder}../x",
    ],
)
async def test_no_path_leads_out_of_the_folder(edge: RunningEdge, folder, token, path):
    """Whatever is not plainly inside is refused."""
    sibling = folder.rstrip("/") + "0/aac.m4a"
    raw = path.replace("{folder}", folder).replace("{other}", sibling)
    answer = await edge.ask_raw(f"GET {raw}\r\nx-media-token: {token}\r\n")
    assert answer.status in (400, 403)
    assert answer.reason in ("MEDIA_FORBIDDEN", "REQUEST_MALFORMED")


@pytest.mark.parametrize("trick", ["%2f", "%5c", "%2F", "\\"])
async def test_hidden_slashes_are_refused(edge: RunningEdge, folder, token, trick):
    """Two readers of a path must never see two paths."""
    answer = await edge.ask_raw(f"GET /media/audio/{folder}..{trick}x\r\nx-media-token: {token}\r\n")
    assert answer.status in (400, 403)
    assert answer.reason in ("MEDIA_FORBIDDEN", "REQUEST_MALFORMED")


async def test_no_token_is_logged(edge: RunningEdge, echo: EchoServices, folder):
    """The access log knows the play and the route, not the key to them."""
    play = uuid4().hex
    token = echo.media.token(pfx=f"audio/{folder}", play=play)
    await edge.ask("GET", f"/media/{token}/audio/{folder}aac.m4a?secret=1")
    entry = await edge.log_entry(play)
    assert (entry["route"], entry["play"], entry["status"]) == ("media", play, 200)
    assert token not in edge.log.read_text()
    assert "secret=1" not in edge.log.read_text()


async def test_without_the_store_the_client_is_told_to_come_back(
    engines: Engines, echo: EchoServices, folder, headers, tmp_path: Path
):
    """The API goes on."""
    nobody = PortBook(tmp_path / "ports.json").take("store")
    async with running(engines, echo, tmp_path / "edge", store=("127.0.0.1", nobody)) as edge:
        answer = await edge.ask("GET", f"/media/audio/{folder}aac.m4a", headers=headers)
        assert (answer.status, answer.reason) == (503, "DEPENDENCY_UNAVAILABLE")
        assert answer.headers["retry-after"] == "1"
        assert (await edge.ask("GET", "/v1/tracks")).status == 200
