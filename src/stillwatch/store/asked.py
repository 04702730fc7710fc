"""What a scan was asked, kept with it: what was linked, the list prices, and what was told beside the log. With the kept marks, all that its results follow from.

Versioned JSON. Accounts and whatever else a file named are keyed hashes by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from stillwatch.campaigns.known import Entry, Known
from stillwatch.campaigns.taken import Price, Prices
from stillwatch.errors import UserError
from stillwatch.evidence.pooled import Member, Pool
from stillwatch.evidence.tails import Tail
from stillwatch.records import Ban, Context, PaymentChange, Release
from stillwatch.store.states import FOLDER

VERSION = 1
FILE = f"{FOLDER}/asked.json"


@dataclass(frozen=True)
class Asked:
    """How a scan was made."""

    unit: str
    "What was linked."
    pseudonymous: bool
    "Whether keyed hashes stand in the results in place of the log's own account ids."
    prices: Prices
    "List prices."
    context: Context | None = None
    "Dated events; None where none were told."
    known: Known | None = None
    "What was known beforehand; None where nothing was told."
    calibration: Pool | None = None
    "What other members told of their innocents; None where nothing was asked of them."


def write(folder: Path, asked: Asked) -> None:
    """Write it into a scan's folder."""
    (folder / FILE).write_bytes(orjson.dumps({"version": VERSION, **{name: getattr(asked, name) for name in Asked.__dataclass_fields__}}))


def read(folder: Path) -> Asked:
    """What the scan of a folder was asked. Raises: UserError where it does not say, or another version says it."""
    try:
        told = orjson.loads((folder / FILE).read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise UserError("does not say what it was asked", str(folder / FILE), "scan its log again with this version") from error
    if told.get("version") != VERSION:
        raise UserError("was written by another version", str(folder / FILE), "scan its log again with this version")
    context, known, calibration = told["context"], told["known"], told.get("calibration")
    return Asked(
        told["unit"],
        told["pseudonymous"],
        Prices(tuple(Price(**each) for each in told["prices"]["prices"]), told["prices"]["source"]),
        None if context is None else _context(context),
        None if known is None else Known(tuple(map(_entry, known["entries"])), known["day"]),
        None if calibration is None else _pool(calibration),
    )


def _context(told: dict[str, Any]) -> Context:
    return Context(
        tuple(Release(**each) for each in told["releases"]),
        tuple(Ban(**each | {"accounts": tuple(each["accounts"])}) for each in told["bans"]),
        tuple(PaymentChange(**each) for each in told["payments"]),
    )


def _pool(told: dict[str, Any]) -> Pool:
    members = [
        Member(**each | {"other_version": tuple(each["other_version"]), "tails": {name: _tail(**tail) for name, tail in each["tails"].items()}})
        for each in told["members"]
    ]
    return Pool(tuple(members), tuple((file, why) for file, why in told["left_out"]))


def _tail(of: int, minimum: int, above: list[list[float]], below: list[list[float]]) -> Tail:
    up, down = (tuple((edge, share) for edge, share in side) for side in (above, below))
    return Tail(of, minimum, up, down)


def _entry(told: dict[str, Any]) -> Entry:
    return Entry(**told | {"hashes": tuple((word, tuple(hashes)) for word, hashes in told["hashes"]), "campaigns": tuple(told["campaigns"])})
