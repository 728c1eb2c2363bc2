"""What the work queues have in common: due rows, leases and fences."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Row, Select, Table, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common import tracing
from services.processing.domain import AnyTask, Failure, Lease, LeaseLostError, Status, Task

TASK = tuple(Task.__dataclass_fields__)
NOTHING_LEFT = {"lease_until": None, "stage": None}
"""What a task does not have while nobody works on it. Its attempt_id stays: it says whose result stands there."""


class Tasks(ABC, Generic[AnyTask]):
    """A work queue: rows that say who may write them, until when, and how often they were tried."""

    _table: Table
    _anew: Mapping[str, Any] = {}
    """What else an attempt begins with."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    @staticmethod
    @abstractmethod
    def _read(row: Row[Any]) -> AnyTask:
        """Read a task from its row."""

    async def find(self, task_id: UUID) -> AnyTask | None:
        """Find a task."""
        return await self._one(select(self._table).where(self._table.c.id == task_id))

    async def find_silent_for_update(self) -> Lease[AnyTask] | None:
        """Find and lock a task whose lease is over, unless another transaction has it."""
        columns = self._table.c
        silent = (columns.status == Status.PROCESSING, columns.lease_until < func.now())
        task = await self._one(self._first_free(columns.lease_until).where(*silent))
        return Lease(task, task.attempt_id) if task and task.attempt_id else None

    async def find_due_for_update(self) -> AnyTask | None:
        """Find and lock the task that has waited longest, unless another transaction has it."""
        return await self._one(self._first_free(self._table.c.next_try_at).where(*self._due()))

    async def lease(self, task: Task, attempt_id: UUID, worker_pod: str, seconds: float) -> AnyTask:
        """Give a task that this transaction has locked to a new attempt; its counter rises before the work."""
        values = {
            "status": Status.PROCESSING,
            "attempt": task.attempt + 1,
            "attempt_id": attempt_id,
            "worker_pod": worker_pod,
            "worker_deaths": task.worker_deaths,
            "lease_until": from_now(seconds),
            "stage": None,
            "percent": 0,
        }
        return await self._change({**values, **self._anew}, self._table.c.id == task.id)

    async def prolong(self, lease: Lease[AnyTask], seconds: float, stage: str, percent: int) -> None:
        """Keep a lease alive and write down how far the work is. Raises LeaseLostError."""
        await self._change({"lease_until": from_now(seconds), "stage": stage, "percent": percent}, *self._held(lease))

    async def check(self, lease: Lease[AnyTask]) -> None:
        """Raise LeaseLostError unless the attempt still holds its task."""
        held = select(self._table.c.id).where(*self._held(lease))
        if (await self._connection.execute(held)).first() is None:
            raise LeaseLostError

    async def fail(self, lease: Lease[AnyTask], failure: Failure) -> AnyTask:
        """End a task for good. Raises LeaseLostError."""
        values = {"status": Status.FAILED} | told(failure)
        return await self._change(values | NOTHING_LEFT, *self._held(lease))

    async def postpone(self, lease: Lease[AnyTask], seconds: float, failure: Failure) -> None:
        """Let a task wait for its next try. Raises LeaseLostError."""
        values = {"status": Status.PENDING, "next_try_at": from_now(seconds), "error_log": failure.bounded_log}
        await self._change(values | NOTHING_LEFT, *self._held(lease))

    async def release(self, lease: Lease[AnyTask], seconds: float) -> None:
        """Give a task back as if it had not been tried. Raises LeaseLostError."""
        values = {"status": Status.PENDING, "next_try_at": from_now(seconds), "attempt": lease.task.attempt - 1}
        await self._change(values | NOTHING_LEFT, *self._held(lease))

    async def _complete(self, lease: Lease[AnyTask], **made: Any) -> AnyTask:  # noqa: ANN401 (columns are of any type)
        values = {"status": Status.COMPLETED, "percent": 100, "error_log": None, **made}
        return await self._change(values | NOTHING_LEFT, *self._held(lease))

    async def _add(self, **values: Any) -> bool:  # noqa: ANN401 (as above)
        values |= {"status": Status.PENDING, "traceparent": tracing.traceparent() or None}
        added = insert(self._table).values(**values).on_conflict_do_nothing()
        return (await self._connection.execute(added.returning(self._table.c.id))).first() is not None

    async def _change(self, values: dict[str, Any], *where: ColumnElement[bool]) -> AnyTask:
        changed = update(self._table).where(*where).values(**values, updated_at=func.now())
        task = await self._one(changed.returning(self._table))
        if task is None:
            raise LeaseLostError
        return task

    async def _one(self, statement: Any) -> AnyTask | None:  # noqa: ANN401 (a select or an update with its rows)
        row = (await self._connection.execute(statement)).one_or_none()
        return self._read(row) if row else None

    def _due(self) -> tuple[ColumnElement[bool], ...]:
        """Match the tasks that wait for a worker and whose time has come."""
        return (self._table.c.status == Status.PENDING, self._table.c.next_try_at <= func.now())

    def _first_free(self, order: Column[datetime]) -> Select[Any]:
        return select(self._table).order_by(order).limit(1).with_for_update(skip_locked=True)

    def _held(self, lease: Lease[AnyTask]) -> tuple[ColumnElement[bool], ...]:
        """Match the task that an attempt holds. By status alone a woken zombie would end the next attempt's work."""
        return (self._table.c.attempt_id == lease.attempt_id, self._table.c.status == Status.PROCESSING)


def told(failure: Failure) -> dict[str, Any]:
    """Write down why a task failed."""
    return {"reason": failure.reason, "message": failure.message, "error_log": failure.bounded_log}


def from_now(seconds: float) -> ColumnElement[datetime]:
    """Say when `seconds` have passed, by the database's clock."""
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def task_of(row: Row[Any]) -> dict[str, Any]:
    """Read what every task has from its row."""
    return {name: getattr(row, name) for name in TASK} | {"status": Status(row.status)}
