"""A long lossless master is encoded while it is still arriving; what comes out is the same."""

import asyncio
import struct

import pytest

from services.processing.media.facts import Stage
from services.processing.media.ladder import ladder
from services.processing.media.master import HEAD_BYTES, Master
from services.processing.media.pipeline import transcode
from services.processing.media.recipe import Recipe
from services.processing.media.refusals import Reason, TranscodeError
from tests.processing.media.conftest import silent
from tests.support import audio
from tests.support.folder_sink import FolderSink

RECIPE = Recipe(ladder=ladder("aac-96"))
STREAMINFO_END, PICTURE = 42, 6
"""Where the first block of a FLAC ends, and another kind of block (RFC 9639, section 8)."""
PNG = b"\x89PNG\r\n\x1a\n"
SECONDS = 75
"""Longer than the head, even as FLAC."""


@pytest.fixture(scope="module", params=["wav", "flac"])
def long_master(request, tmp_path_factory):
    """Return a master of more than the head's size."""
    master = audio.save(tmp_path_factory.mktemp("long") / f"m.{request.param}", audio.noise(SECONDS))
    assert master.stat().st_size > HEAD_BYTES
    return master


async def write(path, content, end=None, then=None):
    """Write the beginning of a master, wait for `end`, then write the rest and raise `then`."""
    with path.open("wb") as file:
        file.write(content[:HEAD_BYTES])
        file.flush()
        if end:
            await end.wait()
        if then:
            raise then
        file.write(content[HEAD_BYTES:])


async def test_what_is_made_of_a_master_on_its_way_is_the_same(long_master, tmp_path, sink, ffmpeg):
    """Byte by byte; the rest comes only when sound was encoded."""
    encoding = asyncio.Event()

    def heard(stage, percent):
        if stage is Stage.ENCODING and percent:
            encoding.set()

    path = tmp_path / "arriving"
    task = asyncio.create_task(write(path, long_master.read_bytes(), encoding))
    facts = await transcode(Master(path, task), sink, ffmpeg, RECIPE, heard)
    whole = FolderSink(tmp_path / "whole")
    whole.folder.mkdir()

    assert facts == await transcode(Master(long_master), whole, ffmpeg, RECIPE, silent)
    assert {file.name: file.read_bytes() for file in sink.folder.iterdir()} == {
        file.name: file.read_bytes() for file in whole.folder.iterdir()
    }
    assert not (tmp_path / "stream").exists()


async def test_a_master_whose_sound_begins_late_is_waited_for(tmp_path, sink, ffmpeg):
    """Before the sound of a FLAC there may be a picture that is larger than the head."""
    sound = audio.save(tmp_path / "m.flac", audio.noise(5)).read_bytes()
    picture = PNG + bytes(HEAD_BYTES)
    block = struct.pack(">II9s6I", 3, 9, b"image/png", 0, 1, 1, 24, 0, len(picture)) + picture
    content = sound[:STREAMINFO_END] + struct.pack(">I", PICTURE << 24 | len(block)) + block + sound[STREAMINFO_END:]
    path, ending = tmp_path / "arriving", asyncio.Event()
    task = asyncio.create_task(write(path, content, ending))
    asyncio.get_running_loop().call_later(1, ending.set)

    facts = await transcode(Master(path, task), sink, ffmpeg, RECIPE, silent)

    assert facts.samples == 5 * 44_100


async def test_a_master_that_arrives_wrong_is_no_track(long_master, tmp_path, sink, ffmpeg):
    """However far the encoder has come: the cause is told, and nothing is there."""
    path, broken = tmp_path / "arriving", asyncio.Event()
    task = asyncio.create_task(write(path, long_master.read_bytes(), broken, ConnectionError("the store is away")))
    asyncio.get_running_loop().call_later(1, broken.set)

    with pytest.raises(ConnectionError, match="away"):
        await transcode(Master(path, task), sink, ffmpeg, RECIPE, silent)

    assert list(sink.folder.iterdir()) == []


async def test_a_cut_master_is_refused_though_its_beginning_was_good(long_master, tmp_path, sink, ffmpeg):
    """It is judged when it is whole."""
    path = tmp_path / "arriving"
    content = long_master.read_bytes()
    task = asyncio.create_task(write(path, content[: len(content) * 9 // 10]))

    with pytest.raises(TranscodeError) as refused:
        await transcode(Master(path, task), sink, ffmpeg, RECIPE, silent)

    assert refused.value.reason is Reason.TRUNCATED
    assert list(sink.folder.iterdir()) == []


async def test_a_master_that_has_to_be_looked_at_as_a_whole_is_waited_for(tmp_path, sink, ffmpeg):
    """An Ogg says at its end how long it is."""
    path, rest = tmp_path / "arriving", asyncio.Event()
    content = audio.save(tmp_path / "m.ogg", audio.noise(5)).read_bytes()
    task = asyncio.create_task(write(path, content, rest))
    running = asyncio.create_task(transcode(Master(path, task), sink, ffmpeg, RECIPE, silent))
    await asyncio.sleep(0.5)
    assert not running.done()
    rest.set()

    assert (await running).samples == 5 * 44_100
