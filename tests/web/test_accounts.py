"""What people do with their accounts, in Chromium, with the mails that they get."""

import re
from dataclasses import dataclass
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.song import PASSWORD, Listener
from tests.web.browser import PHONE, Tab
from tests.web.letters import letters, mailed_link

OTHER_PASSWORD = "another horse, another battery"
COMMON_PASSWORD = "password123"


@dataclass(frozen=True)
class Person:
    """Somebody who is going to sign up."""

    email: str
    username: str

    def sign_up(self, tab: Tab, password: str = PASSWORD) -> None:
        """Fill in the form and send it."""
        tab.open("/sign-up")
        tab.page.get_by_label("E-mail").fill(self.email)
        tab.page.get_by_label("Username").fill(self.username)
        tab.page.get_by_label("Password").fill(password)
        tab.page.get_by_role("main").get_by_role("button", name="Create account").click()


@pytest.fixture
def person() -> Person:
    """Return somebody whom nobody knows yet."""
    mark = uuid4().hex[:12]
    return Person(f"{mark}@example.org", f"person-{mark}")


def heading(tab: Tab, name: str) -> Locator:
    """Return the heading of the page."""
    return tab.page.get_by_role("main").get_by_role("heading", name=name)


def button(tab: Tab, name: str) -> Locator:
    """Return a button of the page or of its open dialog."""
    return tab.page.get_by_role("main").get_by_role("button", name=name, exact=True)


def trail(tab: Tab) -> Locator:
    """Return the lines that say what happened to the account."""
    return tab.page.locator("section").filter(has_text="What happened to the account").get_by_role("listitem")


def sign_out(tab: Tab) -> None:
    """Sign this device out from its account page."""
    tab.open("/account")
    button(tab, "Sign out").click()
    expect(tab.page).to_have_url(f"{tab.url}/")


def forget_password(tab: Tab, email: str) -> None:
    """Ask at the door for a link that sets a new password."""
    tab.open("/sign-in")
    tab.page.get_by_role("link", name="Forgot your password?").click()
    tab.page.get_by_label("E-mail").fill(email)
    button(tab, "Send me a link").click()
    expect(heading(tab, "Check your mail")).to_be_visible()


def set_new_password(tab: Tab, link: str) -> None:
    """Follow the link and set the other password."""
    tab.open(link)
    assert tab.page.evaluate("location.href") == f"{tab.url}/reset-password"
    tab.page.get_by_label("New password").fill(OTHER_PASSWORD)
    button(tab, "Set password").click()
    expect(heading(tab, "Your new password counts")).to_be_visible()


def delete_account(tab: Tab, password: str) -> None:
    """Delete the account from its page."""
    button(tab, "Delete account…").click()
    tab.page.get_by_role("dialog").get_by_label("Password").fill(password)
    button(tab, "Delete my account").click()


def test_an_account_lives_from_the_door_to_its_end(visiting, installation, person):
    """Signed up, confirmed, forgotten, set anew, renamed, seen on two devices, and deleted."""
    with visiting() as tab:
        person.sign_up(tab)
        expect(heading(tab, "Check your mail")).to_be_focused()
        tab.page.get_by_role("link", name="Start listening").click()
        reminder = tab.page.get_by_role("complementary", name="Your address is not confirmed")
        expect(reminder).to_contain_text(person.email)

        tab.open(mailed_link(tab, installation, person.email, "/verify-email"))
        expect(heading(tab, "Your address is confirmed")).to_be_visible()
        assert tab.page.evaluate("location.href") == f"{tab.url}/verify-email"
        tab.page.get_by_role("link", name="Start listening").click()
        expect(tab.page).to_have_url(f"{tab.url}/")
        expect(reminder).to_have_count(0)

        sign_out(tab)
        forget_password(tab, person.email)
        set_new_password(tab, mailed_link(tab, installation, person.email, "/reset-password"))
        tab.sign_in(person.email, OTHER_PASSWORD)

        tab.open("/account")
        button(tab, "Change the username").click()
        tab.page.get_by_role("dialog").get_by_label("Username").fill(f"{person.username}-2")
        button(tab, "Save").click()
        expect(tab.page.get_by_role("banner").get_by_text(f"{person.username}-2")).to_be_visible()

        with visiting(viewport=PHONE) as phone:
            phone.sign_in(person.email, OTHER_PASSWORD)
            tab.open("/account")
            tab.page.get_by_role("button", name=re.compile("^Sign out there")).click()
            expect(tab.page.get_by_role("button", name=re.compile("^Sign out there"))).to_have_count(0)
            phone.page.reload()
            expect(phone.page.get_by_role("main")).to_be_visible()
            phone.page.get_by_role("link", name="History").last.click()
            expect(phone.page.get_by_role("heading", name="Sign in to go on").first).to_be_attached()

        tab.open("/account")
        happened = trail(tab)
        expect(happened.filter(has_text="Signed out").first).to_contain_text("127.0.0.1")
        for line in ("The account was made", "The e-mail address was confirmed", "The username was changed"):
            expect(happened.filter(has_text=line)).to_have_count(1)
        expect(happened.filter(has_text="A new password was set by a mailed link")).to_contain_text("Chrome, Linux")

        delete_account(tab, OTHER_PASSWORD)
        expect(tab.page).to_have_url(f"{tab.url}/")
        expect(tab.page.get_by_role("status").filter(has_text="Your account is deleted")).to_be_visible()
        tab.open("/sign-in")
        tab.enter(person.email, OTHER_PASSWORD)
        expect(tab.page.get_by_role("alert")).to_contain_text("E-mail and password do not belong together")


def test_a_link_works_once_and_says_how_to_get_another(visiting, installation, person):
    """Followed again, it sends nobody away empty-handed."""
    with visiting() as tab:
        person.sign_up(tab)
        expect(heading(tab, "Check your mail")).to_be_visible()
        link = mailed_link(tab, installation, person.email, "/verify-email")
        tab.open(link)
        expect(heading(tab, "Your address is confirmed")).to_be_visible()
        with visiting() as elsewhere:
            elsewhere.open(link)
            expect(heading(elsewhere, "This link does not work any more")).to_be_visible()
            expect(elsewhere.page.get_by_role("main").get_by_role("link", name="Sign in")).to_be_visible()
            elsewhere.open("/reset-password#token=never-sent")
            elsewhere.page.get_by_label("New password").fill(OTHER_PASSWORD)
            button(elsewhere, "Set password").click()
            elsewhere.page.get_by_role("link", name="Ask for another link").click()
            expect(elsewhere.page).to_have_url(f"{elsewhere.url}/forgot-password")


def test_a_forgotten_password_is_answered_the_same_for_everybody(visiting, person, listener):
    """The page does not tell who has an account."""
    answers = []
    with visiting() as tab:
        for email in (person.email, listener.account["email"]):
            tab.open("/forgot-password")
            tab.page.get_by_label("E-mail").fill(email)
            button(tab, "Send me a link").click()
            expect(heading(tab, "Check your mail")).to_be_visible()
            answers.append(tab.page.get_by_role("main").locator("p").first.inner_text().replace(email, "…"))
    assert answers[0] == answers[1]


def test_what_is_wrong_with_a_field_stands_at_the_field(visiting, person, listener):
    """A taken name, a taken address and a password of everybody: each in words, and the keyboard is taken there."""
    with visiting() as tab:
        taken = listener.account
        for wrong, label, words in (
            (Person(taken["email"], person.username), "E-mail", "There is an account with this e-mail already"),
            (Person(person.email, taken["username"]), "Username", "This username is taken"),
        ):
            wrong.sign_up(tab)
            field = tab.page.get_by_label(label)
            expect(field).to_have_accessible_description(re.compile(words))
            expect(field).to_have_attribute("aria-invalid", "true")
            expect(field).to_be_focused()
        person.sign_up(tab, COMMON_PASSWORD)
        field = tab.page.get_by_label("Password")
        expect(field).to_have_accessible_description(re.compile("none that everybody tries first"))
        expect(field).to_be_focused()


def test_what_is_typed_as_a_password_can_be_looked_at(visiting):
    """One button shows it and hides it again; password managers know which password is meant."""
    with visiting() as tab:
        tab.open("/sign-in")
        field = tab.page.get_by_label("Password")
        expect(field).to_have_attribute("autocomplete", "current-password")
        show = button(tab, "Show what is typed")
        expect(field).to_have_attribute("type", "password")
        show.click()
        expect(show).to_have_attribute("aria-pressed", "true")
        expect(field).to_have_attribute("type", "text")
        show.click()
        expect(field).to_have_attribute("type", "password")
        tab.open("/sign-up")
        expect(tab.page.get_by_label("Password")).to_have_attribute("autocomplete", "new-password")


def test_a_changed_password_signs_the_others_out_and_leaves_this_device_in(visiting, listener):
    """This device signs in again by itself, and so do its other tabs."""
    email = listener.account["email"]
    with visiting() as tab, visiting() as elsewhere:
        tab.sign_in(email)
        elsewhere.sign_in(email)
        tab.open("/account")
        button(tab, "Change the password").click()
        dialog = tab.page.get_by_role("dialog")
        dialog.get_by_label("Current password").fill("not the password")
        dialog.get_by_label("New password").fill(OTHER_PASSWORD)
        button(tab, "Change password").click()
        expect(dialog.get_by_label("Current password")).to_have_accessible_description(
            re.compile("This is not your password")
        )
        dialog.get_by_label("Current password").fill(PASSWORD)
        button(tab, "Change password").click()
        expect(tab.page.get_by_role("status").filter(has_text="Your new password counts")).to_be_visible()
        tab.page.reload()
        expect(tab.page.get_by_text(email)).to_be_visible()
        elsewhere.page.reload()
        expect(elsewhere.page.get_by_role("banner").get_by_role("link", name="Sign in")).to_be_visible()


def test_all_other_devices_are_signed_out_at_once(visiting, listener):
    """After a question; this one stays."""
    email = listener.account["email"]
    with visiting() as tab, visiting() as elsewhere:
        elsewhere.sign_in(email)
        tab.sign_in(email)
        tab.open("/account")
        button(tab, "Sign out all others").first.click()
        tab.page.get_by_role("dialog").get_by_role("button", name="Sign out all others").click()
        expect(tab.page.get_by_role("button", name=re.compile("^Sign out there"))).to_have_count(0)
        expect(tab.page.get_by_text("This device")).to_be_visible()
        elsewhere.page.reload()
        expect(elsewhere.page.get_by_role("banner").get_by_role("link", name="Sign in")).to_be_visible()


def test_a_mail_is_sent_again_when_another_one_would_be(visiting, person, installation):
    """The button rests for the minute in which the server would send none, and says for how long."""
    with visiting() as tab:
        tab.page.clock.install()
        person.sign_up(tab)
        again = tab.page.get_by_role("main").get_by_role("button", name="Send again")
        expect(again).to_have_attribute("aria-disabled", "true")
        expect(again).to_contain_text(re.compile(r"0:\d\d|1:00"))
        tab.page.clock.fast_forward("01:00")
        expect(again).to_have_attribute("aria-disabled", "false")
        again.click()
        expect(tab.page.get_by_role("status").filter(has_text="The mail is on its way.")).to_be_attached()
        expect(again).to_have_attribute("aria-disabled", "true")
        mailed_link(tab, installation, person.email, "/verify-email")


def test_another_address_counts_once_its_link_is_followed(visiting, installation, person):
    """Until then the old one stays; both signs are on the account page, and the old address is told."""
    new_email = f"new-{person.email}"
    with visiting() as tab:
        person.sign_up(tab)
        expect(heading(tab, "Check your mail")).to_be_visible()
        tab.open("/account")
        expect(tab.page.get_by_text("Not confirmed")).to_be_visible()
        button(tab, "Change the e-mail address").click()
        dialog = tab.page.get_by_role("dialog")
        dialog.get_by_label("New e-mail").fill(new_email)
        dialog.get_by_label("Password").fill(PASSWORD)
        button(tab, "Send the link").click()
        expect(dialog.get_by_role("status").filter(has_text=new_email)).to_be_visible()
        dialog.get_by_role("button", name="Close").last.click()
        expect(tab.page.get_by_role("main").get_by_text(person.email, exact=False).first).to_be_visible()
        tab.open(mailed_link(tab, installation, new_email, "/verify-email"))
        expect(heading(tab, "Your address is confirmed")).to_be_visible()
        tab.open("/account")
        expect(tab.page.get_by_text(new_email)).to_be_visible()
        expect(tab.page.get_by_text("Confirmed", exact=True)).to_be_visible()
        tab.wait_until(lambda: len(letters(installation, person.email)) > 1, "the mail to the old address")


def test_too_many_wrong_passwords_say_when_to_come_back(visiting, listener):
    """The wait is counted down, said in words once, and over when it says so."""
    email = listener.account["email"]
    with visiting() as tab:
        tab.open("/sign-in")
        alert = tab.page.get_by_role("alert")

        def waits() -> bool:
            tab.enter(email, "not the password")
            expect(alert).to_contain_text(re.compile(r"do not belong together|Too many attempts failed"))
            return bool(tab.page.get_by_text(re.compile(r"Try again in 0:0\d\.")).count())

        tab.wait_until(waits, "a wait that is counted down")
        expect(alert).to_contain_text(re.compile("Try again in 0 minutes [0-9]+ seconds?"))
        expect(alert).to_contain_text("You can try again now.")
        tab.enter(email)
        expect(tab.page).to_have_url(f"{tab.url}/")


def test_a_long_trail_is_shown_page_by_page(visiting, listener):
    """The newest ten first, the others on demand."""
    account = {"email": listener.account["email"], "password": PASSWORD}
    for _ in range(10):
        listener.post("/v1/sessions", account)
    with visiting() as tab:
        tab.sign_in(account["email"])
        tab.open("/account")
        expect(trail(tab)).to_have_count(10)
        button(tab, "Show more").click()
        expect(trail(tab)).to_have_count(13)
        expect(trail(tab).last).to_contain_text("The account was made")
        expect(button(tab, "Show more")).to_have_count(0)


def test_whoever_runs_an_artist_alone_is_led_to_its_team_before_leaving(visiting, listener):
    """The account stays, the artist is named, and the way to its team is one click."""
    artist = listener.post("/v1/artists", {"displayName": "Lone Lighthouse"})
    with visiting() as tab:
        tab.sign_in(listener.account["email"])
        tab.open("/account")
        delete_account(tab, PASSWORD)
        dialog = tab.page.get_by_role("dialog")
        expect(dialog.get_by_role("alert").filter(has_text="Nobody else runs Lone Lighthouse")).to_be_visible()
        dialog.get_by_role("link", name="To the team of Lone Lighthouse").click()
        expect(tab.page).to_have_url(f"{tab.url}/studio/{artist['name']}")


def test_a_russian_page_asks_for_russian_mails(visiting, installation, person):
    """The language that was chosen on the page is the one of the mail."""
    with visiting(locale="ru-RU") as tab:
        tab.open("/sign-up")
        tab.page.get_by_label("Эл. почта").fill(person.email)
        tab.page.get_by_label("Имя пользователя").fill(person.username)
        tab.page.get_by_label("Пароль").fill(PASSWORD)
        tab.page.get_by_role("main").get_by_role("button", name="Создать аккаунт").click()
        expect(heading(tab, "Проверьте почту")).to_be_visible()
        mailed_link(tab, installation, person.email, "/verify-email")
        assert letters(installation, person.email)[0]["subject"] == "Подтвердите адрес"


def test_nobody_but_administrators_sees_the_accounts_of_others(tab: Tab, listener: Listener):
    """The page is not there for others."""
    tab.open("/admin/users")
    expect(heading(tab, "Nothing plays here")).to_be_visible()
    tab.open(f"/admin/{listener.user['name']}")
    expect(heading(tab, "Nothing plays here")).to_be_visible()
    expect(tab.page.get_by_role("navigation", name="Main navigation").first.get_by_text("Accounts")).to_have_count(0)
