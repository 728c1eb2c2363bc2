"""What becomes of uploads and their facts when the broker is away, and when it tells everything again."""

import asyncio
import random
import threading
import time
from contextlib import contextmanager, suppress

import pytest

from services.common import events
from services.common.streams import CONSUMERS
from tests.e2e.song import PASSWORD, Listener
from tests.nemesis.scene import Scene, until
from tests.support import audio, pictures

AWAY_SECONDS = 5
SOON_SECONDS = 60
TIMES = 3
CONTEXTS = ("user", "catalog", "processing", "streaming")
TELLERS = ("user", "catalog", "processing")
REST_SECONDS = 1.5
EVERY_SUBJECT = {subject for consumer in CONSUMERS for subject in consumer.events} - {
    "spotilike.processing.artwork_failed",  # as that of a job is told
    "spotilike.catalog.artwork_retired",  # told when a picture is replaced
}
NOTES_OF_TELLING = ("outbox", "nemesis_switches", "nemesis_outcomes", "erased_listeners")
"""Tables that grow with what is told, not with what is so."""

pytestmark = pytest.mark.xdist_group("quiet")


@pytest.fixture
def scene(quiet_installation):
    """Return the installation as it looks from outside."""
    scene = Scene(quiet_installation)
    yield scene
    scene.close()


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Return short masters, the last of them broken."""
    folder = tmp_path_factory.mktemp("songs")
    whole = [audio.save(folder / f"{seconds}.ogg", audio.noise(seconds)) for seconds in (2, 3)]
    (folder / "lyrics.ogg").write_text("These are the lyrics.\n" * 100)
    return [*whole, folder / "lyrics.ogg"]


@contextmanager
def kept_away(scene, part):
    """Kill a part as often as the supervisor starts it, while the block lasts."""
    over = threading.Event()

    def kill():
        while not over.wait(0.02):
            if any(each["name"] == part and each["pid"] for each in scene.parts()):
                scene.kill(part, "")

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_uploads_go_on_without_the_broker_and_are_done_soon_after_it_is_back(scene, songs):
    """No call fails; the jobs are made as soon as their facts can travel."""
    until(lambda: all(part["state"] == "ready" for part in scene.parts()), SOON_SECONDS)
    listener = Listener(scene.url)
    tracks = [listener.release(f"Away {number}")["name"] for number in range(4)]
    with kept_away(scene, "nats"):
        gone = time.monotonic()
        uploads = [listener.upload(track, songs[0]) for track in tracks]
        time.sleep(max(0.0, gone + AWAY_SECONDS - time.monotonic()))
        assert [listener.get(f"/v1/{track}")["state"] for track in tracks] == ["PROCESSING"] * 4

    until(lambda: next(part for part in scene.parts() if part["name"] == "nats")["state"] == "ready", SOON_SECONDS)
    back = time.monotonic()
    assert [listener.job(upload["job"])["state"] for upload in uploads] == ["COMPLETED"] * 4
    assert all(listener.playable(track) for track in tracks)
    print(f"all done {time.monotonic() - back:.1f} s after the broker was back")  # noqa: T201 (a measurement)
    assert time.monotonic() - back < SOON_SECONDS


def everything_happens(listener, songs):
    """Cause facts of many kinds: two masters of a track, a broken one that is tried again, two pictures."""
    album = listener.release()
    track, broken = album["name"], listener.release("Broken")["name"]
    for song in songs[:2]:
        assert listener.job(listener.upload(track, song)["job"])["state"] == "COMPLETED"
    job = listener.upload(broken, songs[2])["job"]
    assert listener.job(job)["state"] == "FAILED"
    listener.post(f"/v1/{job}:retry", {})
    assert listener.job(job)["state"] == "FAILED"
    for picture in (pictures.drawn("png"), pictures.drawn("jpg")):
        opened = listener.post("/v1/artworks", {"target": "users/me", "sizeBytes": len(picture)})
        etag = listener.plain.put(opened["url"], content=picture).headers["etag"]
        listener.post(f"/v1/{opened['name']}:complete", {"etag": etag})
        assert listener.ended(opened["name"])["state"] == "COMPLETED"


def somebody_leaves(leaver):
    """End a session, and then the account."""
    leaver.post("/v1/sessions", {"email": leaver.account["email"], "password": PASSWORD})
    leaver.post("/v1/users/me/sessions:revokeOthers", {})
    leaver.post("/v1/users/me:erase", {"password": PASSWORD})


def shown(scene):
    """Read every row of every context, without the moments at which something was noted."""
    rows = {}
    for context in CONTEXTS:
        tables = scene.rows(context, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        for (table,) in tables:
            if table in NOTES_OF_TELLING:
                continue
            found = scene.rows(context, f'SELECT to_jsonb(t) FROM "{table}" t')  # noqa: S608 (a name from the catalog of tables)
            kept = [{key: value for key, value in row.items() if not key.endswith("_at")} for (row,) in found]
            rows[context, table] = sorted(map(repr, kept))
    return rows


def everybody_has_stopped(scene):
    """End what other tests began to play: it would end by itself, and be written down, in the middle of this one."""
    scene.rows("streaming", "UPDATE playbacks SET last_seen_at = now() - interval '1 hour' WHERE state = 'OPEN'")
    until(lambda: not scene.rows("streaming", "SELECT FROM playbacks WHERE state = 'OPEN'"), SOON_SECONDS)


def at_rest(scene):
    """Wait until nothing changes any more; return what is shown then."""
    seen = [shown(scene)]

    def unchanged():
        time.sleep(REST_SECONDS)
        seen.append(shown(scene))
        return seen[-1] == seen[-2]

    until(unchanged, SOON_SECONDS)
    return seen[-1]


async def tell_everything(scene):
    """Tell every fact that was ever told three times more, in any order, without the ids by which twins are dropped."""
    told = [row for context in TELLERS for row in scene.rows(context, "SELECT subject, payload FROM outbox")] * TIMES
    random.Random(7).shuffle(told)  # noqa: S311 (repeatable, not secret)
    connection = await events.connect(scene.nats_settings, "admin")
    jetstream = connection.jetstream()
    for subject, payload in told:
        await jetstream.publish(subject, bytes(payload))
    async with asyncio.timeout(SOON_SECONDS):
        for consumer in CONSUMERS:
            state = await jetstream.consumer_info(consumer.stream, consumer.context)
            while state.num_pending or state.num_ack_pending:
                await asyncio.sleep(0.1)
                state = await jetstream.consumer_info(consumer.stream, consumer.context)
    await connection.close()
    return {subject for subject, _ in told}


async def test_every_fact_may_come_three_times_in_any_order(scene, songs):
    """Long after it was told: in the end every row of every context is as it was."""
    listener, leaver = Listener(scene.url), Listener(scene.url)
    everything_happens(listener, songs)
    somebody_leaves(leaver)
    everybody_has_stopped(scene)
    before = at_rest(scene)
    subjects = await tell_everything(scene)
    assert subjects >= EVERY_SUBJECT
    with suppress(TimeoutError):
        until(lambda: shown(scene) == before, SOON_SECONDS)
    assert shown(scene) == before
