"""Signing keys: two are published at any time, and a rotation fails no call."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import jwt
import pytest
from cryptography.fernet import Fernet, InvalidToken
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from services.common import errors, keys
from services.common.db import Database, driver_url
from services.common.keys import KeyPolicy, Keyring
from services.common.settings import DatabaseSettings
from services.user.tables import signing_keys
from tests.support.databases import Databases

LIFE = timedelta(minutes=15)
MONTH = timedelta(days=30)


def new_secret() -> SecretStr:
    """Make a secret that seals keys."""
    return SecretStr(Fernet.generate_key().decode())


class Lab:
    """A database of keys of its own, any number of processes that use it, and time that passes at will."""

    def __init__(self, app_url: str, owner_url: str) -> None:
        self._app_url = app_url
        self._owner = create_async_engine(driver_url(owner_url))
        self._databases: list[Database] = []
        self.secret = new_secret()

    def replica(self) -> Keyring:
        """Start another process."""
        database = Database(DatabaseSettings(database_url=SecretStr(self._app_url)))
        self._databases.append(database)
        return Keyring(database, signing_keys, self.secret, KeyPolicy(LIFE, MONTH))

    async def sql(self, statement: str, **values: object) -> None:
        """Run a statement as the owner of the table."""
        async with self._owner.begin() as connection:
            await connection.execute(text(statement), values)

    async def let_pass(self, time: timedelta) -> None:
        """Move every moment into the past."""
        columns = ("created_at", "signs_from", "retired_at")
        moved = ", ".join(f"{column} = {column} - :time" for column in columns)
        await self.sql(f"UPDATE signing_keys SET {moved}", time=time)  # noqa: S608 (our own words)

    async def close(self) -> None:
        """End every process."""
        for database in self._databases:
            await database.close()
        await self._owner.dispose()


@pytest.fixture
async def lab(databases: Databases) -> AsyncIterator[Lab]:
    """Return a laboratory without keys."""
    name = uuid4().hex[:12]
    made = Lab(await databases.fresh("user", name), await databases.fresh("user", name, "owner"))
    yield made
    await made.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every process read the keys at each use, as if the time between two reads had passed."""
    monkeypatch.setattr(keys, "REREAD_SECONDS", 0.0)
    monkeypatch.setattr(keys, "SIGNING_SECONDS", 0.0)


pytestmark = pytest.mark.usefixtures("impatient")


async def verifies(keyring: Keyring, token: str) -> bool:
    """Say whether a process finds the key of a token, and the token good under it."""
    key = await keyring.public_key(jwt.get_unverified_header(token)["kid"])
    if key is None:
        return False
    jwt.decode(token, key, algorithms=["EdDSA"], options={"require": ["sub"]})
    return True


async def published(keyring: Keyring) -> list[str]:
    """Return the ids of the keys that a process publishes."""
    return [key.kid for key in (await keyring.jwks()).keys]


def signer(token: str) -> str:
    """Return the id of the key that signed a token."""
    return str(jwt.get_unverified_header(token)["kid"])


async def test_processes_that_start_at_once_agree_on_two_keys(lab: Lab):
    """One signs, the other one is published to be known in time."""
    replicas = [lab.replica() for _ in range(4)]

    known = await asyncio.gather(*(published(replica) for replica in replicas))

    assert len(known[0]) == 2
    assert all(keys == known[0] for keys in known)
    assert {signer(await replica.sign({"sub": "a"}, "at+jwt")) for replica in replicas} == {known[0][0]}


async def test_after_a_rotation_the_key_that_was_published_signs_and_old_tokens_are_good(lab: Lab):
    """Nothing is signed with a key that a verifier has not seen."""
    here, there = lab.replica(), lab.replica()
    old = await here.sign({"sub": "a"}, "at+jwt")
    first, second = await published(there)
    await lab.let_pass(keys.PUBLISHED)

    assert await here.rotate() == second

    new = await there.sign({"sub": "a"}, "at+jwt")
    assert (signer(old), signer(new)) == (first, second)
    assert await verifies(there, old)
    assert await verifies(there, new)
    assert len(await published(there)) == 3


async def test_a_key_that_may_not_be_known_yet_does_not_sign(lab: Lab):
    """The refusal says how long to wait."""
    keyring = lab.replica()
    before = signer(await keyring.sign({"sub": "a"}, "at+jwt"))

    with pytest.raises(errors.FailedPrecondition) as refused:
        await keyring.rotate()

    assert refused.value.reason == "KEY_TOO_YOUNG"
    assert 0 < (refused.value.retry_seconds or 0) <= keys.PUBLISHED.total_seconds()
    assert signer(await keyring.sign({"sub": "a"}, "at+jwt")) == before


async def test_a_key_is_withdrawn_when_its_last_token_has_ended(lab: Lab):
    """Not before."""
    keyring = lab.replica()
    old = await keyring.sign({"sub": "a"}, "at+jwt")
    await lab.let_pass(keys.PUBLISHED)
    await keyring.rotate()

    await lab.let_pass(LIFE * 0.9)
    assert await verifies(keyring, old)
    await lab.let_pass(LIFE * 0.2)
    assert not await verifies(keyring, old)
    assert len(await published(keyring)) == 2


async def test_in_an_emergency_no_key_of_before_is_good(lab: Lab):
    """Neither the one that signed nor the one that was to sign next, for no process."""
    here, there = lab.replica(), lab.replica()
    old = await here.sign({"sub": "a"}, "at+jwt")
    before = set(await published(there))

    kid = await here.rotate(emergency=True)

    assert not await verifies(here, old)
    assert not await verifies(there, old)
    assert set(await published(there)).isdisjoint(before)
    assert (await published(there))[0] == kid
    assert await verifies(there, await here.sign({"sub": "a"}, "at+jwt"))


async def test_keys_are_rotated_on_schedule_once_however_many_processes_watch(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
):
    """A month of signing is enough."""
    monkeypatch.setattr(keys, "SCHEDULE_SECONDS", 0.02)
    replicas = [lab.replica() for _ in range(3)]
    first, second = await published(replicas[0])
    watching = [asyncio.create_task(replica.run()) for replica in replicas]

    await lab.let_pass(MONTH * 0.9)
    await asyncio.sleep(0.2)  # ten looks at the clock, none of which may rotate
    assert (await published(replicas[0]))[0] == first
    await lab.let_pass(MONTH * 0.2)
    async with asyncio.timeout(5):
        while (await published(replicas[0]))[0] == first:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)  # ten more looks by each, none of which may rotate again

    assert (await published(replicas[0]))[0] == second
    assert len(await published(replicas[0])) == 3
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)


async def test_known_keys_stay_good_while_the_database_is_away(lab: Lab):
    """Who has read them goes on; who has not is not ready."""
    keyring = lab.replica()
    token = await keyring.sign({"sub": "a"}, "at+jwt")

    await lab.sql("REVOKE SELECT ON signing_keys FROM user_app")

    assert await verifies(keyring, token)
    assert await keyring.sign({"sub": "b"}, "at+jwt")
    with pytest.raises(Exception, match="permission denied"):
        await lab.replica().check()


async def test_a_dump_of_the_table_holds_no_usable_key(lab: Lab):
    """The secret that opens them is not in the database."""
    await lab.replica().check()
    lab.secret = new_secret()

    with pytest.raises(InvalidToken):
        await lab.replica().check()


async def test_the_secret_that_seals_is_replaced_without_a_withdrawn_key(lab: Lab):
    """The older one stands behind it until every key that it sealed is gone."""
    old, new = lab.secret.get_secret_value(), new_secret().get_secret_value()
    kids = [key.kid for key in (await lab.replica().jwks()).keys]

    lab.secret = SecretStr(f"{new},{old}")
    assert [key.kid for key in (await lab.replica().jwks()).keys] == kids
    await lab.replica().rotate(emergency=True)

    lab.secret = SecretStr(new)
    assert len((await lab.replica().jwks()).keys) == 2
