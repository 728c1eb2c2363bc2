"""The way of an upload, and the places on it where a part is killed."""

import random
from dataclasses import dataclass
from enum import IntEnum
from itertools import product

WORKER = "worker"
"""Whichever worker has the job."""
WIPED = "nats, wiped"
"""NATS together with its store, and whoever had to hear what it was told."""
PARTS = (WORKER, "user", "catalog", "processing", "streaming", "nats", "postgres", "seaweedfs", "envoy")


class Step(IntEnum):
    """How far an upload is."""

    BEGUN = 1
    """It has addresses for its parts."""
    SENT = 2
    """The parts are in the store."""
    COMPLETED = 3
    """The client was answered that they are whole."""
    WAITING = 4
    """There is a job that nobody works on."""
    DOWNLOADING = 5
    """A worker has it and has not begun to encode."""
    ENCODING = 6
    PUBLISHING = 7
    """The first object is there."""
    TOLD = 8
    """The job has ended; the catalog may not know it yet."""


@dataclass(frozen=True)
class Cell:
    """One kill: what, and when."""

    part: str
    step: Step


def all_cells() -> list[Cell]:
    """Name every part at every step, apart from each other in time, and one loss of NATS' store in the middle."""
    cells = [Cell(part, step) for step, part in product(Step, PARTS)]
    cells.insert(len(cells) // 2, Cell(WIPED, Step.COMPLETED))
    return cells


def some_cells(most: int) -> list[Cell]:
    """Choose cells for a run of fewer uploads than there are cells; the loss of NATS' store is always one."""
    cells = all_cells()
    if most >= len(cells):
        return cells
    kept = random.Random(most).sample([cell for cell in cells if cell.part != WIPED], most - 1)  # noqa: S311 (repeatable)
    return [cell for cell in cells if cell in kept or cell.part == WIPED]
