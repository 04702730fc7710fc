"""A log on disk as parts of whole organisations, read one after another: memory is bounded by the largest part, not by the log."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.codes import Bools, Ints, stands_in
from stillwatch.engines import runs
from stillwatch.engines.narrow import Narrow, put_by
from stillwatch.engines.runs import BUCKETS, Readers, Run
from stillwatch.engines.shelf import ORDER, Shelf, in_order
from stillwatch.owners import OWNED, Owners, owned, owners
from stillwatch.parts import Besides, Work, looked_at, together
from stillwatch.records import MARKS
from stillwatch.standing import FEW, with_wordings
from stillwatch.traffic import Traffic

T = TypeVar("T")

CALLS = 300_000
"Calls of a part, about: small buckets are read together."

WORKERS = 2
"Parts that are looked at side by side."

AWAY = "away"
"Folder in the scratch folder of the calls that are away from home, and of what is left of a log."

GUESTS = 256 * 2**20
"Bytes of calls away from home that are written together."

TELLING = ("ts", "account", "prompt", "org")
"Of records with one call id, the one stays whose values of these are the smallest."


@dataclass(frozen=True)
class Repeats:
    """Calls that were delivered more than once, and which record of each stays."""

    calls: Ints
    "Their hashes, ascending."
    stays: tuple[Ints, ...]
    "Of each: the values (TELLING) of the record that stays."

    def once(self, marks: pa.Table) -> pa.Table:
        """Without the records that do not stay."""
        if not len(self.calls):
            return marks
        call = marks["call"].to_numpy()
        at = np.minimum(np.searchsorted(self.calls, call), len(self.calls) - 1)
        again = np.flatnonzero(self.calls[at] == call)
        same = np.ones(len(again), np.bool_)
        for name, values in zip(TELLING, self.stays, strict=True):
            same &= marks[name].fill_null(0).to_numpy()[again] == values[at[again]]
        _, first = np.unique(call[again[same]], return_index=True)
        keep = np.ones(len(call), np.bool_)
        keep[again] = False
        keep[again[same][first]] = True
        return marks.filter(pa.array(keep))


def _smallest(rows: pa.Table) -> Repeats:
    columns = [rows[name].fill_null(0).to_numpy() for name in TELLING]
    order = np.lexsort((*columns[::-1], rows["call"].to_numpy()))
    calls, first = np.unique(rows["call"].to_numpy()[order], return_index=True)
    return Repeats(calls, tuple(column[order][first] for column in columns))


def once(marks: pa.Table) -> pa.Table:
    """Each call once, of marks that are all of a log."""
    call = np.sort(marks["call"].to_numpy())
    again = np.unique(call[1:][call[1:] == call[:-1]])
    return marks if not len(again) else _smallest(marks.filter(pc.is_in(marks["call"], pa.array(again)))).once(marks)


@dataclass(frozen=True)
class Plan:
    """Which part each organisation belongs to."""

    part: Ints
    "Part of each bucket."
    parts: int
    "How many."
    moved: Ints
    "Accounts (keyed hashes, ascending) of organisations that stand in several buckets."
    home: Ints
    "Part of each of those."

    def leaving(self, account: Ints, here: int) -> Bools:
        """Of each call in the buckets of a part, whether it belongs to another."""
        at = np.minimum(np.searchsorted(self.moved, account), max(0, len(self.moved) - 1))
        if not len(self.moved):
            return np.zeros(len(account), np.bool_)
        return np.asarray((self.moved[at] == account) & (self.home[at] != here))


def planned(sizes: Ints, whose: Owners, shown: pa.Table, calls: int = CALLS) -> Plan:
    """Buckets that are small together in one part, and every organisation's home where most of its calls are.

    `sizes`: calls of each bucket; `shown`: how often each account shows each organisation (`owned`).
    """
    part = np.zeros(BUCKETS, np.int64)
    number = filled = 0
    for each in range(BUCKETS):
        if filled and filled + sizes[each] > calls:
            number, filled = number + 1, 0
        part[each], filled = number, filled + sizes[each]
    if number == 0:
        return Plan(part, 1, np.zeros(0, np.int64), np.zeros(0, np.int64))
    unit = whose.unit[np.searchsorted(whose.accounts, shown["account"].to_numpy())]
    stands = part[runs.bucket(shown["org"].to_numpy())]
    cells, index = np.unique(unit * (number + 1) + stands, return_inverse=True)
    times = np.bincount(index, weights=shown["count_all"].to_numpy()).astype(np.int64)
    order = np.lexsort((-cells, times, cells // (number + 1)))
    home = np.zeros(whose.units, np.int64)
    home[cells[order] // (number + 1)] = cells[order] % (number + 1)
    astray = np.unique(shown["account"].to_numpy()[home[unit] != stands])
    return Plan(part, number + 1, astray, home[whose.unit[np.searchsorted(whose.accounts, astray)]])


@dataclass(frozen=True)
class OnDisk:
    """A log in runs on disk."""

    runs: tuple[Run, ...]
    "Its runs."
    scratch: Path
    "Folder for what is put together anew; whoever made it removes it."
    given: Mapping[str, Any] = field(default_factory=dict)
    "Facts of the whole log that are worked out."
    size: int = field(default_factory=lambda: CALLS)
    "Calls of a part, about."

    @cached_property
    def repeats(self) -> Repeats:
        """Calls that were delivered more than once."""
        again = runs.repeated(self.runs)
        wanted, held = pa.array(again), []
        for run in self.runs if len(again) else ():
            for batch in run.read(range(BUCKETS), ["call", *TELLING]):
                held.append(batch.filter(pa.array(stands_in(batch["call"].to_numpy(), again))))
        return _smallest(pa.Table.from_batches(held)) if held else Repeats(wanted.to_numpy(), tuple(wanted.to_numpy() for _ in TELLING))

    @cached_property
    def _owned(self) -> tuple[Owners, pa.Table]:
        read = self._readers(OWNED)

        def one(number: int) -> dict[str, pa.Table]:
            return owned(self._bucket(number, read))

        with ThreadPoolExecutor(WORKERS) as pool:
            parts = list(pool.map(one, range(BUCKETS)))
        return owners(parts), pa.concat_tables([part["org"] for part in parts])

    @property
    def owners(self) -> Owners:
        """Whose the accounts are."""
        return self._owned[0]

    @cached_property
    def plan(self) -> Plan:
        """Which part each organisation belongs to."""
        return planned(np.sum([run.sizes for run in self.runs], axis=0), *self._owned, self.size)

    @cached_property
    def _guests(self) -> list[Run]:
        """The calls of organisations that stand in several buckets and are not at home there, in runs whose buckets are parts."""
        plan, made, held, size = self.plan, list[Run](), list[pa.Table](), 0
        read = self._readers(MARKS.names)
        for number in range(BUCKETS) if len(plan.moved) else ():
            marks = self._bucket(number, read)
            held.append(marks.filter(pa.array(plan.leaving(marks["account"].to_numpy(), int(plan.part[number])))))
            size += held[-1].nbytes
            if number == BUCKETS - 1 or size >= GUESTS:
                guests = pa.concat_tables(held)
                home = plan.home[np.searchsorted(plan.moved, guests["account"].to_numpy())]
                made.append(runs.write(self._away() / f"{len(made):06d}", guests, home))
                held, size = [], 0
        return made

    def _away(self) -> Path:
        folder = self.scratch / AWAY
        folder.mkdir(exist_ok=True)
        return folder

    def _readers(self, columns: Collection[str]) -> Readers:
        """Of the columns, and of those by which repeated calls are told."""
        return Readers(self.runs, sorted({*columns, *(("call", *TELLING) if len(self.repeats.calls) else ())}, key=MARKS.get_field_index))

    def _bucket(self, number: int, read: Readers) -> pa.Table:
        """A bucket's calls, each once, in no order."""
        return self.repeats.once(read.bucket(number))

    def _part(self, number: int, read: Readers, guests: Readers) -> pa.Table:
        """A part's calls, in no order."""
        plan, held = self.plan, []
        for each in np.flatnonzero(plan.part == number).tolist():
            marks = self._bucket(each, read)
            leaving = plan.leaving(marks["account"].to_numpy(), number)
            held.append(marks.filter(pa.array(~leaving)) if leaving.any() else marks)
        return pa.concat_tables([*held, guests.bucket(number)]).combine_chunks()

    def each(self, work: Work, reads: Sequence[str], sums: Sequence[str] = (), ordered: bool = True) -> dict[str, pa.Table]:
        """The work done on every part."""
        whose = self.owners

        def one(marks: pa.Table, number: int) -> Mapping[str, pa.Table]:
            return looked_at(work, in_order(marks) if ordered else marks, whose, self.given)

        return together(self._parts(one, {*reads, *ORDER} if ordered else {*reads, "account"}))

    def _parts(self, what: Callable[[pa.Table, int], T], columns: Collection[str]) -> list[T]:
        """Something done with some columns of every part and its number."""
        read = self._readers(columns)
        guests = Readers(self._guests, read.columns)
        with ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(lambda number: what(self._part(number, read, guests), number), range(self.plan.parts)))

    def narrowed(self, wordings: Ints) -> Narrow:
        """What stands by some wordings, by their numbers, put by."""
        folder = self._away()
        files = self._parts(lambda marks, number: put_by(folder / f"narrow {number:06d}", marks, wordings), FEW)
        return Narrow(tuple(files), self.owners, self.given, WORKERS)

    def among(self, accounts: Ints, wordings: Ints | None = None, besides: Besides | None = None) -> Traffic:
        """All calls of some accounts and what stands besides, with no other wordings than those given."""
        if not len(accounts):
            return Traffic(MARKS.empty_table(), self.owners, self.given)
        wanted, read = self.owners.accounts[accounts], self._readers(MARKS.names)

        def one(number: int) -> pa.Table:
            marks = self._bucket(number, read)
            keep = stands_in(marks["account"].to_numpy(), wanted)
            if besides is not None:
                keep |= besides.standing(marks)
            marks = marks.filter(pa.array(keep))
            return marks if wordings is None else with_wordings(marks, wordings)

        shelf = Shelf(self._away())
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda number: shelf.put(one(number)), range(BUCKETS)))
        return Traffic(shelf.together(), self.owners, self.given, shelf.rest)

    def knowing(self, given: Mapping[str, Any]) -> OnDisk:
        """The same log, with these facts besides."""
        other = replace(self, given={**self.given, **given})
        # What was worked out of the runs stays as it is.
        for name in ("repeats", "_owned", "plan", "_guests"):
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name]
        return other
