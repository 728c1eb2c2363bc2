"""Accounts, through a real client."""

import asyncio
from collections import Counter

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from spotilike.internal.v1.user_service_pb2 import ResolveUserRequest
from spotilike.internal.v1.user_service_pb2_grpc import DirectoryServiceStub
from spotilike.user.v1.user_pb2 import User
from spotilike.user.v1.user_service_pb2 import CreateUserRequest, GetUserRequest, LookupUserRequest, UpdateUserRequest
from spotilike.user.v1.user_service_pb2_grpc import UserServiceStub
from tests.support.services import PASSWORD, error_info, violated_fields
from tests.user.desk import newcomer, outcome, refusal, refused


@pytest.fixture
def users(user):
    """Return a client as the edge is one."""
    return user.public(UserServiceStub)


async def test_an_account_has_the_role_of_a_user_and_shows_no_password(users, sign_up):
    """What the account's owner sees of it."""
    account = await sign_up()

    shown = await users.GetUser(GetUserRequest(name="users/me"), metadata=account.metadata)

    assert (shown.name, shown.email, shown.username) == (account.name, account.email, account.username)
    assert list(shown.roles) == ["ROLE_USER"]
    assert not shown.is_verified
    assert shown.HasField("create_time")


async def test_others_see_only_the_public_part_of_an_account(users, sign_up):
    """An address is nobody else's business."""
    account, other = await sign_up(), await sign_up()

    shown = await users.GetUser(GetUserRequest(name=account.name), metadata=other.metadata)

    assert shown.username == account.username
    assert (shown.email, list(shown.roles), shown.HasField("update_time")) == ("", [], False)


@pytest.mark.parametrize(
    ("change", "reason"), [(str.upper, "EMAIL_TAKEN"), (str, "EMAIL_TAKEN")], ids=["other case", "same"]
)
async def test_an_address_belongs_to_one_account_whatever_its_case(users, sign_up, change, reason):
    """The second sign-up is told so."""
    account = await sign_up()

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await users.CreateUser(
            CreateUserRequest(user=User(email=change(account.email), username="somebody-else"), password=PASSWORD)
        )

    assert refused.value.code() == grpc.StatusCode.ALREADY_EXISTS
    assert error_info(refused.value) == (reason, {})


async def test_a_username_belongs_to_one_account_whatever_its_case_and_composition(users, sign_up):
    """É as one character and E with an accent are the same name."""
    account = await sign_up()
    composed, decomposed = f"\u00e9{account.username}", f"E\u0301{account.username.upper()}"
    await users.CreateUser(
        CreateUserRequest(user=User(email=f"a{account.email}", username=composed), password=PASSWORD)
    )

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await users.CreateUser(
            CreateUserRequest(user=User(email=f"b{account.email}", username=decomposed), password=PASSWORD)
        )

    assert error_info(refused.value) == ("USERNAME_TAKEN", {})


async def test_every_field_that_breaks_a_rule_is_named(users):
    """One answer is enough to correct a form."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await users.CreateUser(CreateUserRequest(user=User(email="no address", username="a b"), password="short"))

    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert violated_fields(refused.value) == {"user.email", "user.username", "password"}


async def test_an_account_is_found_by_its_exact_name_in_any_case(users, sign_up):
    """Managers are invited by name."""
    account = await sign_up()

    found = await users.LookupUser(LookupUserRequest(username=account.username.upper()), metadata=account.metadata)

    assert (found.name, found.email) == (account.name, "")


async def test_a_name_that_nobody_has_is_not_found(users, sign_up):
    """A part of a name is not the name."""
    account = await sign_up()

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await users.LookupUser(LookupUserRequest(username=account.username[:-1]), metadata=account.metadata)

    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    assert error_info(refused.value)[0] == "USER_NOT_FOUND"


async def test_nobody_sees_accounts_without_signing_in(users, sign_up):
    """The contract says user."""
    account = await sign_up()

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await users.GetUser(GetUserRequest(name=account.name))

    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert error_info(refused.value) == ("TOKEN_MISSING", {})


async def test_services_resolve_people_and_nobody_else_does(user, sign_up):
    """Of the services only the catalog needs to."""
    account = await sign_up()

    found = await user.internal(DirectoryServiceStub, peer="catalog").ResolveUser(
        ResolveUserRequest(username=account.username)
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await user.internal(DirectoryServiceStub, peer="streaming").ResolveUser(ResolveUserRequest(id=str(account.id)))

    assert found.id == str(account.id)
    assert error_info(refused.value) == ("PEER_NOT_ALLOWED", {})


async def change(desk, account, paths=(), **fields):
    """Update an account with a mask."""
    request = UpdateUserRequest(user=User(name="users/me", **fields), update_mask=FieldMask(paths=paths))
    return await desk.users.UpdateUser(request, metadata=account.metadata)


@pytest.mark.parametrize("paths", [[], ["username"], ["*"]], ids=["none", "named", "all"])
async def test_a_username_is_changed_with_every_kind_of_mask(desk, paths):
    """No mask means what is set, and `*` all that can be changed."""
    account, wanted = await desk.sign_up(), newcomer().username

    shown = await change(desk, account, paths, username=wanted, email=account.email)

    assert (shown.username, shown.email) == (wanted, account.email)
    assert shown.update_time.ToNanoseconds() > shown.create_time.ToNanoseconds()
    assert (await desk.shown(account)).username == wanted


async def test_what_the_mask_does_not_name_stays(desk):
    """And what only the platform sets cannot be set."""
    account = await desk.sign_up()

    fields = {"username": newcomer().username, "is_verified": True, "roles": ["ROLE_ADMIN"], "avatar_uri": "/x"}
    await change(desk, account, ["is_verified", "roles", "avatar_uri"], **fields)

    shown = await desk.shown(account)
    assert (shown.username, shown.is_verified, list(shown.roles), shown.avatar_uri) == (
        account.username,
        False,
        ["ROLE_USER"],
        "",
    )


@pytest.mark.parametrize(("paths", "email"), [(["email"], "new@example.org"), (["email"], ""), ([], "new@example.org")])
async def test_an_address_is_not_changed_by_an_update_and_the_answer_says_how_it_is(desk, paths, email):
    """Only a link that went to the new one changes it."""
    account = await desk.sign_up()

    error = await refusal(change(desk, account, paths, email=email, username=account.username))

    assert violated_fields(error) == {"user.email"}
    assert "RequestEmailVerification" in str(error.details())
    assert (await desk.shown(account)).email == account.email


@pytest.mark.parametrize(
    ("paths", "username", "field"),
    [
        (["username"], "", "user.username"),
        (["username"], "ab", "user.username"),
        (["username"], "a b", "user.username"),
        (["username"], "line\nbreak", "user.username"),
        (["username"], "-dash", "user.username"),
        (["username"], "x" * 51, "user.username"),
        (["unheard_of"], "fine-name", "update_mask"),
    ],
)
async def test_a_name_that_is_none_is_refused(desk, paths, username, field):
    """The field is named."""
    account = await desk.sign_up()

    assert violated_fields(await refusal(change(desk, account, paths, username=username))) == {field}


async def test_a_name_that_somebody_has_is_not_taken_twice(desk):
    """Whatever its case; one's own may change its case."""
    account, other = await desk.sign_up(), await desk.sign_up()

    assert await refused(change(desk, account, username=other.username.upper())) == "USERNAME_TAKEN"
    shown = await change(desk, account, username=account.username.upper())
    assert shown.username == account.username.upper()


async def test_of_those_who_want_a_name_or_an_address_at_once_one_gets_it(desk):
    """The others are told which of the two it was."""
    accounts = [await desk.sign_up() for _ in range(4)]
    wanted = newcomer()

    names = await asyncio.gather(*(outcome(change(desk, account, username=wanted.username)) for account in accounts))
    email, username = newcomer().email, newcomer().username
    by_email = await asyncio.gather(*(outcome(desk.make(newcomer(email=email))) for _ in range(4)))
    by_name = await asyncio.gather(*(outcome(desk.make(newcomer(username=username))) for _ in range(4)))

    assert Counter(names) == Counter(by_name) == {"OK": 1, "USERNAME_TAKEN": 3}
    assert Counter(by_email) == {"OK": 1, "EMAIL_TAKEN": 3}


async def test_nobody_changes_the_account_of_somebody_else(desk, admin):
    """Not even an administrator: the contract says self."""
    account = await desk.sign_up()
    request = UpdateUserRequest(user=User(name=account.name, username=newcomer().username))

    for caller in (await desk.sign_up(), admin):
        assert await refused(desk.users.UpdateUser(request, metadata=caller.metadata)) == "PERMISSION_MISSING"


async def test_an_administrator_sees_everything_of_an_account(desk, admin):
    """But the password."""
    account = await desk.sign_up()

    shown = await desk.users.GetUser(GetUserRequest(name=account.name), metadata=admin.metadata)

    assert (shown.email, list(shown.roles), shown.is_disabled) == (account.email, ["ROLE_USER"], False)


@pytest.mark.parametrize("name", ["users/x", "users/", "artists/me", "users/me\n", "users/../me", "me"])
async def test_what_is_no_name_of_an_account_is_refused(desk, name):
    """In words, by every call that takes one."""
    account = await desk.sign_up()

    error = await refusal(desk.users.GetUser(GetUserRequest(name=name), metadata=account.metadata))

    assert violated_fields(error) == {"name"}
    assert "users/" in str(error.details())
