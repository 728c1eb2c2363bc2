"""The player and the studio for people who do not see, do not use a pointer, or do not want motion."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
from playwright.sync_api import ViewportSize, expect

from tests.e2e.song import Listener
from tests.web.browser import DESKTOP, PHONE, Tab


def shown(tab: Tab, release, path: str) -> None:
    """Open a page and wait for what it reads."""
    tab.open(path.format(artist=release.artist, album=release.album["name"]))
    expect(tab.page.get_by_role("main").get_by_role("status").filter(has_text="Loading")).to_have_count(0)


@contextmanager
def still(visiting, size: ViewportSize) -> Iterator[Tab]:
    """Open a tab in which colours change at once: between two of them nothing can be read."""
    with visiting(viewport=size) as tab:
        tab.page.add_init_script("""
            const still = new CSSStyleSheet()
            still.replaceSync('*, ::before, ::after { animation: none !important; transition: none !important }')
            document.adoptedStyleSheets = [still]
        """)
        yield tab


def complaints(tab: Tab) -> list[str]:
    """Return what axe complains about in the dark, and what in the light, where only colours are others."""
    dark = _colour(tab, "dark")
    found = tab.axe()
    assert _colour(tab, "light") != dark
    return found + [f"in the light: {complaint}" for complaint in tab.axe("color-contrast")]


def _colour(tab: Tab, scheme: Literal["dark", "light"]) -> str:
    """Show the page in a scheme; answers the colour of its text."""
    tab.page.emulate_media(color_scheme=scheme)
    return str(tab.page.evaluate("getComputedStyle(document.body).color"))


in_every_size = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])


@in_every_size
def test_no_page_breaks_a_rule_of_axe(visiting, release, size):
    """Every page and every dialog, dark and light, large and small: no violations."""
    with still(visiting, size) as tab:
        found = {}
        for path in ("/", "/sign-in", "/sign-up", "/account", "/history", "/nowhere"):
            shown(tab, release, path)
            found[f"{path} of a guest"] = complaints(tab)
        tab.sign_in(release.manager.account["email"])
        for path in ("/", "/{album}", "/{artist}", "/history", "/account"):
            shown(tab, release, path)
            found[path] = complaints(tab)
        for path in ("/studio", "/studio/jobs", "/studio/{artist}", "/studio/{album}"):
            shown(tab, release, path)
            found[path] = complaints(tab)
        tab.page.get_by_role("button", name="Edit Low Water").click()
        expect(tab.page.get_by_role("dialog").get_by_text("Ambient")).to_be_visible()
        found["track form"] = complaints(tab)
        tab.page.keyboard.press("Escape")
        shown(tab, release, "/{album}")
        tab.page.get_by_role("main").get_by_role("button", name="Play", exact=True).click()
        expect(tab.page.get_by_role("main").get_by_role("button", name="Pause", exact=True)).to_be_visible()
        if size is PHONE:
            tab.page.get_by_role("button", name="Open the player").click()
        else:
            tab.page.keyboard.press("q")
            expect(tab.page.get_by_role("complementary", name="Queue").locator("li").first).to_be_visible()
        found["playing"] = complaints(tab)
        tab.page.keyboard.press("Escape")
        tab.page.keyboard.press("?")
        expect(tab.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        found["keys"] = complaints(tab)
        assert {name: said for name, said in found.items() if said} == {}


@in_every_size
def test_no_page_of_an_account_breaks_a_rule_of_axe(visiting, installation, size):
    """Everything at the door, the account with its dialogs, and the pages of administrators: no violations."""
    person = Listener(installation.url)
    email = person.account["email"]
    assert installation.command("admin", "grant", email, "ROLE_ADMIN").returncode == 0
    with still(visiting, size) as tab:
        found = {}
        for path in ("/forgot-password", "/reset-password#token=never", "/reset-password", "/verify-email#token=never"):
            tab.page.goto("about:blank")  # from one fragment to another a browser loads nothing
            tab.open(path)
            expect(tab.page.get_by_role("main").get_by_role("status").filter(has_text="Loading")).to_have_count(0)
            found[path] = complaints(tab)
        tab.open("/forgot-password")
        tab.page.get_by_label("E-mail").fill(email)
        tab.page.get_by_role("main").get_by_role("button", name="Send me a link").click()
        expect(tab.page.get_by_role("heading", name="Check your mail")).to_be_visible()
        found["mail sent"] = complaints(tab)
        tab.open("/sign-up")
        tab.page.get_by_label("E-mail").fill(email)
        tab.page.get_by_label("Username").fill("somebody.else")
        tab.page.get_by_label("Password").fill("correct horse battery")
        tab.page.get_by_role("main").get_by_role("button", name="Create account").click()
        expect(tab.page.locator("[aria-invalid]")).to_have_count(1)
        found["field in error"] = complaints(tab)

        tab.sign_in(email)
        tab.open("/history")
        expect(tab.page.get_by_role("complementary", name="Your address is not confirmed")).to_be_visible()
        found["reminder"] = complaints(tab)
        tab.open("/account")
        expect(tab.page.get_by_text("The account was made")).to_be_visible()
        found["account"] = complaints(tab)
        for name in ("Change the username", "Change the e-mail address", "Change the password", "Delete account…"):
            tab.page.get_by_role("main").get_by_role("button", name=name).click()
            expect(tab.page.get_by_role("dialog")).to_be_visible()
            found[name] = complaints(tab)
            tab.page.keyboard.press("Escape")
        tab.open("/admin/users")
        expect(tab.page.get_by_role("main").get_by_role("listitem").first).to_be_visible()
        found["accounts"] = complaints(tab)
        other = Listener(installation.url)
        tab.open(f"/admin/{other.user['name']}")
        expect(tab.page.get_by_text("The account was made")).to_be_visible()
        found["account of another"] = complaints(tab)
        tab.page.get_by_role("main").get_by_role("button", name="Disable").click()
        expect(tab.page.get_by_role("dialog")).to_be_visible()
        found["disabling"] = complaints(tab)
        assert {name: said for name, said in found.items() if said} == {}
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
