"""What became of every upload of a campaign, once everything is left in peace."""

import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import LiteralString
from uuid import UUID

from tests.e2e.song import Listener, hear
from tests.nemesis.campaign import Campaign, Round, Upload
from tests.nemesis.scene import Scene, until
from tests.nemesis.steps import WORKER, Cell

SETTLED_SECONDS = 300
SWEPT_SECONDS = 60
SETTLE_PAUSE_SECONDS = 0.5
LENGTH_SECONDS = 0.05
COLUMNS = ("nemesis", "step", "kills", "uploads", "completed", "orphans", "retried", "back s", "takeover s", "failed")
LINE = "{:12} {:11} {:>6} {:>7} {:>9} {:>7} {:>7} {:>6} {:>10}  {}"
WATCH: LiteralString = """
    CREATE TABLE IF NOT EXISTS nemesis_switches (track_id uuid, file_key text, is_available boolean);
    CREATE TABLE IF NOT EXISTS nemesis_outcomes (upload_id uuid, outcome text);
    CREATE OR REPLACE FUNCTION nemesis_note_switch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
      INSERT INTO public.nemesis_switches VALUES (NEW.id, NEW.file_key, NEW.is_available); RETURN NULL; END $$;
    CREATE OR REPLACE FUNCTION nemesis_note_outcome() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
      INSERT INTO public.nemesis_outcomes VALUES (NEW.id, NEW.outcome); RETURN NULL; END $$;
    CREATE OR REPLACE TRIGGER nemesis AFTER UPDATE ON tracks FOR EACH ROW
      WHEN ((OLD.file_key, OLD.is_available) IS DISTINCT FROM (NEW.file_key, NEW.is_available))
      EXECUTE FUNCTION nemesis_note_switch();
    CREATE OR REPLACE TRIGGER nemesis AFTER UPDATE ON uploads FOR EACH ROW
      WHEN (OLD.outcome IS DISTINCT FROM NEW.outcome) EXECUTE FUNCTION nemesis_note_outcome();
"""
"""Keeps every change of what is played and of how a master has ended: the rows only show the last one."""


@dataclass
class Ending:
    """How one upload ended."""

    upload: Upload
    status: str = "NEVER MADE"
    reason: str | None = None
    faults: list[str] = field(default_factory=list)
    folder: str | None = None
    orphans: list[str] = field(default_factory=list)

    def expect(self, met: object, promise: str) -> None:
        """Note a promise that was broken."""
        if not met:
            self.faults.append(f"{self.upload.track} {self.upload.master.path.name}: {promise}")


def watch(scene: Scene) -> None:
    """Note every effect from now on."""
    scene.rows("catalog", WATCH)


def judge(campaign: Campaign) -> "Report":
    """Wait until everything has ended and was swept, and look at each upload."""
    scene = campaign.scene
    with suppress(TimeoutError):  # what has not ended, or is left over then, is told with its upload
        until(lambda: _settled(scene, campaign.uploads), SETTLED_SECONDS)
    endings = [_ending(scene, upload) for upload in campaign.uploads]
    with suppress(TimeoutError):
        until(lambda: not any(_orphans(scene, ending) for ending in endings), SWEPT_SECONDS)
    listener = Listener(scene.url)
    for ending in endings:
        ending.orphans = _orphans(scene, ending)
        ending.expect(not ending.orphans, f"leaves nothing behind, but {ending.orphans}")
        if ending.status == "COMPLETED":
            _listen(listener, ending)
    return Report(campaign.rounds, {ending.upload.track: ending for ending in endings}, _takeovers(campaign))


def _settled(scene: Scene, uploads: Iterable[Upload]) -> bool:
    """Whether the catalog knows the outcome of every upload that its client could complete."""
    jobs = [_id(upload.job) for upload in uploads if upload.job]
    waiting = "SELECT count(*) FROM uploads WHERE id = ANY(%s) AND outcome IS NULL"
    time.sleep(SETTLE_PAUSE_SECONDS)
    return scene.rows("catalog", waiting, jobs) == [(0,)]


def _ending(scene: Scene, upload: Upload) -> Ending:
    """Compare what both contexts know of an upload with what should have become of it."""
    ending = Ending(upload)
    ending.expect(not upload.error, f"answers its client, but {upload.error}")
    if not upload.job:
        return ending
    job, track, reason = _id(upload.job), _id(upload.track), upload.master.reason
    made = scene.rows("processing", "SELECT status, reason, folder FROM processing_jobs WHERE id = %s", job)
    status, ending.reason, folder = made[0] if made else (ending.status, None, None)
    ending.status, ending.folder = status, folder
    ending.expect((status, ending.reason) == ("FAILED" if reason else "COMPLETED", reason), f"ends by {ending.reason}")
    [(key, available)] = scene.rows("catalog", "SELECT file_key, is_available FROM tracks WHERE id = %s", track)
    ending.expect(available == (reason is None), "can be played when it is whole, and only then")
    ending.expect(reason or key == folder, "is played from the folder that its job has published")
    done = "SELECT folder FROM attempts WHERE job_id = %s AND outcome = 'COMPLETED'"
    ending.expect(scene.rows("processing", done, job) == [(folder,)] * (not reason), "has one completed attempt")
    outcomes = scene.rows("catalog", "SELECT outcome FROM nemesis_outcomes WHERE upload_id = %s", job)
    ending.expect(outcomes == [(status,)], f"has one outcome, not {outcomes}")
    switches = scene.rows("catalog", "SELECT file_key, is_available FROM nemesis_switches WHERE track_id = %s", track)
    ending.expect(switches == [(folder, True)] * (not reason), f"is published once, not {switches}")
    return ending


def _orphans(scene: Scene, ending: Ending) -> list[str]:
    """List what belongs to no published folder."""
    prefix = f"{ending.upload.track}/"
    keys = scene.objects(prefix)
    return scene.open_uploads(prefix) + [key for key in keys if not key.startswith(f"{ending.folder}/")]


def _listen(listener: Listener, ending: Ending) -> None:
    """Fetch every playlist and every range that they name, through the edge."""
    try:
        playback = listener.post("/v1/playbacks", {"track": ending.upload.track})
        heard = [
            variant
            for manifest in playback["manifests"]
            for variant in hear(listener, manifest["uri"], playback["mediaToken"])
        ]
    except AssertionError as error:
        ending.expect(met=False, promise=f"can be heard, but {error}")
        return
    length = float(playback["duration"].removesuffix("s"))
    ending.expect(len(heard) == len(playback["renditions"]), "can be heard in every rendition")
    ending.expect(all(abs(variant.seconds - length) < LENGTH_SECONDS for variant in heard), "is heard to its end")


def _takeovers(campaign: Campaign) -> dict[int, float]:
    """Say by the process id of each killed worker how long its job waited for the next attempt."""
    killed = {one.pid: one.killed_at for one in campaign.rounds if one.cell.part == WORKER}
    waited = {}
    for upload in campaign.uploads:
        if not upload.job:
            continue
        query = "SELECT worker_pod, started_at, outcome FROM attempts WHERE job_id = %s ORDER BY started_at"
        for (pod, _, outcome), (_, started_at, _) in pairwise(
            campaign.scene.rows("processing", query, _id(upload.job))
        ):
            pid = int(pod.rsplit("-", 1)[1])
            if outcome == "ABANDONED" and pid in killed:
                waited[pid] = started_at.timestamp() - killed[pid]
    return waited


@dataclass(frozen=True)
class Report:
    """The outcome of a campaign."""

    rounds: list[Round]
    endings: dict[str, Ending]
    takeovers: dict[int, float]

    @property
    def faults(self) -> list[str]:
        """List the promises that were broken."""
        return [fault for ending in self.endings.values() for fault in ending.faults]

    @property
    def missed(self) -> list[Cell]:
        """List the kills that came after their step."""
        return [one.cell for one in self.rounds if not one.hit]

    def table(self) -> str:
        """Write a line for each kill, and the sum."""
        lines = [COLUMNS, *(self._line(one) for one in self.rounds), self._sum()]
        return "\n".join(LINE.format(*line).rstrip() for line in lines)

    def _line(self, one: Round) -> tuple[object, ...]:
        takeover = self.takeovers.get(one.pid)
        return (
            *(one.cell.part, one.cell.step.name, 1 if one.hit else "missed", *self._counts(one.uploads), one.retried),
            *(f"{one.back_seconds:.1f}", f"{takeover:.1f}" if takeover else "", self._failed(one.uploads)),
        )

    def _sum(self) -> tuple[object, ...]:
        uploads = [upload for one in self.rounds for upload in one.uploads]
        back = max(one.back_seconds for one in self.rounds)
        takeover = max(self.takeovers.values(), default=0.0)
        return (
            *("all", f"{len(self.rounds)} rounds", sum(one.hit for one in self.rounds), *self._counts(uploads)),
            *(sum(one.retried for one in self.rounds), f"{back:.1f}", f"{takeover:.1f}", self._failed(uploads)),
        )

    def _counts(self, uploads: list[Upload]) -> tuple[int, int, int]:
        """Count uploads, those that were completed, and what they left behind."""
        endings = [self.endings[upload.track] for upload in uploads]
        completed = sum(ending.status == "COMPLETED" for ending in endings)
        return len(uploads), completed, sum(len(ending.orphans) for ending in endings)

    def _failed(self, uploads: list[Upload]) -> str:
        endings = [self.endings[upload.track] for upload in uploads]
        reasons = Counter(ending.reason or ending.status for ending in endings if ending.status != "COMPLETED")
        return ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))


def _id(name: str) -> UUID:
    return UUID(name.split("/")[1])
