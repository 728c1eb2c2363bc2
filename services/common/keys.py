"""Signing keys of tokens: Ed25519, kept sealed in the database of the context that signs, known by `kid`.

The newest key signs, every key that is not retired verifies, so all replicas agree and a key can be rotated
without a failed call (RFC 7517, RFC 8037).
"""

import asyncio
import base64
import secrets
import time
from typing import Any

import jwt
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import SecretStr
from sqlalchemy import Table, func, select, text
from sqlalchemy.dialects.postgresql import insert

from services.common.db import Database
from spotilike.auth.v1.jwks_pb2 import Jwk, Jwks

REREAD_SECONDS = 30.0
FIRST_KEY_LOCK = 0x53504F54
"""Advisory lock under which the first key is made, so that two replicas make one."""


class Keyring:
    """The keys of one context."""

    def __init__(self, database: Database, table: Table, secret: SecretStr) -> None:
        """Keep keys in `table`, sealed with `secret` (a Fernet key)."""
        self._database = database
        self._table = table
        self._seal = Fernet(secret.get_secret_value())
        self._keys: dict[str, Ed25519PrivateKey] = {}
        self._read_at = -REREAD_SECONDS
        self._reading = asyncio.Lock()

    async def sign(self, claims: dict[str, Any], token_type: str) -> str:
        """Sign `claims` with the newest key."""
        keys = await self._current()
        kid, key = next(iter(keys.items()))
        return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": kid, "typ": token_type})

    async def public_key(self, kid: str) -> Ed25519PublicKey | None:
        """Find the public half of a key."""
        key = (await self._current()).get(kid)
        return key.public_key() if key else None

    async def check(self) -> None:
        """Raise while the keys cannot be read."""
        await self._current()

    async def jwks(self) -> Jwks:
        """Answer the public keys, the signing one first."""
        return Jwks(keys=[_jwk(kid, key) for kid, key in (await self._current()).items()])

    async def _current(self) -> dict[str, Ed25519PrivateKey]:
        if time.monotonic() - self._read_at > REREAD_SECONDS:
            async with self._reading:
                if time.monotonic() - self._read_at > REREAD_SECONDS:
                    self._keys = await self._read() or await self._make_first()
                    self._read_at = time.monotonic()
        return self._keys

    async def _read(self) -> dict[str, Ed25519PrivateKey]:
        columns = self._table.c
        newest_first = select(columns.kid, columns.sealed_key).where(columns.retired_at.is_(None))
        async with self._database.read() as connection:
            rows = await connection.execute(newest_first.order_by(columns.created_at.desc(), columns.kid))
            return {row.kid: _load(self._seal.decrypt(row.sealed_key)) for row in rows}

    async def _make_first(self) -> dict[str, Ed25519PrivateKey]:
        async with self._database.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": FIRST_KEY_LOCK})
            if not await connection.scalar(select(func.count()).select_from(self._table)):
                await connection.execute(insert(self._table).values(**self._new_key()))
        return await self._read()

    def _new_key(self) -> dict[str, Any]:
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {"kid": secrets.token_urlsafe(12), "sealed_key": self._seal.encrypt(private)}


def _load(private: bytes) -> Ed25519PrivateKey:
    key = serialization.load_der_private_key(private, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("the signing_keys table holds a key that is not Ed25519")
    return key


def _jwk(kid: str, key: Ed25519PrivateKey) -> Jwk:
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    x = base64.urlsafe_b64encode(public).decode().rstrip("=")
    return Jwk(kty="OKP", crv="Ed25519", x=x, kid=kid, use="sig", alg="EdDSA")


def public_key(jwk: Jwk) -> Ed25519PublicKey:
    """Read the key of a JWK."""
    return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(jwk.x + "=" * (-len(jwk.x) % 4)))
