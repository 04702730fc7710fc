"""Traffic: the marks of a log as columns of arrays over calls in one canonical order, for every room that looks at them.

A view, not a record: it adds nothing to the marks and holds no text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.codes import NONE, Bools, Ints, codes, distinct_rows, merged
from stillwatch.owners import Owners, owned, owners, strangers
from stillwatch.records import MARKS, NO_CONTEXT, Context

__all__ = ["NONE", "Bools", "Fact", "Ints", "Owners", "Traffic", "codes", "distinct_rows", "from_rows", "lists", "merged", "strangers"]


@dataclass(frozen=True)
class Fact:
    """Something that is to be known of a whole log before its parts are looked at: a fold over them."""

    name: str
    "Its name among the facts."
    reads: tuple[str, ...]
    "Columns of the marks that it needs; where the log lacks one, it is what it is without."
    part: Callable[[Traffic, Context], pa.Table]
    "What one part (of whole organisations) adds: rows."
    together: Callable[[pa.Table], Any]
    "The fact, from all parts' rows, in any order."
    after: tuple[str, ...] = ()
    "Facts that a part must know beforehand."


def lists(column: pa.ChunkedArray) -> tuple[pa.Array, Ints, Ints]:
    """(a column of lists as one array, where each list begins and the last ends, what they hold). A missing list is empty."""
    array = column.combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy().astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    # Where a missing list takes no room, nothing need be copied: what the lists hold may be in a file.
    begin, end = (int(array.offsets[at].as_py()) for at in (0, len(array))) if len(array) else (0, 0)
    values = array.values.slice(begin, end - begin) if end - begin == offsets[-1] else array.flatten()
    return array, offsets, values.to_numpy()


@dataclass(frozen=True)
class Traffic:
    """Marks in canonical order (account, time, call). Everything else is derived from them.

    They may be part of a larger log: then `known` says whose the accounts are, and `given` what is to be known of the whole log.
    """

    marks: pa.Table
    "records.MARKS (or some of its columns), sorted by account, ts, call; each call once."
    known: Owners | None = None
    "Whose the accounts are, where the log is larger than this: its accounts count, whether or not they call here."
    given: Mapping[str, Any] = field(default_factory=dict)
    "Facts of the whole log by name, where it is larger than this."

    rest: Callable[[], None] = lambda: None
    "Says that what was looked at so far need not stay in memory, where the marks lie in files."

    def column(self, name: str) -> pa.ChunkedArray:
        """A column of the marks, one value a call."""
        return self.marks.column(name)

    def whole(self, fact: Fact, context: Context = NO_CONTEXT) -> Any:
        """A fact of the whole log: as given, or worked out from these calls, which then are all of it."""
        if fact.name in self.given:
            return self.given[fact.name]
        if (fact.name, context) not in self._worked_out:
            self._worked_out[fact.name, context] = fact.together(fact.part(self, context))
        return self._worked_out[fact.name, context]

    def once(self, work: Callable[[Traffic], Any]) -> Any:
        """What a function makes of these calls, worked out once however often it is asked for."""
        if work not in self._worked_out:
            self._worked_out[work] = work(self)
        return self._worked_out[work]

    @cached_property
    def _worked_out(self) -> dict[Any, Any]:
        return {}

    @cached_property
    def calls(self) -> int:
        """Number of calls."""
        return int(self.marks.num_rows)

    @cached_property
    def ts(self) -> Ints:
        """Time of each call, microseconds."""
        return np.asarray(self.column("ts").to_numpy(), np.int64)

    @cached_property
    def owners(self) -> Owners:
        """Whose the accounts are."""
        return owners([owned(self.marks)]) if self.known is None else self.known

    @cached_property
    def account(self) -> Ints:
        """Account code of each call."""
        values = np.asarray(self.column("account").to_numpy(), np.int64)
        if self.known is None:
            return np.asarray(np.unique(values, return_inverse=True)[1], np.int64)
        return np.asarray(np.searchsorted(self.known.accounts, values), np.int64)

    @property
    def accounts(self) -> Ints:
        """Keyed hash of each account, by code."""
        return self.owners.accounts

    @cached_property
    def starts(self) -> Ints:
        """First call of each account, and the number of calls at the end. An account that does not call here has no calls."""
        return np.searchsorted(self.account, np.arange(len(self.accounts) + 1)).astype(np.int64)

    @cached_property
    def prompt(self) -> Ints:
        """Exact-prompt code of each call, NONE where no content is kept."""
        return codes(self.column("prompt"))[0]

    @cached_property
    def prompts(self) -> Ints:
        """Exact-prompt hash of each call; calls whose content is not kept have one and the same."""
        return np.asarray(pc.fill_null(self.column("prompt"), 0).to_numpy(), np.int64)

    @property
    def org(self) -> Ints:
        """Visible organisation of each account, as a code."""
        return self.owners.org

    @property
    def payment(self) -> Ints:
        """Payment instrument of each account, as a code."""
        return self.owners.payment

    @property
    def address(self) -> Ints:
        """The address that each account uses most, as a code."""
        return self.owners.address

    @property
    def unit(self) -> Ints:
        """The organisation that counts, of each account: one visible organisation or one payer is one unit."""
        return self.owners.unit

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.owners.unit_hash)

    @property
    def unit_hash(self) -> Ints:
        """A name for each unit: the smallest keyed hash of its accounts."""
        return self.owners.unit_hash

    @cached_property
    def wordings(self) -> tuple[Ints, Ints]:
        """(offsets, values) of the wordings of every call; a call without content has none."""
        _, offsets, values = lists(self.column("wordings"))
        return offsets, values

    @cached_property
    def terms(self) -> tuple[Ints, Ints]:
        """(offsets, values: 31 bits each) of the terms of every call."""
        _, offsets, values = lists(self.column("terms"))
        return offsets, values


def from_rows(rows: Sequence[dict[str, Any]], schema: pa.Schema = MARKS) -> Traffic:
    """Traffic of a few rows of marks, for cases and examples: what a row leaves out is null, `call` counts up,
    `org` is the account, `org_known` False, `model` "m"."""
    full = []
    for i, row in enumerate(rows):
        defaults: dict[str, Any] = {"call": i, "ts": i, "account": 0, "org": row.get("account", 0), "org_known": False, "model": "m"}
        full.append({**dict.fromkeys(schema.names), **defaults, **row})
    table = pa.Table.from_pylist(full, schema=schema)
    return Traffic(table.sort_by([("account", "ascending"), ("ts", "ascending"), ("call", "ascending")]))
