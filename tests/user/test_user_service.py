"""Accounts, through a real client."""

import grpc
import pytest

from spotilike.internal.v1.user_service_pb2 import ResolveUserRequest
from spotilike.internal.v1.user_service_pb2_grpc import DirectoryServiceStub
from spotilike.user.v1.user_pb2 import User
from spotilike.user.v1.user_service_pb2 import CreateUserRequest, GetUserRequest, LookupUserRequest
from spotilike.user.v1.user_service_pb2_grpc import UserServiceStub
from tests.support.services import PASSWORD, error_info, violated_fields


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
