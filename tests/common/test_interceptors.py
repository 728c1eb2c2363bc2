"""What happens around every call, whatever a handler does."""

import asyncio

import grpc
import pytest
import structlog

from services.common import auth
from services.common.errors import InvalidFields, Violation
from services.common.peers import RemoteKeys, channel
from services.common.server import Service
from services.common.settings import ServiceSettings
from spotilike.catalog.v1.genre_service_pb2 import ListGenresRequest, ListGenresResponse
from spotilike.catalog.v1.genre_service_pb2_grpc import GenreServiceServicer, GenreServiceStub
from spotilike.catalog.v1.manager_service_pb2 import ListManagersRequest, ListManagersResponse
from spotilike.catalog.v1.manager_service_pb2_grpc import ManagerServiceServicer, ManagerServiceStub
from tests.support.services import bearer, error_info, listeners, retry_seconds, run, violated_fields

SECRET = "postgresql://catalog_app:hunter2@10.0.0.1/catalog_db"
CALL_SECONDS = 0.5
PLACES = 4


class Genres(GenreServiceServicer):
    """Misbehaves as the page size says."""

    def __init__(self):
        """Start with nothing done."""
        self.finished = asyncio.Event()

    async def ListGenres(self, request, _):
        """Fail, hang, refuse or answer."""
        match request.page_size:
            case 1:
                raise RuntimeError(SECRET)
            case 2:
                await asyncio.sleep(60)
            case 3:
                raise InvalidFields(Violation("page_token", "is odd"), Violation("page_size", "is odd"))
            case 4:
                await asyncio.sleep(CALL_SECONDS / 2)
                self.finished.set()
        return ListGenresResponse(next_page_token=auth.call().address)


class Managers(ManagerServiceServicer):
    """Forgets to decide."""

    async def ListManagers(self, *_):
        """Answer without asking whether the caller may."""
        return ListManagersResponse()


@pytest.fixture(scope="module")
async def service(engines, user):
    """Return a service that misbehaves, and its handler."""
    settings = ServiceSettings(
        **listeners(engines, "catalog"),
        database_url="postgresql://unused",
        user_internal=user.internal_address,
        call_limit=PLACES,
        call_seconds=CALL_SECONDS,
    )
    genres = Genres()

    async def ready():
        pass

    running = await run(
        Service(
            settings=settings,
            verifier=auth.TokenVerifier(RemoteKeys(channel(user.internal_address, engines.tls_dir("catalog")))),
            public=[genres, Managers()],  # type: ignore[abstract]  # the other methods stay UNIMPLEMENTED
            internal=[],
            ready=ready,
        ),
        engines,
    )
    yield running, genres
    await running.process.stop()


@pytest.fixture
def genres(service):
    """Return a client of the service that misbehaves."""
    return service[0].public(GenreServiceStub)


async def refusal(call):
    """Return the error with which a call ends."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return refused.value


async def test_an_unexpected_error_shows_an_id_and_nothing_else(genres):
    """The id finds the whole story in the log."""
    with structlog.testing.capture_logs() as logs:
        error = await refusal(genres.ListGenres(ListGenresRequest(page_size=1)))

    reason, metadata = error_info(error)
    assert (error.code(), reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "hunter2" not in repr(error)
    logged = next(line for line in logs if line["event"] == "unexpected_error")
    assert logged["error_id"] == metadata["error_id"]
    assert str(logged["exc_info"]) == SECRET


async def test_a_call_ends_at_the_servers_limit(genres):
    """A client that sets no deadline waits no longer."""
    error = await refusal(genres.ListGenres(ListGenresRequest(page_size=2)))

    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert error_info(error)[0] == "DEADLINE_EXCEEDED"


async def test_all_violations_are_listed(genres):
    """A form is corrected once."""
    error = await refusal(genres.ListGenres(ListGenresRequest(page_size=3)))

    assert violated_fields(error) == {"page_token", "page_size"}


async def test_field_rules_of_the_contract_hold_before_the_handler_runs(genres):
    """The contract's limit, not the handler's."""
    error = await refusal(genres.ListGenres(ListGenresRequest(page_size=-1, page_token="x" * 2000)))

    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert violated_fields(error) == {"page_size", "page_token"}


async def test_a_damaged_resource_name_is_explained_in_words(service, sign_up):
    """Nobody has to read a pattern."""
    account = await sign_up()
    managers = service[0].public(ManagerServiceStub)

    error = await refusal(managers.ListManagers(ListManagersRequest(parent="artists/x"), metadata=account.metadata))

    assert error.details() == "parent: has to be the name of a resource in artists/, as the API answered it"
    assert violated_fields(error) == {"parent"}


async def test_what_does_not_fit_is_refused_at_once_and_the_rest_is_served(genres):
    """A queue would only make everybody late."""
    calls = [asyncio.ensure_future(genres.ListGenres(ListGenresRequest(page_size=4))) for _ in range(3 * PLACES)]
    answers = await asyncio.gather(*calls, return_exceptions=True)

    refused = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert len(answers) - len(refused) >= PLACES
    assert refused
    assert {error_info(error)[0] for error in refused} == {"OVERLOADED"}
    assert retry_seconds(refused[0]) > 0
    assert await genres.ListGenres(ListGenresRequest())


async def test_a_client_that_hangs_up_does_not_tear_the_work_apart(service, genres):
    """The unit of work ends by itself."""
    service[1].finished.clear()
    call = genres.ListGenres(ListGenresRequest(page_size=4))
    await asyncio.sleep(0.1)
    call.cancel()

    await asyncio.wait_for(service[1].finished.wait(), 5)


async def test_an_rpc_that_answers_without_a_decision_is_an_internal_error(service, sign_up):
    """Forgetting to ask is a fault of ours, never an open door."""
    account = await sign_up()
    managers = service[0].public(ManagerServiceStub)
    request = ListManagersRequest(parent="artists/019a0000-0000-7000-8000-000000000000")

    error = await refusal(managers.ListManagers(request, metadata=account.metadata))

    assert (error.code(), error_info(error)[0]) == (grpc.StatusCode.INTERNAL, "INTERNAL")


@pytest.mark.parametrize("peer", ["user", "streaming", "cli"])
async def test_the_public_listener_takes_the_edge_alone(service, peer):
    """A certificate of the mesh is not enough."""
    error = await refusal(service[0].public(GenreServiceStub, peer).ListGenres(ListGenresRequest()))

    assert error_info(error) == ("PEER_NOT_ALLOWED", {})


async def test_nobody_comes_in_without_a_certificate(service):
    """Plaintext is refused before gRPC begins."""
    async with grpc.aio.insecure_channel(service[0].public_address) as plain:
        error = await refusal(GenreServiceStub(plain).ListGenres(ListGenresRequest(), timeout=5))

    assert error.code() == grpc.StatusCode.UNAVAILABLE


async def test_the_address_is_the_one_that_the_edge_reports(genres):
    """Handlers see the client, not the edge."""
    answer = await genres.ListGenres(ListGenresRequest(), metadata=(("x-spotilike-client-address", "203.0.113.9"),))

    assert answer.next_page_token == "203.0.113.9"


@pytest.mark.parametrize("header", ["Basic dXNlcjpwYXNz", "Bearer", "Bearer x", "bearer a.b.c"])
async def test_a_bad_token_is_never_an_anonymous_call(genres, header):
    """Also where anybody may call."""
    error = await refusal(genres.ListGenres(ListGenresRequest(), metadata=(("authorization", header),)))

    assert error.code() == grpc.StatusCode.UNAUTHENTICATED


async def test_a_token_of_the_user_service_is_known_everywhere(genres, sign_up):
    """Every service verifies with the published keys."""
    account = await sign_up()

    assert await genres.ListGenres(ListGenresRequest(), metadata=account.metadata)


async def test_a_forged_token_is_refused(genres, sign_up):
    """One bit is enough."""
    token = (await sign_up()).credentials.access_token
    head, body, signature = token.split(".")
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]

    error = await refusal(genres.ListGenres(ListGenresRequest(), metadata=bearer(f"{head}.{body}.{flipped}")))

    assert error_info(error) == ("TOKEN_INVALID", {})
