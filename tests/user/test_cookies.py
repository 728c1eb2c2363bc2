"""The cookie in which a browser keeps its refresh token."""

import re

import pytest

from spotilike.user.v1.session_service_pb2 import CreateSessionRequest, RefreshSessionRequest, RevokeSessionRequest
from spotilike.user.v1.user_service_pb2 import ChangePasswordRequest, EraseUserRequest
from tests.support.services import PASSWORD, error_info
from tests.user.desk import refusal

NAME = "__Secure-spotilike-refresh"
PAGE = (("origin", "http://player.test"), ("x-spotilike-authority", "player.test"))
"""What the edge sends with a call of the player's page."""
DROPPED = (
    f"{NAME}=; Path=/spotilike.user.v1.SessionService/RefreshSession; Max-Age=0; Secure; HttpOnly; SameSite=Strict"
)


async def sign_in(desk, account, metadata=PAGE):
    """Sign a browser in; return the answer and the header that sets the cookie."""
    request = CreateSessionRequest(email=account.email, password=PASSWORD, use_cookie=True)
    call = desk.sessions.CreateSession(request, metadata=metadata)
    return await call, await set_cookie(call)


async def set_cookie(call):
    """Return what a call makes the browser keep."""
    found = [value for name, value in await call.initial_metadata() if name == "set-cookie"]
    assert len(found) <= 1
    return found[0] if found else None


def refresh(desk, *cookies, page=PAGE):
    """Call RefreshSession as a browser with these headers Cookie does."""
    metadata = (*page, *(("cookie", cookie) for cookie in cookies))
    return desk.sessions.RefreshSession(RefreshSessionRequest(), metadata=metadata)


@pytest.fixture
async def browser(desk):
    """Return somebody who signed in with a browser, and the cookie that it sends."""
    account = await desk.sign_up()
    _, header = await sign_in(desk, account)
    return account, header.partition(";")[0]


async def test_a_browser_gets_the_refresh_token_in_a_cookie_that_no_script_reads_and_nowhere_else(desk):
    """For the one path that needs it, only over TLS, only from our pages, for as long as the token lives."""
    account = await desk.sign_up()

    answer, header = await sign_in(desk, account)

    found = re.fullmatch(
        rf"{NAME}=([\w-]{{43}}); Path=/spotilike\.user\.v1\.SessionService/RefreshSession; Max-Age=(\d+); "
        "Secure; HttpOnly; SameSite=Strict",
        header,
    )
    assert found
    lasts = answer.refresh_token_expire_time.seconds - answer.session.create_time.seconds
    assert abs(int(found[2]) - lasts) <= 1
    assert answer.refresh_token == ""
    assert found[1] not in str(answer)
    assert answer.access_token


async def test_without_a_cookie_the_answer_holds_the_token_and_nothing_is_set(desk):
    """Clients that are no browsers keep it themselves."""
    account = await desk.sign_up()

    call = desk.sessions.CreateSession(CreateSessionRequest(email=account.email, password=PASSWORD))

    assert (await call).refresh_token
    assert await set_cookie(call) is None


async def test_a_refresh_by_cookie_sets_the_next_one(desk, browser):
    """The session goes on, and the token is again not in the answer."""
    account, cookie = browser

    call = refresh(desk, cookie)
    answer = await call
    following = (await set_cookie(call)).partition(";")[0]

    assert answer.user.name == account.name
    assert answer.refresh_token == ""
    assert following != cookie
    assert await refresh(desk, following)


@pytest.mark.parametrize(
    "cookies",
    [
        ("theme=dark; {cookie}",),
        ("{cookie}; theme=dark",),
        ("theme=dark", "{cookie}", "size=9"),
        ('json={"a": [1, "b"]}; {cookie}',),
        ("novalue; =noname; ;; {cookie};",),
        ("a\u00a0b=c, d=e; {cookie}".encode("ascii", "replace").decode(),),
        (f"{NAME}=; {{cookie}}",),
    ],
    ids=["after others", "before others", "several headers", "JSON", "damaged ones", "odd letters", "an empty one"],
)
async def test_the_cookie_is_found_among_whatever_else_a_host_has_set(desk, browser, cookies):
    """Cookies of other programs on the same machine are sent along."""
    _, cookie = browser

    assert await refresh(desk, *(text.replace("{cookie}", cookie) for text in cookies))


@pytest.mark.parametrize(
    "cookie",
    [f"{NAME}=", f"{NAME}", f"{NAME}=x", f"{NAME}={'a' * 43}", f"x{NAME}=y", f"{NAME}={'a' * 3000}", "theme=dark"],
)
async def test_a_damaged_cookie_signs_nobody_in_and_is_cleared(desk, cookie):
    """The browser forgets what is worth nothing."""
    call = refresh(desk, cookie)

    assert error_info(await refusal(call)) == ("REFRESH_TOKEN_INVALID", {})
    assert await set_cookie(call) == DROPPED


@pytest.mark.parametrize(
    "page",
    [
        (("x-spotilike-authority", "player.test"),),
        (("origin", "http://player.test"),),
        (("origin", "null"), ("x-spotilike-authority", "player.test")),
        (("origin", ""), ("x-spotilike-authority", "")),
        (("origin", "http://"), ("x-spotilike-authority", "")),
        (("origin", "http://evil.test"), ("x-spotilike-authority", "player.test")),
        (("origin", "https://player.test"), ("x-spotilike-authority", "player.test")),
        (("origin", "http://player.test:81"), ("x-spotilike-authority", "player.test")),
        (("origin", "http://player.test"), ("x-spotilike-authority", "player.test:81")),
        (("origin", "http://player.test.evil.test"), ("x-spotilike-authority", "player.test")),
        (("origin", "http://sub.player.test"), ("x-spotilike-authority", "player.test")),
        (("origin", "http://evil.test@player.test"), ("x-spotilike-authority", "player.test")),
        (("origin", "http://player.test/"), ("x-spotilike-authority", "player.test")),
    ],
    ids=[
        "no origin", "no authority", "null", "empty", "scheme alone", "other", "other scheme", "other port",
        "no port", "longer", "subdomain", "user part", "slash",
    ],
)  # fmt: skip
async def test_a_page_of_another_origin_can_neither_use_nor_set_the_cookie(desk, browser, page):
    """Neither refresh in the listener's name nor sign the listener in as somebody else."""
    account, cookie = browser

    for call in (refresh(desk, cookie, page=page), _sign_in_from(desk, account, page)):
        assert error_info(await refusal(call)) == ("ORIGIN_FORBIDDEN", {})
        assert await set_cookie(call) is None
    assert await refresh(desk, cookie)


async def test_a_refused_origin_costs_the_session_nothing(desk, browser):
    """Another site cannot even sign the listener out."""
    _, cookie = browser

    await refusal(refresh(desk, cookie, page=(("origin", "http://evil.test"), *PAGE[1:])))

    assert await refresh(desk, cookie)


@pytest.mark.usefixtures("catalog")  # it is asked before an account is erased
@pytest.mark.parametrize("ending", ["RevokeSession", "ChangePassword", "EraseUser"])
async def test_whatever_ends_the_browsers_session_clears_its_cookie(desk, ending):
    """Signing out, a new password, the end of the account."""
    account = await desk.sign_up()
    answer, _ = await sign_in(desk, account)
    requests = {
        "RevokeSession": RevokeSessionRequest(name=answer.session.name),
        "ChangePassword": ChangePasswordRequest(name="users/me", password=PASSWORD, new_password="a better password"),
        "EraseUser": EraseUserRequest(name="users/me", password=PASSWORD),
    }
    stub = desk.sessions if ending == "RevokeSession" else desk.users

    call = getattr(stub, ending)(requests[ending], metadata=(("authorization", f"Bearer {answer.access_token}"), *PAGE))
    await call

    assert await set_cookie(call) == DROPPED


async def test_signing_another_device_out_leaves_this_ones_cookie(desk):
    """Only the own one is cleared."""
    account = await desk.sign_up()
    other = await desk.sign_in(account.email)

    call = desk.sessions.RevokeSession(RevokeSessionRequest(name=other.session.name), metadata=account.metadata)
    await call

    assert await set_cookie(call) is None


def _sign_in_from(desk, account, page):
    request = CreateSessionRequest(email=account.email, password=PASSWORD, use_cookie=True)
    return desk.sessions.CreateSession(request, metadata=page)
