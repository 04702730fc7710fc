"""A deck of texts said in other words: what a world says that is larger than its corpora."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from scale import wording
from scale.kernels import CIRCLE, Writer, mixed
from stillwatch.drill.corpora import Pool, Text

PLAIN = {"Latin": 40, "ideograph": 40}
"The most frequent words of a script stay as they are: so few that hardly five of them stand in a row, which would be the same in every round."


class Rewording:
    """Texts, and the same with their content words replaced by others of their like: another way for every key, the same within one."""

    def __init__(self, texts: Sequence[str]) -> None:
        numbers: dict[str, int] = {}
        parts = [[numbers.setdefault(each, len(numbers)) for each in wording._split(text)] for text in texts]
        nothing = np.zeros(0, np.int64)
        self._book = wording._book(list(numbers), len(numbers), [], np.full(len(numbers), CIRCLE, np.int8), np.zeros(2, np.int64), nothing, PLAIN)
        self._starts, self._segments = wording._limits(parts), np.fromiter(chain.from_iterable(parts), np.int64)
        self._write = Writer()

    def __call__(self, key: int) -> list[str]:
        """All texts in the words of a key."""
        count = len(self._starts) - 1
        keys = np.repeat(mixed(np.array([key], np.int64), 71), 4 * count).reshape(count, 4)
        every, none = np.arange(count), np.zeros(count, np.int64)
        offsets, data = self._write(self._book, self._starts, self._segments, every, none, keys, keys[:, 0], keys[:, 0], np.zeros(count, np.bool_), 1.0)
        written = data.tobytes()
        return [written[start:end].decode(errors="ignore") for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]


class Reworded(Pool):
    """A pool whose texts, once all have been dealt, come again in other words: no two strangers say one text because the corpora ran out."""

    def __init__(self, pool: Pool) -> None:
        """`pool`: none of which was dealt yet."""
        self.topics, self._decks, self._rng, self._left, self._again = pool.topics, pool._decks, pool._rng, pool._left, False
        self._first = pool._decks
        self._undealt, self._round = sum(self._left.values()), 0
        self._words: Rewording | None = None

    def draw(self, name: str) -> tuple[Text, Text | None]:
        """The next text of a topic; of the next round where none is left."""
        if not self._undealt:
            self._next()
        self._undealt -= 1
        return super().draw(name)

    def _next(self) -> None:
        turns = [turn for name in self.topics for text in self._first[name] for turn in text]
        self._words = self._words or Rewording(turns)
        self._round += 1
        said = iter(self._words(self._round))
        self._decks = {name: [[next(said) for _ in text] for text in self._first[name]] for name in self.topics}
        self._left = {name: len(deck) for name, deck in self._decks.items()}
        self._undealt = sum(self._left.values())
