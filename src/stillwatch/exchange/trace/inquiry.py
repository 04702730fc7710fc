"""A signed question down the resale chain: some blinded request ids, and why. No account, no prompt, no count of anybody's business.

A provider sees a reseller as one account. It gave that account's calls their ids, and the reseller's log has them (`upstream_id`). The inquiry names them as HMACs under a salt of
its own: whoever has the ids finds them, and nobody else learns any.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stillwatch.errors import UserError

FORMAT = "stillwatch-inquiry/1"
"Version of what travels."

WORDS = ("format", "id", "issued", "expires", "begin", "end", "salt", "calls", "verdict", "log10_e", "atlas", "depth")
"Words of an inquiry, all of them needed."

LEAST_CALLS, MOST_CALLS = 20, 200_000
"Calls that an inquiry names: below the least it asks after somebody, above the most after everybody."

LEAST_LOG10_E = 2.0
"Evidence behind an inquiry, at least: a hundred to one."

MOST_DEPTH = 4
"Steps of a resale chain that an inquiry goes down, at most."

HOUR = 3600
"Seconds to which an inquiry's times are coarsened."

SIZE = 16
"Bytes of a blinded id: a chance hit among 10^9 calls and 200,000 asked for has probability 10^-24."


def blinded(salt: bytes, call: str) -> str:
    """A request id as an inquiry names it: HMAC-SHA-256 under the inquiry's salt, 16 bytes, hex.

    >>> blinded(b"s" * 32, "req-1") == blinded(b"s" * 32, "req-1") != blinded(b"t" * 32, "req-1")
    True
    """
    return hmac.new(salt, call.encode(), hashlib.sha256).digest()[:SIZE].hex()


@dataclass(frozen=True)
class Inquiry:
    """What is asked."""

    id: str
    "UUID."
    issued: str
    "When, UTC."
    expires: str
    "After when nobody need answer, UTC."
    begin: int
    "First hour of the calls, Unix seconds."
    end: int
    "End of their last hour."
    salt: bytes
    "Under which ids are blinded."
    calls: frozenset[str]
    "Blinded request ids."
    verdict: str
    "What the asker thinks: alert or review."
    log10_e: float
    "The asker's evidence, rounded down."
    atlas: tuple[str, ...]
    "Techniques."
    depth: int
    "Steps of the chain so far, from 1."

    def finds(self, calls: Iterable[str | None]) -> list[bool]:
        """Of each request id, whether it is asked for."""
        return [call is not None and blinded(self.salt, call) in self.calls for call in calls]


def made(
    *,
    id: str,
    salt: bytes,
    now: datetime,
    expires: datetime,
    calls: Iterable[str],
    first: float,
    last: float,
    verdict: str,
    log10_e: float,
    atlas: Iterable[str],
    depth: int = 1,
) -> dict[str, Any]:
    """The object of an inquiry. `calls`: request ids as the recipient has them; `first`, `last`: moments of the calls, Unix seconds.

    Raises: UserError where there are too few calls or too many, or too little behind it.
    """
    told = {
        "format": FORMAT, "id": id, "issued": _stamp(now), "expires": _stamp(expires), "begin": int(first // HOUR * HOUR), "end": int(last // HOUR * HOUR + HOUR),
        "salt": salt.hex(), "calls": sorted({blinded(salt, call) for call in calls}), "verdict": verdict, "log10_e": float(int(log10_e)), "atlas": sorted(set(atlas)),
        "depth": depth,
    }  # fmt: skip
    heard(told, "the inquiry")
    return told


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def heard(told: Mapping[str, Any], where: str) -> Inquiry:
    """An inquiry from what travelled. Raises: UserError where it is none, or asks for what nobody should."""
    if told.get("format") != FORMAT or set(told) != set(WORDS):
        raise UserError(f"is no inquiry of the format {FORMAT}", where, "ask its sender for another")
    fits = {
        "id": isinstance(told["id"], str) and bool(re.fullmatch(r"[0-9a-f-]{36}", told["id"])),
        "issued": _is_moment(told["issued"]), "expires": _is_moment(told["expires"]),
        "begin": isinstance(told["begin"], int), "end": isinstance(told["end"], int) and told["end"] > told["begin"],
        "salt": isinstance(told["salt"], str) and bool(re.fullmatch(r"[0-9a-f]{64}", told["salt"])),
        "calls": isinstance(told["calls"], list) and all(isinstance(each, str) and re.fullmatch(rf"[0-9a-f]{{{2 * SIZE}}}", each) for each in told["calls"]),
        "verdict": told["verdict"] in ("alert", "review"), "log10_e": isinstance(told["log10_e"], int | float) and not isinstance(told["log10_e"], bool),
        "atlas": isinstance(told["atlas"], list) and all(isinstance(each, str) and re.fullmatch(r"AML\.T\d{4}(\.\d{3})?", each) for each in told["atlas"]),
        "depth": isinstance(told["depth"], int) and not isinstance(told["depth"], bool) and 1 <= told["depth"] <= MOST_DEPTH,
    }  # fmt: skip
    if wrong := [word for word, good in fits.items() if not good]:
        raise UserError(f"{wrong[0]} of the inquiry is not what it must be", where, "ask its sender for another")
    calls = frozenset(told["calls"])
    if not LEAST_CALLS <= len(calls) <= MOST_CALLS or len(calls) != len(told["calls"]):
        raise UserError(f"the inquiry names {len(calls):,} calls", where, f"{LEAST_CALLS} to {MOST_CALLS:,} different ones can be asked for")
    if not told["log10_e"] >= LEAST_LOG10_E:
        raise UserError(f"the inquiry has evidence of 10^{told['log10_e']:g} behind it", where, f"10^{LEAST_LOG10_E:g} at least")
    return Inquiry(
        told["id"], told["issued"], told["expires"], told["begin"], told["end"], bytes.fromhex(told["salt"]), calls, told["verdict"], float(told["log10_e"]),
        tuple(told["atlas"]), told["depth"],
    )  # fmt: skip


def _is_moment(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
