"""The processing of masters as artists watch it, in Chromium: live, on one page, with real jobs."""

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.song import Listener
from tests.support import audio
from tests.web.browser import DESKTOP, PATIENCE_MS, PHONE, Tab

RATE = 8_000
SECONDS = 400
PAGE = 30


@pytest.fixture(scope="module")
def long_song(tmp_path_factory):
    """Return a master of some minutes, of few bytes: it is sent at once and encoded for a while."""
    return audio.save(tmp_path_factory.mktemp("long") / "Long Way.flac", audio.tones(SECONDS, RATE, 1), RATE)


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """Return a file that is no sound."""
    path = tmp_path_factory.mktemp("broken") / "Broken.ogg"
    path.write_text("These are words, not sound.")
    return path


@pytest.fixture
def album(listener):
    """Return a new album of the listener."""
    artist = listener.post("/v1/artists", {"displayName": "Harbour Lights"})
    date = {"year": 2023, "month": 1, "day": 2}
    return listener.post("/v1/albums", {"artist": artist["name"], "title": "Sketches", "releaseDate": date})


@pytest.fixture
def submit(listener, album):
    """Return a way to make tracks on the album with a master, by API; it answers the track and the job."""

    def make(title: str, master: Path) -> tuple[str, str]:
        track = listener.post("/v1/tracks", {"album": album["name"], "title": title})["name"]
        return track, listener.upload(track, master)["job"]

    return make


def melody(seconds: int) -> audio.Sound:
    """Make a tune that no other test has, by which a recording can be known: four tones a second."""
    steps = np.random.default_rng(20230102).integers(0, 30, 4 * seconds)
    pitch = np.repeat(220 * 2 ** (steps / 12), 44_100 // 4)
    sound = 0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / 44_100)
    return np.stack([sound, sound], axis=1).astype(np.float32)


def line(tab: Tab, title: str) -> Locator:
    """Return the line of a job or a track."""
    return tab.page.get_by_role("main").locator("li[data-state]").filter(has_text=title)


def percent(job: Locator) -> int:
    """Return how far a job's bar is."""
    return int(job.get_by_role("progressbar").get_attribute("aria-valuenow") or 0)


def stop(tab: Tab, job: Locator) -> None:
    """Stop a job, after the question."""
    job.get_by_role("button", name="Stop processing").click()
    tab.page.get_by_role("dialog", name="Stop processing?").get_by_role("button", name="Stop processing").click()


def test_a_job_is_watched_stopped_and_tried_again_without_loading_the_page_anew(tab, album, long_song):
    """Percent rises by itself, and the reason comes by itself; one stream tells all of it."""
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url.rsplit("/", 1)[-1]))
    tab.open(f"/studio/{album['name']}")
    tab.page.get_by_test_id("masters").set_input_files(str(long_song))
    expect(line(tab, "Long Way").get_by_role("button", name="Stop processing")).to_be_visible()
    tab.page.get_by_role("main").get_by_role("link", name="Processing").click()
    job = line(tab, "Long Way")
    expect(job).to_contain_text("Harbour Lights")
    expect(job.get_by_text(re.compile(r"Encoding and measuring · \d+ %"))).to_be_visible()
    assert tab.axe() == []
    asked.clear()
    before = percent(job)
    tab.wait_until(lambda: percent(job) > before, "progress")
    stop(tab, job)
    expect(job.get_by_text("Processing was stopped. Try again when you are ready")).to_be_visible()
    expect(job).to_have_attribute("data-state", "FAILED")
    job.get_by_role("button", name="Try again").click()
    expect(job.get_by_text(re.compile("Encoding and measuring"))).to_be_visible()
    stop(tab, job)
    expect(job).to_have_attribute("data-state", "FAILED")
    assert [call for call in asked if call.endswith("Jobs")] == []


def test_a_track_is_stopped_and_tried_again_where_it_stands_on_its_album(tab, album, submit, listener, long_song):
    """The row of the track has the same buttons, and says why nothing can be heard."""
    _, job = submit("Long Way", long_song)
    tab.open(f"/studio/{album['name']}")
    row = line(tab, "Long Way")
    stop(tab, row)
    expect(row).to_have_attribute("data-state", "FAILED")
    expect(row.get_by_text("Processing was stopped.")).to_be_visible()
    assert listener.get(f"/v1/{job}")["reason"] == "CANCELLED"
    row.get_by_role("button", name="Try again").click()
    expect(row.get_by_text(re.compile(r"Encoding and measuring · \d+ %"))).to_be_visible()
    stop(tab, row)
    expect(row.get_by_role("button", name="Try again")).to_be_visible()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_master_that_cannot_be_used_says_why_while_the_page_is_open(visiting, listener, submit, broken, size):
    """A new job comes by itself, with its reason in words; the page holds to the rules and fits."""
    with visiting(viewport=size, reduced_motion="reduce") as tab:
        tab.sign_in(listener.account["email"])
        tab.open("/studio/jobs")
        expect(tab.page.get_by_role("heading", name="Nothing has been processed yet")).to_be_visible()
        assert tab.axe() == []
        submit("A Sketch in Words, with a Name that Fits on No Telephone of Today", broken)
        job = line(tab, "A Sketch in Words")
        expect(job.get_by_text("This is not an audio format we know.")).to_be_visible()
        expect(job.get_by_role("button", name="Try again")).to_be_visible()
        assert tab.axe() == []
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_older_jobs_are_shown_when_they_are_asked_for(tab, listener, submit, broken):
    """The newest stand first; one more page holds the rest."""
    for job in [submit(f"Sketch {number:02}", broken)[1] for number in range(PAGE + 1)]:
        listener.job(job)
    tab.open("/studio/jobs")
    titles = tab.page.get_by_role("main").locator("li[data-state] .title")
    expect(titles).to_have_count(PAGE)
    expect(titles.first).to_have_text(f"Sketch {PAGE:02}")
    tab.page.get_by_role("button", name="Show more").click()
    expect(titles).to_have_count(PAGE + 1)
    expect(titles.last).to_have_text("Sketch 00")
    expect(tab.page.get_by_role("button", name="Show more")).to_have_count(0)


def test_what_a_file_says_is_offered_and_taken_only_by_the_artist(tab, album, submit, listener, tmp_path):
    """The row tells what differs; the form opens with it, and nothing is left to say once it is saved."""
    words = ("-metadata", "title=First Light (Demo)", "-metadata", "track=7")
    master = audio.save(tmp_path / "01.flac", audio.tones(3), 44_100, *words)
    name, _ = submit("Untitled", master)
    listener.playable(name)
    tab.open(f"/studio/{album['name']}")
    row = line(tab, "Untitled")
    expect(row.get_by_text("The file says: First Light (Demo) · no. 7")).to_be_visible()
    assert listener.get(f"/v1/{name}")["title"] == "Untitled"
    row.get_by_role("button", name="Edit with this").click()
    dialog = tab.page.get_by_role("dialog", name="Edit track")
    expect(dialog.get_by_label("Number")).to_have_value("7")
    dialog.get_by_role("button", name="Save").click()
    expect(line(tab, "First Light (Demo)")).to_be_visible()
    expect(tab.page.get_by_text("The file says")).to_have_count(0)
    stored = listener.get(f"/v1/{name}")
    assert (stored["title"], stored["trackNumber"]) == ("First Light (Demo)", 7)


def test_a_master_is_heard_while_it_is_processed_and_on_to_its_end(tab, submit, long_song):
    """The sound begins at the beginning, goes on when the job is completed, and ends where the master does.

    The end of the job comes by itself, and the album knows of it, too.
    """
    submit("Long Way", long_song)
    tab.open("/studio/jobs")
    job = line(tab, "Long Way")
    job.get_by_role("button", name="Listen while it is processed").click()
    tab.wait_until(lambda: tab.position() > 0.5, "the sound")
    assert tab.position() < 10
    expect(job).to_have_attribute("data-state", "COMPLETED", timeout=3 * PATIENCE_MS)
    expect(job.get_by_role("button", name="Stop listening")).to_be_visible()
    tab.wait_until(lambda: bool(tab.page.evaluate(f"heardElement.duration > {SECONDS} - 1")), "the end of the playlist")
    tab.page.evaluate("heardElement.currentTime = heardElement.duration - 2")
    expect(job.get_by_role("button", name="Stop listening")).to_have_count(0)
    job.get_by_role("link", name="Long Way").click()
    expect(line(tab, "Long Way").get_by_text("Ready")).to_be_visible()


def test_what_is_heard_of_a_master_ends_with_the_page_and_with_the_job(tab, submit, long_song):
    """Leaving the page silences it, and so does stopping the job."""
    submit("Long Way", long_song)
    is_silent = "heardElement.paused || !heardElement.hasAttribute('src')"
    tab.open("/studio/jobs")
    job = line(tab, "Long Way")
    listen = job.get_by_role("button", name="Listen while it is processed")
    listen.click()
    tab.wait_until(lambda: tab.position() > 0.5, "the sound")
    tab.page.get_by_role("link", name="Studio").first.click()
    tab.wait_until(lambda: bool(tab.page.evaluate(is_silent)), "silence")
    tab.page.go_back()
    listen.click()
    tab.wait_until(lambda: tab.position() > 0.5, "the sound")
    stop(tab, job)
    expect(job).to_have_attribute("data-state", "FAILED")
    tab.wait_until(lambda: bool(tab.page.evaluate(is_silent)), "silence")
    expect(job.get_by_role("button", name="Stop listening")).to_have_count(0)


def test_the_picture_inside_a_master_becomes_the_cover_only_when_the_artist_says_so(
    tab, album, submit, listener, tmp_path
):
    """It is offered while the album has no cover, and sent as any other picture."""
    master = audio.save(tmp_path / "bare.flac", audio.tones(3))
    song = audio.with_cover(tmp_path / "song.flac", master, audio.picture(tmp_path / "cover.png"))
    name, _ = submit("Untitled", song)
    listener.playable(name)
    tab.open(f"/studio/{album['name']}")
    offer = line(tab, "Untitled").get_by_role("button", name="Use the cover inside the file")
    expect(offer).to_be_visible()
    assert not listener.get(f"/v1/{album['name']}").get("coverUri")
    offer.click()
    expect(tab.page.get_by_text("The new picture is there.")).to_be_visible()
    expect(offer).to_have_count(0)
    assert listener.get(f"/v1/{album['name']}")["coverUri"]


def test_a_recording_that_another_artist_has_uploaded_is_pointed_out(tab, installation, submit, listener, tmp_path):
    """On the row of the track and among the jobs, in words that say what to do."""
    song = audio.save(tmp_path / "song.flac", melody(40))
    other = Listener(installation.url)
    other.job(other.upload(other.release()["name"], song)["job"])
    listener.job(submit("Found Sound", song)[1])
    warning = "Another artist has uploaded the same recording."
    tab.open("/studio/jobs")
    expect(line(tab, "Found Sound").get_by_text(warning)).to_be_visible()
    line(tab, "Found Sound").get_by_role("link", name="Found Sound").click()
    expect(line(tab, "Found Sound").get_by_role("button", name="Edit Found Sound")).to_be_visible()
    expect(line(tab, "Found Sound").get_by_text(warning)).to_be_visible()
