"""What administrators do with the accounts of others, in Chromium."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.e2e.song import PASSWORD, Listener
from tests.support.installation import Installation
from tests.web.browser import Tab


@pytest.fixture
def admin(visiting, installation: Installation) -> Iterator[Tab]:
    """Return a tab of an administrator, at the list of accounts."""
    somebody = Listener(installation.url).account["email"]
    granted = installation.command("admin", "grant", somebody, "ROLE_ADMIN")
    assert granted.returncode == 0, granted.stderr
    with visiting() as tab:
        tab.sign_in(somebody)
        tab.page.get_by_role("link", name="Accounts").click()
        yield tab


def open_account(admin: Tab, listener: Listener) -> None:
    """Find somebody by the beginning of the address and open the account."""
    email = listener.account["email"]
    admin.page.get_by_label("Find an account").fill(email[:8].upper())
    line = admin.page.get_by_role("main").get_by_role("link").filter(has_text=email)
    expect(admin.page.get_by_role("main").get_by_role("listitem")).to_have_count(1)
    line.click()
    expect(admin.page.get_by_role("heading", name=listener.account["username"])).to_be_visible()


def press(admin: Tab, name: str) -> None:
    """Press a button of the page."""
    admin.page.get_by_role("main").get_by_role("button", name=name, exact=True).first.click()


def confirm(admin: Tab, name: str) -> None:
    """Press a button of the open dialog."""
    admin.page.get_by_role("dialog").get_by_role("button", name=name, exact=True).click()


def test_an_account_is_disabled_and_let_in_again(admin, visiting, listener):
    """Whoever is kept out is told so; the trail keeps both."""
    open_account(admin, listener)
    press(admin, "Disable")
    admin.page.get_by_label("Reason").fill("Spam.")
    confirm(admin, "Disable")
    expect(admin.page.get_by_text("Disabled", exact=True)).to_be_visible()
    trail = admin.page.get_by_role("main").get_by_role("listitem")
    expect(trail.filter(has_text="An administrator disabled the account")).to_be_visible()
    with visiting() as tab:
        tab.open("/sign-in")
        tab.enter(listener.account["email"])
        expect(tab.page.get_by_role("alert")).to_contain_text("An administrator has disabled this account")
        press(admin, "Enable")
        expect(trail.filter(has_text="An administrator enabled the account")).to_be_visible()
        tab.enter(listener.account["email"])
        expect(tab.page).to_have_url(f"{tab.url}/")


def test_a_role_is_given_and_taken(admin, visiting, listener):
    """The other person finds the accounts from the next sign-in on, and not any more once the role is gone."""
    open_account(admin, listener)
    press(admin, "Make administrator")
    confirm(admin, "Make administrator")
    expect(admin.page.get_by_text("Administrator", exact=True)).to_be_visible()
    with visiting() as tab:
        tab.sign_in(listener.account["email"])
        tab.open("/admin/users")
        expect(tab.page.get_by_label("Find an account")).to_be_visible()
        press(admin, "Take the role of administrator")
        confirm(admin, "Take the role of administrator")
        expect(admin.page.get_by_text("Administrator", exact=True)).to_have_count(0)
        tab.open("/admin/users")
        expect(tab.page.get_by_label("Find an account")).to_have_count(0)


def test_an_account_is_deleted_after_a_question(admin, listener):
    """It is gone from the list, and nobody signs in to it."""
    open_account(admin, listener)
    press(admin, "Delete account")
    expect(admin.page.get_by_role("dialog")).to_contain_text("cannot be brought back")
    confirm(admin, "Delete account")
    expect(admin.page).to_have_url(f"{admin.url}/admin/users")
    admin.page.get_by_label("Find an account").fill(listener.account["email"])
    expect(admin.page.get_by_text("No account begins like this.")).to_be_visible()
    answer = listener.plain.post("/v1/sessions", json={"email": listener.account["email"], "password": PASSWORD})
    assert answer.status_code == 401


def test_the_list_goes_on_and_administrators_cannot_shut_themselves_out(admin, installation):
    """Names are found as well as addresses; the own account has no such buttons."""
    username = Listener(installation.url).account["username"]
    admin.page.get_by_label("Find an account").fill(username)
    expect(admin.page.get_by_role("main").get_by_role("listitem")).to_have_count(1)
    mine = admin.page.get_by_role("banner").get_by_text(re.compile("^listener-")).inner_text()
    admin.page.get_by_label("Find an account").fill(mine)
    admin.page.get_by_role("main").get_by_role("link", name=re.compile(mine)).click()
    expect(admin.page.get_by_text("This is you.")).to_be_visible()
    expect(admin.page.get_by_role("button", name="Disable")).to_have_count(0)
