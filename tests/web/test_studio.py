"""What artists do, in Chromium, with real masters."""

import re

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.song import Listener
from tests.support import audio
from tests.web.browser import PATIENCE_MS, Tab

MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    """Return a short master, named as artists name them."""
    return audio.save(tmp_path_factory.mktemp("song") / "01 - First_Light.ogg", audio.tones(8))


@pytest.fixture(scope="module")
def long_song(tmp_path_factory):
    """Return a master of three parts."""
    path = audio.save(tmp_path_factory.mktemp("long") / "Long Way.wav", audio.noise(100))
    assert 2 * 8 * MEBIBYTE < path.stat().st_size < 3 * 8 * MEBIBYTE
    return path


@pytest.fixture
def album(listener):
    """Return the studio's address of a new album of the listener."""
    artist = listener.post("/v1/artists", {"displayName": "Harbour Lights"})
    date = {"year": 2023, "month": 1, "day": 2}
    return listener.post("/v1/albums", {"artist": artist["name"], "title": "Sketches", "releaseDate": date})


def row(tab: Tab, title: str):
    """Return the line of a track."""
    return tab.page.get_by_role("main").locator("li[data-state]").filter(has_text=title)


def add_masters(tab: Tab, *files) -> None:
    """Choose masters as with the button."""
    tab.page.get_by_test_id("masters").set_input_files([str(file) for file in files])


def test_an_artist_publishes_a_song_without_leaving_the_page(tab, song):
    """Artist, release, master, processing, sound."""
    tab.open("/")
    page = tab.page
    page.get_by_role("link", name="Studio").first.click()
    page.get_by_role("button", name="New artist").click()
    page.get_by_label("Stage name").fill("Paper Boats")
    page.get_by_role("button", name="Create artist").click()
    page.get_by_role("button", name="New release").click()
    page.get_by_label("Title").fill("Currents")
    page.get_by_label("Kind").select_option(label="EP")
    page.get_by_label("Release date").fill("2024-02-29")
    page.get_by_role("button", name="Create release").click()
    expect(page.get_by_text("EP · February 29, 2024")).to_be_visible()
    add_masters(tab, song)
    line = row(tab, "First Light")
    expect(line.get_by_text("Ready")).to_be_visible()
    expect(line).to_contain_text("0:08")
    line.get_by_role("button", name="Play First Light").click()
    tab.wait_until(lambda: tab.position() > 0.3, "the sound")


def test_the_page_follows_the_job_by_stage_and_percent(tab, album, long_song):
    """Words and a bar change by themselves until the track is ready."""
    tab.open(f"/studio/{album['name']}")
    add_masters(tab, long_song)
    line = row(tab, "Long Way")
    expect(line.get_by_text(re.compile(r"Encoding and measuring · \d+ %"))).to_be_visible()
    expect(line.get_by_text("Ready")).to_be_visible(timeout=2 * PATIENCE_MS)


def test_several_masters_become_tracks_in_their_order(tab, album, song, tmp_path):
    """Each file is a draft with a title from its name; what is no audio is named and left out."""
    files = [tmp_path / name for name in ("02 Second.ogg", "03 Third.ogg")]
    for file in files:
        file.write_bytes(song.read_bytes())
    (tmp_path / "cover.jpg").write_bytes(b"no sound")
    tab.open(f"/studio/{album['name']}")
    add_masters(tab, song, *files, tmp_path / "cover.jpg")
    titles = tab.page.locator("li[data-state] .title")
    expect(titles).to_have_text(["First Light", "Second", "Third"])
    expect(tab.page.get_by_text("These are no audio files: cover.jpg")).to_be_visible()
    for title in ("First Light", "Second", "Third"):
        expect(row(tab, title).get_by_text("Ready")).to_be_visible()


def test_an_upload_goes_on_after_a_reload_with_the_parts_that_are_missing(tab, album, long_song, song):
    """Parts that have arrived are not sent again; another file is refused; progress counts what has arrived."""
    sent: list[str] = []
    held: list[Route] = []

    def hold_all_but_the_first(route: Route) -> None:
        part = re.search(r"partNumber=(\d+)", route.request.url)
        assert part
        if part[1] == "1" or not holding:
            sent.append(part[1])
            route.continue_()
        else:
            held.append(route)

    holding = True
    tab.page.route("**/uploads/**", hold_all_but_the_first)
    tab.open(f"/studio/{album['name']}")
    add_masters(tab, long_song)
    bar = tab.page.get_by_role("progressbar", name="Upload of Long Way.wav")
    arrived = 100 * 8 * MEBIBYTE // long_song.stat().st_size
    expect(bar).to_have_attribute("aria-valuenow", str(arrived))
    tab.wait_until(lambda: len(held) == 2, "the other parts")
    tab.page.on("dialog", lambda dialog: dialog.accept())
    tab.page.reload()
    holding = False
    line = row(tab, "Long Way")
    expect(line).to_contain_text("The upload of Long Way.wav")
    tab.page.get_by_test_id("again").set_input_files(str(song))
    expect(tab.page.get_by_text("This is another file. Choose Long Way.wav again")).to_be_visible()
    tab.page.get_by_test_id("again").set_input_files(str(long_song))
    expect(line).to_have_attribute("data-state", re.compile("PROCESSING|READY"))
    assert sorted(sent) == ["1", "2", "3"]
    tab.complaints.clear()  # the console tells of the requests that the reload cut


def test_an_upload_survives_a_connection_that_fails_and_can_be_paused(tab, album, long_song):
    """A part that fails is tried again; a pause stops, going on goes on."""
    is_cut = True

    def cut(route: Route) -> None:
        if is_cut:
            route.abort()
        else:
            route.continue_()

    tab.page.route("**/uploads/**", cut)
    tab.open(f"/studio/{album['name']}")
    add_masters(tab, long_song)
    line = row(tab, "Long Way")
    expect(line.get_by_text("The connection is down. Trying again…")).to_be_visible()
    line.get_by_role("button", name="Pause").click()
    expect(line.get_by_text("Paused")).to_be_visible()
    is_cut = False
    line.get_by_role("button", name="Go on").click()
    expect(line).to_have_attribute("data-state", re.compile("PROCESSING|READY"))
    assert all("ERR_FAILED" in complaint for complaint in tab.complaints)
    tab.complaints.clear()


def test_an_upload_that_is_cancelled_is_gone_at_the_server(tab, album, long_song, listener):
    """The draft stays without a master, and nothing is left to go on with."""
    begun: list[Route] = []

    def hold(route: Route) -> None:
        begun.append(route)

    tab.page.route("**/uploads/**", hold)
    tab.open(f"/studio/{album['name']}")
    add_masters(tab, long_song)
    tab.wait_until(lambda: bool(begun), "the first part")
    upload = re.search(r"uploads\\?/([0-9a-f-]{36})", tab.page.evaluate("localStorage.getItem('spotilike.uploads')"))
    assert upload
    row(tab, "Long Way").get_by_role("button", name="Cancel").click()
    expect(row(tab, "Long Way").get_by_text("No master yet")).to_be_visible()
    tab.wait_until(lambda: listener.get(f"/v1/uploads/{upload[1]}")["state"] == "ABORTED", "the end of the upload")
    tab.page.reload()
    expect(row(tab, "Long Way").get_by_text("No master yet")).to_be_visible()
    expect(tab.page.get_by_text("was interrupted")).to_have_count(0)


def test_a_master_that_cannot_be_used_says_why_in_the_language_of_the_page(tab, album, tmp_path):
    """The stable reason becomes a sentence that says what to do."""
    broken = tmp_path / "Broken.ogg"
    broken.write_text("These are words, not sound.")
    tab.open(f"/studio/{album['name']}")
    add_masters(tab, broken)
    line = row(tab, "Broken")
    expect(line.get_by_text("This is not an audio format we know.")).to_be_visible()
    tab.page.goto(f"{tab.url}/account")
    tab.page.get_by_label("Русский").check()
    expect(tab.page.get_by_role("heading", name="Аккаунт и настройки")).to_be_visible()
    tab.open(f"/studio/{album['name']}")
    expect(line.get_by_text("Мы не знаем такого аудиоформата.")).to_be_visible()


def test_a_track_names_several_artists_in_their_roles(tab, album, listener, release):
    """A guest is found by name and shown beside the main artist."""
    track = listener.post("/v1/tracks", {"album": album["name"], "title": "Duet"})
    tab.open(f"/studio/{album['name']}")
    row(tab, "Duet").get_by_role("button", name="Edit Duet").click()
    dialog = tab.page.get_by_role("dialog", name="Edit track")
    dialog.get_by_label("Add an artist by name").fill("glass h")
    dialog.get_by_role("button", name="Glass Harbour").first.click()
    dialog.get_by_label("Title").fill("Duet for Two")
    dialog.get_by_text("Ambient", exact=True).click()
    dialog.get_by_role("button", name="Save").click()
    expect(row(tab, "Duet for Two")).to_contain_text("Harbour Lights, Glass Harbour")
    stored = listener.get(f"/v1/{track['name']}")
    assert [credit["type"] for credit in stored["artists"]] == ["MAIN", "FEATURED"]
    assert stored["artists"][1]["artist"] == release.artist or stored["artists"][1]["displayName"] == "Glass Harbour"
    assert len(stored["genres"]) == 1


def test_a_manager_is_added_by_username_and_removed(tab, album, installation):
    """The team has an exact name, chosen permissions, and an end."""
    friend = Listener(installation.url)
    tab.open(f"/studio/{album['artist']}")
    tab.page.get_by_role("button", name="Add a manager").click()
    dialog = tab.page.get_by_role("dialog", name="Add a manager")
    dialog.get_by_label("Username").fill("nobody-of-this-name")
    dialog.get_by_role("button", name="Add a manager").click()
    expect(dialog.get_by_label("Username")).to_have_accessible_description(re.compile("Nobody has this username."))
    dialog.get_by_label("Username").fill(friend.account["username"].upper())
    dialog.get_by_role("button", name="Add a manager").click()
    member = tab.page.get_by_role("listitem").filter(has_text=friend.account["username"])
    expect(member).to_contain_text("Upload masters, Edit releases")
    assert friend.get("/v1/users/me/artists")["managedArtists"][0]["artist"]["name"] == album["artist"]
    member.get_by_role("button").click()
    tab.page.get_by_role("button", name="Remove", exact=True).click()
    expect(member).to_have_count(0)
    assert not friend.get("/v1/users/me/artists").get("managedArtists")


def test_a_track_is_deleted_only_after_a_question(tab, album, listener):
    """Cancelling keeps it."""
    listener.post("/v1/tracks", {"album": album["name"], "title": "Sketch One"})
    tab.open(f"/studio/{album['name']}")
    for answer, left in (("Cancel", 1), ("Delete", 0)):
        row(tab, "Sketch One").get_by_role("button", name="Delete Sketch One").click()
        tab.page.get_by_role("dialog").get_by_role("button", name=answer, exact=True).click()
        expect(row(tab, "Sketch One")).to_have_count(left)
