"""Answers: their text and length follow from what is asked, by the same code for everybody."""

from __future__ import annotations

import math
from random import Random

from stillwatch.drill.texts import Texts

LENGTHS = {
    "prose": (11.0, 0.9),
    "short": (4.0, 1.0),
    "reason": (15.0, 0.9),
    "code": (13.0, 0.9),
    "label": (1.0, 0.1),
    "verdict": (8.0, 0.7),
    "text": (6.0, 0.8),
}
"Kind of answer -> median number of lines and spread (log-normal)."

POOL = 400
"Lines made of each kind, from which answers are drawn."

LINES = ("step", "plain", "verdict", "label", "code")


class Answers:
    """Draws answers; lines come from a pool made once a language, words from the question."""

    def __init__(self, rng: Random, texts: Texts) -> None:
        self._rng, self._texts = rng, texts
        self._pools: dict[str, dict[str, list[str]]] = {}

    def _pool(self, language: str) -> dict[str, list[str]]:
        if language not in self._pools:
            topics = self._texts.topics()
            self._pools[language] = {
                name: [self._texts.line(self._rng, language, self._rng.choice(topics), "answer", name) for _ in range(POOL)] for name in LINES
            }
        return self._pools[language]

    def answer(self, rng: Random, kind: str, asked: str, language: str) -> str:
        """An answer of a kind to a prompt."""
        median, spread = LENGTHS[kind]
        longer = 1.0 if kind in ("label", "short") else (1.0 + min(len(asked), 4000) / 3000)
        count = min(90, max(1, round(median * longer * math.exp(rng.gauss(0, spread)))))
        pool = self._pool(language)
        if kind == "label":
            return rng.choice(pool["label"])
        own = pool[{"reason": "step", "code": "code", "verdict": "verdict"}.get(kind, "plain")]
        lines = _drawn(rng, own, pool["plain"], count)
        words = asked[-600:].split()
        for i in range(0, count, 3):
            if words:
                lines[i] = f"{lines[i]} ({rng.choice(words)[:24]})"
        return ("\n" if kind == "code" else " ").join(lines)


def _drawn(rng: Random, own: list[str], plain: list[str], count: int) -> list[str]:
    """Lines drawn, four in five from one pool: `choice` written out, for it is half of what a large drill takes."""
    random, bits = rng.random, rng.getrandbits
    lines = []
    for _ in range(count):
        pool = own if random() < 0.8 else plain
        size = len(pool)
        width = size.bit_length()
        at = bits(width)
        while at >= size:
            at = bits(width)
        lines.append(pool[at])
    return lines
