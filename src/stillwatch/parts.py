"""A log in parts of whole organisations: what an engine offers, and what a log that fits into memory is.

A part holds all calls of its organisations, so whatever is asked of one organisation is answered inside one part; what is asked of all of them is a sum or
a union over the parts. Rooms give work to `each` and never learn where it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from stillwatch.codes import Bools, Ints, stands_in
from stillwatch.facts import rounds
from stillwatch.owners import Owners
from stillwatch.records import Context
from stillwatch.standing import few, said
from stillwatch.traffic import Fact, Traffic

Work = Callable[[Traffic], Mapping[str, pa.Table]]
"Tables that one part of a log gives, by name. Rows only, so that those of all parts can be put together in any order."


@dataclass(frozen=True)
class Besides:
    """Calls of some accounts by what they say."""

    accounts: Ints
    "Keyed hashes, ascending."
    wordings: Ints
    "Ascending: calls with one of these."

    def standing(self, marks: pa.Table) -> Bools:
        """Of each call, whether it is one of them."""
        calls = np.flatnonzero(stands_in(marks["account"].to_numpy(), self.accounts))
        out = np.zeros(marks.num_rows, np.bool_)
        out[calls[said(marks["wordings"].take(pa.array(calls)), self.wordings)]] = True
        return out


def looked_at(work: Work, marks: pa.Table, whose: Owners, given: Mapping[str, Any]) -> Mapping[str, pa.Table]:
    """The work done on the marks of one part. `whose`: the accounts of the whole log; `given`: its facts."""
    return work(Traffic(marks, whose.among(np.unique(marks["account"].to_numpy())), given))


def together(found: Sequence[Mapping[str, pa.Table]]) -> dict[str, pa.Table]:
    """What the parts gave, the tables of one name together."""
    return {name: pa.concat_tables([part[name] for part in found]) for name in found[0]}


class Passes(Protocol):
    """What can be looked at part by part."""

    @property
    def owners(self) -> Owners:
        """Whose the accounts are, over the whole log."""
        ...

    def each(self, work: Work, reads: Sequence[str], sums: Sequence[str] = (), ordered: bool = True) -> dict[str, pa.Table]:
        """The work done on every part, the tables of one name put together. `reads`: columns of the marks that it needs.

        `sums`: tables of (key, n) of which only the sum of n of each key counts; an engine may add them up before it puts them together. `ordered`: False where the order of
        the calls does not matter, so that an engine need not see to it.
        """
        ...


class Parts(Passes, Protocol):
    """A log in parts."""

    @property
    def given(self) -> Mapping[str, Any]:
        """Facts of the whole log that are worked out, by name."""
        ...

    def narrowed(self, wordings: Ints) -> Passes:
        """What stands by some wordings (ascending), for looks that read `standing.FEW` in any order: the calls that have any, with the numbers of these for wordings."""
        ...

    def among(self, accounts: Ints, wordings: Ints | None = None, besides: Besides | None = None) -> Traffic:
        """All calls of some accounts (codes, ascending), as one piece of the log. Wordings other than those given (ascending) may be left out, and of other accounts' calls
        everything but what stands `besides`."""
        ...

    def knowing(self, given: Mapping[str, Any]) -> Parts:
        """The same log, with these facts besides."""
        ...


@dataclass(frozen=True)
class One:
    """A log that is one part, in memory."""

    traffic: Traffic
    "Its calls."
    given: Mapping[str, Any] = field(default_factory=dict)
    "Facts that are worked out."

    @property
    def owners(self) -> Owners:
        """Whose the accounts are."""
        return self.traffic.owners

    def each(self, work: Work, reads: Sequence[str], sums: Sequence[str] = (), ordered: bool = True) -> dict[str, pa.Table]:
        """The work done on the log."""
        return dict(work(replace(self.traffic, given=self.given)))

    def narrowed(self, wordings: Ints) -> One:
        """What stands by some wordings, by their numbers."""
        return One(Traffic(few(self.traffic.marks, wordings), self.owners, self.given), self.given)

    def among(self, accounts: Ints, wordings: Ints | None = None, besides: Besides | None = None) -> Traffic:
        """All calls of some accounts, with all their wordings, and what stands besides."""
        wanted = np.zeros(len(self.owners.accounts), np.bool_)
        wanted[accounts] = True
        keep = wanted[self.traffic.account]
        if besides is not None:
            keep |= besides.standing(self.traffic.marks)
        return Traffic(self.traffic.marks.filter(pa.array(keep)), self.owners, self.given)

    def knowing(self, given: Mapping[str, Any]) -> One:
        """The same log, with these facts besides."""
        return replace(self, given={**self.given, **given})


@dataclass(frozen=True)
class _Round:
    """The work of one round of facts."""

    facts: tuple[Fact, ...]
    context: Context

    def __call__(self, traffic: Traffic) -> dict[str, pa.Table]:
        return {fact.name: fact.part(traffic, self.context) for fact in self.facts}


def with_facts(log: Parts, facts: Sequence[Fact], context: Context) -> Parts:
    """The log with all facts worked out: one pass a round, over the columns that the round needs."""
    for several in rounds(facts):
        reads = sorted({name for fact in several for name in fact.reads} | {"account", "ts", "call"})
        found = log.each(_Round(tuple(several), context), reads)
        log = log.knowing({fact.name: fact.together(found[fact.name]) for fact in several})
    return log
