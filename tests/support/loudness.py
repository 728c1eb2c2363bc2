"""The loudness of tracks as facts keep it."""

from spotilike.internal.v1.audio_pb2 import AudioFacts


def blocks_of(facts: AudioFacts) -> dict[float, int]:
    """Return the blocks of a track, counted by the middle of their tenth of a LUFS."""
    lowest = facts.loudness_blocks.lowest_tenths
    return {(lowest + place + 0.5) / 10: count for place, count in enumerate(facts.loudness_blocks.counts)}
