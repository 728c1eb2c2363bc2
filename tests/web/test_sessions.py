"""Who is signed in, on reloads, in many tabs, and where the proof of it is kept."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Error, Page, Response, expect

from tests.e2e.song import Listener
from tests.web.browser import Tab, new_tab

COOKIE = "__Secure-spotilike-refresh"
TABS = 20

_WITHIN_REACH = """
async () => {
  const found = [document.cookie, location.href, JSON.stringify(history.state), window.name]
  for (const storage of [localStorage, sessionStorage]) found.push(JSON.stringify({ ...storage }))
  for (const { name } of await indexedDB.databases()) {
    const database = await new Promise((resolve) => (indexedDB.open(name).onsuccess = (e) => resolve(e.target.result)))
    for (const store of database.objectStoreNames) {
      const all = database.transaction(store).objectStore(store).getAll()
      found.push(JSON.stringify(await new Promise((resolve) => (all.onsuccess = () => resolve(all.result)))))
    }
    database.close()
  }
  for (const name of await caches.keys()) found.push(name)
  return found.join('\\n')
}
"""


class Secrets:
    """The tokens that a browser was given, as they came over the wire."""

    def __init__(self, page: Page) -> None:
        """Listen to a tab."""
        self.refresh: set[str] = set()
        self.access: set[str] = set()
        page.on("response", self._hear)

    def _hear(self, response: Response) -> None:
        authorization = response.request.headers.get("authorization", "")
        if authorization:
            self.access.add(authorization.removeprefix("Bearer "))
        self.refresh.update(re.findall(rf"{COOKIE}=([^;\s]+)", response.all_headers().get("set-cookie", "")))

    def within_reach(self, page: Page) -> list[str]:
        """Return those that a script of the page can read where things are kept."""
        kept = page.evaluate(_WITHIN_REACH)
        return [token for token in self.refresh | self.access if token in kept]


@pytest.fixture
def member(visiting, listener: Listener) -> Iterator[tuple[Tab, Secrets]]:
    """Return a tab in which the listener has signed in, and the tokens that it was given."""
    with visiting() as tab:
        secrets = Secrets(tab.page)
        tab.sign_in(listener.account["email"])
        tab.open("/account")
        expect(tab.page.get_by_text("This device")).to_be_visible()
        yield tab, secrets


def is_signed_in(page: Page) -> None:
    """Wait until a tab shows somebody."""
    expect(page.get_by_role("banner").get_by_role("button", name="Sign out")).to_be_visible()


def test_no_script_can_read_a_token_where_things_are_kept(member):
    """Neither document.cookie nor any storage holds one, after signing in, after a reload and after an exchange."""
    tab, secrets = member
    tab.page.reload()
    is_signed_in(tab.page)
    assert len(secrets.refresh) >= 2
    assert secrets.access
    assert secrets.within_reach(tab.page) == []
    planted = next(iter(secrets.access))
    tab.page.evaluate("(token) => sessionStorage.setItem('planted', token)", planted)
    assert secrets.within_reach(tab.page) == [planted]


def test_the_refresh_token_is_in_a_cookie_for_one_path_alone(member):
    """HttpOnly, Secure, SameSite=Strict; the page asks for no token in the answer's body."""
    tab, secrets = member
    cookies = [cookie for cookie in tab.page.context.cookies() if cookie["name"] == COOKIE]
    assert len(cookies) == 1
    cookie = cookies[0]
    assert cookie["httpOnly"] and cookie["secure"] and cookie["sameSite"] == "Strict"  # noqa: PT018 (one sentence)
    assert cookie["path"] == "/spotilike.user.v1.SessionService/RefreshSession"
    assert cookie["value"] in secrets.refresh


def test_a_guest_asks_the_server_for_no_session(visiting):
    """The first visit makes no call that is refused."""
    with visiting() as tab:
        called = []
        tab.page.on("request", lambda request: called.append(request.url) if "SessionService" in request.url else None)
        tab.open("/account")
        expect(tab.page.get_by_role("main").get_by_role("link", name="Sign in")).to_be_visible()
        assert called == []


def test_a_session_survives_reloads_in_the_middle_of_reloads(member):
    """Whoever presses reload again and again stays signed in."""
    tab, _ = member
    for _ in range(10):
        # Chromium may say that the page was just on its way elsewhere: to itself.
        with suppress(Error):
            tab.page.reload(wait_until="commit")
    is_signed_in(tab.page)


def test_many_tabs_at_once_end_signed_in_with_one_live_token(member, installation):
    """Twenty tabs that are opened at the same moment exchange the cookie one after the other."""
    tab, _ = member
    context = tab.page.context
    tab.page.evaluate(f"for (let i = 0; i < {TABS}; i++) window.open('/account', `tab${{i}}`)")
    tab.wait_until(lambda: len(context.pages) == TABS + 1, "the tabs")
    for page in context.pages:
        is_signed_in(page)
    session = tab.page.evaluate("localStorage.getItem('spotilike.session')")
    alive = installation.rows(
        "user",
        "SELECT count(*) FROM refresh_tokens WHERE family_id = %s AND NOT revoked AND replaced_at IS NULL",
        session,
    )
    assert alive == [(1,)]
    tab.page.reload()
    is_signed_in(tab.page)


def test_other_tabs_follow_whoever_signs_in_here(member, installation):
    """Tabs of one browser are one device: another account in one is another account in all."""
    tab, _ = member
    other = new_tab(tab.page.context, tab.url)
    other.open("/account")
    is_signed_in(other.page)
    somebody = Listener(installation.url)
    tab.sign_in(somebody.account["email"])
    expect(other.page.get_by_role("main").get_by_text(somebody.account["email"])).to_be_visible()
    assert other.complaints == []


def test_signing_out_takes_the_cookie_away(member):
    """Afterwards nothing is left in the browser that could continue the session."""
    tab, secrets = member
    tab.page.get_by_role("banner").get_by_role("button", name="Sign out").click()
    expect(tab.page.get_by_role("banner").get_by_role("link", name="Sign in")).to_be_visible()
    assert [cookie for cookie in tab.page.context.cookies() if cookie["name"] == COOKIE] == []
    assert tab.page.evaluate("localStorage.getItem('spotilike.session')") is None
    assert secrets.within_reach(tab.page) == []


def test_nobody_is_told_that_they_are_out_while_the_server_has_not_heard_of_it(member):
    """Only the server can take the cookie away: without it the page says so and stays signed in."""
    tab, _ = member
    tab.page.route("**/RevokeSession", lambda route: route.abort())
    tab.page.get_by_role("banner").get_by_role("button", name="Sign out").click()
    expect(tab.page.get_by_role("status").filter(has_text="Spotilike cannot be reached")).to_be_visible()
    is_signed_in(tab.page)
    tab.complaints.clear()  # the console tells of the call that was cut off


def test_what_tells_of_the_session_opens_nothing(member, visiting):
    """The mark in localStorage, carried to another browser, signs nobody in."""
    tab, _ = member
    kept = tab.page.evaluate("JSON.stringify({ ...localStorage })")
    with visiting() as elsewhere:
        elsewhere.open("/")
        elsewhere.page.evaluate("(kept) => Object.assign(localStorage, JSON.parse(kept))", kept)
        assert "spotilike.session" in json.loads(kept)
        elsewhere.open("/account")
        expect(elsewhere.page.get_by_role("main").get_by_role("link", name="Sign in")).to_be_visible()
        assert elsewhere.page.evaluate("localStorage.getItem('spotilike.session')") is None
