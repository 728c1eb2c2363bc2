"""Workers in this process, on the real store, object store and encoder."""

import asyncio
from uuid import uuid4

import pytest
from minio import Minio
from sqlalchemy import select

from services.common.storage import Storage
from services.processing.domain import Status
from services.processing.ffmpeg import Ffmpeg
from services.processing.media.facts import Stage
from services.processing.media.refusals import TRANSIENT, Reason
from services.processing.object_sink import PART_BYTES, ObjectSink
from services.processing.tables import attempts
from spotilike.events.v1.processing_events_pb2 import JobCompleted, JobFailed
from tests.support import audio
from tests.support.processing import until

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n/etc/passwd\n#EXT-X-ENDLIST\n"

LASTING = set(Reason) - TRANSIENT
MUTANTS = range(100, 103)


class Notebook(Storage):
    """The object store, with a list of the audio that appeared in it, in order."""

    def __init__(self, settings):
        super().__init__(settings)
        self.appeared = []

    async def put(self, bucket, key, *rest):
        """Note a small object."""
        await super().put(bucket, key, *rest)
        if bucket == "audio":
            self.appeared.append(key)

    async def close_multipart(self, bucket, key, *rest):
        """Note an object of several parts."""
        await super().close_multipart(bucket, key, *rest)
        self.appeared.append(key)


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    """Return the bytes of a short master."""
    return audio.save(tmp_path_factory.mktemp("song") / "song.ogg", audio.sweep(3)).read_bytes()


def names(keys):
    """Cut the keys to file names."""
    return [key.rsplit("/", 1)[1] for key in keys]


def headers(workshop, key):
    """Read content type and cache control of an object."""
    settings = workshop.settings
    keys = {"access_key": settings.s3_access_key, "secret_key": settings.s3_secret_key.get_secret_value()}
    client = Minio(settings.s3_endpoint, **keys, secure=False, region="us-east-1")
    found = client.stat_object("audio", key).metadata or {}
    return found["Content-Type"], found["Cache-Control"]


async def test_a_master_becomes_a_folder_that_is_told_with_its_facts(workshop, song):
    """The whole way of one job."""
    notebook = Notebook(workshop.settings)
    master = await workshop.upload(song)
    job_id = await workshop.offer(master)
    async with workshop.working(workshop.worker(notebook)):
        job = await workshop.over(job_id)

    (told,) = await workshop.told(job_id)
    assert isinstance(told, JobCompleted)
    assert (job.status, job.stage, job.percent, job.attempt) == (Status.COMPLETED, None, 100, 1)
    assert (told.track, told.generation, told.folder) == (str(master.track_id), 1, job.folder)
    assert told.folder == f"tracks/{master.track_id}/{job.attempt_id}"
    assert told.facts.samples == 3 * 44_100
    assert told.facts.source_codec == "vorbis"
    assert {manifest.codec for manifest in told.facts.manifests} == {"AAC", "OPUS"}
    assert notebook.appeared
    assert sorted(notebook.appeared) == sorted(await workshop.objects(master))
    assert await workshop.attempts(job_id) == [("test-1", "COMPLETED")]
    assert workshop.scratch_files() == []


async def test_media_appear_before_the_playlists_that_name_them(workshop, song):
    """Who sees a playlist can play it; each object says how long it may be kept."""
    notebook = Notebook(workshop.settings)
    job_id = await workshop.offer_content(song)
    async with workshop.working(workshop.worker(notebook)):
        await workshop.over(job_id)

    appeared = names(notebook.appeared)
    playlists = [name for name in appeared if name.endswith(".m3u8")]
    assert appeared[-len(playlists) :] == playlists
    assert set(playlists[-2:]) == {"aac.m3u8", "opus.m3u8"}
    for key in notebook.appeared:
        kind, cache = headers(workshop, key)
        expected = {
            "m3u8": ("application/vnd.apple.mpegurl", "no-cache"),
            "mp4": ("audio/mp4", "max-age=31536000, immutable"),
            "json": ("application/json", "max-age=31536000, immutable"),
        }
        assert (kind, cache) == expected[key.rsplit(".", 1)[1]], key


class CountedFfmpeg(Ffmpeg):
    """The encoder, with the number of times that it was started."""

    started = 0

    def run(self, *arguments):
        """Count, and start."""
        type(self).started += 1
        return super().run(*arguments)


async def test_a_job_offered_to_eight_workers_is_done_once(workshop, song):
    """One attempt, one folder, one fact; and the encoder is started as often as one worker alone does it."""
    workshop.ffmpeg = CountedFfmpeg(workshop.ffmpeg.binary, workshop.ffmpeg.sandbox)
    async with workshop.working(workshop.worker()):
        await workshop.over(await workshop.offer_content(song))
    alone = CountedFfmpeg.started
    workers = [workshop.worker() for _ in range(8)]
    async with asyncio.TaskGroup() as tasks:
        for worker in workers:
            tasks.create_task(worker.run())
        master = await workshop.upload(song)
        job_id = await workshop.offer(master)
        await workshop.over(job_id)
        for worker in workers:
            worker.stop()

    folders = {key.rsplit("/", 1)[0] for key in await workshop.objects(master)}
    assert CountedFfmpeg.started == 2 * alone > 0
    assert [outcome for _, outcome in await workshop.attempts(job_id)] == ["COMPLETED"]
    assert folders == {(await workshop.job(job_id)).folder}
    assert len(await workshop.told(job_id)) == 1


@pytest.mark.parametrize("name", ["m.mp3", "m.ogg", "m.flac", "m.m4a"])
async def test_a_damaged_master_ends_soon_with_a_track_or_a_lasting_reason_and_no_worker_dies(workshop, tmp_path, name):
    """Whatever the damage: at the first try, and the same reason when it is uploaded again."""
    whole = audio.save(tmp_path / name, audio.noise(1.3))
    mutants = [audio.mutant(tmp_path / f"{seed}-{name}", whole, seed).read_bytes() for seed in MUTANTS]
    async with workshop.working(workshop.worker()) as work:
        for content in mutants:
            ends = []
            for _ in range(2):
                job = await workshop.over(await workshop.offer_content(content), seconds=30)
                assert (job.attempt, job.worker_deaths) == (1, 0)
                ends.append((job.status, job.reason))
            assert ends[0] == ends[1]
            assert ends[0] == (Status.COMPLETED, None) or ends[0][1] in LASTING
        assert not work.done()
    assert all(path.is_file() for path in workshop.scratch_files())


async def spent(workshop, jobs, window):
    """Add up how long the attempts at jobs took within a window, in seconds."""
    statement = select(attempts.c.started_at, attempts.c.ended_at).where(attempts.c.job_id.in_(jobs))
    first, last = window
    async with workshop.database.read() as connection:
        rows = (await connection.execute(statement)).all()
    overlaps = [min(row.ended_at, last) - max(row.started_at, first) for row in rows]
    return sum(max(0.0, overlap.total_seconds()) for overlap in overlaps)


async def test_good_masters_take_at_most_twice_as_long_beside_many_that_fail(workshop, tmp_path):
    """Until the last one of an artist is done, a worker spends no more time on the bad ones of another than on them."""
    content = audio.save(tmp_path / "good.ogg", audio.noise(8)).read_bytes()
    artist, other = uuid4(), uuid4()
    faults = [{}, {"source_key": "tracks/nothing/here"}] * 12
    masters = [await workshop.upload(b"No music.", artist_id=other, **fault) for fault in faults]
    bad = [await workshop.offer(master) for master in masters]
    async with workshop.working(workshop.worker()):
        good = [await workshop.offer(await workshop.upload(content, artist_id=artist)) for _ in range(3)]
        offered = (await workshop.job(good[0])).created_at
        done = [await workshop.over(job_id) for job_id in good]
        left = [job_id for job_id in bad if not (await workshop.job(job_id)).is_over]
        ended = [await workshop.over(job_id) for job_id in bad]

    window = offered, max(job.updated_at for job in done)
    on_good, on_bad = await spent(workshop, good, window), await spent(workshop, bad, window)
    print(f"{on_good:.1f} s on good ones, {on_bad:.1f} s on bad ones")  # noqa: T201 (a measurement)
    assert {job.status for job in done} == {Status.COMPLETED}
    assert {job.reason for job in ended} == {"UNSUPPORTED_CONTAINER", "SOURCE_MISSING"}
    assert len(left) > len(bad) / 2, "the bad ones were no burden"
    assert 0 < on_bad <= on_good


async def test_broken_masters_fail_each_with_its_own_reason_and_the_worker_goes_on(workshop, song, tmp_path):
    """Ten seconds for each; the good master behind them is completed."""
    mp3 = audio.save(tmp_path / "whole.mp3", audio.tones(8))
    contents = {
        "EMPTY": b"",
        "UNSUPPORTED_CONTAINER": b"These are the lyrics.\n" * 100,
        "UNSUPPORTED_CONTAINER (playlist)": PLAYLIST.encode(),
        "TRUNCATED": audio.cut(tmp_path / "cut.mp3", mp3, 0.4).read_bytes(),
        "NO_AUDIO_STREAM": audio.picture(tmp_path / "cover.png").read_bytes(),
    }
    reasons = {}
    async with workshop.working(workshop.worker()):
        for name, content in contents.items():
            job_id = await workshop.offer_content(content)
            job = await workshop.over(job_id, seconds=10)
            (told,) = await workshop.told(job_id)
            assert isinstance(told, JobFailed)
            assert (told.reason, told.message) == (job.reason, job.message)
            assert (job.status, job.attempt) == (Status.FAILED, 1)
            assert told.message.endswith(".")
            reasons[name] = job.reason
        good = await workshop.over(await workshop.offer_content(song))

    assert reasons == {name: name.split(" ")[0] for name in contents}
    assert good.status is Status.COMPLETED


async def test_the_words_of_the_encoder_are_kept(workshop):
    """Administrators read them."""
    async with workshop.working(workshop.worker()):
        job = await workshop.over(await workshop.offer_content(b"These are the lyrics.\n" * 100))

    assert "Invalid data found when processing input" in (job.error_log or "")


async def test_a_master_with_another_hash_than_announced_is_refused(workshop, song):
    """It is read twice before the word is spoken, and never tried again."""
    master = await workshop.upload(song, sha256="0" * 64)
    job_id = await workshop.offer(master)
    async with workshop.working(workshop.worker()):
        job = await workshop.over(job_id)

    assert (job.status, job.reason, job.attempt) == (Status.FAILED, "CHECKSUM_MISMATCH", 1)
    assert await workshop.objects(master) == []


async def test_a_master_that_arrives_short_is_tried_again(workshop, song):
    """It may be the transfer's fault; only after the last try it is told."""
    job_id = await workshop.offer(await workshop.upload(song, size_bytes=len(song) + 1))
    async with workshop.working(workshop.worker(tries=2)):
        job = await workshop.over(job_id)

    assert (job.status, job.reason, job.attempt) == (Status.FAILED, "CHECKSUM_MISMATCH", 2)
    assert job.error_log == f"{len(song)} bytes of {len(song) + 1} arrived."


async def test_a_master_without_an_announced_hash_is_taken(workshop, song):
    """Clients need not know it."""
    job_id = await workshop.offer(await workshop.upload(song, sha256=None))
    async with workshop.working(workshop.worker()):
        job = await workshop.over(job_id)

    assert job.status is Status.COMPLETED


async def test_a_master_that_is_not_there_fails_after_the_last_try(workshop, song):
    """The artist is told to upload it again."""
    job_id = await workshop.offer(await workshop.upload(song, source_key="tracks/nothing/here"))
    async with workshop.working(workshop.worker(tries=2)):
        job = await workshop.over(job_id)

    assert (job.status, job.reason, job.attempt) == (Status.FAILED, "SOURCE_MISSING", 2)


async def test_an_outage_of_the_object_store_burns_no_try(workshop, song):
    """The job waits until the store is back."""
    away = Storage(workshop.settings.model_copy(update={"s3_endpoint": "127.0.0.1:1"}))
    job_id = await workshop.offer_content(song)

    async def released_twice():
        return [outcome for _, outcome in await workshop.attempts(job_id)].count("RELEASED") >= 2

    async with workshop.working(workshop.worker(away)):
        await until(released_twice, seconds=30)
    async with workshop.working(workshop.worker()):
        job = await workshop.over(job_id)

    assert (job.status, job.attempt) == (Status.COMPLETED, 1)


async def test_a_worker_that_lost_its_lease_stops_encoding_and_tells_nothing(workshop, tmp_path):
    """Another worker has the job by now; only that one publishes."""
    long = audio.save(tmp_path / "long.ogg", audio.noise(60))
    master = await workshop.upload(long.read_bytes())
    job_id = await workshop.offer(master)

    async def encoding():
        return (await workshop.job(job_id)).stage == Stage.ENCODING

    async with workshop.working(workshop.worker()):
        await until(encoding)
        first = await workshop.job(job_id)
        lease = await workshop.take_away(job_id)

        async def scratch_is_empty():
            return workshop.scratch_files() == [long]

        await until(scratch_is_empty)

    job = await workshop.job(job_id)
    assert first.percent < 100
    assert (job.attempt_id, job.status) == (lease.attempt_id, Status.PROCESSING)
    assert await workshop.told(job_id) == []
    assert await workshop.objects(master) == []


async def test_a_growing_rendition_leaves_in_parts_and_appears_at_the_end(workshop):
    """Memory holds one part of it."""
    sink = ObjectSink(workshop.storage, "audio", f"tracks/test/{workshop.scratch.name}")
    writer = await sink.open("big.mp4", "audio/mp4", "no-cache")
    for _ in range(23):
        await writer.write(bytes(PART_BYTES // 10))

    assert await workshop.storage.keys("audio", sink.folder) == []
    assert len(await workshop.storage.open_uploads("audio", f"{sink.folder}/")) == 1
    await writer.close()
    assert (await workshop.storage.stat("audio", f"{sink.folder}/big.mp4")).size_bytes == 23 * (PART_BYTES // 10)
    await writer.abort()
    assert await workshop.storage.keys("audio", sink.folder) == [f"{sink.folder}/big.mp4"]


async def test_a_rendition_that_is_given_up_leaves_nothing(workshop):
    """Neither an object nor parts that nobody would ever find."""
    sink = ObjectSink(workshop.storage, "audio", f"tracks/test/{workshop.scratch.name}")
    writer = await sink.open("big.mp4", "audio/mp4", "no-cache")
    await writer.write(bytes(PART_BYTES + 1))
    await writer.abort()

    assert await workshop.storage.open_uploads("audio", f"{sink.folder}/") == []
    assert await workshop.storage.keys("audio", sink.folder) == []


async def test_an_artist_can_hear_a_master_while_it_is_encoded(workshop, tmp_path):
    """In a folder of the attempt that nobody can guess; the next attempt has another one."""
    master = await workshop.upload(audio.save(tmp_path / "long.flac", audio.noise(120)).read_bytes())
    job_id = await workshop.offer(master)
    async with workshop.working(workshop.worker()):
        first = await workshop.audible(job_id)
        assert await workshop.objects(master) == []
        files = await workshop.storage.keys("previews", f"{first.preview}/")
        assert {f"{first.preview}/preview-0.mp4", f"{first.preview}/preview.m3u8"} <= set(files)
        await workshop.take_away(job_id, lease_seconds=0.5)
        assert (await workshop.job(job_id)).preview is None
        second = await workshop.audible(job_id)

    assert first.preview not in (str(first.attempt_id), second.preview)
