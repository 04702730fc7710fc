"""What a reseller answers: one of a few words, by its own evidence. Which customers, and how many, is in no answer."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from stillwatch.errors import UserError
from stillwatch.exchange.trace.inquiry import Inquiry

FORMAT = "stillwatch-answer/1"
"Version of what travels."

ANSWERS = {
    "found": "customers of ours made most of these calls and stand in a case of our own",
    "innocent": "customers of ours made most of these calls, and a person of ours found them innocent",
    "passed on": "most of these calls are of customers who resell; they were asked in turn",
    "nothing": "customers of ours made most of these calls, and our own evidence shows nothing above the stated limit",
    "cannot tell": "customers of ours made most of these calls, and we have no history to test them against",
    "not ours": "most of these calls are in no log of ours",
    "refused": "the inquiry is not one that we answer",
}
"Answer -> what it says."

REASONS = ("agreed programme", "evaluation", "education", "security research", "one customer's own product", "a public list")
"Why a person found customers innocent."

REFUSALS = {
    "expired": "its time has passed",
    "too much of our traffic": "it asks for more of the period's calls than anybody needs to ask for",
    "too many": "its sender asked too often lately",
    "asked before": "its sender asked for most of these calls before",
    "too deep": "the chain is longer than is asked down",
}
"Why an inquiry is not answered."

MOST_SHARE = 0.25
"Share of the reseller's own calls in the period from which an inquiry asks after its business, and not after a campaign."

BUDGET, WINDOW = 10, timedelta(days=30)
"Inquiries of one sender that are answered within a window."

AGAIN = 0.5
"Share of an inquiry's calls that its sender asked for before, from which it is the same question."

MOST = 0.5
"Share of the calls that is most of them."


@dataclass(frozen=True)
class Asked:
    """An inquiry that was answered before."""

    sender: str
    "Key id."
    when: str
    "UTC."
    found: Collection[str]
    "The reseller's own ids (keyed) of the calls it asked for."


@dataclass(frozen=True)
class Local:
    """What the reseller's own examination says of the customers who made the calls."""

    calls: int
    "Calls of the inquiry that are in the log."
    in_cases: int
    "Those of customers who stand in an alert or a review of one's own."
    resold: int
    "Those of customers who resell."
    verdict: str | None
    "The strongest of those cases."
    log10_e: float
    "Its evidence."
    history: bool
    "Whether there was a history to test against."
    fewest: int | None
    "Unrelated customers with one new wording that would have been named: the stated limit."


def refusal(inquiry: Inquiry, sender: str, found: Collection[str], period: int, before: Sequence[Asked], now: datetime) -> str | None:
    """Why an inquiry is not answered; None where it is. `found`: the calls asked for, as one's own log keys them; `period`: one's own calls in its period."""
    if datetime.fromisoformat(inquiry.expires) < now:
        return "expired"
    mine = [each for each in before if each.sender == sender]
    if sum(datetime.fromisoformat(each.when) > now - WINDOW for each in mine) >= BUDGET:
        return "too many"
    if len(found) > MOST_SHARE * max(1, period):
        return "too much of our traffic"
    earlier: set[str] = set().union(*(set(each.found) for each in mine)) if mine else set()
    if found and len(set(found) & earlier) >= AGAIN * len(found):
        return "asked before"
    return None


def fewest(tested: int, share: float, rate: float) -> int | None:
    """Unrelated customers who would be named for one wording that nobody used before: the least n with share^n small enough (evidence.strangers). None: no number is enough.

    `tested`: hypotheses; `share`: today's share of the exposure; `rate`: false-discovery rate.
    """
    from_each = math.log10(0.95 / share) if 0 < share < 0.95 else 0.0
    return None if from_each <= 0 else max(5, math.ceil(math.log10(max(1, tested) / rate) / from_each))


def answer_of(inquiry: Inquiry, local: Local, innocent: str | None = None) -> str:
    """The answer that one's own evidence gives. `innocent`: a person's reason."""
    if local.calls < MOST * len(inquiry.calls):
        return "not ours"
    if innocent is not None:
        return "innocent"
    if local.in_cases >= MOST * local.calls:
        return "found"
    if local.resold >= MOST * local.calls:
        return "passed on"
    return "nothing" if local.history else "cannot tell"


def made(inquiry: Inquiry, answer: str, now: datetime, *, reason: str | None = None, handled: bool = False, local: Local | None = None) -> dict[str, Any]:
    """The object of an answer. Evidence is told where something was found, the limit where nothing was. Raises: UserError for a reason that is not one of the list."""
    if answer == "innocent" and reason not in REASONS:
        raise UserError(f"no such reason: {reason}", "--innocent", f"one of: {', '.join(REASONS)}")
    told: dict[str, Any] = {
        "format": FORMAT, "inquiry": inquiry.id, "when": now.astimezone(UTC).isoformat(timespec="seconds"), "answer": answer, "means": ANSWERS[answer], "reason": reason,
        "handled": handled if answer == "found" else None, "verdict": None, "log10_e": None, "limit": None,
    }  # fmt: skip
    if local is not None and answer == "found":
        told |= {"verdict": local.verdict, "log10_e": float(int(local.log10_e))}
    if local is not None and answer == "nothing" and local.fewest is not None:
        told["limit"] = f"{local.fewest} unrelated customers with one wording in common that nobody used before would have been named"
    return told


WORDS = frozenset({"format", "inquiry", "when", "answer", "means", "reason", "handled", "verdict", "log10_e", "limit"})
"Words of an answer: whatever else came with it would be somebody's business."


def heard(told: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """An answer from what travelled. Raises: UserError where it is none."""
    if told.get("format") != FORMAT or set(told) != WORDS or told.get("answer") not in ANSWERS or not isinstance(told.get("inquiry"), str):
        raise UserError(f"is no answer of the format {FORMAT}", where, "ask its sender for another")
    return told
