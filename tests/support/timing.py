"""Whether two kinds of calls can be told apart by their time."""

import math
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np

SHUFFLES = 500


@dataclass(frozen=True)
class Comparison:
    """Two samples of times, in seconds."""

    ones: Sequence[float]
    others: Sequence[float]

    @property
    def difference(self) -> float:
        """By which part of itself the one median differs from the other."""
        return statistics.median(self.ones) / statistics.median(self.others) - 1

    @property
    def noise(self) -> float:
        """By which part the medians would differ if the kinds were drawn by lot: 99 of 100 draws stay below."""
        times, dice = np.array([*self.ones, *self.others]), np.random.default_rng(SHUFFLES)
        drawn = [dice.permutation(times) for _ in range(SHUFFLES)]
        count = len(self.ones)
        differences = [abs(np.median(draw[:count]) / np.median(draw[count:]) - 1) for draw in drawn]
        return float(np.quantile(differences, 0.99))

    @property
    def p(self) -> float:
        """How likely ranks as uneven as these are when both samples are of one kind (Mann-Whitney, two-sided)."""
        count, total = len(self.ones), len(self.ones) + len(self.others)
        ranks = np.argsort(np.argsort([*self.ones, *self.others])) + 1
        expected = count * (total + 1) / 2
        spread = math.sqrt(count * len(self.others) * (total + 1) / 12)
        return math.erfc(abs(float(ranks[:count].sum()) - expected) / spread / math.sqrt(2))

    def __str__(self) -> str:
        """Write the figures."""
        one, other = (statistics.median(times) * 1000 for times in (self.ones, self.others))
        figures = f"medians {one:.2f} and {other:.2f} ms ({self.difference:+.1%})"
        return f"{figures}, noise {self.noise:.1%}, p = {self.p:.3f}"


Call = Callable[[], Awaitable[object]]


async def compare(one: Sequence[Call], other: Sequence[Call]) -> Comparison:
    """Make the calls of both kinds in turns, each kind first in every second turn, and take their times."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn, pair in enumerate(zip(one, other, strict=True)):
        for kind in (0, 1) if turn % 2 else (1, 0):
            began = time.perf_counter()
            await pair[kind]()
            times[kind].append(time.perf_counter() - began)
    return Comparison(*times)
