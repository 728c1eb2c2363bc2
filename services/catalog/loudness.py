"""Loudness of albums, made of the blocks of their tracks: that of each track alone says too little."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from services.catalog.store import Transaction
from services.common.loudness import integrated
from spotilike.internal.v1.audio_pb2 import AudioFacts


async def measure(tx: Transaction, album_id: UUID) -> None:
    """Measure an album again, because what is heard of it changed. The caller holds its lock."""
    facts = await tx.tracks.audible_facts(album_id)
    await tx.albums.set_loudness(album_id, album_loudness([AudioFacts.FromString(each) for each in facts]))


def album_loudness(tracks: Sequence[AudioFacts]) -> float | None:
    """Answer the integrated loudness of all tracks in LUFS.

    None for silence, and while the blocks of some track were not kept: a part of an album would mislead.
    """
    if not all(track.HasField("loudness_blocks") for track in tracks):
        return None
    blocks: Counter[float] = Counter()
    for track in tracks:
        lowest = track.loudness_blocks.lowest_tenths
        for place, count in enumerate(track.loudness_blocks.counts):
            blocks[(lowest + place + 0.5) / 10] += count  # the middle of the tenth
    return integrated(blocks)
