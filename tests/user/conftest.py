"""The user service of this worker, further ones with other settings, and what no RPC shows."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from services.user import __main__ as user_main
from tests.support.databases import Databases
from tests.support.engines import Engines
from tests.support.rows import Rows, rows_of
from tests.support.services import Account, RunningService, UserSettingsOf, run
from tests.user.desk import Desk


@pytest.fixture(scope="session")
def desk(user: RunningService) -> Desk:
    """Return the user service as the edge calls it."""
    return Desk(user)


@pytest.fixture(scope="session")
async def rows(databases: Databases) -> AsyncIterator[Rows]:
    """Return a function that runs SQL as the owner of the tables."""
    async with rows_of(databases, "user") as execute:
        yield execute


Another = Callable[..., Awaitable[RunningService]]


@pytest.fixture
async def another(streams: Engines, user_settings: UserSettingsOf) -> AsyncIterator[Another]:
    """Return a function that starts one more user service on the same database, with other settings."""
    async with AsyncExitStack() as running:

        async def start(**changed: object) -> RunningService:
            service = await run(user_main.wire(user_settings(**changed)), streams)
            running.push_async_callback(service.process.stop)
            return service

        yield start


@pytest.fixture
async def promote(rows: Rows, desk: Desk) -> Callable[[Account], Awaitable[Account]]:
    """Return a function that makes an account an administrator and signs it in as one."""

    async def make(account: Account) -> Account:
        await make_admin(rows, account)
        return await desk.sign_in_again(account)

    return make


@pytest.fixture
async def admin(desk: Desk, promote: Callable[[Account], Awaitable[Account]]) -> Account:
    """Return an administrator."""
    return await promote(await desk.sign_up())


async def make_admin(rows: Rows, account: Account) -> None:
    """Give ROLE_ADMIN by hand, as the first administrator gets it."""
    await rows(
        "INSERT INTO user_roles (user_id, role_id) SELECT :id, id FROM roles WHERE name = 'ROLE_ADMIN'", id=account.id
    )
