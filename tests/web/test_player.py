"""What listeners do, in Chromium, with the sound that comes out of it."""

import re

from playwright.sync_api import Locator, expect

from tests.e2e.song import PASSWORD
from tests.web.browser import PHONE, Tab, new_tab


def play_album(tab: Tab, release) -> None:
    """Open the album and press play; returns when sound moves."""
    tab.open(release.path)
    tab.page.get_by_role("main").get_by_role("button", name="Play", exact=True).click()
    tab.wait_until(lambda: tab.position() > 0.3, "the sound")


def bar(tab: Tab) -> Locator:
    """Return the player's bar."""
    return tab.page.get_by_role("region", name="Player").first


def now_playing(tab: Tab) -> str:
    """Return the title that the player's bar shows."""
    return bar(tab).locator(".title").inner_text()


def test_somebody_signs_up_presses_play_and_hears_the_song(visiting, release):
    """From the door to sound: the position moves and an AudioWorklet hears samples."""
    with visiting(bypass_csp=True) as tab:
        tab.record()
        tab.open("/sign-up")
        mark = release.manager.account["username"][-8:]
        tab.page.get_by_label("E-mail").fill(f"new-{mark}@example.org")
        tab.page.get_by_label("Username").fill(f"new-{mark}")
        tab.page.get_by_label("Password").fill(PASSWORD)
        tab.page.get_by_role("main").get_by_role("button", name="Create account").click()
        tab.page.get_by_role("link", name="Start listening").click()
        tab.page.get_by_role("link", name="Tidal Memory").first.click()
        tab.page.get_by_role("main").get_by_role("button", name="Play", exact=True).click()
        tab.wait_until(lambda: tab.position() > 1.5, "the sound")
        assert tab.loudest() > 0.05
        assert now_playing(tab) == "Low Water"


def test_a_guest_is_asked_to_sign_in_and_comes_back_to_the_album(visiting, release, listener):
    """Pressing play leads to the door, and from there back."""
    with visiting() as tab:
        tab.open(release.path)
        tab.page.get_by_role("main").get_by_role("button", name="Play", exact=True).click()
        tab.enter(listener.account["email"])
        expect(tab.page).to_have_url(f"{tab.url}{release.path}")


def test_media_is_fetched_with_the_token_in_a_header_and_never_in_an_address(tab, release):
    """Addresses stay the same for everybody, so caches can hold them."""
    asked = []
    tab.page.on("request", lambda request: asked.append(request) if "/media/" in request.url else None)
    play_album(tab, release)
    tab.wait_until(lambda: len(asked) >= 4, "the playlists and the media")
    assert all("x-media-token" in request.headers for request in asked)
    assert not [request.url for request in asked if "eyJ" in request.url]


def test_a_chosen_quality_is_the_one_that_is_fetched(tab, release):
    """The lowest level is held from its choice on; the next track keeps it."""
    play_album(tab, release)
    quality = tab.page.get_by_label("Sound quality").first
    levels = quality.locator("option").all_inner_texts()
    assert levels[1:] == ["48 kbit/s", "96 kbit/s", "160 kbit/s"]
    fetched = []
    tab.page.on("response", lambda response: fetched.append(response.url))
    quality.select_option(label="48 kbit/s")
    tab.page.keyboard.press("j")
    tab.wait_until(lambda: any(is_sound(url) for url in fetched), "the sound of the next track")
    tab.wait_until(lambda: tab.position() > 1, "the sound")
    playlists = {url for url in fetched if url.endswith(".m3u8")}
    assert any("48" in url for url in fetched if is_sound(url)), (fetched, playlists)
    expect(quality.locator("option:checked")).to_have_text("48 kbit/s")


def test_what_is_equally_loud_is_chosen_and_remembered(tab, release):
    """Albums as a whole or track by track, as the listener says; the first visit leaves it to the player."""
    play_album(tab, release)
    choice = bar(tab).get_by_label("Loudness", exact=True)
    expect(choice).to_have_value("auto")
    choice.select_option(label="All tracks equally loud")
    tab.page.reload()
    expect(choice).to_have_value("track")


def is_sound(url: str) -> bool:
    """Tell whether an address is of a CMAF file."""
    return bool(re.search(r"/media/.*\.(mp4|m4s|m4a)$", url))


def test_the_waveform_is_a_slider_for_the_keyboard(tab, release):
    """Arrows move by five seconds, Home goes to the start; screen readers hear the position."""
    play_album(tab, release)
    tab.page.keyboard.press("Space")
    slider = tab.page.get_by_role("slider", name="Position in the track").first
    expect(slider).to_have_attribute("aria-valuemax", "30")
    slider.focus()
    slider.press("PageUp")
    slider.press("Home")
    for _ in range(2):
        slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuenow", "10")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^0 minutes 10 seconds of 0 minutes 30 seconds$"))
    tab.wait_until(lambda: abs(tab.position() - 10) < 1, "the jump")


def test_the_queue_and_the_place_in_it_survive_a_reload(tab, release):
    """Track, position, order and volume are there again, paused, and go on at the same place."""
    play_album(tab, release)
    tab.page.keyboard.press("j")
    tab.wait_until(lambda: now_playing(tab) == "Breakwater" and tab.position() > 0.3, "the next track")
    for _ in range(2):
        tab.page.get_by_role("slider", name="Position in the track").first.press("ArrowRight")
    tab.page.keyboard.press("Shift+ArrowDown")
    tab.page.reload()
    assert now_playing(tab) == "Breakwater"
    assert bar(tab).get_by_role("slider", name="Volume").input_value() == "0.75"
    place = int(tab.page.get_by_role("slider", name="Position in the track").first.get_attribute("aria-valuenow"))
    assert place >= 10
    bar(tab).get_by_role("button", name="Play", exact=True).click()
    tab.wait_until(lambda: tab.position() > 0, "the sound")
    assert place - 1 <= tab.position() < place + 5
    tab.page.keyboard.press("q")
    titles = tab.page.get_by_role("complementary", name="Queue").locator("li .title")
    expect(titles).to_have_text(["Low Water", "Breakwater", "Night Ferry"])


def test_the_queue_can_be_put_in_another_order_by_keyboard_and_pointer(tab, release):
    """Moving keeps the focus on the track; removing takes it out; dragging works as well."""
    play_album(tab, release)
    tab.page.keyboard.press("q")
    queue = tab.page.get_by_role("complementary", name="Queue")
    titles = queue.locator("li .title")
    up = queue.get_by_role("button", name="Move Night Ferry up")
    up.focus()
    up.press("Enter")
    expect(titles).to_have_text(["Low Water", "Night Ferry", "Breakwater"])
    expect(queue.get_by_role("button", name="Move Night Ferry up")).to_be_focused()
    queue.locator("li").nth(2).drag_to(queue.locator("li").nth(0))
    expect(titles).to_have_text(["Breakwater", "Low Water", "Night Ferry"])
    queue.locator("li").nth(0).hover()
    queue.get_by_role("button", name="Remove Breakwater from the queue").click()
    expect(titles).to_have_text(["Low Water", "Night Ferry"])
    assert now_playing(tab) == "Low Water"


def test_the_keys_play_pause_skip_and_mute_but_not_while_somebody_types(tab, release):
    """The table of keys holds, on any layout, and the list is one key away."""
    play_album(tab, release)
    tab.page.locator("main").focus()
    tab.page.keyboard.press("Space")
    expect(bar(tab).get_by_role("button", name="Play", exact=True)).to_be_visible()
    tab.page.keyboard.press("ArrowRight")
    tab.wait_until(lambda: tab.position() > 9, "the jump by ten seconds")
    tab.page.keyboard.press("m")
    expect(bar(tab).get_by_role("button", name="Sound on")).to_be_visible()
    tab.page.keyboard.press("?")
    expect(tab.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    tab.page.keyboard.press("Escape")
    tab.page.get_by_role("link", name="Studio").first.click()
    tab.page.get_by_role("button", name="New artist").click()
    tab.page.get_by_label("Stage name").press_sequentially("jam m?")
    expect(tab.page.get_by_label("Stage name")).to_have_value("jam m?")
    assert now_playing(tab) == "Low Water"


def test_what_was_heard_stands_in_the_history(tab, release):
    """A play ends when the next begins, and its line says how much was heard."""
    play_album(tab, release)
    tab.wait_until(lambda: tab.position() > 3.2, "three seconds")
    tab.page.keyboard.press("j")
    tab.wait_until(lambda: now_playing(tab) == "Breakwater", "the next track")
    tab.page.get_by_role("link", name="History").first.click()
    line = tab.page.get_by_role("main").get_by_role("listitem").filter(has_text="Low Water")
    expect(line).to_contain_text(re.compile(r"0:0[2-9] heard"))


def test_a_tab_that_is_closed_ends_its_playback(visiting, listener, release):
    """The last report leaves with the tab."""
    with visiting() as tab:
        tab.sign_in(listener.account["email"])
        play_album(tab, release)
        tab.wait_until(lambda: tab.position() > 1.2, "a second")
        tab.page.close(run_before_unload=False)
        other = new_tab(tab.page.context, tab.url)
        plays = lambda: listener.get("/v1/users/me/plays").get("plays", [])  # noqa: E731 - asked until it is true
        other.wait_until(lambda: len(plays()) == 1, "the line of the history")
        assert plays()[0]["track"] == release.tracks[0]["name"]


def test_a_long_visit_renews_its_tokens_before_they_end(visiting, listener, release):
    """The media token is renewed while sound plays, and the access token once for all calls that wait for it."""
    with visiting() as tab:
        calls: list[str] = []
        tab.page.on("request", lambda request: calls.append(request.url.rsplit("/", 1)[1]))
        tab.page.clock.install()
        tab.sign_in(listener.account["email"])
        play_album(tab, release)
        calls.clear()
        tab.page.clock.fast_forward("20:00")  # from here on the device's clock is wrong by as much
        tab.wait_until(lambda: "RenewPlayback" in calls and "RefreshSession" in calls, "the renewals")
        before = tab.position()
        tab.wait_until(lambda: tab.position() > before + 0.5, "more sound")
        tab.page.get_by_role("link", name="History").first.click()
        expect(tab.page.get_by_role("heading", name="History")).to_be_visible()
        assert calls.count("RefreshSession") == 1


def test_the_keys_of_headphones_reach_the_player(tab, release):
    """The Media Session knows the track."""
    play_album(tab, release)
    shown = tab.page.evaluate(
        "(({ metadata, playbackState }) => [metadata.title, playbackState])(navigator.mediaSession)"
    )
    assert shown == ["Low Water", "playing"]


def test_signing_out_in_one_tab_signs_out_the_other(tab):
    """Tabs of one browser are one device."""
    tab.open("/")
    other = new_tab(tab.page.context, tab.url)
    other.open("/account")
    expect(other.page.get_by_role("button", name="Sign out").first).to_be_visible()
    tab.page.get_by_role("button", name="Sign out").first.click()
    expect(other.page.get_by_role("main").get_by_role("link", name="Sign in")).to_be_visible()
    assert other.complaints == []


def test_a_phone_shows_the_player_as_a_page_of_its_own(visiting, listener, release):
    """The small bar opens it, and nothing is wider than the screen."""
    with visiting(viewport=PHONE, has_touch=True, is_mobile=True) as tab:
        tab.sign_in(listener.account["email"])
        play_album(tab, release)
        tab.page.get_by_role("button", name="Open the player: Low Water").tap()
        dialog = tab.page.get_by_role("dialog", name="Player")
        expect(dialog.get_by_role("heading", name="Low Water")).to_be_visible()
        dialog.get_by_role("button", name="Next track").tap()
        expect(dialog.get_by_role("heading", name="Breakwater")).to_be_visible()
        dialog.get_by_role("button", name="Close").tap()
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_page_speaks_russian_to_a_russian_browser_and_remembers_another_choice(visiting, release):
    """The browser's language is the first one; a choice outlives a reload."""
    with visiting(locale="ru-RU") as tab:
        tab.open(release.path)
        expect(tab.page.locator("html")).to_have_attribute("lang", "ru")
        expect(tab.page.get_by_text("3 трека")).to_be_visible()
        tab.open("/account")
        tab.page.get_by_label("English").check()
        expect(tab.page.get_by_role("heading", name="Account and settings")).to_be_visible()
        tab.page.reload()
        expect(tab.page.get_by_role("heading", name="Account and settings")).to_be_visible()


def test_an_error_says_what_to_do(tab):
    """An address of an album that is not there gives a sentence, not a blank page."""
    tab.page.goto(f"{tab.url}/albums/00000000-0000-4000-8000-000000000000")
    expect(tab.page.get_by_role("alert")).to_contain_text("This release does not exist or is not out yet.")
    expect(tab.page.get_by_role("button", name="Try again")).to_be_visible()
