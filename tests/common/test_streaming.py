"""An RPC that answers a stream goes through the same hands as every other one."""

import asyncio
import time
from uuid import UUID, uuid4

import grpc
import pytest

from services.common import auth
from services.common.contract import Method
from services.common.errors import NotFound
from services.common.interceptors import CallInterceptor, Limits
from spotilike.auth.v1.permission_pb2 import Permission
from spotilike.catalog.v1.genre_service_pb2 import ListGenresRequest, ListGenresResponse
from tests.support.channels import channel
from tests.support.echo_services import Signer
from tests.support.services import bearer, error_info, violated_fields

OPEN = "/test.Streams/Open"
SIGNED_IN = "/test.Streams/SignedIn"
FORGETFUL = "/test.Streams/Forgetful"
PERMISSIONS = {
    OPEN: Permission(kind=Permission.NONE),
    SIGNED_IN: Permission(kind=Permission.USER),
    FORGETFUL: Permission(kind=Permission.SELF, field="parent"),
}
SECRET = "postgresql://catalog_app:hunter2@10.0.0.1/catalog_db"
SECONDS = 3.0
PLACES = 2


class Streams:
    """Sends as many messages as the page size says, and then does what the token says."""

    def __init__(self):
        """Nothing has ended yet."""
        self.ended = asyncio.Event()

    async def watch(self, request, _):
        """Send messages, then end, fail, refuse or hang."""
        try:
            for number in range(request.page_size):
                yield ListGenresResponse(next_page_token=str(number))
            match request.page_token:
                case "fail":
                    raise RuntimeError(SECRET)
                case "refuse":
                    raise NotFound("GENRE_NOT_FOUND", "There is no such genre.")
                case "tick":
                    while True:
                        yield ListGenresResponse()
                        await asyncio.sleep(0.02)
                case "hang":
                    await asyncio.sleep(60)
        finally:
            self.ended.set()


class OneKey:
    """Knows one key of access tokens."""

    signer = Signer(auth.ISSUER, auth.AUDIENCE, auth.TOKEN_TYPE)

    async def public_key(self, _):
        """Return it, whatever its name."""
        return self.signer.key.public_key()


def signed_in(**claims):
    """Return the header of somebody who is signed in."""
    return bearer(OneKey.signer.token(**{"sub": str(uuid4()), "sid": str(uuid4()), **claims}))


ENDED: set[UUID] = set()


@pytest.fixture
async def served(engines):
    """Return streams and a client of the edge."""
    streams = Streams()
    methods = {path: Method(path, permission, read_only=True) for path, permission in PERMISSIONS.items()}
    interceptor = CallInterceptor(
        methods, auth.TokenVerifier(OneKey(), ENDED), ("edge",), Limits(9, 9), Limits(PLACES, SECONDS)
    )
    server = grpc.aio.server(interceptors=[interceptor])
    handler = grpc.unary_stream_rpc_method_handler(
        streams.watch, ListGenresRequest.FromString, ListGenresResponse.SerializeToString
    )
    names = {path.rpartition("/")[2]: handler for path in PERMISSIONS}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Streams", names)])
    folder = engines.tls_dir("catalog")
    pair = ((folder / "tls.key").read_bytes(), (folder / "tls.crt").read_bytes())
    credentials = grpc.ssl_server_credentials([pair], (folder / "ca.crt").read_bytes(), require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    async with channel(f"127.0.0.1:{port}", engines.tls_dir("edge")) as edge:
        yield streams, edge, port
    await server.stop(None)


@pytest.fixture
def edge(served):
    """Return the client."""
    return served[1]


def watch(channel, path=OPEN, metadata=(), **request):
    """Begin a stream."""
    call = channel.unary_stream(path, ListGenresRequest.SerializeToString, ListGenresResponse.FromString)
    return call(ListGenresRequest(**request), metadata=metadata)


async def refusal(call):
    """Read a stream to its refusal."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        async for _ in call:
            pass
    return refused.value


async def test_messages_come_in_order(edge):
    """Whoever may call gets them all."""
    assert [answer.next_page_token async for answer in watch(edge, page_size=5)] == list("01234")


async def test_a_stranger_gets_nothing(engines, served):
    """The peer is checked before anything else."""
    async with channel(f"127.0.0.1:{served[2]}", engines.tls_dir("streaming")) as stranger:
        error = await refusal(watch(stranger, page_size=1))
    assert error_info(error)[0] == "PEER_NOT_ALLOWED"
    assert not served[0].ended.is_set()


async def test_the_token_is_looked_at(edge):
    """None where one is needed, and a bad one anywhere."""
    assert error_info(await refusal(watch(edge, SIGNED_IN)))[0] == "TOKEN_MISSING"
    assert error_info(await refusal(watch(edge, metadata=bearer("a.b.c"))))[0] == "TOKEN_INVALID"
    assert [answer async for answer in watch(edge, SIGNED_IN, signed_in(), page_size=1)]


async def test_field_rules_hold(edge):
    """They are the contract's."""
    assert violated_fields(await refusal(watch(edge, page_size=-1))) == {"page_size"}


@pytest.mark.parametrize("messages", [0, 3])
async def test_nothing_leaves_without_a_decision(edge, messages):
    """Not even the first message."""
    stream = watch(edge, FORGETFUL, signed_in(), page_size=messages)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await anext(aiter(stream))
    assert error_info(refused.value)[0] == "INTERNAL"


async def test_a_refusal_after_some_messages_keeps_its_reason(edge):
    """In trailers."""
    assert error_info(await refusal(watch(edge, page_size=2, page_token="refuse")))[0] == "GENRE_NOT_FOUND"


async def test_an_unexpected_error_shows_an_id_alone(edge):
    """As everywhere."""
    error = await refusal(watch(edge, page_size=1, page_token="fail"))
    assert (error.code(), error_info(error)[0]) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "hunter2" not in repr(error)


async def test_a_stream_ends_at_its_limit(served, edge):
    """Its client asks again."""
    error = await refusal(watch(edge, page_size=1, page_token="hang"))
    assert error_info(error)[0] == "DEADLINE_EXCEEDED"
    assert served[0].ended.is_set()


async def test_a_stream_ends_when_its_access_token_expires(served, edge):
    """Between two messages, if need be."""
    # A token counts in whole seconds: one to two of them are left.
    end = int(time.time()) + 2
    soon = signed_in(iat=end - 60, exp=end - auth.CLOCK_SKEW_SECONDS)
    error = await refusal(watch(edge, SIGNED_IN, soon, page_size=1, page_token="hang"))
    assert (error.code(), error_info(error)[0]) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")
    assert served[0].ended.is_set()


async def test_a_stream_ends_when_its_session_has_ended(served, edge):
    """With the next message, which does not leave any more."""
    session = uuid4()
    stream = watch(edge, SIGNED_IN, signed_in(sid=str(session)), page_token="tick")
    await anext(aiter(stream))
    ENDED.add(session)
    assert error_info(await refusal(stream))[0] == "TOKEN_INVALID"
    assert served[0].ended.is_set()


async def test_what_does_not_fit_is_refused_at_once(edge):
    """Streams have places of their own."""
    running = [watch(edge, page_size=1, page_token="hang") for _ in range(PLACES)]
    for stream in running:
        await stream.read()
    assert error_info(await refusal(watch(edge, page_size=1)))[0] == "OVERLOADED"
    for stream in running:
        stream.cancel()


async def test_a_stream_whose_client_has_gone_ends(served, edge):
    """Nobody reads on; its place is free again."""
    stream = watch(edge, page_size=1, page_token="hang")
    await stream.read()
    stream.cancel()
    await asyncio.wait_for(served[0].ended.wait(), 5)
