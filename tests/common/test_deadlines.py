"""A call that a service makes to another one gets what is left of its own deadline."""

import asyncio
from uuid import uuid4

import grpc
import pytest

from services.catalog.directory import Directory
from services.common import deadlines
from services.common.peers import CALL_SECONDS
from services.processing.permissions import Permissions
from services.streaming.catalog import Catalog
from services.user.catalog import Catalog as ArtistsOfUsers

SOME_ID = uuid4()
CALLS = {
    "catalog asks user": lambda channel: Directory(channel).require(SOME_ID),
    "streaming asks catalog": lambda channel: Catalog(channel).resolve(SOME_ID, SOME_ID),
    "processing asks catalog about one": lambda channel: Permissions(channel).may_upload(SOME_ID, SOME_ID),
    "processing asks catalog about all": lambda channel: Permissions(channel).uploads_for(SOME_ID),
    "user asks catalog": lambda channel: ArtistsOfUsers(channel).sole_artists(SOME_ID),
}


class Anybody(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in the stubs alone
    """Answers every call with an empty message, and notes how long it might have taken."""

    def __init__(self):
        """Nobody has asked."""
        self.seconds = []

    def service(self, _):
        """Serve whatever is asked."""

        async def answer(_, context):
            self.seconds.append(context.time_remaining())
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


@pytest.fixture
async def anybody():
    """Return somebody who is asked, and a channel there."""
    handler = Anybody()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([handler])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield handler, channel
    await server.stop(None)


@pytest.mark.parametrize("name", CALLS)
async def test_what_is_left_is_handed_on(anybody, name):
    """Less than usual when the running call has less; as usual outside of calls and in calls that have time."""
    handler, channel = anybody

    async def ask(seconds):
        if seconds is not None:
            deadlines.begin(seconds)
        await CALLS[name](channel)
        return handler.seconds[-1]

    for own, expected in ((0.7, 0.7), (60.0, CALL_SECONDS), (None, CALL_SECONDS)):
        given = await asyncio.create_task(ask(own))
        assert expected - 0.5 < given < expected + 0.1  # gRPC rounds up


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_whose_time_is_over_asks_nobody(anybody, name):
    """The answer would come too late."""
    handler, channel = anybody

    async def ask():
        deadlines.begin(0.0)
        await CALLS[name](channel)

    with pytest.raises(TimeoutError):
        await asyncio.create_task(ask())
    assert handler.seconds == []
