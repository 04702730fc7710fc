"""Answers: their text and length follow from what is asked, by the same code for everybody."""

from __future__ import annotations

import math
from random import Random
from typing import Any

from stillwatch.drill import grammar

LENGTHS = {"prose": (9.0, 0.6), "short": (2.0, 0.5), "reason": (22.0, 0.5), "code": (16.0, 0.7), "label": (1.0, 0.1), "verdict": (7.0, 0.5), "text": (6.0, 0.6)}
"Kind of answer -> median number of lines and spread (log-normal)."

POOL = 600
"Lines made of each kind, from which answers are drawn."


class Answers:
    """Draws answers; lines come from a pool made once a world."""

    def __init__(self, rng: Random, words: dict[str, Any], fill: dict[str, Any]) -> None:
        told = words["answer"]

        def pool(patterns: list[str], count: int = POOL) -> list[str]:
            return [grammar.expand(rng.choice(patterns), rng, fill) for _ in range(count)]

        self._lines = {name: pool(told[name]) for name in ("step", "plain", "verdict", "label", "code")}

    def answer(self, rng: Random, kind: str, asked: int) -> str:
        """An answer of a kind to a prompt of `asked` characters."""
        median, spread = LENGTHS[kind]
        longer = 1.0 if kind in ("label", "short") else (1.0 + min(asked, 4000) / 2500)
        count = max(1, round(median * longer * math.exp(rng.gauss(0, spread))))
        own = {"reason": "step", "code": "code", "label": "label", "verdict": "verdict"}.get(kind, "plain")
        lines = [rng.choice(self._lines[own if rng.random() < 0.8 else "plain"]) if kind != "label" else rng.choice(self._lines["label"]) for _ in range(min(count, 90))]
        return ("\n" if kind == "code" else " ").join(lines)
