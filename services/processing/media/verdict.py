"""Decides whether a finished run is a track. FFmpeg's exit status is 0 for most files that are cut off or damaged."""

from dataclasses import dataclass

from services.processing.ffmpeg import Log
from services.processing.media.containers import Structure
from services.processing.media.facts import Limits, Source
from services.processing.media.refusals import Reason, TranscodeError

MISSING_SECONDS = 0.1  # more than a codec's delay, less than anybody would leave out
TOLERATED_ERRORS = 3  # lossy files live with a torn frame, or with foreign tags between frames
BAD_INPUT_STATUSES = frozenset({69, 176, 183, 187, 244})  # many errors, an unknown feature, invalid, nothing, absurd
CUT_OFF = ("moov atom not found", "partial file", "File ended prematurely", "Packet corrupt")


@dataclass(frozen=True)
class Outcome:
    """What came out of the encoding run. `samples` are those of the PCM leg, at the source's rate."""

    status: int
    samples: int
    log: Log


def refuse(outcome: Outcome, source: Source, structure: Structure, limits: Limits) -> None:
    """Raise TranscodeError unless this is a track."""
    if reason := _crash(outcome) or _damage(outcome, source, structure) or _length(outcome, source, limits):
        raise TranscodeError(reason, log=outcome.log.text)


def _crash(outcome: Outcome) -> Reason | None:
    """Tell a crash first: it makes every other figure worthless."""
    return None if outcome.status in BAD_INPUT_STATUSES | {0} else Reason.ENCODER_CRASHED


def _damage(outcome: Outcome, source: Source, structure: Structure) -> Reason | None:
    """Compare what was decoded with what the file promised."""
    errors = outcome.log.errors
    told_by_structure = structure.complete is not None
    if not structure.complete if told_by_structure else any(map(outcome.log.says, CUT_OFF)):
        return Reason.TRUNCATED
    promised = source.seconds if source.declared and source.seconds else 0
    if outcome.samples / source.sample_rate_hz < promised - MISSING_SECONDS:
        ended_early = not told_by_structure and errors <= TOLERATED_ERRORS
        return Reason.TRUNCATED if ended_early else Reason.CORRUPT
    if outcome.status or outcome.log.says("CRC mismatch") or errors > (0 if source.lossless else TOLERATED_ERRORS):
        return Reason.CORRUPT
    return None


def _length(outcome: Outcome, source: Source, limits: Limits) -> Reason | None:
    seconds = outcome.samples / source.sample_rate_hz
    if not seconds:
        return Reason.EMPTY
    if seconds > limits.max_seconds:
        return Reason.TOO_LONG
    return Reason.TOO_SHORT if seconds < limits.min_seconds else None
