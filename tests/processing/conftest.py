"""Who asks about jobs, and a job to ask about."""

import psycopg
import pytest

from services.common import events
from services.common.settings import NatsSettings
from spotilike.processing.v1.job_service_pb2_grpc import JobServiceStub
from spotilike.user.v1.session_service_pb2 import CreateSessionRequest
from spotilike.user.v1.session_service_pb2_grpc import SessionServiceStub
from tests.processing.jobs import uploaded
from tests.support.catalog import Studio
from tests.support.services import PASSWORD, bearer


@pytest.fixture
def jobs(processing):
    """Return a client as the edge is one."""
    return processing.public(JobServiceStub)


@pytest.fixture
async def admin(user, sign_up, databases):
    """Return the metadata of an administrator's calls."""
    account = await sign_up()
    async with await psycopg.AsyncConnection.connect(await databases.url("user")) as connection:
        grant = "INSERT INTO user_roles SELECT %s, id FROM roles WHERE name = 'ROLE_ADMIN'"
        await connection.execute(grant, [account.id])
    request = CreateSessionRequest(email=account.email, password=PASSWORD)
    return bearer((await user.public(SessionServiceStub).CreateSession(request)).access_token)


@pytest.fixture
async def studio(edge, sign_up):
    """Return a new artist with an owner who has no other: their list of jobs is this test's."""
    account = await sign_up()
    artist = await edge.artist(account)
    return Studio(account, artist, await edge.album(account, artist))


@pytest.fixture
async def job(intake, edge, studio):
    """Return the name of a job of the studio's artist."""
    return await uploaded(intake, edge, studio)


@pytest.fixture
async def broker(streams):
    """Return a connection that may publish anything."""
    seed = streams.nats_seed_file("admin")
    connection = await events.connect(NatsSettings(nats_url=streams.nats_url, nats_seed_file=seed), "admin")
    yield connection
    await connection.close()
