"""The player and the studio for people who do not see, do not use a pointer, or do not want motion."""

import pytest
from playwright.sync_api import expect

from tests.e2e.song import Listener
from tests.web.browser import DESKTOP, PHONE, Tab


def shown(tab: Tab, release, path: str) -> None:
    """Open a page and wait for what it reads."""
    tab.open(path.format(artist=release.artist, album=release.album["name"]))
    expect(tab.page.get_by_role("main").get_by_role("status").filter(has_text="Loading")).to_have_count(0)


in_every_look = pytest.mark.parametrize(
    ("size", "scheme"),
    [(DESKTOP, "dark"), (DESKTOP, "light"), (PHONE, "dark"), (PHONE, "light")],
    ids=["desktop-dark", "desktop-light", "phone-dark", "phone-light"],
)


@in_every_look
def test_no_page_breaks_a_rule_of_axe(visiting, release, size, scheme):
    """Every page and every dialog, dark and light, large and small: no violations."""
    with visiting(viewport=size, color_scheme=scheme, reduced_motion="reduce") as tab:
        found = {}
        for path in ("/", "/sign-in", "/sign-up", "/account", "/history", "/nowhere"):
            shown(tab, release, path)
            found[f"{path} of a guest"] = tab.axe()
        tab.sign_in(release.manager.account["email"])
        for path in ("/", "/{album}", "/{artist}", "/history", "/account"):
            shown(tab, release, path)
            found[path] = tab.axe()
        for path in ("/studio", "/studio/jobs", "/studio/{artist}", "/studio/{album}"):
            shown(tab, release, path)
            found[path] = tab.axe()
        tab.page.get_by_role("button", name="Edit Low Water").click()
        expect(tab.page.get_by_role("dialog").get_by_text("Ambient")).to_be_visible()
        found["track form"] = tab.axe()
        tab.page.keyboard.press("Escape")
        shown(tab, release, "/{album}")
        tab.page.get_by_role("main").get_by_role("button", name="Play", exact=True).click()
        expect(tab.page.get_by_role("main").get_by_role("button", name="Pause", exact=True)).to_be_visible()
        if size is PHONE:
            tab.page.get_by_role("button", name="Open the player").click()
        else:
            tab.page.keyboard.press("q")
            expect(tab.page.get_by_role("complementary", name="Queue").locator("li").first).to_be_visible()
        found["playing"] = tab.axe()
        tab.page.keyboard.press("Escape")
        tab.page.keyboard.press("?")
        expect(tab.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        found["keys"] = tab.axe()
        assert {name: complaints for name, complaints in found.items() if complaints} == {}


@in_every_look
def test_no_page_of_an_account_breaks_a_rule_of_axe(visiting, installation, size, scheme):
    """Everything at the door, the account with its dialogs, and the pages of administrators: no violations."""
    person = Listener(installation.url)
    email = person.account["email"]
    assert installation.command("admin", "grant", email, "ROLE_ADMIN").returncode == 0
    with visiting(viewport=size, color_scheme=scheme, reduced_motion="reduce") as tab:
        found = {}
        for path in ("/forgot-password", "/reset-password#token=never", "/reset-password", "/verify-email#token=never"):
            tab.page.goto("about:blank")  # from one fragment to another a browser loads nothing
            tab.open(path)
            expect(tab.page.get_by_role("main").get_by_role("status").filter(has_text="Loading")).to_have_count(0)
            found[path] = tab.axe()
        tab.open("/forgot-password")
        tab.page.get_by_label("E-mail").fill(email)
        tab.page.get_by_role("main").get_by_role("button", name="Send me a link").click()
        expect(tab.page.get_by_role("heading", name="Check your mail")).to_be_visible()
        found["mail sent"] = tab.axe()
        tab.open("/sign-up")
        tab.page.get_by_label("E-mail").fill(email)
        tab.page.get_by_label("Username").fill("somebody.else")
        tab.page.get_by_label("Password").fill("correct horse battery")
        tab.page.get_by_role("main").get_by_role("button", name="Create account").click()
        expect(tab.page.locator("[aria-invalid]")).to_have_count(1)
        found["field in error"] = tab.axe()

        tab.sign_in(email)
        tab.open("/history")
        expect(tab.page.get_by_role("complementary", name="Your address is not confirmed")).to_be_visible()
        found["reminder"] = tab.axe()
        tab.open("/account")
        expect(tab.page.get_by_text("The account was made")).to_be_visible()
        found["account"] = tab.axe()
        for name in ("Change the username", "Change the e-mail address", "Change the password", "Delete account…"):
            tab.page.get_by_role("main").get_by_role("button", name=name).click()
            expect(tab.page.get_by_role("dialog")).to_be_visible()
            found[name] = tab.axe()
            tab.page.keyboard.press("Escape")
        tab.open("/admin/users")
        expect(tab.page.get_by_role("main").get_by_role("listitem").first).to_be_visible()
        found["accounts"] = tab.axe()
        other = Listener(installation.url)
        tab.open(f"/admin/{other.user['name']}")
        expect(tab.page.get_by_text("The account was made")).to_be_visible()
        found["account of another"] = tab.axe()
        tab.page.get_by_role("main").get_by_role("button", name="Disable").click()
        expect(tab.page.get_by_role("dialog")).to_be_visible()
        found["disabling"] = tab.axe()
        assert {name: complaints for name, complaints in found.items() if complaints} == {}
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_a_new_page_has_a_title_and_takes_the_focus(visiting, release):
    """A screen reader hears where it is; the keyboard goes on from there."""
    with visiting() as tab:
        shown(tab, release, "/")
        tab.page.get_by_role("main").get_by_role("link", name="Glass Harbour").first.click()
        expect(tab.page).to_have_title("Glass Harbour · Spotilike")
        expect(tab.page.locator("main")).to_be_focused()
        tab.page.go_back()
        expect(tab.page).to_have_title("Home · Spotilike")


def test_the_content_is_one_key_away(visiting, release):
    """The first stop of the keyboard leads past the navigation."""
    with visiting() as tab:
        shown(tab, release, "/")
        tab.page.keyboard.press("Tab")
        expect(tab.page.get_by_role("button", name="Skip to content")).to_be_focused()
        tab.page.keyboard.press("Enter")
        expect(tab.page.locator("main")).to_be_focused()


def test_somebody_signs_in_and_plays_with_the_keyboard_alone(visiting, release):
    """No pointer is needed from the door to the sound."""
    with visiting() as tab:
        tab.open("/sign-in")
        tab.page.locator("input[type=email]").focus()
        tab.page.keyboard.type(release.manager.account["email"])
        tab.page.keyboard.press("Tab")
        tab.page.keyboard.type("correct horse battery")
        tab.page.keyboard.press("Enter")
        expect(tab.page).to_have_url(f"{tab.url}/")
        shown(tab, release, "/{album}")
        tab.page.get_by_role("button", name="Play Breakwater").focus()
        tab.page.keyboard.press("Enter")
        tab.wait_until(lambda: tab.position() > 0.2, "the sound")


def test_nothing_moves_for_those_who_do_not_want_it(visiting, release):
    """Animations are over at once where the system asks for less motion."""
    with visiting(reduced_motion="reduce") as tab:
        shown(tab, release, "/")
        longest = "Math.max(0, ...document.getAnimations().map((each) => each.effect.getComputedTiming().duration))"
        assert tab.page.evaluate(longest) < 1
