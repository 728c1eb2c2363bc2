"""A worker that ends itself with SIGKILL at a certain point of its first job.

`python -m tests.support.mortal POINT` takes the settings of a worker.
"""

import asyncio
import os
import signal
import sys

from services.common.settings import load
from services.common.storage import Storage
from services.processing import worker
from services.processing.media.facts import Stage
from services.processing.queue import JobQueue
from services.processing.settings import WorkerSettings
from services.processing.sources import Copy
from services.processing.worker import Progress

LATE_PERCENT = 70


def die():
    """End as by the kernel's hand: nothing is tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)


def after(owner, name, is_it=lambda _: True):
    """Die when a coroutine has answered what `is_it` looks for."""
    original = getattr(owner, name)

    async def fatal(*arguments):
        answer = await original(*arguments)
        if is_it(answer):
            die()
        return answer

    setattr(owner, name, fatal)


def before(owner, name):
    """Die when a function is called."""
    setattr(owner, name, lambda *_: die())


def at(stage, percent):
    """Die when the work is so far."""
    original = Progress.report

    def fatal(progress, now, done):
        original(progress, now, done)
        if now is stage and done >= percent:
            die()

    Progress.report = fatal  # type: ignore[method-assign]  # it is what dies here


POINTS = {
    "taken": lambda: after(JobQueue, "take", lambda lease: lease is not None),
    "downloading": lambda: before(Copy, "write"),
    "probing": lambda: at(Stage.PROBING, 0),
    "encoding early": lambda: at(Stage.ENCODING, 1),
    "encoding late": lambda: at(Stage.ENCODING, LATE_PERCENT),
    "sending a part": lambda: after(Storage, "put_part"),
    "publishing": lambda: after(Storage, "close_multipart"),
    "objects there": lambda: before(JobQueue, "complete"),
    "told": lambda: after(JobQueue, "complete"),
}
"""Where a worker may die, in the order in which it comes there."""


if __name__ == "__main__":
    POINTS[sys.argv[1]]()
    asyncio.run(worker.main(load(WorkerSettings)))
