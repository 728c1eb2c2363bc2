"""Pictures of users, told by the catalog over a real broker."""

import asyncio
from uuid import UUID, uuid4

import pytest

from services.common import events, images
from services.common.settings import NatsSettings
from spotilike.events.v1.catalog_events_pb2 import AvatarChanged
from spotilike.events.v1.event_pb2 import Event
from spotilike.events.v1.user_events_pb2 import AvatarStored
from spotilike.user.v1.user_service_pb2 import GetUserRequest
from spotilike.user.v1.user_service_pb2_grpc import UserServiceStub
from tests.support.processing import until
from tests.support.rows import rows_of

OLDER, NEWER = "0198c0de-0000-7000-8000-000000000001", "0198c0df-0000-7000-8000-000000000000"
"""Ids of pictures that were made one after the other."""


@pytest.fixture
async def told(streams):
    """Return a function that tells facts as the catalog does, and waits until they were heard."""
    seed = streams.nats_seed_file("admin")
    connection = await events.connect(NatsSettings(nats_url=streams.nats_url, nats_seed_file=seed), "admin")
    jetstream = connection.jetstream()

    async def tell(*facts):
        for fact in facts:
            event = events.new("users/test", fact).SerializeToString()
            await jetstream.publish("spotilike.catalog.avatar_changed", event)

        async def heard():
            state = await jetstream.consumer_info("CATALOG", "user")
            return state.num_pending == 0 and state.num_ack_pending == 0

        await until(heard)

    yield tell
    await connection.close()


@pytest.fixture
async def person(sign_up):
    """Return somebody without a picture."""
    return await sign_up()


@pytest.fixture
def shown(user, person):
    """Return a function that reads which picture is shown to its owner and to everybody else who is signed in."""
    users = user.public(UserServiceStub)

    async def read(account=person):
        return (await users.GetUser(GetUserRequest(name=person.name), metadata=account.metadata)).avatar_uri

    return read


def fact(account, artwork):
    """Say that somebody has a picture."""
    return AvatarChanged(user=str(account.id), artwork=artwork)


async def test_a_new_picture_is_shown_to_everybody(told, person, shown, sign_up):
    """As a path at the edge."""
    assert await shown() == ""

    await told(fact(person, OLDER))

    assert await shown() == images.uri(images.key(UUID(OLDER))) == f"/images/{OLDER}/640.webp"
    assert await shown(await sign_up()) == await shown()


@pytest.mark.parametrize("order", [(OLDER, NEWER), (NEWER, OLDER)], ids=["in order", "newest first"])
async def test_the_newer_picture_stays_in_whatever_order_they_are_told(told, person, shown, order):
    """And however often."""
    await told(*(fact(person, artwork) for artwork in order for _ in range(3)))

    assert await shown() == images.uri(images.key(UUID(NEWER)))


async def test_facts_told_at_once_leave_the_newest_picture(told, person, shown):
    """Whichever transaction comes first."""
    await asyncio.gather(*(told(fact(person, artwork)) for artwork in (NEWER, OLDER, NEWER, OLDER)))

    assert await shown() == images.uri(images.key(UUID(NEWER)))


async def test_every_picture_is_confirmed(told, person, databases):
    """Also one that comes too late to be shown: nobody has to tell of it again."""
    await told(fact(person, NEWER), fact(person, OLDER))

    async with rows_of(databases, "user") as rows:
        found = await rows("SELECT payload FROM outbox WHERE subject = 'spotilike.user.avatar_stored'")
    payloads = [Event.FromString(row.payload).payload for row in found]
    confirmed = [AvatarStored.FromString(payload.value) for payload in payloads]
    mine = {confirmation.artwork for confirmation in confirmed if confirmation.user == str(person.id)}
    assert mine == {NEWER, OLDER}


async def test_a_picture_of_nobody_is_no_news(told, person, shown):
    """The account is gone; what comes after is applied."""
    await told(AvatarChanged(user=str(uuid4()), artwork=OLDER), fact(person, OLDER))

    assert await shown() == images.uri(images.key(UUID(OLDER)))
