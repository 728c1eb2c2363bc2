"""What is put right after the database of users went back to a moment: nobody is signed in, the erased stay erased."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.common import events
from services.common.db import Database
from services.common.settings import DatabaseSettings, NatsSettings
from services.common.streams import USER_DELETED
from services.user import recovery
from services.user.domain import Place
from services.user.events import user_deleted
from services.user.recovery import ErasuresUnknownError
from services.user.settings import RecoverySettings
from services.user.store import NewToken, Store
from spotilike.events.v1.user_events_pb2 import UserDeleted
from tests.support.databases import run_module
from tests.support.rows import Rows, rows_of
from tests.user.desk import Desk, refused

LONG_AGO = datetime(2020, 2, 29, tzinfo=UTC)
NOWHERE = "nats://127.0.0.1:1"
TABLES = ("users", "refresh_tokens", "signing_keys", "outbox")
CHANGES = ("keys_withdrawn", "devices_signed_out", "people_erased_again", "erasures_told_again")


@dataclass(frozen=True)
class Past:
    """A database of users, as it was at a moment just now."""

    url: str
    store: Store
    rows: Rows
    broker: NatsSettings

    def settings(self, **changed) -> RecoverySettings:
        """Return what the operator says."""
        known = {"database_url": self.url, "restored_to": datetime.now(UTC), **self.broker.model_dump()}
        return RecoverySettings(**known | changed)

    async def recover(self, **changed) -> dict[str, int]:
        """Put it right."""
        return await recovery.recover(self.settings(**changed))

    async def person(self) -> UUID:
        """Return somebody with an account and a device that is signed in."""
        mark = uuid4().hex[:12]
        async with self.store.begin() as tx:
            user_id = await tx.users.add(f"{mark}@example.org", f"listener-{mark}", "hash")
            assert user_id
            expires = datetime.now(UTC) + timedelta(days=1)
            await tx.sessions.start_family(NewToken(mark, user_id, Place("198.51.100.7", "Radio/1.0"), expires))
        return user_id

    async def is_known(self, user_id: UUID) -> bool:
        """Say whether somebody has an account."""
        async with self.store.read() as tx:
            return await tx.users.find(user_id) is not None


@pytest.fixture
async def past(databases, streams):
    """Return such a database, and the broker, which did not go back."""
    name = f"past_{uuid4().hex[:8]}"
    broker = NatsSettings(nats_url=streams.nats_url, nats_seed_file=streams.nats_seed_file("user"))
    url = await databases.fresh("user", name)
    database = Database(DatabaseSettings(database_url=url))
    async with rows_of(databases, "user", name) as rows:
        yield Past(url, Store(database), rows, broker)
    await database.close()


async def tell_erased(broker, user_id):
    """Tell that somebody was erased, as the relay of the time after the moment did."""
    connection = await events.connect(broker, "user")
    event = events.new(f"users/{user_id}", UserDeleted(user=str(user_id)))
    await connection.jetstream().publish(USER_DELETED, event.SerializeToString())
    await connection.close()


async def test_nobody_is_signed_in_any_more_and_everybody_may_sign_in_again(past, another):
    """Tokens from before open nothing, neither those of access nor those that bring new ones."""
    service = await another(database_url=past.url)
    desk = Desk(service)
    account = await desk.sign_up()
    await service.process.stop()

    settings = {
        "SPOTILIKE_DATABASE_URL": past.url,
        "SPOTILIKE_NATS_URL": past.broker.nats_url,
        "SPOTILIKE_NATS_SEED_FILE": str(past.broker.nats_seed_file),
        "SPOTILIKE_RESTORED_TO": datetime.now(UTC).isoformat(),
    }
    await asyncio.to_thread(run_module, "services.provision", "recover", "user", **settings)
    desk = Desk(await another(database_url=past.url))

    assert await refused(desk.shown(account)) == "TOKEN_INVALID"
    assert await refused(desk.refresh(account.credentials)) == "REFRESH_TOKEN_INVALID"
    assert await desk.shown(await desk.sign_in_again(account))


async def test_who_was_erased_since_the_moment_is_erased_again(past):
    """The broker knows it; others hear of it, and whoever was not erased stays."""
    gone, stays = await past.person(), await past.person()
    await tell_erased(past.broker, gone)

    figures = await past.recover()

    assert figures["people_erased_again"] == 1
    assert (await past.is_known(gone), await past.is_known(stays)) == (False, True)
    told = await past.rows("SELECT subject FROM outbox WHERE published_at IS NULL ORDER BY id")
    assert [row.subject for row in told] == ["spotilike.user.sessions_ended", USER_DELETED]


async def test_who_was_erased_is_read_from_a_file_where_the_broker_was_lost_too(past, tmp_path):
    """One id a line; people who never had an account at the moment are none of its business."""
    gone, stays, later = await past.person(), await past.person(), uuid4()
    (tmp_path / "erasures").write_text(f"{later}\n{gone}\n")

    figures = await past.recover(nats_url=NOWHERE, broker_lost=True, erasures_file=tmp_path / "erasures")

    assert (figures["erasures_known"], figures["people_erased_again"]) == (2, 1)
    assert (await past.is_known(gone), await past.is_known(stays)) == (False, True)


async def test_an_erasure_before_the_moment_is_told_again(past):
    """Others may have heard of it after the moment, and their databases went back to before that."""
    before = uuid4()
    async with past.store.begin() as tx:
        await user_deleted(tx, before)
    await past.rows("UPDATE outbox SET published_at = now()")
    await tell_erased(past.broker, before)

    figures = await past.recover()

    assert (figures["people_erased_again"], figures["erasures_told_again"]) == (0, 1)
    assert await past.rows("SELECT 1 FROM outbox WHERE published_at IS NULL")


async def test_doing_it_twice_changes_nothing_more(past):
    """A job that failed half-way is tried again."""
    gone, _ = await past.person(), await past.person()
    await tell_erased(past.broker, gone)
    await past.rows("INSERT INTO signing_keys (kid, sealed_key, signs_from) VALUES ('old', 'sealed', now())")

    first = await past.recover()
    after = [await past.rows(f"SELECT * FROM {table} ORDER BY 1") for table in TABLES]  # noqa: S608 (a constant)
    second = await past.recover()

    assert {name: first[name] for name in CHANGES} == {**dict.fromkeys(CHANGES, 1), "erasures_told_again": 0}
    assert {name: second[name] for name in CHANGES} == dict.fromkeys(CHANGES, 0)
    assert [await past.rows(f"SELECT * FROM {table} ORDER BY 1") for table in TABLES] == after  # noqa: S608


async def test_a_broker_that_is_away_fails_the_step(past, monkeypatch):
    """People who are gone would come back without a word."""
    monkeypatch.setattr(recovery, "CONNECT_SECONDS", 0.5)
    await past.person()

    with pytest.raises(ErasuresUnknownError, match="does not answer"):
        await past.recover(nats_url=NOWHERE)
    assert await past.rows("SELECT 1 FROM refresh_tokens WHERE NOT revoked")


async def test_a_broker_that_is_younger_than_the_moment_fails_the_step(past):
    """What it was told before it lost its store, it does not know."""
    with pytest.raises(ErasuresUnknownError, match="SPOTILIKE_BROKER_LOST=true"):
        await past.recover(restored_to=LONG_AGO)


async def test_a_moment_without_a_zone_is_refused(past):
    """Nobody would know which moment it is."""
    with pytest.raises(ValueError, match="restored_to"):
        past.settings(restored_to="2026-01-01T12:00:00")
