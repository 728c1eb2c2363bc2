"""Pictures of people, artists and albums, chosen and dropped in Chromium."""

import re
from base64 import b64encode
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.support import pictures
from tests.web.browser import Tab

IMAGE = re.compile(r"^/images/[0-9a-f-]{36}/640\.webp$")

_DROP = """
(element, [name, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (each) => each.charCodeAt(0))
  const dataTransfer = new DataTransfer()
  dataTransfer.items.add(new File([bytes], name, { type: 'image/png' }))
  for (const type of ['dragover', 'drop']) {
    element.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }))
  }
}
"""


@pytest.fixture(scope="module")
def portrait(tmp_path_factory) -> Path:
    """Return a picture on a disk."""
    path: Path = tmp_path_factory.mktemp("pictures") / "portrait.png"
    path.write_bytes(pictures.drawn("png", 900, 900))
    return path


def picker(tab: Tab, label: str) -> Locator:
    """Return the place where a picture is chosen."""
    return tab.page.get_by_role("group", name=label)


def is_shown(image: Locator) -> None:
    """Wait until an image of the platform has its pixels on the screen."""
    expect(image).to_have_attribute("src", IMAGE)
    expect(image).to_have_js_property("complete", value=True)
    assert image.evaluate("(image) => image.naturalWidth") > 0


def test_somebody_chooses_a_picture_and_is_seen_with_it(tab, portrait):
    """At once on the page, in the sidebar, and after a reload."""
    tab.open("/account")
    own = picker(tab, "Choose your picture")
    own.get_by_test_id("picture").set_input_files(str(portrait))
    expect(own.locator("img")).to_have_attribute("src", re.compile("^blob:"))
    is_shown(own.locator("img"))
    is_shown(tab.page.get_by_role("banner").locator("img"))
    expect(tab.page.get_by_role("status").filter(has_text="The new picture is there.")).to_be_visible()
    tab.wait_until(lambda: has_picture(tab), "the picture of the account")
    tab.page.reload()
    is_shown(own.locator("img"))


def has_picture(tab: Tab) -> bool:
    """Tell whether the account itself has heard of the picture."""
    tab.page.reload()
    sidebar = tab.page.get_by_role("banner")
    expect(sidebar.get_by_role("button", name="Sign out")).to_be_visible()
    return bool(sidebar.locator("img").count())


def test_an_artist_and_an_album_get_pictures_that_listeners_see(tab, visiting, listener, portrait):
    """One is chosen, the other dropped; both stand on the pages of their names, the artist's for guests too."""
    track = listener.release("Portrait")
    album = listener.get(f"/v1/{track['album']}")
    tab.open(f"/studio/{album['artist']}")
    artist = picker(tab, "Choose a picture of the artist")
    artist.get_by_test_id("picture").set_input_files(str(portrait))
    is_shown(artist.locator("img"))
    tab.open(f"/studio/{album['name']}")
    cover = picker(tab, "Choose a cover")
    cover.evaluate(_DROP, ["cover.png", b64encode(portrait.read_bytes()).decode()])
    is_shown(cover.locator("img"))
    expect(tab.page.get_by_text("These are no audio files")).to_have_count(0)
    tab.open(f"/{album['name']}")
    is_shown(tab.page.get_by_role("main").locator("img").first)
    with visiting() as guest:
        guest.open(f"/{album['artist']}")
        is_shown(guest.page.get_by_role("main").locator("img").first)


def test_a_file_that_is_no_picture_is_refused_in_words(tab, tmp_path):
    """By its name before it is sent, and by its content afterwards; the old picture stays."""
    tab.open("/account")
    own = picker(tab, "Choose your picture")
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear listener,")
    own.get_by_test_id("picture").set_input_files(str(letter))
    words = tab.page.get_by_role("status")
    expect(words.filter(has_text="This is not a picture that we know.")).to_be_visible()
    half = tmp_path / "half.jpg"
    half.write_bytes(pictures.drawn("jpg")[:2000])
    own.get_by_test_id("picture").set_input_files(str(half))
    expect(words.filter(has_text="The end of the file is missing.")).to_be_visible()
    expect(own.locator("img")).to_have_count(0)


def test_pictures_are_chosen_with_the_keyboard_and_break_no_rule_of_axe(tab, portrait):
    """The button has a name and opens the system's dialog; the progress is announced."""
    # Heard of from the start: Chromium may open a dialog before it knows that somebody begins to wait for it.
    tab.page.on("filechooser", lambda dialog: dialog.set_files(str(portrait)))
    tab.open("/account")
    own = picker(tab, "Choose your picture")
    button = own.get_by_role("button", name="Choose your picture")
    button.focus()
    expect(button).to_be_focused()
    tab.page.keyboard.press("Enter")
    is_shown(own.locator("img"))
    assert tab.axe() == []
