"""The walls around FFmpeg hold on their own, with every white-list of FFmpeg's removed."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from services.processing.ffmpeg import Ffmpeg
from services.processing.sandbox import Allowance, Sandbox
from tests.support import audio

ALLOWANCE = Allowance(memory_bytes=512 << 20, cpu_seconds=20)
NO_WALLS = Sandbox(bubblewrap=None, landlock=None, seccomp=False)
PROTOCOLS = "file,fd,pipe,http,tcp,udp,rtp,crypto,data,concat,cache,async"
OPEN_DOORS = ("-allowed_extensions", "ALL", "-allowed_segment_extensions", "ALL", "-extension_picky", "0")


@dataclass
class Canary:
    """A secret file and a loopback listener which nothing may touch. `hits` counts connections."""

    folder: Path
    port: int
    hits: list[str] = field(default_factory=list)


@pytest.fixture
def canary(tmp_path):
    """Set out a secret and a listener."""
    for ending in ("mp3", "mp4"):
        audio.save(tmp_path / f"secret.{ending}", audio.tones(1))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = Canary(tmp_path, listener.getsockname()[1])
        threading.Thread(target=_listen, args=(listener, found), daemon=True).start()
        yield found


def _listen(listener: socket.socket, canary: Canary) -> None:
    """Count connections until the listener is closed."""
    while True:
        try:
            connection, address = listener.accept()
        except OSError:
            return
        canary.hits.append(f"{address}")
        connection.close()


def _hls(uri: str) -> str:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:1,\n{uri}\n#EXT-X-ENDLIST\n"


def _dash(uri: str) -> str:
    return (
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S">'
        '<Period><AdaptationSet mimeType="audio/mp4"><Representation id="a" bandwidth="1">'
        f"<BaseURL>{uri}</BaseURL></Representation></AdaptationSet></Period></MPD>"
    )


def _concat(uri: str) -> str:
    return f"ffconcat version 1.0\nfile '{uri}'\n"


LURES: dict[str, tuple[Callable[[str], str], tuple[str, ...]]] = {
    "hls": (_hls, (*OPEN_DOORS, "-f", "hls")),
    "dash": (_dash, ("-f", "dash")),
    "concat": (_concat, ("-f", "concat", "-safe", "0")),
}


@pytest.fixture(scope="session")
def walls(ffmpeg):
    """Return each wall of this machine by itself, and all together; there is at least one."""
    found = [ffmpeg.sandbox]
    if ffmpeg.sandbox.bubblewrap:
        found.append(Sandbox(ffmpeg.sandbox.bubblewrap, landlock=None, seccomp=False))
    if ffmpeg.sandbox.landlock is not None and ffmpeg.sandbox.seccomp:
        found.append(Sandbox(None, ffmpeg.sandbox.landlock, seccomp=True))
    assert all(wall.closed for wall in found)
    assert len(found) > 1
    return found


async def _decoded(ffmpeg: Ffmpeg, master: Path, options: Sequence[str], patience: float = 60) -> bytes:
    """Decode a master with these options, and return the sound; nothing when it does not end in so many seconds."""

    def arguments(outputs: Sequence[int]) -> list[str]:
        return [
            "-nostdin",
            "-protocol_whitelist",
            PROTOCOLS,
            "-fd",
            "0",
            *options,
            "-i",
            "fd:",
            "-f",
            "s16le",
            f"pipe:{outputs[0]}",
        ]

    async with ffmpeg.run(arguments, master, 1, ALLOWANCE) as run:
        try:
            async with asyncio.timeout(patience):
                sound, _ = await asyncio.gather(run.outputs[0].read_all(1 << 20), run.drain_log())
        except TimeoutError:
            return b""
    return sound


@pytest.mark.parametrize("lure", LURES)
async def test_a_lure_reaches_neither_the_network_nor_another_file(lure, tmp_path, ffmpeg, walls, canary):
    """A playlist names a loopback server and a secret file: without walls both are reached, with any wall none."""
    write, options = LURES[lure]
    secret = canary.folder / ("secret.mp4" if lure == "dash" else "secret.mp3")
    to_network, to_file = tmp_path / "network", tmp_path / "file"
    to_network.write_text(write(f"http://127.0.0.1:{canary.port}/{secret.name}"))
    to_file.write_text(write(f"file://{secret}"))

    unprotected = Ffmpeg(ffmpeg.binary, NO_WALLS)
    await _decoded(unprotected, to_network, options)
    assert canary.hits
    assert await _decoded(unprotected, to_file, options)

    canary.hits.clear()
    for wall in walls:
        protected = Ffmpeg(ffmpeg.binary, wall)
        await _decoded(protected, to_network, options)
        assert await _decoded(protected, to_file, options) == b""
    assert canary.hits == []


async def test_a_session_description_hears_no_packet(tmp_path, ffmpeg, walls):
    """SDP opens UDP ports; without the walls it hears what is sent to them, with any wall nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1] & ~1
    master = tmp_path / "m.sdp"
    master.write_text(f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n")
    options = ("-t", "0.1", "-analyzeduration", "200000", "-f", "sdp")

    with _packets_to(port):
        assert await _decoded(Ffmpeg(ffmpeg.binary, NO_WALLS), master, options)
        for wall in walls:
            assert await _decoded(Ffmpeg(ffmpeg.binary, wall), master, options, patience=3) == b""


@contextmanager
def _packets_to(port: int) -> Iterator[None]:
    """Send silence as RTP (RFC 3551, PCMU) to a port, fifty packets a second."""
    done = threading.Event()

    def send() -> None:
        number = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not done.wait(0.02):
                number += 1
                header = b"\x80\0" + number.to_bytes(2, "big") + (160 * number).to_bytes(4, "big") + b"\0\0\0\1"
                sender.sendto(header + b"\xff" * 160, ("127.0.0.1", port))

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        done.set()
        sender.join()


async def test_no_wall_lets_a_file_be_written(tmp_path, ffmpeg, walls):
    """Results leave by pipes only: a named output comes into being without walls, and with any wall it does not."""
    master = audio.save(tmp_path / "m.wav", audio.tones(1))
    written = tmp_path / "written.wav"

    for wall in (NO_WALLS, *walls):
        written.unlink(missing_ok=True)
        async with Ffmpeg(ffmpeg.binary, wall).run(
            lambda _: ["-nostdin", "-fd", "0", "-i", "fd:", str(written)], master, 0, ALLOWANCE
        ) as run:
            await run.drain_log()
        assert written.exists() == (wall is NO_WALLS)


async def test_memory_is_bounded(tmp_path, ffmpeg, walls):
    """A program that asks for more memory than is allowed ends; with enough it runs."""
    master = audio.save(tmp_path / "m.wav", audio.tones(1))
    greedy = ["-f", "lavfi", "-i", "anullsrc=r=192000:d=40", "-af", "areverse", "-f", "null", "-"]

    for wall in walls:
        for megabytes, enough in ((80, False), (512, True)):
            allowance = Allowance(megabytes << 20, cpu_seconds=20)
            async with Ffmpeg(ffmpeg.binary, wall).run(lambda _: greedy, master, 0, allowance) as run:
                await run.drain_log()
                assert (await run.wait() == 0) == enough


async def test_processor_time_is_bounded(tmp_path, ffmpeg, walls):
    """A program that computes for longer than is allowed is killed."""
    master = audio.save(tmp_path / "m.wav", audio.tones(1))
    endless = ["-f", "lavfi", "-i", "anoisesrc=r=192000", "-f", "null", "-"]

    for wall in walls:
        async with Ffmpeg(ffmpeg.binary, wall).run(lambda _: endless, master, 0, Allowance(512 << 20, 1)) as run:
            await run.drain_log()
            assert await run.wait() < 0


async def test_a_wall_that_cannot_be_closed_stops_the_program(tmp_path, ffmpeg):
    """Confinement fails closed: the program behind a broken wall never starts."""
    master = audio.save(tmp_path / "m.wav", audio.tones(1))
    broken = Sandbox(bubblewrap=Path("/bin/false"), landlock=None, seccomp=False)

    assert not await broken.holds(ffmpeg.binary)
    assert await _decoded(Ffmpeg(ffmpeg.binary, broken), master, ()) == b""
