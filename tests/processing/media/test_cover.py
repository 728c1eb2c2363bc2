"""The picture inside a master is offered as it is, and is no part of the sound."""

import pytest

from services.processing.media.master import Master
from services.processing.media.pipeline import transcode
from services.processing.media.preview import Preview
from services.processing.media.recipe import Recipe
from tests.processing.media.conftest import silent
from tests.support import audio
from tests.support.folder_sink import FolderSink


async def nothing():
    """Hear that the preview can be played."""
    return True


@pytest.fixture
def offered(tmp_path, sink, ffmpeg):
    """Return a function that transcodes a master with a picture inside; it answers facts and the picture offered."""

    async def run(name, picture):
        cover = audio.picture(tmp_path / picture)
        master = audio.with_cover(tmp_path / f"covered-{name}", audio.save(tmp_path / name, audio.noise(3)), cover)
        beside = FolderSink(tmp_path / "beside")
        beside.folder.mkdir()
        preview = Preview(beside, 4, nothing)
        facts = await transcode(Master(master), sink, ffmpeg, Recipe(), silent, preview=preview)
        return facts, cover.read_bytes(), beside

    return run


@pytest.mark.parametrize(("name", "picture"), [("m.mp3", "cover.png"), ("m.flac", "cover.jpg"), ("m.m4a", "cover.jpg")])
async def test_the_picture_is_kept_beside_the_preview_byte_by_byte(name, picture, offered):
    """It says what it is and is not kept by anybody."""
    facts, content, beside = await offered(name, picture)

    assert facts.cover == picture
    assert (beside.folder / picture).read_bytes() == content
    kind = "image/png" if picture.endswith("png") else "image/jpeg"
    assert beside.headers[picture] == (kind, "no-store")


async def test_a_picture_that_artwork_cannot_be_is_not_offered(offered):
    """The track is made all the same."""
    facts, _, beside = await offered("m.mp3", "cover.bmp")

    assert (facts.cover, facts.samples) == ("", 3 * 44_100)
    assert not [name for name in beside.headers if name.startswith("cover")]
