"""A log on a cluster as parts of whole organisations, which executors look at side by side.

Organisations are packed into parts of about CALLS calls; one that is larger is a part by itself. A part is in the memory of one Python worker while it is looked
at, so the largest organisation of a log must fit there: 1 GB for a million calls, 4 GB while the survey looks at them.

What comes to the driver, and what a million accounts bring there:
- whose the accounts are: 57 MB, which every executor gets as well, and at most 33 MB for each organisation that an account shows;
- facts of the whole log by account: some 32 MB each;
- of the survey: features of the organisations (0.5 kB each), keys that may tie accounts (16 bytes for each account and key), and the reuse pairs (16 bytes for each
  wording that an organisation uses again), which later scans keep as history;
- sums over parts (`sums` of `each`) as they are once added up, by Spark: 16 bytes a key;
- all calls of those accounts that a cluster worth a look holds (`among`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from stillwatch.codes import Ints, stands_in
from stillwatch.engines import disk
from stillwatch.engines.shelf import ORDER, in_order, joined
from stillwatch.engines.spark import packing
from stillwatch.engines.spark.intake import schema
from stillwatch.engines.spark.session import told
from stillwatch.engines.spark.work import Folder
from stillwatch.owners import OWNED, Owners, owners
from stillwatch.parts import Besides, Work, looked_at
from stillwatch.records import MARKS
from stillwatch.standing import few, with_wordings
from stillwatch.traffic import Traffic

if TYPE_CHECKING:
    from pyspark import Broadcast
    from pyspark.sql import DataFrame

PART = "part"
"Column of the part of a call."


def dealt(whose: Owners, shown: pa.Table, calls: int) -> Ints:
    """Part of each account: whole organisations, packed into parts of about so many calls. `shown`: how often each account shows each organisation (`owned`)."""
    unit = whose.unit[np.searchsorted(whose.accounts, shown["account"].to_numpy())]
    sizes = np.bincount(unit, weights=shown["count_all"].to_numpy(), minlength=whose.units).astype(np.int64)
    part = np.zeros(whose.units, np.int64)
    number = filled = 0
    # Names are keyed hashes: in their order the large ones lie scattered.
    for each in np.argsort(whose.unit_hash, kind="stable").tolist():
        if filled and filled + sizes[each] > calls:
            number, filled = number + 1, 0
        part[each], filled = number, filled + int(sizes[each])
    return np.asarray(part[whose.unit], np.int64)


@dataclass(frozen=True)
class _Looking:
    """The look of a task at one part."""

    work: Work
    columns: tuple[str, ...]
    "Of the marks, in their order."
    known: Broadcast[tuple[Owners, Mapping[str, Any]]]
    "Of the whole log: whose the accounts are, and the facts."
    sums: tuple[str, ...]

    def look(self, key: tuple[pa.Scalar, ...], rows: pa.Table) -> pa.Table:
        """The pieces of the tables that the work gives."""
        whose, given = self.known.value
        marks = in_order(rows.select(self.columns).cast(pa.schema([MARKS.field(name) for name in self.columns])).combine_chunks())
        return packing.packed(looked_at(self.work, marks, whose, given), key[0].as_py(), self.sums)


@dataclass(frozen=True)
class _Fetching:
    """The packing of calls that go to the driver."""

    wanted: Ints
    "Accounts whose calls all go (keyed hashes, ascending)."
    wordings: Ints | None
    "No others go with them; None: all do."
    besides: Besides | None
    "What goes besides."

    def pack(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Pieces of the marks, as they come."""
        for batch in batches:
            marks = pa.Table.from_batches([batch]).select(MARKS.names).cast(MARKS)
            if self.besides is not None:
                marks = marks.filter(pa.array(stands_in(marks["account"].to_numpy(), self.wanted) | self.besides.standing(marks)))
            marks = marks if self.wordings is None else with_wordings(marks, self.wordings)
            yield from packing.packed({"marks": marks}, 0).to_batches()


def named(work: object) -> str:
    """How a job is called."""
    return named(work.work) if isinstance(work, _OfFew) else type(work).__name__.strip("_").lower()


@dataclass(frozen=True)
class _OfFew:
    """The look of a task at what stands by some wordings in one part."""

    work: Work
    wordings: Ints

    def __call__(self, traffic: Traffic) -> Mapping[str, pa.Table]:
        return self.work(Traffic(few(traffic.marks, self.wordings), traffic.known, traffic.given))


@dataclass(frozen=True)
class _Few:
    """What stands by some wordings of a log, by their numbers."""

    log: OnSpark
    wordings: Ints

    @property
    def owners(self) -> Owners:
        """Whose the accounts are."""
        return self.log.owners

    def each(self, work: Work, reads: Sequence[str], sums: Sequence[str] = (), ordered: bool = True) -> dict[str, pa.Table]:
        """The work done on every part."""
        return self.log.each(_OfFew(work, self.wordings), reads, sums, ordered)


@dataclass(frozen=True)
class OnSpark:
    """A log on a cluster."""

    calls: DataFrame
    "Its marks, each call once."
    work: Folder
    "Where tables are put down between jobs."
    given: Mapping[str, Any] = field(default_factory=dict)
    "Facts of the whole log that are worked out."
    size: int = field(default_factory=lambda: disk.CALLS)
    "Calls of a part, about."

    @cached_property
    def _owned(self) -> tuple[Owners, pa.Table]:
        """Whose the accounts are, and how often each shows each organisation. Of instruments and addresses only the one that counts comes to the driver."""
        with told(self.work.session, "asking whose the accounts are"):
            shown = self.calls.select(*OWNED).groupBy("account", "org", "org_known").count().withColumnRenamed("count", "count_all").toArrow()
            parts = {"org": shown} | {name: self._most_used(name) for name in ("payment", "ip")}
        return owners([parts]), shown

    def _most_used(self, column: str) -> pa.Table:
        counted = self.calls.where(f"{column} is not null").groupBy("account", column).count()
        first = counted.selectExpr("account", f"struct(-count as less, {column}) as first").groupBy("account").agg({"first": "min"})
        return first.selectExpr("account", f"`min(first)`.{column} as {column}", "-`min(first)`.less as count_all").toArrow()

    @property
    def owners(self) -> Owners:
        """Whose the accounts are."""
        return self._owned[0]

    @cached_property
    def _dealt(self) -> DataFrame:
        """The calls with their parts."""
        homes = pa.table({"account": self.owners.accounts, PART: dealt(*self._owned, self.size)})
        return self.calls.join(self.work.session.createDataFrame(homes).hint("broadcast"), "account")

    @cached_property
    def _known(self) -> Broadcast[tuple[Owners, Mapping[str, Any]]]:
        return self.work.session.sparkContext.broadcast((self.owners, self.given))

    def each(self, work: Work, reads: Sequence[str], sums: Sequence[str] = (), ordered: bool = True) -> dict[str, pa.Table]:
        """The work done on every part."""
        columns = sorted({*reads, *ORDER}, key=MARKS.get_field_index)
        with told(self.work.session, f"looking at parts ({named(work)})"):
            rows = self._dealt.select(PART, *columns)
            looking = _Looking(work, tuple(columns), self._known, tuple(sums))
            # Spark counts the arguments of what it is given, and counts a method's `self`.
            pieces = rows.groupBy(PART).applyInArrow(lambda key, part: looking.look(key, part), schema(packing.ROWS))
            if not sums:
                return self.work.fetched(pieces)
            found, where = self.work.put_for_now(pieces)
            several = found.where("share >= 0").groupBy("name", "share").applyInArrow(packing.added, schema(packing.ROWS))
            tables = self.work.fetched(found.where("share < 0").unionAll(several))
            self.work.delete(where)
            return tables

    def narrowed(self, wordings: Ints) -> _Few:
        """What stands by some wordings, by their numbers: looked up anew by every look."""
        return _Few(self, wordings)

    def among(self, accounts: Ints, wordings: Ints | None = None, besides: Besides | None = None) -> Traffic:
        """All calls of some accounts and what stands besides, with no other wordings than those given."""
        wanted = self.owners.accounts[accounts]
        marks = MARKS.empty_table()
        if len(wanted):
            with told(self.work.session, "fetching the calls of some accounts"):
                asked = wanted if besides is None else np.union1d(wanted, besides.accounts)
                theirs = self.work.session.createDataFrame(pa.table({"account": asked})).hint("broadcast")
                rows = self.calls.join(theirs, "account", "left_semi").select(*MARKS.names)
                marks = self.work.fetched(rows.mapInArrow(_Fetching(wanted, wordings, besides).pack, schema(packing.ROWS))).get("marks", marks)
        return Traffic(joined([marks]), self.owners, self.given)

    def knowing(self, given: Mapping[str, Any]) -> OnSpark:
        """The same log, with these facts besides."""
        other = replace(self, given={**self.given, **given})
        # What was worked out of the calls stays as it is.
        for name in ("_owned", "_dealt"):
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name]
        return other
