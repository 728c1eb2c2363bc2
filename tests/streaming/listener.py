"""Somebody who listens, through a real client."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from spotilike.streaming.v1.history_service_pb2 import ListPlaysRequest
from spotilike.streaming.v1.play_pb2 import Play
from spotilike.streaming.v1.playback_pb2 import Playback
from spotilike.streaming.v1.playback_service_pb2 import (
    Interval,
    RenewPlaybackRequest,
    ReportPlaybackRequest,
    StartPlaybackRequest,
)
from tests.support.rows import Rows
from tests.support.services import Account


@dataclass(frozen=True)
class Listener:
    """Somebody who listens, and whose time the test can let pass."""

    account: Account
    playbacks: Any
    history: Any
    rows: Rows

    async def start(self, track: str, address: str = "198.51.100.7", **fields: Any) -> Playback:
        """Start to listen."""
        metadata = (*self.account.metadata, ("x-spotilike-client-address", address))
        started: Playback = await self.playbacks.StartPlayback(
            StartPlaybackRequest(track=track, **fields), metadata=metadata
        )
        return started

    async def report(
        self, playback: Playback, sequence: int, *heard: tuple[float, float], ended: bool = False
    ) -> float:
        """Report stretches of the track, in seconds; answers the seconds that are verified."""
        request = ReportPlaybackRequest(
            name=playback.name,
            intervals=[Interval(start=start, end=end) for start, end in heard],
            sequence=sequence,
            ended=ended,
        )
        answer = await self.playbacks.ReportPlayback(request, metadata=self.account.metadata)
        return float(answer.listened.ToMilliseconds() / 1000)

    async def renew(self, playback: Playback) -> Playback:
        """Ask for a new media token."""
        renewed: Playback = await self.playbacks.RenewPlayback(
            RenewPlaybackRequest(name=playback.name), metadata=self.account.metadata
        )
        return renewed

    async def let_pass(self, seconds: float) -> None:
        """Move what is known of this listener into the past, as if so much time had passed."""
        values = {"seconds": seconds, "user": self.account.id}
        await self.rows(
            "UPDATE playbacks SET started_at = started_at - make_interval(secs => :seconds) WHERE user_id = :user",
            **values,
        )
        await self.rows(
            "UPDATE listeners SET credited_until = credited_until - make_interval(secs => :seconds)"
            " WHERE user_id = :user",
            **values,
        )

    async def fall_silent(self, seconds: float) -> None:
        """Make it so long since the listener's playbacks were reported or renewed."""
        await self.rows(
            "UPDATE playbacks SET last_seen_at = now() - make_interval(secs => :seconds) WHERE user_id = :user",
            seconds=seconds,
            user=self.account.id,
        )

    async def plays(self) -> list[Play]:
        """List the listener's history, the newest first."""
        request = ListPlaysRequest(parent="users/me")
        answer = await self.history.ListPlays(request, metadata=self.account.metadata)
        return list(answer.plays)


def play_id(playback: Playback) -> UUID:
    """Read the id of a playback."""
    return UUID(playback.name.split("/")[1])
