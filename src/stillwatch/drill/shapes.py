"""Ids made to look like those of a log, so that a planted call cannot be told by the look of its ids."""

from __future__ import annotations

import os.path
from collections.abc import Iterable
from random import Random

MOST = 400
"Ids of the log that are looked at."

TRIES = 40
"Draws before an id is made longer: a log of few and short ids has soon used all of their shape."


class Shape:
    """Draws ids: what all ids of the log begin with is kept, and every other letter or figure is one that stands at that place in some id.

    >>> Shape(["user-12", "user-47", "user-83"], Random(1)).draw()
    'user-43'
    >>> Shape(["7f-0a", "b2-3c", "91-e4"], Random(1)).draw()
    '92-3c'
    """

    def __init__(self, ids: Iterable[str], rng: Random) -> None:
        self._rng, self._taken = rng, set(ids)
        known = sorted(self._taken)
        self._examples = rng.sample(known, min(MOST, len(known)))
        self._kept = len(os.path.commonprefix(self._examples)) if len(self._examples) > 1 else 0
        longest = max(map(len, self._examples), default=0)
        self._places = [sorted({each[at] for each in self._examples if at < len(each) and each[at].isalnum()}) for at in range(longest)]
        self._drawn: dict[str, str] = {}

    def draw(self) -> str:
        """An id that neither the log nor an earlier draw has."""
        more = 0
        for attempt in range(1, 100_000):
            example = self._rng.choice(self._examples)
            fresh = example[: self._kept] + "".join(
                self._rng.choice(self._places[at]) if at >= self._kept and sign.isalnum() else sign for at, sign in enumerate(example) if at >= self._kept
            )
            more += attempt % TRIES == 0
            fresh += "".join(self._rng.choice("0123456789") for _ in range(more))
            if fresh not in self._taken:
                break
        self._taken.add(fresh)
        return fresh

    def like(self, own: str) -> str:
        """The id that stands for one of the drill's own, always the same."""
        if own not in self._drawn:
            self._drawn[own] = self.draw()
        return self._drawn[own]
