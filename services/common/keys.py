"""Signing keys of tokens: Ed25519, kept sealed in the database of the context that signs, known by `kid`.

Two keys are published at any time: the one that signs and the one that signs next. A rotation therefore never needs a
key that a verifier has not seen, and a key that has signed stays published for as long as its tokens live (RFC 7517,
RFC 8037). In an emergency every key is withdrawn at once.
"""

import asyncio
import base64
import math
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import structlog
from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import SecretStr
from sqlalchemy import ColumnElement, Table, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common import errors, metrics, retention
from services.common.db import Database
from spotilike.auth.v1.jwks_pb2 import Jwk, Jwks

REREAD_SECONDS = 5.0
SIGNING_SECONDS = 2 * REREAD_SECONDS
"""How old the keys may be that sign: whoever has called `check` shortly before need not read them again."""
PUBLISHED = timedelta(seconds=30)
"""How long a key is published before it may sign: longer than the edge and the services take to ask again."""
SCHEDULE_SECONDS = 60.0
KEEP_RETIRED = timedelta(days=30)
LOCK = 0x53504F54
"""Advisory lock under which keys are changed, so that two replicas change them once."""

AGE = metrics.Gauge("spotilike_signing_key_age_seconds", "How long the key of this context has been signing tokens.")

log = structlog.get_logger("keys")


@dataclass(frozen=True)
class KeyPolicy:
    """How long keys serve."""

    token_life: timedelta
    """How long a key is published after it has signed its last token."""
    rotate_after: timedelta
    """How long a key signs."""


@dataclass(frozen=True)
class _Key:
    kid: str
    private: Ed25519PrivateKey
    signs_from: datetime | None


class Keyring:
    """The keys of one context."""

    def __init__(self, database: Database, table: Table, secret: SecretStr, policy: KeyPolicy) -> None:
        """Keep keys in `table`, sealed with `secret`: Fernet keys between commas, of which the first one seals."""
        self._database = database
        self._table = table
        self._seal = MultiFernet([Fernet(key) for key in secret.get_secret_value().split(",")])
        self._policy = policy
        self._keys: list[_Key] = []
        self._read_at = -math.inf
        self._reading = asyncio.Lock()
        metrics.at_scrape(self._measure, AGE)

    async def sign(self, claims: dict[str, Any], token_type: str) -> str:
        """Sign `claims` with the newest key whose time has come.

        In a transaction only after `check`, which was called before it: reading the keys takes a second connection, and
        where all are in use, everybody would wait for everybody.
        """
        key = _signing(await self._current(SIGNING_SECONDS))
        return jwt.encode(claims, key.private, algorithm="EdDSA", headers={"kid": key.kid, "typ": token_type})

    async def public_key(self, kid: str) -> Ed25519PublicKey | None:
        """Find the public half of a key that is published."""
        found = (key.private.public_key() for key in await self._current(REREAD_SECONDS) if key.kid == kid)
        return next(found, None)

    async def check(self) -> None:
        """Read the keys again if that is due; raise while they cannot be read and none are known."""
        await self._current(REREAD_SECONDS)

    async def jwks(self) -> Jwks:
        """Answer the public keys, the signing one first."""
        return Jwks(keys=map(_jwk, await self._current(REREAD_SECONDS)))

    async def rotate(self, *, emergency: bool = False) -> str:
        """Let the next key sign and publish another one; answer the id of the key that signs now.

        Refused with KEY_TOO_YOUNG when the next key may not be known everywhere yet. In an emergency all keys are
        withdrawn and two new ones made: verifiers refuse every token until they have asked again.
        """
        async with self._locked() as connection:
            if emergency:
                await withdraw_all(connection, self._table)
            else:
                await self._promote(connection)
            await self._complete(connection)
        self._read_at = -math.inf
        kid = _signing(await self._current(REREAD_SECONDS)).kid
        log.warning("keys_rotated", kid=kid, emergency=emergency)
        return kid

    async def run(self) -> None:
        """Rotate on schedule until cancelled."""
        while True:
            await asyncio.sleep(SCHEDULE_SECONDS)
            try:
                await self._rotate_when_due()
            except Exception as error:  # noqa: BLE001 (an outage of the database only delays)
                log.warning("rotation_failed", error=type(error).__name__)

    def rule(self) -> retention.Rule:
        """Say how long the rows of withdrawn keys are kept."""
        return retention.Rule(self._table.c.retired_at, KEEP_RETIRED)

    async def _rotate_when_due(self) -> None:
        columns = self._table.c
        async with self._locked() as connection:
            young = columns.signs_from > func.now() - self._policy.rotate_after
            fresh = select(columns.kid).where(_published(self._table), young)
            if (await connection.execute(fresh)).first() is None:
                await self._promote(connection)
                await self._complete(connection)
                log.info("keys_rotated", emergency=False)

    async def _current(self, seconds: float) -> list[_Key]:
        """Answer the keys, as they were so many seconds ago at most."""
        if self._is_older(seconds):
            async with self._reading:
                if self._is_older(seconds):
                    await self._refresh()
        return self._keys

    async def _measure(self) -> None:
        since = _signing(await self._current(REREAD_SECONDS)).signs_from
        if since:
            AGE.set((datetime.now(UTC) - since).total_seconds())

    def _is_older(self, seconds: float) -> bool:
        return time.monotonic() - self._read_at > seconds

    async def _refresh(self) -> None:
        """Read the keys; while the database is away, those that are known stay good."""
        try:
            keys = await self._read()
            if {key.signs_from is None for key in keys} != {True, False}:
                async with self._locked() as connection:
                    await self._complete(connection)
                keys = await self._read()
            self._keys = keys
        except Exception as error:
            if not self._keys:
                raise
            log.warning("keys_not_read", error=type(error).__name__)
        self._read_at = time.monotonic()

    async def _read(self) -> list[_Key]:
        columns = self._table.c
        signing_first = columns.signs_from.desc().nulls_last(), columns.kid
        statement = select(columns.kid, columns.sealed_key, columns.signs_from).where(_published(self._table))
        async with self._database.read() as connection:
            rows = await connection.execute(statement.order_by(*signing_first))
            return [_Key(row.kid, _load(self._seal.decrypt(row.sealed_key)), row.signs_from) for row in rows]

    @asynccontextmanager
    async def _locked(self) -> AsyncIterator[AsyncConnection]:
        async with self._database.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            yield connection

    async def _complete(self, connection: AsyncConnection) -> None:
        """Make the keys that are missing: one that signs, one that signs next."""
        columns = self._table.c
        for is_next in (False, True):
            wanted = columns.signs_from.is_(None) if is_next else columns.signs_from.is_not(None)
            unwithdrawn = select(columns.kid).where(wanted, columns.retired_at.is_(None))
            if (await connection.execute(unwithdrawn)).first() is None:
                new = {"kid": secrets.token_urlsafe(12), "sealed_key": self._seal.encrypt(_new_private_key())}
                signs_from = None if is_next else func.now()
                await connection.execute(insert(self._table).values(**new, signs_from=signs_from))

    async def _promote(self, connection: AsyncConnection) -> None:
        columns = self._table.c
        await self._complete(connection)
        following = select(columns.kid, (func.now() - columns.created_at).label("age"))
        row = (
            await connection.execute(following.where(columns.signs_from.is_(None), columns.retired_at.is_(None)))
        ).one()
        if row.age < PUBLISHED:
            wait = (PUBLISHED - row.age).total_seconds()
            raise errors.FailedPrecondition(
                "KEY_TOO_YOUNG",
                f"The next key has to be known everywhere before it signs. Try again in {math.ceil(wait)} seconds.",
                retry_seconds=wait,
            )
        leaving = update(self._table).where(columns.signs_from.is_not(None), columns.retired_at.is_(None))
        await connection.execute(leaving.values(retired_at=func.now() + self._policy.token_life))
        await connection.execute(update(self._table).where(columns.kid == row.kid).values(signs_from=func.now()))


async def withdraw_all(connection: AsyncConnection, table: Table) -> int:
    """Withdraw every key, in the transaction of `connection`; answers how many. New ones come when needed."""
    withdrawn = update(table).where(_published(table)).values(retired_at=func.now())
    return (await connection.execute(withdrawn)).rowcount


def _published(table: Table) -> ColumnElement[bool]:
    return or_(table.c.retired_at.is_(None), table.c.retired_at > func.now())


def _signing(keys: list[_Key]) -> _Key:
    """Choose the key that signs; `_read` puts it first."""
    return keys[0]


def _new_private_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load(private: bytes) -> Ed25519PrivateKey:
    key = serialization.load_der_private_key(private, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("the signing_keys table holds a key that is not Ed25519")
    return key


def _jwk(key: _Key) -> Jwk:
    public = key.private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    x = base64.urlsafe_b64encode(public).decode().rstrip("=")
    return Jwk(kty="OKP", crv="Ed25519", x=x, kid=key.kid, use="sig", alg="EdDSA")


def public_key(jwk: Jwk) -> Ed25519PublicKey:
    """Read the key of a JWK."""
    return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(jwk.x + "=" * (-len(jwk.x) % 4)))
