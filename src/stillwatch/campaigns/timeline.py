"""How a case lies in time beside what a person told of: releases, bans, changes of payment. Observed apart from inferred.

It grades and never decides: no evidence, no verdict and no purpose grade follows from a date. One coincidence in time proves little, so a fall
after another maker's release is inferred from only where three things hold: it is beyond what nearly every organisation of the log shows in
the same days, beyond what the group itself shows on other days (corrected for the number of releases looked at), and no ban explains it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stillwatch.facts import ACCOUNTS, MODELS, span
from stillwatch.records import Ban, Context, PaymentChange, Release
from stillwatch.sketch.model_names import asked_as
from stillwatch.traffic import Fact, Ints, Traffic

DAY = 86_400_000_000

LONGEST, SHORTEST = 7 * DAY, DAY
"Days on each side of a release that are compared: a week, less where the log is shorter, and at least one."

LEAST_CALLS, LEAST_UNITS = 20, 20
"Calls around a release from which a share of them says something, and organisations that make a range."

RARE = 0.1
"Share of the group's own other days on which as little may follow, times the number of releases looked at."

UNUSUAL = 5
"Percentile of the organisations below which the group must lie."

NOT_TOLD = "not examined: no dated release of another maker's model was told (--context)"


def _around(at: int, begin: int, end: int) -> int:
    """Time on each side of a release that is compared, whole days; less than one where the log is too short."""
    return min(LONGEST, at - begin, end - at) // SHORTEST * SHORTEST


_COUNTS = ("before", "after", "asks")
BESIDE = pa.schema(
    [
        ("at", pa.int64()),
        ("model", pa.string()),
        ("account", pa.int64()),
        *((name, pa.int64()) for name in _COUNTS),
        ("weight_before", pa.float64()),
        ("weight_after", pa.float64()),
    ]
)


def _calls_beside(traffic: Traffic, context: Context) -> pa.Table:
    """By release and account: calls in the time before and after it, what those stand for, and how many of the later ones ask an own new model."""
    begin, end = span(traffic)
    weight = 1.0 / pc.fill_null(traffic.column("sampled"), 1.0).to_numpy()
    parts = [BESIDE.empty_table()]
    for release in context.releases:
        width = DAY if release.ours else _around(release.at, begin, end)
        if not begin <= release.at <= end or width < SHORTEST:
            continue
        asks = np.asarray(pc.is_in(traffic.column("model"), pa.array(asked_as(list(traffic.whole(MODELS)), release.model), pa.string())))
        early, late = ((traffic.ts >= since) & (traffic.ts < since + width) for since in (release.at - width, release.at))
        who = np.flatnonzero(np.bincount(traffic.account[early | late], minlength=len(traffic.accounts)))
        counted = [np.bincount(traffic.account[rows], minlength=len(traffic.accounts))[who] for rows in (early, late, late & asks)]
        stands = [np.bincount(traffic.account[rows], weights=weight[rows], minlength=len(traffic.accounts))[who] for rows in (early, late)]
        named = pa.array([release.model] * len(who), pa.string())
        parts.append(pa.table([np.full(len(who), release.at), named, traffic.accounts[who], *counted, *stands], schema=BESIDE))
    return pa.concat_tables(parts)


CALLS_BESIDE = Fact(
    "calls beside releases", ("model", "sampled"), _calls_beside, lambda rows: rows.sort_by([("at", "ascending"), ("account", "ascending")]), after=("models", "span"),
)  # fmt: skip
"Every account's calls around each told release (`BESIDE`)."

FACTS = (CALLS_BESIDE,)


@dataclass(frozen=True)
class _Case:
    """A case's calls among those of the log."""

    traffic: Traffic
    accounts: Ints
    "Members, as codes."
    core: Ints
    "Core calls."
    context: Context
    "What was told beside the log."
    weight: NDArray[np.float64]
    "Calls that each kept call stands for."

    @property
    def ts(self) -> Ints:
        """Times of the core calls."""
        return self.traffic.ts[self.core]

    def calls(self, begin: int, end: int) -> float:
        """The group's core calls from `begin` to before `end`."""
        return float(self.weight[self.core[(self.ts >= begin) & (self.ts < end)]].sum())

    def elsewhere(self, release: Release) -> pa.Table:
        """Rows of `CALLS_BESIDE` of all other accounts at a release."""
        rows = self.traffic.whole(CALLS_BESIDE, self.context)
        rows = rows.filter(pc.and_(pc.equal(rows["at"], release.at), pc.equal(rows["model"], release.model)))
        return rows.filter(pa.array(~np.isin(rows["account"].to_numpy(), self.traffic.accounts[self.accounts])))


def timeline(traffic: Traffic, accounts: Ints, core: Ints, context: Context) -> tuple[list[str], list[str]]:
    """(observed, inferred) of the case whose members and core calls these are. With no context: that it was not examined."""
    case = _Case(traffic, accounts, core, context, 1.0 / pc.fill_null(traffic.column("sampled"), 1.0).to_numpy())
    begin, end = span(traffic)
    rivals = [each for each in context.releases if not each.ours]
    inside = [each for each in rivals if begin <= each.at <= end]
    observed, inferred = ([], []) if rivals else ([NOT_TOLD], [])
    for release in inside:
        seen, concluded = _rival(case, release, len(inside), context.bans)
        observed.append(seen)
        inferred += concluded
    observed += _outside([each for each in rivals if each not in inside], begin, end)
    observed += [_own(case, each) for each in context.releases if each.ours and begin <= each.at <= end]
    observed += [_ban(case, each) for each in context.bans if begin <= each.at <= end]
    observed += [_payment(case, each) for each in context.payments if begin <= each.at <= end]
    return observed, inferred


def _when(at: int) -> str:
    return str(np.datetime64(at, "us").astype("datetime64[m]")).replace("T", " ") + " UTC"


def _outside(releases: Sequence[Release], begin: int, end: int) -> list[str]:
    """The nearest releases before and after the log: there is nothing to compare, but a reader may want to know."""
    before = [each for each in releases if each.at < begin][-1:]
    after = [each for each in releases if each.at > end][:1]
    told = [f"{each.model} of another maker came out {(begin - each.at) / DAY:.0f} days before the log begins ({_when(each.at)})" for each in before]
    return told + [f"{each.model} of another maker came out {(each.at - end) / DAY:.0f} days after the log ends ({_when(each.at)})" for each in after]


def _rival(case: _Case, release: Release, looked_at: int, bans: Sequence[Ban]) -> tuple[str, list[str]]:
    """What the group did in the days before and after another maker's release, beside everybody else and beside its own other days."""
    at = release.at
    name = f"{release.model} of another maker ({_when(at)})"
    width = _around(at, *span(case.traffic))
    if width < SHORTEST:
        return f"{name} came out less than a day from the log's begin or end: no days to compare", []
    before, after = case.calls(at - width, at), case.calls(at, at + width)
    days = f"{width // DAY} day{'s' if width > DAY else ''}"
    seen = f"in the {days} before {name} the group made {before:,.0f} calls, in the {days} after it {after:,.0f}"
    if before + after < LEAST_CALLS:
        return f"{seen}: too few to compare", []
    share = after / (before + after)
    others = case.elsewhere(release)
    rest = others["weight_before"].to_numpy().sum(), others["weight_after"].to_numpy().sum()
    if sum(rest) > 0:
        seen += f" ({share:.0%} of both), all other traffic {rest[0]:,.0f} and {rest[1]:,.0f} ({rest[1] / sum(rest):.0%})"
    least = _least_usual(case, others)
    days_as_low, other_days = _other_days(case, at, width, share)
    seen += f"; {'too few organisations to compare' if least is None else f'95 of 100 organisations made at least {least:.0%} of theirs after it'}"
    seen += f"; on {days_as_low} of {other_days} other days as little or less followed in the group"
    banned = any(at - width <= ban.at <= at + width for ban in bans)
    if banned:
        seen += "; accounts were banned in the same days, which explains a fall as well"
    chance = (1 + days_as_low) / (1 + other_days) * looked_at
    if least is None or share >= least or chance > RARE or banned:
        return seen, []
    return seen, [
        f"The group's calls fall as {release.model} comes out, beyond what other organisations and its own other days show: that fits data gathered"
        " beforehand for it. A coincidence is not excluded."
    ]


def _least_usual(case: _Case, others: pa.Table) -> float | None:
    """Share of their calls around the moment that 95 of 100 other organisations make after it, at least; None for too few organisations."""
    unit = case.traffic.unit[np.searchsorted(case.traffic.accounts, others["account"].to_numpy())]
    early, late = (np.bincount(unit, weights=others[name].to_numpy(), minlength=case.traffic.units) for name in ("before", "after"))
    enough = early + late >= LEAST_CALLS
    return float(np.percentile(late[enough] / (early + late)[enough], UNUSUAL)) if enough.sum() >= LEAST_UNITS else None


def _other_days(case: _Case, at: int, width: int, share: float) -> tuple[int, int]:
    """(days on which as small a share followed, days compared): the same hour of every other day that has as many days of the log on both sides."""
    begin, end = span(case.traffic)
    first = at - (at - width - begin) // DAY * DAY
    as_low = days = 0
    for moment in range(first, end - width + 1, DAY):
        before, after = case.calls(moment - width, moment), case.calls(moment, moment + width)
        if moment != at and before + after >= LEAST_CALLS:
            days += 1
            as_low += after <= share * (before + after)
    return as_low, days


def _own(case: _Case, release: Release) -> str:
    """How much of the day after one of our releases went to the new model, beside all other calls."""
    names = case.traffic.column("model")
    known = asked_as(list(case.traffic.whole(MODELS)), release.model)
    asks = np.asarray(pc.is_in(names, pa.array(known, pa.string())))
    day = case.core[(case.ts >= release.at) & (case.ts < release.at + DAY)]
    others = case.elsewhere(release)
    rest, asked = (int(others[name].to_numpy().sum()) for name in ("after", "asks"))
    told = f"within 24 hours of {release.model} ({_when(release.at)}) {int(asks[day].sum()):,} of the group's {len(day):,} calls asked it"
    return told + (f", and {asked / rest:.0%} of all other calls" if rest else "")


def _ban(case: _Case, ban: Ban) -> str:
    """Who of the group called in the day before and after a ban, and who of those had not been seen before."""
    members = int(np.isin(case.traffic.accounts[case.accounts], ban.accounts).sum())
    named = f", {members:,} of them of this group" if ban.accounts else ""
    owner = case.traffic.account[case.core]
    before, after = (np.unique(owner[(case.ts >= begin) & (case.ts < begin + DAY)]) for begin in (ban.at - DAY, ban.at))
    return (
        f"{ban.count:,} accounts were banned {_when(ban.at)}{named}: in the day before it {len(before):,} accounts of the group made"
        f" {case.calls(ban.at - DAY, ban.at):,.0f} calls, in the day after it {len(after):,} accounts {case.calls(ban.at, ban.at + DAY):,.0f}, of which"
        f" {_first_seen(case.traffic, after, ban.at):,} had not called before"
    )


def _payment(case: _Case, change: PaymentChange) -> str:
    """How many of the group's accounts first call in the day after a change of payment, beside all others."""
    told = []
    everybody = np.ones(len(case.traffic.accounts), np.bool_)
    everybody[case.accounts] = False
    for mine in (np.unique(case.traffic.account[case.core]), np.flatnonzero(everybody)):
        told.append(f"{_first_seen(case.traffic, mine, change.at, change.at + DAY):,} of {len(mine):,}")
    return f"{change.what} {_when(change.at)}: in the day after it {told[0]} accounts of the group called for the first time, and {told[1]} of all others"


def _first_seen(traffic: Traffic, accounts: Ints, begin: int, end: int | None = None) -> int:
    """How many of the accounts call for the first time in this log from `begin` on."""
    first = traffic.whole(ACCOUNTS)["first"][accounts]
    return int(((first >= begin) & (first < end if end is not None else True)).sum())
