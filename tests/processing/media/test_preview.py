"""What can be heard while a master is being encoded."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from services.processing.media.cmaf import Fragment, Header
from services.processing.media.master import Master
from services.processing.media.pipeline import transcode
from services.processing.media.playlists import Segment
from services.processing.media.preview import PLAYLIST, Preview
from services.processing.media.recipe import Recipe
from services.processing.media.sink import TRANSIENT
from tests.processing.media.conftest import silent
from tests.support import audio
from tests.support.folder_sink import FolderSink

NAMED = re.compile(r"#EXT-X-BYTERANGE:(\d+)@(\d+)\n(\S+)")
HEADER = Header(b"header", 48_000, 0)


@dataclass
class Looking(FolderSink):
    """A folder that keeps every playlist, and looks whether all that it names is there."""

    playlists: list[str] = field(default_factory=list)

    async def put(self, name: str, data: bytes, content_type: str, cache_control: str) -> None:
        """Write a small file."""
        if name == PLAYLIST:
            self.playlists.append(data.decode())
            for size, start, media in NAMED.findall(data.decode()):
                assert int(start) + int(size) <= (self.folder / media).stat().st_size
        await super().put(name, data, content_type, cache_control)


@dataclass
class Heard:
    """Hears that a preview can be played; keeps what there was by then."""

    folder: Path
    files: list[set[str]] = field(default_factory=list)

    deaf: int = 0

    async def __call__(self) -> bool:
        """Hear it; take no note for some times."""
        self.files.append({path.name for path in self.folder.iterdir()})
        return len(self.files) > self.deaf


@pytest.fixture
def hearing(tmp_path):
    """Return an empty folder for a preview."""
    folder = tmp_path / "preview"
    folder.mkdir()
    return Looking(folder)


async def test_a_preview_is_the_first_aac_rendition_byte_for_byte(tmp_path, ffmpeg, sink, hearing):
    """It is encoded once."""
    master = audio.save(tmp_path / "m.wav", audio.noise(9.5))
    heard = Heard(hearing.folder)

    await transcode(Master(master), sink, ffmpeg, Recipe(), silent, preview=Preview(hearing, 4, heard))

    pieces = sorted(hearing.folder.glob("*.mp4"))
    assert b"".join(piece.read_bytes() for piece in pieces) == (sink.folder / "aac-128.mp4").read_bytes()
    assert heard.files == [{"preview-0.mp4", PLAYLIST}]
    assert set(hearing.headers.values()) == {
        ("audio/mp4", TRANSIENT),
        ("application/vnd.apple.mpegurl", TRANSIENT),
    }


async def test_a_playlist_only_grows_and_names_what_is_there(hearing, monkeypatch):
    """RFC 8216, 6.2.1: of an EVENT playlist nothing is changed or removed."""
    monkeypatch.setattr("services.processing.media.preview.PIECE_SECONDS", 0)
    preview = Preview(hearing, 4, Heard(hearing.folder))

    await preview.begin(HEADER)
    for number in range(1, 4):
        await preview.add(Fragment(b"f" * number, 4 * 48_000), Segment(number, 4.0))
    await preview.end()

    *growing, last = hearing.playlists
    assert [len(NAMED.findall(playlist)) for playlist in growing] == [1, 2, 3]
    assert all(
        later.startswith(earlier) for earlier, later in zip(hearing.playlists, hearing.playlists[1:], strict=False)
    )
    assert not any("EXT-X-ENDLIST" in playlist for playlist in growing)
    assert last.endswith("#EXT-X-ENDLIST\n")
    assert "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-INDEPENDENT-SEGMENTS\n" in last
    assert NAMED.findall(last) == [
        ("1", "6", "preview-0.mp4"),
        ("2", "0", "preview-1.mp4"),
        ("3", "0", "preview-2.mp4"),
    ]


async def test_whoever_could_not_take_note_hears_of_it_again(hearing, monkeypatch):
    """The database may be away at that moment."""
    monkeypatch.setattr("services.processing.media.preview.PIECE_SECONDS", 0)
    heard = Heard(hearing.folder, deaf=2)
    preview = Preview(hearing, 4, heard)

    await preview.begin(HEADER)
    for _ in range(5):
        await preview.add(Fragment(b"f", 4 * 48_000), Segment(1, 4.0))

    assert len(heard.files) == 3


async def test_what_comes_quickly_is_written_together(hearing):
    """The encoder is many times faster than the music."""
    preview = Preview(hearing, 4, Heard(hearing.folder))

    await preview.begin(HEADER)
    for _ in range(50):
        await preview.add(Fragment(b"f", 4 * 48_000), Segment(1, 4.0))
    await preview.end()

    assert len(list(hearing.folder.glob("*.mp4"))) == 2
    assert len(NAMED.findall(hearing.playlists[-1])) == 50


async def test_a_run_without_sound_has_no_preview(hearing):
    """There is nothing to name."""
    heard = Heard(hearing.folder)

    await Preview(hearing, 4, heard).end()

    assert (heard.files, hearing.playlists) == ([], [])
