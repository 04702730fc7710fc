"""Which texts stand in which window: half of the benign texts are the reference, the other half is cut into windows or mixed with attacking texts."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]
"Places in a pool of texts: the normal ones first, then the attacking ones."

SHARES = (0.05, 0.10, 0.25, 0.50, 1.0)
"Shares of attacking texts in a window."

SIZES = (100, 200, 500, 1500)
"Texts a window."

PUBLISHED_SIZES = (100, 1500)
"Those for which the published rule is run too."

SEEDS = (1, 20, 42)
"The published protocol's own."

NULL_WINDOWS = 200
"Windows drawn from the reference, by which scores are made comparable."

MIXED = 50
"Windows of each share, as published."


@dataclass(frozen=True)
class Drawn:
    """The windows of one pair, seed and size."""

    reference: Places
    "Benign texts that a detector may learn from."
    null: list[Places]
    "Windows out of the reference; they overlap one another."
    benign: list[Places]
    "Windows out of held-out benign texts, none of which stands in two."
    mixed: dict[float, list[Places]]
    "Share -> windows of held-out benign and attacking texts."


def draw(normal: int, attacking: int, size: int, seed: int, published: bool = False, pair: str = "") -> Drawn:
    """Windows of `size` from a pool of `normal` and then `attacking` texts.

    A window repeats a text only where a side has fewer than it needs, as in the published protocol. `published`: four fifths of the benign texts are the reference, and
    50 benign windows are drawn from the fifth that is left, so that they overlap. `pair`: its name, so that pairs with one normal side do not have the same windows.
    """
    rng = np.random.default_rng([seed, size, crc32(pair.encode())])
    order = rng.permutation(normal)
    cut = normal - normal // (5 if published else 2)
    reference, rest = order[:cut], order[cut:]

    def some(places: Places, count: int) -> Places:
        return rng.choice(places, count, replace=len(places) < count)

    theirs = np.arange(normal, normal + attacking)
    null = [some(reference, size) for _ in range(NULL_WINDOWS)]
    benign = [some(rest, size) for _ in range(MIXED)] if published else [rest[at : at + size] for at in range(0, len(rest) - size + 1, size)]
    mixed: dict[float, list[Places]] = {}
    for share in SHARES:
        bad = round(size * share)
        mixed[share] = [np.concatenate([some(rest, size - bad), some(theirs, bad)]) for _ in range(MIXED)]
    return Drawn(reference, null, benign, mixed)
