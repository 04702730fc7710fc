"""How large something must be to be found with a given power: where to look next, what may be stated, and how sure that is.

Sizes are rungs of a ladder, each half as large again as the one before or so. A planting is one trial: found or not. The plantings that choose a
size and those that confirm it are others, because a size that was chosen for its luck looks better than it is.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field

import numpy as np

CLIMBING = 2
"Plantings at every other rung until a size is reached at which all are found."

HALF = 2
"Rungs down to half the size: a rung is larger than the one before by the square root of 2."

CHANCE = 1.92
"Loss of log likelihood beyond which a value is outside of the 95 % interval (half of the chi-square quantile with one degree of freedom)."

STEEP = np.geomspace(0.4, 12.0, 60)
"Slopes of the power over log2 of the size that are tried: from one that takes many doublings to one that takes none."


def wilson(found: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927): 0..1, low to high; (0, 1) where nothing was tried.

    >>> [round(end, 3) for end in wilson(19, 20)]
    [0.764, 0.991]
    """
    if of == 0:
        return 0.0, 1.0
    z, share = 1.959964, found / of
    middle, spread = share + z * z / (2 * of), z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, (middle - spread) / (1 + z * z / of)), min(1.0, (middle + spread) / (1 + z * z / of))


def ladder(least: int, most: int) -> list[int]:
    """Sizes from `least` to `most`, each larger by the square root of 2: two rungs are a doubling.

    >>> ladder(4, 24)
    [4, 6, 8, 11, 16, 23]
    """
    sizes = [round(least * 2 ** (step / 2)) for step in range(64)]
    return [size for size in sizes if size <= most]


def within(cells: Mapping[int, tuple[int, int]], power: float) -> tuple[float, float] | None:
    """The 95 % interval of the size that is found with that power, by the profile likelihood of a logistic curve over log2 of the size.

    `cells`: size -> (found, plantings). It holds whatever rule said when to stop planting, as long as power grows with size in about that shape. None where
    the plantings say nothing of it: none were found, or all. An end is infinite, or 0, where nothing bounds it.

    >>> [round(end) for end in within({8: (0, 10), 16: (4, 10), 32: (19, 20), 64: (20, 20)}, 0.95)]
    [23, 47]
    """
    size = np.log2(np.array(sorted(cells), np.float64))
    found, of = (np.array([cells[each][at] for each in sorted(cells)], np.float64) for at in (0, 1))
    if not found.sum() or found.sum() == of.sum():
        return None
    at = np.linspace(size[0] - 3, size[-1] + 3, 601)
    logit = math.log(power / (1 - power)) + STEEP[None, :, None] * (size[None, None, :] - at[:, None, None])
    likelihood = (found * -np.logaddexp(0.0, -logit) + (of - found) * -np.logaddexp(0.0, logit)).sum(axis=2).max(axis=1)
    inside = np.flatnonzero(likelihood >= likelihood.max() - CHANCE)
    low = 0.0 if inside[0] == 0 else float(2 ** at[inside[0]])
    return low, math.inf if inside[-1] == len(at) - 1 else float(2 ** at[inside[-1]])


@dataclass
class Search:
    """The search for the smallest size that is found with a given power, and what it saw. Once run, `rung` says what may be stated."""

    sizes: list[int]
    "The ladder."
    power: float
    "Share of plantings that must be found, 0..1."
    fresh: int
    "Plantings that confirm a size; two thirds as many choose it."
    most: int
    "Plantings in all, at most."
    cells: dict[int, tuple[int, int]] = field(default_factory=dict)
    "Size -> (found, plantings)."
    rung: int | None = None
    "The rung that was chosen and confirmed; None: none was."
    confirmed: tuple[int, int] = (0, 0)
    "(found, plantings) of those that confirmed it."
    half: tuple[int, int] = (0, 0)
    "(found, plantings) at half of it."
    spent: bool = False
    "Whether it ended because `most` were planted."

    def run(self) -> Generator[tuple[int, int], bool, None]:
        """Asks for plantings as (size, number), each but once, and is sent whether it was found."""
        rung = yield from self._climb()
        while rung < len(self.sizes) and not self.spent:
            if (yield from self._passes(rung, -(-2 * self.fresh // 3))):
                before = self.cells[self.sizes[rung]]
                if (yield from self._passes(rung, self.fresh)):
                    after = self.cells[self.sizes[rung]]
                    self.rung, self.confirmed = rung, (after[0] - before[0], after[1] - before[1])
                    yield from self._below(rung - HALF)
                    return
            rung += 1

    def allowed(self, plantings: int) -> int:
        """How many of so many may be missed."""
        return math.floor((1 - self.power) * plantings + 1e-9)

    def _climb(self) -> Generator[tuple[int, int], bool, int]:
        """The rung to begin at: the one below the first of every other at which all are found."""
        for rung in range(0, len(self.sizes), 2):
            if (yield from self._planted(rung, CLIMBING, 0)) == CLIMBING:
                return max(0, rung - 1)
        return len(self.sizes)

    def _passes(self, rung: int, plantings: int) -> Generator[tuple[int, int], bool, bool]:
        found = yield from self._planted(rung, plantings, self.allowed(plantings))
        return found >= plantings - self.allowed(plantings)

    def _below(self, rung: int) -> Generator[tuple[int, int], bool, None]:
        if rung >= 0:
            done = self.cells.get(self.sizes[rung], (0, 0))
            plantings = -(-self.fresh // 3)
            yield from self._planted(rung, plantings, plantings)
            after = self.cells[self.sizes[rung]]
            self.half = after[0] - done[0], after[1] - done[1]

    def _planted(self, rung: int, plantings: int, missed: int) -> Generator[tuple[int, int], bool, int]:
        """Plantings at a rung, until more than `missed` are not found. How many were."""
        size, found = self.sizes[rung], 0
        for number in range(plantings):
            if sum(of for _, of in self.cells.values()) >= self.most:
                self.spent = True
                break
            seen, of = self.cells.get(size, (0, 0))
            hit = yield size, of
            self.cells[size] = seen + hit, of + 1
            found += hit
            if number + 1 - found > missed:
                break
        return found
