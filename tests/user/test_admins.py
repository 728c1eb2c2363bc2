"""Administrators: what they do to accounts, and that one of them always remains."""

import asyncio
import random
from collections import Counter
from uuid import uuid4

import grpc
import pytest

from services.user import __main__ as user_main
from spotilike.user.v1.user_service_pb2 import (
    ChangePasswordRequest,
    DeleteUserRequest,
    DisableUserRequest,
    EnableUserRequest,
    EraseUserRequest,
    GetUserRequest,
    GrantRoleRequest,
    ListUsersRequest,
    RevokeRoleRequest,
)
from tests.support.rows import rows_of
from tests.support.services import PASSWORD, error_info, run, violated_fields
from tests.user.conftest import make_admin
from tests.user.desk import Desk, newcomer, outcome, refusal, refused

GRANT = {"role": "ROLE_ADMIN"}
NOBODY = f"users/{uuid4()}"


@pytest.fixture
async def island(streams, databases, user_settings):
    """Return a user service with a database of its own, and a function that runs SQL on it."""
    name = uuid4().hex[:12]
    settings = user_settings(
        database_url=await databases.fresh("user", name), password_memory_kib=64, password_passes=1
    )
    service = await run(user_main.wire(settings), streams)
    async with rows_of(databases, "user", name) as rows:
        yield Desk(service), rows
    await service.process.stop()


@pytest.fixture
async def two_admins(island):
    """Return the only two administrators of a platform."""
    desk, rows = island
    accounts = [await desk.sign_up() for _ in range(2)]
    for account in accounts:
        await make_admin(rows, account)
    return [await desk.sign_in_again(account) for account in accounts]


@pytest.mark.parametrize(
    ("rpc", "request_of"),
    [
        ("ListUsers", lambda _: ListUsersRequest()),
        ("DeleteUser", lambda name: DeleteUserRequest(name=name)),
        ("DisableUser", lambda name: DisableUserRequest(name=name)),
        ("EnableUser", lambda name: EnableUserRequest(name=name)),
        ("GrantRole", lambda name: GrantRoleRequest(name=name, **GRANT)),
        ("RevokeRole", lambda name: RevokeRoleRequest(name=name, **GRANT)),
    ],
)
async def test_what_administrators_do_nobody_else_does(desk, admin, rpc, request_of):
    """Not even to themselves; and an account that does not exist is not found."""
    account = await desk.sign_up()
    call = getattr(desk.users, rpc)

    assert await refused(call(request_of(account.name))) == "TOKEN_MISSING"
    assert await refused(call(request_of("users/me"), metadata=account.metadata)) == "PERMISSION_MISSING"
    if rpc != "ListUsers":
        error = await refusal(call(request_of(NOBODY), metadata=admin.metadata))
        assert error_info(error) == ("USER_NOT_FOUND", {"name": NOBODY})


async def test_a_role_counts_from_the_next_access_token_on(desk, admin):
    """And giving it twice is giving it once."""
    account = await desk.sign_up()
    request = GrantRoleRequest(name=account.name, **GRANT)

    for _ in range(2):
        shown = await desk.users.GrantRole(request, metadata=admin.metadata)
        assert list(shown.roles) == ["ROLE_ADMIN", "ROLE_USER"]

    assert await refused(desk.users.ListUsers(ListUsersRequest(), metadata=account.metadata)) == "PERMISSION_MISSING"
    again = await desk.refresh(account.credentials)
    bearer = (("authorization", f"Bearer {again.access_token}"),)
    assert await desk.users.ListUsers(ListUsersRequest(), metadata=bearer)
    assert (await desk.event_types(account)).count("ROLE_GRANTED") == 1


async def test_a_role_that_is_taken_signs_the_devices_out_that_have_it_in_their_tokens(desk, admin, promote):
    """And taking it twice is taking it once."""
    account = await promote(await desk.sign_up())
    request = RevokeRoleRequest(name=account.name, **GRANT)

    for _ in range(2):
        shown = await desk.users.RevokeRole(request, metadata=admin.metadata)
        assert list(shown.roles) == ["ROLE_USER"]

    assert await refused(desk.refresh(account.credentials)) == "REFRESH_TOKEN_INVALID"
    fresh = await desk.sign_in_again(account)
    assert await refused(desk.users.ListUsers(ListUsersRequest(), metadata=fresh.metadata)) == "PERMISSION_MISSING"
    assert (await desk.event_types(fresh)).count("ROLE_REVOKED") == 1


@pytest.mark.parametrize("role", ["ROLE_USER", "ROLE_ROOT", ""])
async def test_only_roles_that_exist_are_given_and_taken(desk, admin, role):
    """Everybody is a user; that is no role to take."""
    account = await desk.sign_up()

    for call, request in (
        (desk.users.GrantRole, GrantRoleRequest(name=account.name, role=role)),
        (desk.users.RevokeRole, RevokeRoleRequest(name=account.name, role=role)),
    ):
        assert violated_fields(await refusal(call(request, metadata=admin.metadata))) == {"role"}


async def test_a_disabled_account_is_out_everywhere_until_it_is_enabled(desk, admin):
    """Its owner learns why only with the right password; other administrators see that it is disabled."""
    account = await desk.sign_up()
    disable = DisableUserRequest(name=account.name, reason="spam")

    for _ in range(2):
        assert (await desk.users.DisableUser(disable, metadata=admin.metadata)).is_disabled

    assert await refused(desk.refresh(account.credentials)) == "REFRESH_TOKEN_INVALID"
    error = await refusal(desk.sign_in(account.email))
    assert (error.code(), error_info(error)[0]) == (grpc.StatusCode.PERMISSION_DENIED, "USER_DISABLED")
    assert await refused(desk.sign_in(account.email, "not the password")) == "CREDENTIALS_INVALID"

    enable = EnableUserRequest(name=account.name)
    for _ in range(2):
        assert not (await desk.users.EnableUser(enable, metadata=admin.metadata)).is_disabled
    assert await refused(desk.refresh(account.credentials)) == "REFRESH_TOKEN_INVALID"
    fresh = await desk.sign_in_again(account)
    types = await desk.event_types(fresh)
    assert (types.count("DISABLED"), types.count("ENABLED")) == (1, 1)


async def test_only_administrators_see_that_an_account_is_disabled_and_why(desk, admin):
    """To others it looks as ever; who is enabled again has no reason any more."""
    account, other = await desk.sign_up(), await desk.sign_up()
    disable = DisableUserRequest(name=account.name, reason="spam")
    await desk.users.DisableUser(disable, metadata=admin.metadata)
    request = GetUserRequest(name=account.name)

    seen = await desk.users.GetUser(request, metadata=admin.metadata)
    assert (seen.is_disabled, seen.disabled_reason, seen.email) == (True, "spam", account.email)
    seen = await desk.users.GetUser(request, metadata=other.metadata)
    assert (seen.is_disabled, seen.disabled_reason, seen.email) == (False, "", "")
    enabled = await desk.users.EnableUser(EnableUserRequest(name=account.name), metadata=admin.metadata)
    assert enabled.disabled_reason == ""


async def test_accounts_are_found_by_the_beginning_of_a_name_or_an_address(island, two_admins):
    """Without regard to case and composition; `%` and `_` are letters like any other."""
    desk, _ = island
    admin = two_admins[0]
    people = {
        "percent": newcomer(email="a%b_c@example.org", username="per.cent"),
        "plain": newcomer(email="axbyc@example.org", username="plain_name"),
        "other": newcomer(email="bob@example.org", username="plainXname"),
        "accent": newcomer(email="carol@example.org", username="\u00c9milie"),
    }
    for who in people.values():
        await desk.make(who)

    async def found(query):
        page = await desk.users.ListUsers(ListUsersRequest(query=query), metadata=admin.metadata)
        names = {who.username: name for name, who in people.items()}
        return {names[user.username] for user in page.users if user.username in names}

    assert await found("a%") == {"percent"}
    assert await found("a%b_") == {"percent"}
    assert await found("A") == {"percent", "plain"}
    assert await found("plain_") == {"plain"}
    assert await found("PLAIN") == {"plain", "other"}
    assert await found("e\u0301MIL") == {"accent"}
    assert await found("%") == await found("_") == await found("\\") == await found("example.org") == set()
    assert await found("") == set(people)


async def test_accounts_are_listed_page_by_page_the_newest_first(island, two_admins):
    """Every one once; a page token belongs to its query."""
    desk, _ = island
    admin = two_admins[0]
    made = [(await desk.make(newcomer(username=f"page-{number}"))).name for number in range(5)]

    seen, token = [], ""
    while True:
        request = ListUsersRequest(query="page-", page_size=2, page_token=token)
        page = await desk.users.ListUsers(request, metadata=admin.metadata)
        seen.append([user.name for user in page.users])
        if not page.next_page_token:
            break
        token = page.next_page_token

    assert seen == [made[:2:-1], made[2:0:-1], made[:1]]
    for request in (ListUsersRequest(query="other", page_token=token), ListUsersRequest(page_token="x")):
        assert await refused(desk.users.ListUsers(request, metadata=admin.metadata)) == "PAGE_TOKEN_INVALID"


LEAVINGS = {
    "RevokeRole": lambda name: RevokeRoleRequest(name=name, **GRANT),
    "DisableUser": lambda name: DisableUserRequest(name=name),
    "DeleteUser": lambda name: DeleteUserRequest(name=name),
}


@pytest.mark.usefixtures("catalog")  # it is asked before an account is erased
async def test_the_last_administrator_stays_one(island, two_admins):
    """Whichever way: by themselves or as another one's last deed."""
    desk, _ = island
    first, last = two_admins
    disable = DisableUserRequest(name=first.name)
    await desk.users.DisableUser(disable, metadata=last.metadata)

    for rpc, request_of in LEAVINGS.items():
        error = await refusal(getattr(desk.users, rpc)(request_of(last.name), metadata=last.metadata))
        assert (error.code(), error_info(error)[0]) == (grpc.StatusCode.FAILED_PRECONDITION, "LAST_ADMIN"), rpc
    erase = EraseUserRequest(name="users/me", password=PASSWORD)
    assert await refused(desk.users.EraseUser(erase, metadata=last.metadata)) == "LAST_ADMIN"

    await desk.users.EnableUser(EnableUserRequest(name=first.name), metadata=last.metadata)
    await desk.users.RevokeRole(RevokeRoleRequest(name=last.name, **GRANT), metadata=last.metadata)
    assert await desk.refresh((await desk.sign_in_again(first)).credentials)


@pytest.mark.parametrize("rpcs", [("RevokeRole",), ("DisableUser",), ("DeleteUser",), tuple(LEAVINGS)], ids="-".join)
async def test_of_two_administrators_who_remove_each_other_at_once_one_stays(island, two_admins, rpcs):
    """Many rounds, at moments that differ."""
    desk, rows = island
    seen: Counter[tuple[str, ...]] = Counter()
    for _ in range(8):
        accounts = [await desk.sign_up() for _ in range(2)]
        for account in accounts:
            await make_admin(rows, account)
        one, other = [await desk.sign_in_again(account) for account in accounts]
        await rows(
            "DELETE FROM user_roles USING roles WHERE role_id = roles.id AND name = 'ROLE_ADMIN'"
            " AND user_id <> ALL(:both)",
            both=[one.id, other.id],
        )

        async def remove(actor, target):
            await asyncio.sleep(random.random() * 0.01)  # noqa: S311 (what matters is that rounds differ)
            rpc = random.choice(rpcs)  # noqa: S311 (see above)
            return await outcome(getattr(desk.users, rpc)(LEAVINGS[rpc](target.name), metadata=actor.metadata))

        results = await asyncio.gather(remove(one, other), remove(other, one))
        seen[tuple(sorted(results))] += 1
        left = await rows(
            "SELECT 1 FROM users JOIN user_roles ON user_id = users.id JOIN roles ON role_id = roles.id"
            " WHERE roles.name = 'ROLE_ADMIN' AND disabled_at IS NULL"
        )
        assert len(left) == 1

    assert set(seen) <= {("LAST_ADMIN", "OK"), ("OK", "TOKEN_INVALID"), ("OK", "USER_NOT_FOUND")}
    assert two_admins


async def test_an_administrator_deletes_an_account(desk, admin):
    """It is gone, with every device; the second time there is nothing to delete."""
    account = await desk.sign_up()
    delete = DeleteUserRequest(name=account.name)

    await desk.users.DeleteUser(delete, metadata=admin.metadata)

    assert await refused(desk.users.DeleteUser(delete, metadata=admin.metadata)) == "USER_NOT_FOUND"
    assert await refused(desk.refresh(account.credentials)) == "REFRESH_TOKEN_INVALID"
    assert await refused(desk.sign_in(account.email)) == "CREDENTIALS_INVALID"
    get = GetUserRequest(name=account.name)
    assert await refused(desk.users.GetUser(get, metadata=admin.metadata)) == "USER_NOT_FOUND"


async def test_administrators_do_not_act_for_others_where_the_contract_says_self(desk, admin):
    """Passwords and sessions are everybody's own."""
    account = await desk.sign_up()
    change = ChangePasswordRequest(name=account.name, password=PASSWORD, new_password="a better password")

    assert await refused(desk.users.ChangePassword(change, metadata=admin.metadata)) == "PERMISSION_MISSING"
    erase = EraseUserRequest(name=account.name, password=PASSWORD)
    assert await refused(desk.users.EraseUser(erase, metadata=admin.metadata)) == "PERMISSION_MISSING"
