"""The run itself: rounds of uploads, in each of which one part is killed at one step."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from tests.nemesis.artist import Artist
from tests.nemesis.masters import Master, Masters
from tests.nemesis.scene import Scene, until
from tests.nemesis.steps import WIPED, Cell, Step

STEP_SECONDS = 120
"""How long a kill waits for its step; masters before it may have to be done first."""


@dataclass
class Upload:
    """One master on its way."""

    track: str
    master: Master
    job: str = ""
    error: str = ""
    """What the client was not told to do something about."""


@dataclass
class Round:
    """One kill, and the uploads that ran while it happened."""

    cell: Cell
    uploads: list[Upload]
    retried: int = 0
    hit: bool = False
    """Whether the upload was at the step when the part was killed, and not beyond it."""
    pid: int = 0
    killed_at: float = 0.0
    back_seconds: float = 0.0
    """How long it took until every part was ready again."""


@dataclass
class Campaign:
    """Runs uploads on a scene, one round for each cell."""

    scene: Scene
    masters: Masters
    rounds: list[Round] = field(default_factory=list)

    @property
    def uploads(self) -> list[Upload]:
        """Return every upload."""
        return [upload for each in self.rounds for upload in each.uploads]

    def run(self, cells: Sequence[Cell], uploads: int, seconds: float) -> None:
        """Spread so many uploads over the cells; begin no further round when the time is over."""
        end = time.monotonic() + seconds
        for number, cell in enumerate(cells):
            if time.monotonic() > end:
                return
            first, last = (uploads * each // len(cells) for each in (number, number + 1))
            self._round(cell, [self.masters.victim, *self.masters.others_of(first - number, last - first - 1)])

    def _round(self, cell: Cell, masters: Sequence[Master]) -> None:
        """Upload; kill the part when the first of the uploads has reached the step; wait until it is back."""
        artist = Artist(self.scene.url)
        uploads = [Upload(artist.release(master.path.stem)["name"], master) for master in masters]
        victim, one = uploads[0], Round(cell, uploads)
        self.rounds.append(one)
        artist.retried = 0  # so far everything was quiet
        with ThreadPoolExecutor(len(uploads)) as pool:
            for upload in reversed(uploads):
                pool.submit(self._bring, artist, upload, one if upload is victim else None)
            if cell.step > Step.COMPLETED:
                with suppress(TimeoutError):  # a step that is never reached is told as missed
                    self._wait_and_kill(one, victim)
        one.retried = artist.retried
        if one.pid:
            self.scene.recover(one.pid)
            one.back_seconds = time.time() - one.killed_at

    def _bring(self, artist: Artist, upload: Upload, one: Round | None) -> None:
        def reached(step: Step) -> None:
            if one and one.cell.part == WIPED and step is Step.SENT:
                self.scene.deafen()
            if one and one.cell.step is step and not one.pid:
                self._kill(one, upload.job, hit=True)

        try:
            upload.job = artist.bring(upload.track, upload.master.path, reached)["job"]
        except Exception as error:  # noqa: BLE001 (whatever it is, the report says so)
            upload.error = repr(error)

    def _wait_and_kill(self, one: Round, victim: Upload) -> None:
        aim = one.cell.step
        found: list[Step] = []

        def reached() -> bool:
            found.append(self.scene.step(victim.job, victim.track, look_for_objects=aim is Step.PUBLISHING))
            return found[-1] >= aim

        until(lambda: victim.job or victim.error, STEP_SECONDS)
        if victim.error:
            return
        until(reached, STEP_SECONDS)
        self._kill(one, victim.job, hit=found[-1] is aim)

    def _kill(self, one: Round, job: str, *, hit: bool) -> None:
        one.pid = self.scene.kill(one.cell.part, job)
        one.killed_at, one.hit = time.time(), hit
