"""The detection limit: the smallest campaign of each tradecraft that a log would have shown, measured by planting campaigns into a copy of its marks.

Every planting is examined exactly as a scan examines a log. Nothing is written but what was measured, so work that was stopped goes on where it was.
"""

from __future__ import annotations

import difflib
import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import orjson
import pyarrow as pa

from stillwatch import __version__
from stillwatch.campaigns.discovered import NOBODY, Field
from stillwatch.campaigns.judge import accounts_of
from stillwatch.codes import Ints, stands_in
from stillwatch.drill.alone import alone, days_of
from stillwatch.drill.declare import every_campaign
from stillwatch.engines.runs import NOTE_FILE
from stillwatch.errors import UserError
from stillwatch.evidence.power import Search, ladder, wilson, within
from stillwatch.examination import Examined, Progress, judged
from stillwatch.facts import COUNT
from stillwatch.planting import Ground, planted
from stillwatch.results import Reference
from stillwatch.store import keys

NAMED: tuple[Literal["alert"], Literal["review"]] = ("alert", "review")
"Verdicts that name somebody."

LEAST, RATES = 4, (4, 32)
"Accounts of the smallest campaign that is planted; calls an account, unless others are asked for."

LEAST_FRESH = 5
"Fewest plantings that confirm anything."

ROOM = 0.5
"A campaign has at most as many calls as this share of the log's, and at most as many accounts as this share of the log's: a larger one is no part of it."

MOST = 8
"Plantings for one limit, at most, as a multiple of those that confirm it."

SEVERAL = 3
"Accounts of a campaign in a case from which the case is about it at all."

FOUND = "an alert or a review of which most accounts are the campaign's, those left out that stand in the log's own alerts and reviews"
"What it is to be found: that there is a case. How much of the campaign stands in its cases is told beside it, and `held` asks for more."

HOLDS = "holds for these tradecrafts, in the wordings that were planted, in this log with this history, and for nothing else"


@dataclass(frozen=True)
class Wanted:
    """What is asked for."""

    tradecrafts: tuple[str, ...]
    "Ids of documented campaigns."
    rates: tuple[int, ...] = RATES
    "Calls an account, on average."
    power: float = 0.95
    "Share of such campaigns that must be found."
    fresh: int = 30
    "Plantings that confirm a limit."
    held: float = 0.0
    "Share of its accounts that must stand in its alerts and reviews, 0..1; 0: any."
    seed: int = 1
    "Seed of all plantings."

    @property
    def most(self) -> int:
        """Plantings in all, at most."""
        return len(self.tradecrafts) * len(self.rates) * MOST * self.fresh


def wanted(tradecrafts: Sequence[str], rates: Sequence[int], *, power: float, held: float, fresh: int, seed: int) -> Wanted:
    """What is asked for, every tradecraft once. Raises: UserError where there is no such tradecraft, or a number makes no sense."""
    known = every_campaign()
    for name in tradecrafts:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.4)
            raise UserError("no such tradecraft", name, f"did you mean {near[0]}?" if near else f"name one of {', '.join(known)}")
    for what, value, least, most in (("power", power, 0.5, 0.99), ("held", held, 0.0, 1.0), ("plantings", fresh, LEAST_FRESH, 1000)):
        if not isinstance(value, int | float) or not least <= value <= most:
            raise UserError(f"{what} is {value!r}", "limits", f"give {least:g} to {most:g}")
    if any(not isinstance(rate, int) or rate < 1 for rate in rates):
        raise UserError("an account makes no call", "calls an account", "give 1 or more")
    return Wanted(tuple(dict.fromkeys(tradecrafts)) or tuple(known), tuple(sorted(set(rates))) or RATES, power, fresh, held, seed)


@dataclass(frozen=True)
class Tried:
    """One planting and what came of it."""

    tradecraft: str
    "What was planted."
    calls_each: int
    "Calls an account."
    accounts: int
    "Accounts."
    number: int
    "Which of the plantings at that size: its seed follows from it."
    verdict: str | None
    "The strongest verdict on a case of which most accounts are the campaign's; None: there is none."
    held: float
    "Share of the campaign's accounts in its alerts and reviews, 0..1."

    def found(self, held: float) -> bool:
        """Whether it was found, with so much of it at least."""
        return self.verdict in NAMED and self.held >= held


@dataclass
class Bench:
    """Where it is measured: the log, the reference, and what is known already."""

    into: Ground
    "The log."
    reference: Reference
    "What it is examined against."
    seed: int
    "Seed of all plantings."
    tried: dict[tuple[str, int, int, int], Tried] = field(default_factory=dict)
    "Plantings so far, by tradecraft, calls an account, accounts, number."
    accused: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    "Accounts in the log's own alerts and reviews (keyed hashes, ascending)."
    standing: Field = NOBODY
    "Clusters that stand in the log by itself."

    def plant(self, name: str, calls_each: int, accounts: int, number: int) -> Tried:
        """One planting, examined; what was measured before is not measured again."""
        at = (name, calls_each, accounts, number)
        if at not in self.tried:
            seed = int.from_bytes(hashlib.blake2b("/".join(map(str, (self.seed, *at))).encode(), digest_size=6).digest())
            made = alone(name, accounts, calls_each, start=self.into.first / 1e6, days=self.into.days, seed=seed)
            with planted(self.into, every_campaign()[name], made, seed) as (log, guilty):
                self.tried[at] = Tried(*at, *verdict_on(judged(log, self.reference, _silent, about=guilty, others=self.standing), guilty, self.accused))
        return self.tried[at]

    def know(self, rows: Sequence[Sequence[Any]]) -> None:
        """Plantings that were measured before (rows of `tried`)."""
        for row in rows:
            each = Tried(*row)
            self.tried[each.tradecraft, each.calls_each, each.accounts, each.number] = each


def _silent(name: str, count: int) -> None:
    """An examination's own steps, of which there would be hundreds, are not told."""


def verdict_on(examined: Examined, guilty: Ints, accused: Ints) -> tuple[str | None, float]:
    """(the strongest verdict on a case that is about the guilty, the share of the guilty in such alerts and reviews).

    `guilty`, `accused`: keyed hashes of accounts, ascending. The accused stand in cases of the log itself and are not counted: a second campaign of the same
    kind may be told in one case with the first.
    """
    verdicts, held = set[str](), np.zeros(0, np.int64)
    for case in examined.cases:
        accounts = examined.parts.owners.accounts[accounts_of(case)]
        mine, others = accounts[stands_in(accounts, guilty)], accounts[~stands_in(accounts, guilty) & ~stands_in(accounts, accused)]
        if len(mine) >= SEVERAL and len(mine) > len(others):
            verdicts.add(case[0].verdict)
            held = np.union1d(held, mine) if case[0].verdict in NAMED else held
    return next((each for each in (*NAMED, "watch") if each in verdicts), None), len(held) / max(1, len(guilty))


@dataclass(frozen=True)
class Alone:
    """The log without a planting."""

    calls: int
    "Its calls."
    accounts: int
    "Its accounts."
    organisations: int
    "Its organisations."
    alerts: int
    "Alerts that it shows by itself."
    reviews: int
    "Reviews."
    off: list[str]
    "Ties that cannot run."
    seconds: float
    "How long one examination took."


def examined_alone(bench: Bench) -> Alone:
    """The log as it is: what it shows already, which the bench keeps in mind, and what an examination costs."""
    began = time.monotonic()
    found = judged(bench.into.log, bench.reference, _silent)
    bench.standing = found.field
    named = [case for case in found.cases if case[0].verdict in NAMED]
    accused = np.concatenate([np.zeros(0, np.int64), *(accounts_of(case) for case in named)])
    bench.accused = np.unique(found.parts.owners.accounts[accused])
    alerts, reviews = (sum(case[0].verdict == verdict for case in named) for verdict in NAMED)
    calls, owners = found.parts.given[COUNT.name][0], found.parts.owners
    return Alone(calls, len(owners.accounts), owners.units, alerts, reviews, sorted(found.tie_off), time.monotonic() - began)


def measure(bench: Bench, wanted: Wanted, by_itself: Alone, step: Progress, keep: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """The limits of every tradecraft at every rate. `keep` is given all that is known after each planting, and once more at the end."""
    began = time.monotonic()
    searches: dict[tuple[str, int], Search] = {}
    limits: dict[str, list[dict[str, Any]]] = {}

    def told(finished: bool) -> dict[str, Any]:
        return _told(bench, wanted, by_itself, searches, limits) | {"finished": finished, "seconds": round(time.monotonic() - began, 1)}

    for name in wanted.tradecrafts:
        for rate in wanted.rates:
            sizes = ladder(LEAST, min(int(by_itself.accounts * ROOM), int(by_itself.calls * ROOM) // rate))
            search = searches[name, rate] = Search(sizes, wanted.power, wanted.fresh, MOST * wanted.fresh)
            for _ in _done(search, name, rate, bench, wanted.held):
                step(f"planting {name}", len(bench.tried))
                keep(told(False))
            limits.setdefault(name, []).append(_limit(rate, search, days_of(every_campaign()[name], bench.into.days)))
    last = told(True)
    keep(last)
    return last


def _done(search: Search, name: str, rate: int, bench: Bench, held: float) -> Iterator[None]:
    """The search carried out, a planting at a time; stops at those that are new."""
    steps = search.run()
    try:
        size, number = next(steps)
        while True:
            new = (name, rate, size, number) not in bench.tried
            hit = bench.plant(name, rate, size, number).found(held)
            if new:
                yield
            size, number = steps.send(hit)
    except StopIteration:
        return


def _told(
    bench: Bench, wanted: Wanted, by_itself: Alone, searches: Mapping[tuple[str, int], Search], limits: Mapping[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    """limits.json, but for when it was made. `limits`: of the searches that are done."""
    return {
        "limits": [_craft(name, mine) for name, mine in limits.items()],
        "power": wanted.power,
        "held": wanted.held,
        "plantings": sum(of for search in searches.values() for _, of in search.cells.values()),
        "plantings_at_most": wanted.most,
        "seed": wanted.seed,
        "found_means": FOUND + (f", and in such cases stand {wanted.held:.0%} of its accounts or more" if wanted.held else ""),
        "holds_for": HOLDS,
        "says": _says(bench, by_itself),
        "log": {name: getattr(by_itself, name) for name in ("calls", "accounts", "organisations", "alerts", "reviews")}
        | {"first_ts": bench.into.first, "last_ts": bench.into.last, "days": round(bench.into.days, 3)},
        "reference_organisations": len(bench.reference.history.units),
        "cells": [
            {"tradecraft": name, "calls_each": rate, "accounts": size, "found": found, "plantings": of}
            for (name, rate), search in searches.items()
            for size, (found, of) in sorted(search.cells.items())
        ],
        "tried": [[each.tradecraft, each.calls_each, each.accounts, each.number, each.verdict, round(each.held, 4)] for _, each in sorted(bench.tried.items())],
        "version": __version__,
    }


def _craft(name: str, limits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is told of a tradecraft: what it is, its limits, and the one with the fewest calls."""
    about = (sys.modules[every_campaign()[name].plant.__module__].__doc__ or "").splitlines()[0].removeprefix(f"{name}: ")
    smallest = min((each for each in limits if each["accounts"] is not None), key=lambda each: (each["calls"], each["accounts"]), default=None)
    return {"tradecraft": name, "about": about, "smallest": smallest, "limits": list(limits)}


def _limit(rate: int, search: Search, days: float) -> dict[str, Any]:
    """What may be stated of one tradecraft at one rate."""
    size = None if search.rung is None else search.sizes[search.rung]
    found, of = (sum(each[at] for each in search.cells.values()) for at in (0, 1))
    span = None if size is None else within(search.cells, search.power)
    low, high = wilson(*search.confirmed)
    if size is not None:
        why = None
    elif not search.sizes:
        why = f"a campaign of {LEAST} accounts with {rate} calls each does not fit this log"
    elif search.spent:
        why = f"no size could be confirmed with {of} plantings"
    else:
        why = f"not at any size that fits this log: up to {max(search.cells, default=LEAST):,} accounts, {found} of {of} plantings were found"
    return {
        "calls_each": rate, "accounts": size, "calls": None if size is None else size * rate, "days": round(days, 3),
        "accounts_low": None if span is None or span[0] == 0 else round(span[0], 1),
        "accounts_high": None if span is None or not np.isfinite(span[1]) else round(span[1], 1),
        "confirmed": list(search.confirmed), "power_low": None if size is None else round(low, 3), "power_high": None if size is None else round(high, 3),
        "half": list(search.half), "half_accounts": None if search.rung is None or search.rung < 2 else search.sizes[search.rung - 2],
        "largest": max(search.sizes, default=None), "why": why,
    }  # fmt: skip


def _says(bench: Bench, by_itself: Alone) -> list[str]:
    """What the limits depend on, in words."""
    said = []
    if not bench.reference.kept:
        said.append("no history was given: only reasoning replayed between accounts can be found, and every other tradecraft at no size")
    if by_itself.alerts or by_itself.reviews:
        said.append(
            f"the log shows {by_itself.alerts} alert{'s' if by_itself.alerts != 1 else ''} and {by_itself.reviews} review{'s' if by_itself.reviews != 1 else ''} by itself: it is attacked already, or nearly. Others are found somewhat more easily"
            " beside them, or as part of them, so a log without them has larger limits"
        )
    if "wordings" not in bench.into.log.present:
        said.append("the log holds no content: what is planted is not seen by what it asks")
    if by_itself.off:
        said.append(f"ties that cannot run on this log: {', '.join(by_itself.off)}")
    return said


def identity(bench: Bench) -> str:
    """A digest of all that a planting's outcome follows from, besides its own place: plantings of another log, history, key or version are never mixed."""
    digest = hashlib.blake2b(digest_size=16)
    how = bench.into.how
    for part in (__version__, keys.fingerprint(how.secret), how.unit, str(bench.seed)):
        digest.update(part.encode() + b"\0")
    for run in bench.into.log.runs:
        digest.update(orjson.loads(run.path.with_suffix(NOTE_FILE).read_bytes())["sha256_calls"].encode())
    for table in (bench.into.donors, *(each for kept in bench.reference.kept for each in (kept.organisations, kept.wordings))):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table.combine_chunks())
        digest.update(sink.getvalue())
    return digest.hexdigest()
