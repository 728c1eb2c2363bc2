"""The two kinds of work that a worker does: songs of masters, and images of pictures."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from services.common.buckets import AUDIO, IMAGES, PREVIEWS
from services.common.storage import Storage
from services.processing import sources
from services.processing.domain import AnyTask, Job, Lease, Picture, Song
from services.processing.events import Nudges, audio_facts
from services.processing.ffmpeg import Ffmpeg
from services.processing.media.facts import Limits, Stage
from services.processing.media.pipeline import transcode
from services.processing.media.preview import Preview
from services.processing.media.recipe import Recipe
from services.processing.object_sink import ObjectSink
from services.processing.outages import is_passing, persist
from services.processing.pictures.sizes import make_images, publish
from services.processing.queue import JobQueue, PictureQueue, Queue
from services.processing.settings import WorkerSettings

Made = TypeVar("Made")

Report = Callable[[Stage, int], None]
"""Hears the stage and the percentage that is done. Must not block."""


AnyQueue = TypeVar("AnyQueue", bound=Queue[Any, Any])


class Trade(ABC, Generic[AnyTask, Made, AnyQueue]):
    """One kind of work: the queue where it waits, and how it is done."""

    def __init__(
        self, queue: AnyQueue, storage: Storage, ffmpeg: Ffmpeg, settings: WorkerSettings, nudges: Nudges
    ) -> None:
        """Take work from `queue`, read and write in `storage`, open files with `ffmpeg` alone, tell by `nudges`."""
        self.queue = queue
        self._storage = storage
        self._ffmpeg = ffmpeg
        self._settings = settings
        self._nudges = nudges

    @abstractmethod
    async def work(self, lease: Lease[AnyTask], scratch: Path, report: Report) -> Made:
        """Do the work in an empty folder; answers what the queue writes down. Raises whatever goes wrong."""


class Songs(Trade[Job, Song, JobQueue]):
    """Turns masters into HLS."""

    async def work(self, lease: Lease[Job], scratch: Path, report: Report) -> Song:
        """Transcode the master into the folder of the attempt."""
        folder = await persist(lambda: self.queue.open_preview(lease))
        preview = Preview(
            ObjectSink(self._storage, PREVIEWS, folder),
            self._settings.segment_seconds,
            partial(self._show_preview, lease, folder),
        )
        sink = ObjectSink(self._storage, AUDIO, lease.folder)
        limits = Limits(
            max_seconds=self._settings.longest_master_seconds, memory_bytes=self._settings.encoder_memory_bytes
        )
        recipe = Recipe(limits, self._settings.renditions, self._settings.segment_seconds)
        async with sources.arriving(self._storage, lease.task.master, scratch / "master") as master:
            facts = await transcode(master, sink, self._ffmpeg, recipe, report, preview=preview)
        return Song(audio_facts(facts).SerializeToString(), facts.fingerprint)

    async def _show_preview(self, lease: Lease[Job], folder: str) -> bool:
        """Tell the artist that something can be heard; answers whether they can know."""
        try:
            await self.queue.show_preview(lease, folder)
            await self._nudges.send()
        except Exception as error:
            if not is_passing(error):
                raise
            return False
        return True


class Pictures(Trade[Picture, str, PictureQueue]):
    """Turns pictures into public images."""

    async def work(self, lease: Lease[Picture], scratch: Path, report: Report) -> str:
        """Make and publish every size; answers the blur hash."""
        picture = scratch / "picture"
        await sources.fetch(self._storage, lease.task.source, picture)
        report(Stage.ENCODING, 0)
        made = await make_images(picture, self._ffmpeg, self._settings.picture_memory_bytes)
        report(Stage.PUBLISHING, 100)
        await publish(made, self._storage, IMAGES, lease.folder)
        return made.blur_hash
