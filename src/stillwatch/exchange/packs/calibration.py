"""Thresholds set on one's own innocents, within the range that a pack allows: a number that was right where the pack was made need not be right here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stillwatch.evidence.power import wilson
from stillwatch.exchange.packs.pack import Pack, Threshold
from stillwatch.exchange.packs.sigma import Row, Rule

RATE = 0.01
"Share of one's own organisations that a threshold may let fire, unless another is asked for."

LEAST = 100
"Organisations with a known value from which a threshold can be calibrated: with fewer, one in a hundred cannot be seen."


@dataclass(frozen=True)
class Set:
    """A threshold as it stands here."""

    value: float
    "Where it stands."
    calibrated: bool
    "Whether it was set on one's own traffic; otherwise it stands where the pack put it."
    fires: float | None
    "Share of one's own organisations beyond it, 0..1; None where that is unknown."
    of: int
    "Organisations with a known value."
    why: str
    "What limits it, in words."


@dataclass(frozen=True)
class Rate:
    """How often a whole rule hits one's own organisations."""

    hits: int
    "Organisations that it hits."
    of: int
    "Organisations of which it can tell."
    low: float
    "95 % interval of the share (Wilson 1927), lower end, 0..1."
    high: float
    "Upper end."


def calibrated(threshold: Threshold, values: Sequence[float], rate: float = RATE) -> Set:
    """The most permissive value allowed at which no more than `rate` of these organisations fire.

    Args: the threshold; the feature of one's own organisations, unknown ones left out. Where even the strictest value fires more often, it is taken, and said.
    """
    if len(values) < LEAST:
        return Set(threshold.start, False, None, len(values), f"only {len(values)} organisations have a value; {LEAST} are needed")
    sign = 1.0 if threshold.side == "at most" else -1.0
    seen = np.sort(sign * np.asarray(values, np.float64))
    strict, loose = sorted((sign * threshold.low, sign * threshold.high))
    allowed = int(rate * len(seen))
    # Just below the first organisation too many: ties fire together.
    bound = loose if allowed >= len(seen) else min(loose, float(np.nextafter(seen[allowed], -np.inf)))
    value = sign * max(strict, bound)
    fires = float((seen <= sign * value).mean())
    why = (
        "the strictest that the pack allows still fires more often"
        if fires > rate
        else "the range of the pack"
        if bound >= loose
        else f"{rate:.2%} of the organisations"
    )
    return Set(value, True, fires, len(seen), why)


def measured(pack: Pack, rows: Sequence[Row], numbers: Mapping[str, float]) -> dict[str, Rate]:
    """Of every rule that one organisation can show: how often it hits one's own."""
    out = {}
    for rule in pack.rules:
        if isinstance(rule, Rule):
            answers = [answer for row in rows if (answer := rule.test(row, numbers)) is not None]
            if answers:
                found = sum(answers)
                out[rule.id] = Rate(found, len(answers), *wilson(found, len(answers)))
    return out
