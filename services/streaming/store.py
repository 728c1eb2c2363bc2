"""Every SQL statement of the streaming context."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common import metrics
from services.common.db import Database, UnitsOfWork
from services.common.pages import Page, PageRequest
from services.common.requests import Requests
from services.streaming.domain import Clock, Credit, NewPlayback, Play, Playback, Report, Stretch
from services.streaming.tables import (
    CLOSED,
    OPEN,
    erased_listeners,
    listeners,
    playback_history,
    playbacks,
    request_ids,
)

BATCH = 500

STARTED = metrics.Counter("spotilike_playbacks_started_total", "Playbacks that began.")
ENDED = metrics.Counter(
    "spotilike_playbacks_ended_total", "Playbacks that ended: by whom, and whether they count.", ("ended_by", "counted")
)
HEARD = metrics.Counter("spotilike_playback_heard_seconds_total", "Verified listening of playbacks that ended.")
STALLS = metrics.Counter("spotilike_playback_stalls_total", "How often their sound stopped to wait for bytes.")


class Store(UnitsOfWork["Transaction"]):
    """The rows of `streaming_db`."""

    def __init__(self, database: Database) -> None:
        """Read and write through `database`."""
        super().__init__(database, Transaction)


class Transaction:
    """One unit of work."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self.playbacks = Playbacks(connection)
        self.listeners = Listeners(connection)
        self.history = History(connection)
        self.requests = Requests(connection, request_ids)
        self._connection = connection

    async def now(self) -> datetime:
        """Answer the database's clock."""
        moment: datetime = (await self._connection.execute(select(func.now()))).scalar_one()
        return moment

    async def erase(self, user_id: UUID) -> None:
        """Take a person out of everything; what was heard stays, under a name that belongs to nobody."""
        await self.playbacks.close_of(user_id)
        await self.history.erase(user_id)
        await self.playbacks.remove_of(user_id)
        await self.listeners.remove(user_id)
        await self._connection.execute(delete(request_ids).where(request_ids.c.caller == str(user_id)))


class Playbacks:
    """Playbacks that go on or ended lately."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def add(self, new: NewPlayback) -> UUID:
        """Open a playback and answer its id."""
        values = {**asdict(new), "artists": list(new.artists)}
        added = await self._connection.execute(insert(playbacks).values(**values).returning(playbacks.c.play_id))
        play_id: UUID = added.scalar_one()
        STARTED.add()
        return play_id

    async def find_for_update(self, play_id: UUID) -> Playback | None:
        """Find a playback and lock it, so that its reports take their turn."""
        statement = select(playbacks).where(playbacks.c.play_id == play_id).with_for_update()
        row = (await self._connection.execute(statement)).one_or_none()
        return _playback(row) if row else None

    async def advance(
        self, play_id: UUID, report: Report, heard: tuple[Stretch, ...], listened_ms: int, *, counted: bool
    ) -> None:
        """Keep what a report said and what of it could be verified."""
        values = {
            "sequence": report.sequence,
            "position_ms": report.position_ms,
            "stalls": report.stalls,
            "heard": heard,
            "listened_ms": listened_ms,
            "counted": counted,
        }
        await self._connection.execute(
            update(playbacks).where(playbacks.c.play_id == play_id).values(**values, last_seen_at=func.now())
        )

    async def touch(self, play_id: UUID) -> None:
        """Note that a playback goes on."""
        await self._connection.execute(
            update(playbacks).where(playbacks.c.play_id == play_id).values(last_seen_at=func.now())
        )

    async def close(self, play_id: UUID) -> None:
        """Close a playback and write it into the history, if it is open."""
        await self._close(playbacks.c.play_id == play_id, "player")

    async def close_of(self, user_id: UUID) -> None:
        """Close every playback of a user."""
        await self._close(playbacks.c.user_id == user_id, "erasure")

    async def remove_of(self, user_id: UUID) -> None:
        """Remove the playbacks of a user; their plays stay in the history."""
        await self._connection.execute(delete(playbacks).where(playbacks.c.user_id == user_id))

    async def close_silent(self, silence: timedelta) -> int:
        """Close playbacks that were not seen for so long, as their last reports left them; answers how many.

        Several sweepers share the work: each takes rows that no other one has locked.
        """
        silent = (
            select(playbacks.c.play_id)
            .where(playbacks.c.state == OPEN, playbacks.c.last_seen_at < func.now() - silence)
            .order_by(playbacks.c.last_seen_at)
            .limit(BATCH)
            .with_for_update(skip_locked=True)
            .cte("silent")
        )
        return await self._close(playbacks.c.play_id == silent.c.play_id, "silence")

    async def _close(self, which: ColumnElement[bool], ended_by: str) -> int:
        closed = await self._connection.execute(
            update(playbacks)
            .where(playbacks.c.state == OPEN, which)
            .values(state=CLOSED, closed_at=func.now())
            .returning(
                playbacks.c.play_id,
                playbacks.c.user_id,
                playbacks.c.track_id,
                playbacks.c.listened_ms,
                playbacks.c.started_at,
                playbacks.c.ip_address,
                playbacks.c.platform,
                playbacks.c.counted,
                playbacks.c.stalls,
            )
        )
        rows = closed.all()
        for row in rows:
            ENDED.add(ended_by, "yes" if row.counted else "no")
            HEARD.add(amount=row.listened_ms / 1000)
            STALLS.add(amount=row.stalls)
        heard = [_history_line(row) for row in rows if row.listened_ms]
        if heard:
            await self._connection.execute(insert(playback_history), heard)
        return len(rows)


class Listeners:
    """The time of each user, of which every second is credited once."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def add(self, user_id: UUID) -> None:
        """Begin with a user who is not known yet; what was before now can never be credited."""
        await self._connection.execute(postgresql.insert(listeners).values(user_id=user_id).on_conflict_do_nothing())

    async def lock(self, user_id: UUID) -> Clock:
        """Read the time of a user and let no other report of the user change it meanwhile."""
        statement = select(listeners.c.credited_until, func.clock_timestamp().label("now"))
        row = (await self._connection.execute(statement.where(listeners.c.user_id == user_id).with_for_update())).one()
        return Clock(row.credited_until, row.now)

    async def spend(self, user_id: UUID, credit: Credit) -> None:
        """Use up what was credited."""
        await self._connection.execute(
            update(listeners).where(listeners.c.user_id == user_id).values(credited_until=credit.credited_until)
        )

    async def remove(self, user_id: UUID) -> None:
        """Forget the time of a user."""
        await self._connection.execute(delete(listeners).where(listeners.c.user_id == user_id))

    async def erase_again(self, user_id: UUID) -> None:
        """Have a person erased once more, when nothing of theirs can arrive any more."""
        await self._connection.execute(
            postgresql.insert(erased_listeners).values(user_id=user_id).on_conflict_do_nothing()
        )

    async def take_erased(self, age: timedelta) -> UUID | None:
        """Take a person who was erased so long ago; None when there is nobody."""
        columns = erased_listeners.c
        chosen = select(columns.user_id).where(columns.erased_at < func.now() - age).limit(1)
        taken = await self._connection.execute(
            delete(erased_listeners)
            .where(columns.user_id.in_(chosen.with_for_update(skip_locked=True)))
            .returning(columns.user_id)
        )
        user_id: UUID | None = taken.scalar_one_or_none()
        return user_id


class History:
    """The listening history, to which is only added."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def plays(self, user_id: UUID, request: PageRequest) -> Page[Play]:
        """List what a user has heard, the newest first."""
        columns = playback_history.c
        statement = select(playback_history).where(columns.user_id == user_id)
        if after := request.keyset(int):
            statement = statement.where(columns.id < after[0])
        rows = await self._connection.execute(statement.order_by(columns.id.desc()).limit(request.limit))
        page = request.page(rows.all(), lambda row: (row.id,))
        return Page([_play(row) for row in page.rows], page.next_token)

    async def erase(self, user_id: UUID) -> None:
        """Replace a person by a name that belongs to nobody, and drop the addresses they came from."""
        await self._connection.execute(select(func.erase_listener(user_id, uuid4())))

    async def make_room(self) -> None:
        """Make the partitions that will be needed next."""
        await self._connection.execute(select(func.extend_playback_history()))


def _playback(row: Row[Any]) -> Playback:
    return Playback(
        id=row.play_id,
        user_id=row.user_id,
        track_id=row.track_id,
        folder=row.folder,
        facts=row.facts,
        duration_ms=row.duration_ms,
        started_at=row.started_at,
        is_open=row.state == OPEN,
        sequence=row.sequence,
        heard=tuple((start, end) for start, end in row.heard),
        listened_ms=row.listened_ms,
    )


def _history_line(row: Row[Any]) -> dict[str, Any]:
    return {
        "play_id": row.play_id,
        "user_id": row.user_id,
        "track_id": row.track_id,
        "listened_sec": row.listened_ms // 1000,
        "timestamp": row.started_at,
        "ip_address": row.ip_address,
        "platform": row.platform,
        "counted": row.counted,
    }


def _play(row: Row[Any]) -> Play:
    return Play(
        id=row.play_id,
        track_id=row.track_id,
        listened_sec=row.listened_sec,
        started_at=row.timestamp,
        platform=row.platform or "",
        counted=row.counted,
    )
