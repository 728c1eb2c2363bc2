"""Requests that are carried out once, however often they arrive (AIP-155)."""

import hashlib
from typing import Any
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy import Table, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common import auth, errors


class Requests:
    """The request ids of one transaction. What a request made is remembered with the change itself."""

    def __init__(self, connection: AsyncConnection, table: Table) -> None:
        """Remember in `table` within the transaction of `connection`."""
        self._connection = connection
        self._table = table

    async def find(self, request: Message) -> UUID | None:
        """Answer what this request made when it was first carried out, or None when it is new.

        A twin that runs at the same time waits here until the first one has committed.
        """
        key = _key(request)
        if key is None:
            return None
        body_hash = _body_hash(request)
        claim = insert(self._table).values(**key, body_hash=body_hash).on_conflict_do_nothing()
        claimed = await self._connection.execute(claim.returning(self._table.c.request_id))
        if claimed.first() is not None:
            return None
        found = await self._connection.execute(
            select(self._table.c.body_hash, self._table.c.resource).where(*self._is(key))
        )
        row = found.one()
        if row.body_hash != body_hash:
            raise errors.InvalidArgument(
                "REQUEST_ID_REUSED",
                "This request id belongs to a request with another content. Choose a new one.",
                request_id=str(key["request_id"]),
            )
        return UUID(row.resource)

    async def remember(self, request: Message, resource: UUID) -> None:
        """Note what this request made."""
        key = _key(request)
        if key is not None:
            await self._connection.execute(update(self._table).where(*self._is(key)).values(resource=str(resource)))

    def _is(self, key: dict[str, Any]) -> list[Any]:
        return [self._table.c[column] == value for column, value in key.items()]


def _key(request: Message) -> dict[str, Any] | None:
    fields: Any = request
    if not fields.request_id:
        return None
    running = auth.call()
    return {
        "caller": str(running.user_id),
        "method": running.method.path,
        "request_id": UUID(fields.request_id),
    }


def _body_hash(request: Message) -> bytes:
    body = type(request)()
    body.CopyFrom(request)
    body.ClearField("request_id")
    return hashlib.sha256(body.SerializeToString(deterministic=True)).digest()
