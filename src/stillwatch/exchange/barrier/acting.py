"""Acting on what was heard, and taking back what was said. Both are private: a decision is no record of the exchange and has no way out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stillwatch.errors import StillwatchError
from stillwatch.exchange.stix.words import Loss, Shared
from stillwatch.exchange.stix.writing import revoked


@dataclass(frozen=True, slots=True)
class Local:
    """What a member found in its own traffic."""

    campaign: str
    "Id of the campaign in its own scan."
    verdict: str
    "alert or review; a watch is no ground to act on."
    log10_e: float
    "Evidence of its own, base 10."


@dataclass(frozen=True, slots=True)
class Decision:
    """What a member decided, and on what grounds. It stays in the house: the allow-list knows no such record."""

    heard: str
    "Id of the shared record."
    local: Local
    "Evidence of the member's own."
    by: str
    "Who decided."
    at: int
    "When."
    measure: str
    "What was decided."


GROUNDS = ("alert", "review")
"Verdicts that are evidence enough to act on."


def decide(record: Shared, local: Local | None, by: str, at: int, measure: str, purpose: str = "detection") -> Decision:
    """The decision to act on a shared record, to be kept privately.

    Raises: StillwatchError without evidence of one's own, for a record that is revoked or has expired, and for another purpose than it was shared for.
    """
    if record.revoked:
        raise StillwatchError("it was withdrawn", record.id, "do not act on it")
    if record.expires is None or record.expires <= at:
        raise StillwatchError("it has expired, or says no end", record.id, "do not act on it")
    if record.purpose != purpose:
        raise StillwatchError(f"it was shared for {record.purpose or 'no purpose that is told'}, not {purpose}", record.id, "ask the sender")
    if local is None or local.verdict not in GROUNDS or local.log10_e <= 0:
        raise StillwatchError(
            "nothing of your own traffic speaks for it", record.id, "look for it in a scan of your own: a shared signal alone is no ground to act"
        )
    if not by.strip():
        raise StillwatchError("nobody decided", record.id, "name who decides")
    return Decision(record.id, local, by, at, measure)


def standing(records: Iterable[Shared], at: int) -> tuple[tuple[Shared, ...], tuple[Loss, ...]]:
    """Records that still hold at a moment; the others, which are to be forgotten, with the reason. A record that says no end has none left."""
    kept, gone = [], []
    for record in records:
        if record.revoked:
            gone.append(Loss(record.id, "revoked", "", "withdrawn by its sender"))
        elif record.expires is None or record.expires <= at:
            gone.append(Loss(record.id, "expires", "", "expired" if record.expires is not None else "says no end"))
        else:
            kept.append(record)
    return tuple(kept), tuple(gone)


@dataclass(frozen=True, slots=True)
class Erasure:
    """How something that was shared is erased: it is withdrawn, and the keys under which it could be traced back are destroyed."""

    revocations: tuple[Shared, ...]
    "New versions, revoked, for everybody who received the old ones."
    keys: tuple[str, ...]
    "Names of the keys to destroy: after that no id can be told to be of anybody."


def erase(records: Iterable[Shared], keys: Iterable[str], at: int) -> Erasure:
    """What erases some records that were shared. Those that are withdrawn already need no second time."""
    return Erasure(tuple(revoked(each, at) for each in records if not each.revoked), tuple(sorted(set(keys))))
