"""The rules of playbacks: what was heard, what of it the server can verify, and what counts.

Positions and lengths are whole milliseconds, so that sums are exact.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.common import errors, names

DEFAULT_PLATFORM = "WEB"
COUNTED_MS = 30_000
"""A play counts when so much was heard, or the whole track if that is shorter."""
CARRY = timedelta(seconds=5)
"""How much of the time that a user did not spend listening may still be claimed by a report that was delayed."""
MOST_STRETCHES = 1000
"""A playback that jumped about more often than this is credited no further."""

Stretch = tuple[int, int]
"""Begin and end of a part of a track, in milliseconds."""


@dataclass(frozen=True)
class NewPlayback:
    """Somebody starts to listen."""

    user_id: UUID
    session_id: UUID
    ip_address: str
    platform: str
    track_id: UUID
    artists: tuple[UUID, ...]
    folder: str
    """Key prefix in the audio bucket, without a slash at the end."""
    facts: bytes
    """Serialized spotilike.internal.v1.AudioFacts."""
    duration_ms: int


@dataclass(frozen=True)
class Playback:
    """One listening of one track, with what its reports have said so far."""

    id: UUID
    user_id: UUID
    track_id: UUID
    folder: str
    facts: bytes
    duration_ms: int
    started_at: datetime
    is_open: bool
    sequence: int
    """Of the newest report; -1 before the first one."""
    heard: tuple[Stretch, ...]
    listened_ms: int
    """What the server could verify."""


@dataclass(frozen=True)
class Report:
    """What a player says it has played."""

    sequence: int
    heard: tuple[Stretch, ...]
    position_ms: int
    stalls: int


@dataclass(frozen=True)
class Clock:
    """The time of a user, as the server sees it; it is shared by all of the user's playbacks."""

    credited_until: datetime
    """No second before this can be credited any more."""
    now: datetime


@dataclass(frozen=True)
class Credit:
    """What a report is worth."""

    milliseconds: int
    credited_until: datetime


@dataclass(frozen=True)
class Play:
    """A line of the listening history."""

    id: UUID
    track_id: UUID
    listened_sec: int
    started_at: datetime
    platform: str
    counted: bool


def union(stretches: Iterable[Stretch], duration_ms: int) -> tuple[Stretch, ...]:
    """Join the stretches that touch, within the track, in order."""
    joined: list[Stretch] = []
    for start, end in sorted((max(start, 0), min(end, duration_ms)) for start, end in stretches):
        if start >= end:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)


def length(stretches: Sequence[Stretch]) -> int:
    """Add up stretches that do not overlap, in milliseconds."""
    return sum(end - start for start, end in stretches)


def heard_with(playback: Playback, report: Report) -> tuple[Stretch, ...]:
    """Say which parts of the track were heard, by all the reports together."""
    heard = union([*playback.heard, *report.heard], playback.duration_ms)
    return heard if len(heard) <= MOST_STRETCHES else playback.heard


def credit(claimed_ms: int, started_at: datetime, clock: Clock) -> Credit:
    """Verify a claim against the server's clock.

    Every credited second is one of the user's own, after the playback's start and before now, and none is credited
    twice. So a player cannot have heard more than the time that passed, and of two players at once only one counts.
    """
    since = max(started_at, clock.credited_until)
    passed = max(clock.now - since, timedelta())
    credited = min(timedelta(milliseconds=claimed_ms), passed)
    milliseconds = credited // timedelta(milliseconds=1)
    return Credit(milliseconds, max(since + credited, clock.now - CARRY))


def counts(listened_ms: int, duration_ms: int) -> bool:
    """Say whether so much listening to a track is a play."""
    return listened_ms >= min(COUNTED_MS, duration_ms)


def duration_ms(samples: int, sample_rate_hz: int) -> int:
    """Say how long a track is; the part of a millisecond at its end is left out."""
    return samples * 1000 // sample_rate_hz


def track_not_found(track_id: UUID) -> errors.NotFound:
    """Refuse because the caller can hear no such track."""
    name = names.track(track_id)
    return errors.NotFound("TRACK_NOT_FOUND", "There is no such track, or it cannot be played yet.", name=name)


def playback_not_found(name: str) -> errors.NotFound:
    """Refuse because the caller has no such playback."""
    return errors.NotFound("PLAYBACK_NOT_FOUND", "You have no such playback. Start a new one.", name=name)


def playback_closed(name: str) -> errors.FailedPrecondition:
    """Refuse because the playback is over."""
    return errors.FailedPrecondition("PLAYBACK_CLOSED", "This playback has ended. Start a new one.", name=name)
