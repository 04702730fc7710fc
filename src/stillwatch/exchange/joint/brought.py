"""What a member brings to a session: who carries which wording on which side, as places in its blinded lists. No name, no text, no call."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillwatch.exchange.joint.refusals import Refused

Ints = NDArray[np.int64]

MOST_ROWS, MOST_CLUSTERS, MOST_UNITS = 5_000_000, 20_000, 2_000_000


@dataclass(frozen=True)
class Group:
    """A cluster as its member found it."""

    wordings: Ints
    "Places in the list of wordings."
    family: Ints
    "Family of each: pieces of one template."


@dataclass(frozen=True)
class Brought:
    """A member's part."""

    alphabet: Ints
    "Alphabet of each wording of the list."
    wording: Ints
    "Of each row: place of the wording."
    unit: Ints
    "Organisation, 0..units - 1, the member's own numbers: today's and the history's are others."
    today: NDArray[np.bool_]
    "Whether it carries the wording today; False: in the history."
    owned: Ints
    "(rows, 2): organisation and place of one of its owner tokens."
    units: int
    "How many organisations."
    shares: tuple[float, ...]
    "Today's share of the exposure by alphabet, in whole hundredths, rounded up."
    groups: tuple[Group, ...]
    "Its clusters."
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    "Feature -> 5th and 95th percentile among its innocents."

    def head(self) -> dict[str, Any]:
        """What of it stands in a message's head."""
        return {
            "units": self.units, "shares": list(self.shares), "ranges": {name: list(each) for name, each in self.ranges.items()},
            "groups": [[each.wordings.tolist(), each.family.tolist()] for each in self.groups],
        }  # fmt: skip

    def parts(self) -> list[bytes]:
        """The rest of it."""
        return [
            self.alphabet.astype("u1").tobytes(), self.wording.astype("<u4").tobytes(), self.unit.astype("<u4").tobytes(),
            self.today.astype("u1").tobytes(), self.owned.astype("<u4").tobytes(),
        ]  # fmt: skip


def read(head: dict[str, Any], parts: list[bytes], wordings: int, owners: int) -> Brought:
    """A member's part as it came. `wordings`, `owners`: elements of its lists. Raises: Refused where anything does not fit."""
    try:
        alphabet, wording, unit, today, owned = (
            np.frombuffer(part, kind).astype(np.int64) for part, kind in zip(parts, ("u1", "<u4", "<u4", "u1", "<u4"), strict=True)
        )
        shares = tuple(float(each) for each in head["shares"])
        groups = tuple(Group(np.array(each[0], np.int64), np.array(each[1], np.int64)) for each in head["groups"])
        ranges = {str(name): (float(low), float(high)) for name, (low, high) in head["ranges"].items()}
        units = head["units"]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise Refused("rows") from error
    fits = (
        type(units) is int and 0 < units <= MOST_UNITS
        and len(wording) == len(unit) == len(today) <= MOST_ROWS and len(owned) % 2 == 0 and len(groups) <= MOST_CLUSTERS
        and len(alphabet) <= wordings and _below(wording, len(alphabet)) and _below(unit, units) and _below(today, 2)
        and _below(owned[0::2], units) and _below(owned[1::2], owners) and _below(alphabet, len(shares))
        and all(0 < each <= 1 for each in shares) and all(math.isfinite(low) and math.isfinite(high) for low, high in ranges.values())
        and all(_group(each, len(alphabet)) for each in groups)
    )  # fmt: skip
    if not fits:
        raise Refused("rows")
    return Brought(alphabet, wording, unit, today.astype(np.bool_), owned.reshape(-1, 2), units, shares, groups, ranges)


def _group(each: Group, wordings: int) -> bool:
    return (
        each.wordings.ndim == each.family.ndim == 1 and 0 < len(each.wordings) == len(each.family) and _below(each.wordings, wordings)
        and _below(each.family, len(each.family)) and len(np.unique(each.wordings)) == len(each.wordings)
    )  # fmt: skip


def _below(values: Ints, end: int) -> bool:
    return not len(values) or (int(values.min()) >= 0 and int(values.max()) < end)
