"""Tracks that can be heard: rows of the real catalog, as if their masters had been processed."""

from dataclasses import dataclass, field
from uuid import uuid4

from spotilike.internal.v1.audio_pb2 import AudioFacts
from tests.support.catalog import Edge
from tests.support.rows import Rows
from tests.support.services import Account

RATE = 44_100


@dataclass(frozen=True)
class Shelf:
    """The album of an artist, and the folders of its tracks."""

    edge: Edge
    rows: Rows
    account: Account
    artist: str
    album: str
    folders: dict[str, str] = field(default_factory=dict)

    async def add(self, seconds: float = 180.0, *, silent: bool = False) -> str:
        """Make a track of the given length that can be heard; answers its name."""
        made = await self.edge.track(self.account, self.album)
        await self.publish(made.name, facts(round(seconds * RATE), silent=silent))
        return made.name

    async def publish(self, track: str, measured: AudioFacts) -> None:
        """Put a track into a new folder, as a new master does."""
        self.folders[track] = f"{track}/{uuid4()}"
        await self.rows(
            "UPDATE tracks SET is_available = true, file_key = :folder, audio_facts = :facts WHERE id = :id",
            folder=self.folders[track],
            facts=measured.SerializeToString(),
            id=track.split("/")[1],
        )

    async def hide(self, track: str) -> None:
        """Take a track from the listeners."""
        await self.rows("UPDATE tracks SET is_available = false WHERE id = :id", id=track.split("/")[1])


def facts(samples: int, *, silent: bool = False) -> AudioFacts:
    """Return what the pipeline knows of a master of so many samples."""
    measured = AudioFacts(
        samples=samples,
        sample_rate_hz=RATE,
        channels=2,
        integrated_lufs=-9.5,
        true_peak_dbtp=-0.25,
        waveform="waveform.json",
        detailed_waveform="waveform-detailed.json",
        manifests=[
            AudioFacts.Manifest(codec="OPUS", playlist="opus.m3u8"),
            AudioFacts.Manifest(codec="AAC", playlist="aac.m3u8"),
            AudioFacts.Manifest(codec="FLAC", playlist="flac.m3u8"),
        ],
        renditions=[
            AudioFacts.Rendition(codec=codec, bitrate_bps=rate * 1000, samples=samples, playlist=f"{stem}.m3u8")
            for codec, stem, rate in (
                ("AAC", "aac-128", 128),
                ("OPUS", "opus-48", 48),
                ("OPUS", "opus-160", 160),
                ("FLAC", "flac-lossless", 912),
            )
        ],
    )
    if silent:
        measured.ClearField("integrated_lufs")
        measured.ClearField("true_peak_dbtp")
    return measured
