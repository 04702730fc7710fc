"""The detection limit: the smallest campaign of each tradecraft that a log would have shown, measured by planting campaigns into a copy of its marks.

Every planting is examined exactly as a scan examines a log. Nothing is written but what was measured, so work that was stopped goes on where it was.
"""

from __future__ import annotations

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
from stillwatch.campaigns.judge import Judged
from stillwatch.codes import Ints, stands_in
from stillwatch.drill.alone import alone, days_of
from stillwatch.drill.declare import every_campaign
from stillwatch.engines.runs import NOTE_FILE
from stillwatch.evidence.power import Search, ladder, wilson, within
from stillwatch.examination import Examined, Progress, judged
from stillwatch.planting import Ground, planted
from stillwatch.results import Reference
from stillwatch.store import keys

NAMED: tuple[Literal["alert"], Literal["review"]] = ("alert", "review")
"Verdicts that name somebody."

LEAST, RATES = 4, (4, 32)
"Accounts of the smallest campaign that is planted; calls an account, unless others are asked for."

ROOM = 0.5
"A campaign has at most as many calls as this share of the log's, and at most as many accounts as this share of the log's: a larger one is no part of it."

MOST = 8
"Plantings for one limit, at most, as a multiple of those that confirm it."

FOUND = "an alert or a review of which most accounts are the campaign's"
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

    def plant(self, name: str, calls_each: int, accounts: int, number: int) -> Tried:
        """One planting, examined; what was measured before is not measured again."""
        at = (name, calls_each, accounts, number)
        if at not in self.tried:
            seed = int.from_bytes(hashlib.blake2b("/".join(map(str, (self.seed, *at))).encode(), digest_size=6).digest())
            made = alone(name, accounts, calls_each, start=self.into.first / 1e6, days=self.into.days, seed=seed)
            with planted(self.into, every_campaign()[name], made, seed) as (log, guilty):
                self.tried[at] = Tried(*at, *verdict_on(judged(log, self.reference, _silent, about=guilty), guilty))
        return self.tried[at]


def _silent(name: str, count: int) -> None:
    """An examination's own steps, of which there would be hundreds, are not told."""


def verdict_on(examined: Examined, guilty: Ints) -> tuple[str | None, float]:
    """(the strongest verdict on a case of which most accounts are guilty, the share of the guilty in alerts and reviews of that kind).

    `guilty`: keyed hashes of accounts, ascending.
    """
    verdicts, held = set[str](), np.zeros(0, np.int64)
    for case in examined.cases:
        accounts = examined.parts.owners.accounts[accounts_of(case)]
        mine = accounts[stands_in(accounts, guilty)]
        if 2 * len(mine) > len(accounts):
            verdicts.add(case[0].verdict)
            held = np.union1d(held, mine) if case[0].verdict in NAMED else held
    return next((each for each in (*NAMED, "watch") if each in verdicts), None), len(held) / max(1, len(guilty))


def accounts_of(case: Sequence[Judged]) -> Ints:
    """Codes of a case's accounts, ascending."""
    return np.unique(np.concatenate([one.weighed.cluster.accounts for one in case]))


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
    """The log as it is: what it shows already, and what an examination costs."""
    began = time.monotonic()
    found = judged(bench.into.log, bench.reference, _silent)
    verdicts = [case[0].verdict for case in found.cases]
    owners, calls = found.parts.owners, found.parts.given["count"][0]
    counts = (verdicts.count(name) for name in NAMED)
    return Alone(calls, len(owners.accounts), owners.units, *counts, sorted(found.tie_off), time.monotonic() - began)


def measure(bench: Bench, wanted: Wanted, by_itself: Alone, step: Progress, keep: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """The limits of every tradecraft at every rate. `keep` is given all that is known after each planting, and once more at the end."""
    began = time.monotonic()
    searches: dict[tuple[str, int], Search] = {}
    for name in wanted.tradecrafts:
        for rate in wanted.rates:
            sizes = ladder(LEAST, min(int(by_itself.accounts * ROOM), int(by_itself.calls * ROOM) // rate))
            search = searches[name, rate] = Search(sizes, wanted.power, wanted.fresh, MOST * wanted.fresh)
            for _ in _done(search, name, rate, bench, wanted.held):
                step(f"planting {name}", len(bench.tried))
                keep(_told(bench, wanted, by_itself, searches, False, time.monotonic() - began))
    told = _told(bench, wanted, by_itself, searches, True, time.monotonic() - began)
    keep(told)
    return told


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


def _told(bench: Bench, wanted: Wanted, by_itself: Alone, searches: Mapping[tuple[str, int], Search], finished: bool, seconds: float) -> dict[str, Any]:
    """limits.json."""
    crafts = [_craft(name, bench.into.days, {rate: search for (of, rate), search in searches.items() if of == name}) for name in wanted.tradecrafts]
    return {
        "finished": finished,
        "limits": [craft for craft in crafts if craft["limits"]],
        "power": wanted.power,
        "plantings": sum(of for search in searches.values() for _, of in search.cells.values()),
        "plantings_at_most": wanted.most,
        "seed": wanted.seed,
        "found_means": FOUND + (f", and in such cases stand {wanted.held:.0%} of its accounts or more" if wanted.held else ""),
        "held": wanted.held,
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
        "tried": [
            [each.tradecraft, each.calls_each, each.accounts, each.number, each.verdict, round(each.held, 4)]
            for _, each in sorted(bench.tried.items())
        ],
        "seconds": round(seconds, 1),
        "version": __version__,
    }


def _craft(name: str, days: float, searches: Mapping[int, Search]) -> dict[str, Any]:
    campaign = every_campaign()[name]
    about = (sys.modules[campaign.plant.__module__].__doc__ or "").splitlines()[0].removeprefix(f"{name}: ")
    limits = [_limit(rate, search, days_of(campaign, days)) for rate, search in searches.items()]
    smallest = min((each for each in limits if each["accounts"] is not None), key=lambda each: (each["calls"], each["accounts"]), default=None)
    return {"tradecraft": name, "about": about, "smallest": smallest, "limits": limits}


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
            f"the log shows {by_itself.alerts} alerts and {by_itself.reviews} reviews by itself; beside them others are found somewhat more easily, so a log"
            " without them has larger limits"
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
