"""Who takes up which wording, and who replays whose reasoning, as calls arrive: a fold over micro-batches.

Deterministic in the order of arrival, and the same however the arrivals are cut into micro-batches, but for what only later calls tell of owners. An
organisation carries a wording from its second prompt with it on, as everywhere. A wording is looked at from the second organisation on that shows it (a
small filter lets some through earlier, never later), so the first organisation's first prompts with it are not remembered: one carrier may be missed.

The NOMINATING-th carrier nominates a wording; all wordings that one call nominates are one nominee, for they are one template or a piece of one. Numbers count in
order of nomination, which today's calls alone decide. What is needed for the e-process of each (evidence.arrivals) is kept, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from stillwatch.evidence.arrivals import WINDOW
from stillwatch.linking.history import ALPHABETS
from stillwatch.owners import Owners, owned, owners
from stillwatch.traffic import Ints, merged, strangers

NOMINATING = 4
"Carriers by whom a wording is nominated; they do not count for it."

LOOKED_AT = 2
"Organisations that show a wording until its users are remembered."

SLOTS = 1 << 24
"Slots of the filter of wordings."

USES = {"wording": pa.int64(), "unit": pa.int64(), "prompt": pa.int64(), "since": pa.int64(), "counts": pa.bool_()}
"Who shows a wording: organisation, first prompt; the call number from which it carries it (0: not yet; of nominators, that at the nomination); whether as an event."


def _none(*names: str) -> dict[str, Ints]:
    return {name: np.zeros(0, np.bool_ if name == "counts" else np.int64) for name in names}


@dataclass
class Arriving:
    """What is known of the arrivals so far. Accounts and organisations by keyed hash, an organisation by any of its accounts'."""

    owned: dict[str, pa.Table] | None = None
    "How often accounts show organisations, payers and addresses (`owners.owned`)."
    accounts: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    "Ascending."
    calls: Ints = field(default_factory=lambda: np.zeros((0, ALPHABETS), np.int64))
    "Of each account, calls with a wording in each alphabet."
    ticks: Ints = field(default_factory=lambda: np.zeros((ALPHABETS, WINDOW), np.int64))
    "How many k-th calls of organisations there were, by alphabet and k = 1..WINDOW."
    shown: Any = field(default_factory=lambda: np.zeros(SLOTS, np.uint8))
    "The filter: organisations that showed a wording of a slot, up to LOOKED_AT."
    last: Any = field(default_factory=lambda: np.zeros(SLOTS, np.uint8))
    "The last of them, by a byte of its name."
    uses: dict[str, Any] = field(default_factory=lambda: _none(*USES))
    "Columns USES, ordered by wording."
    nominated: dict[str, Ints] = field(default_factory=lambda: _none("wording", "nominee"))
    "Which wording belongs to which nominee, ordered by wording."
    spent: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    "Nominated wordings that are not followed any more, ascending."
    sizes: dict[int, int] = field(default_factory=dict)
    "Wordings of each nominee."
    began: dict[tuple[int, int], Ints] = field(default_factory=dict)
    "`ticks` of an alphabet when a nominee was nominated."
    numbers: int = 0
    "Nominees so far, replays among them."
    issued: dict[str, Ints] = field(default_factory=lambda: _none("digest", "account"))
    "Reasoning issued, ordered by digest; the first issue of each."
    waiting: dict[str, Ints] = field(default_factory=lambda: _none("digest", "account"))
    "Reasoning replayed whose issue has not been read."
    replays: dict[str, Ints] = field(default_factory=lambda: _none("source", "target"))
    "Pairs of accounts of which one replayed the other's reasoning."
    groups: dict[str, Ints] = field(default_factory=lambda: _none("account", "nominee"))
    "An account of each group of replays, and the group's number."

    def add(self, marks: pa.Table) -> Ints:
        """Take up a micro-batch, each call once and none that came before. Returns the nominees to which something was added."""
        marks = marks.sort_by([("ts", "ascending"), ("call", "ascending")]).combine_chunks()
        found = owned(marks)
        self.owned = found if self.owned is None else {name: _sum(self.owned[name], found[name]) for name in found}
        known = self.known
        self._widened(known.accounts)
        batch = _Batch(marks, known, self.calls)
        said = batch.occurrences()
        keep = _screened(self.shown, self.last, said["wording"], said["tag"], LOOKED_AT) & ~np.isin(said["wording"], self.spent)
        self.calls += batch.made
        touched = self._taken_up(batch, {name: column[keep] for name, column in said.items()})
        self.ticks += batch.ticks(len(batch.unit))
        self._replayed(marks, known)
        return touched

    @property
    def known(self) -> Owners:
        """Whose the accounts are, as far as is known."""
        assert self.owned is not None, "nothing was added yet"
        return owners([self.owned])

    def _widened(self, accounts: Ints) -> None:
        calls = np.zeros((len(accounts), ALPHABETS), np.int64)
        calls[np.searchsorted(accounts, self.accounts)] = self.calls
        self.accounts, self.calls = accounts, calls

    def _taken_up(self, batch: _Batch, said: dict[str, Ints]) -> Ints:
        """Uses, carriers and nominations of the wordings that a batch says."""
        again = np.isin(self.uses["wording"], said["wording"])
        old = {name: column[again] for name, column in self.uses.items()}
        rows = {name: np.concatenate([old[name], said[name]]) for name in ("wording", "prompt")}
        rows["unit"] = np.concatenate([batch.unit_of(old["unit"]), said["unit"]])
        place = np.concatenate([np.full(len(old["unit"]), -1), said["call"]])
        order = np.lexsort((place, rows["unit"], rows["wording"]))
        rows, place = {name: column[order] for name, column in rows.items()}, place[order]
        since, counts = (np.concatenate([old[name], np.zeros(len(said["call"]), old[name].dtype)])[order] for name in ("since", "counts"))
        first = np.flatnonzero(_first(rows["wording"], rows["unit"]))
        group = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(place))))
        uses = {"wording": rows["wording"][first], "unit": rows["unit"][first], "prompt": rows["prompt"][first]}
        uses["since"], uses["counts"] = np.zeros(len(first), np.int64), np.zeros(len(first), np.bool_)
        np.maximum.at(uses["since"], group, since)
        np.logical_or.at(uses["counts"], group, counts)
        # The second prompt makes a carrier.
        differs = np.flatnonzero((rows["prompt"] != uses["prompt"][group]) & (uses["since"][group] == 0) & (place >= 0))
        new, at = np.unique(group[differs], return_index=True)
        at = place[differs[at]]
        carried = np.flatnonzero(uses["since"] > 0)
        uses["since"][new] = batch.number(uses["unit"][new], _alphabet(uses["wording"][new]), at)
        touched = self._nominated(batch, uses, carried, new, at)
        uses["unit"] = batch.known.unit_hash[uses["unit"]]
        both = {name: np.concatenate([column[~again], uses[name]]) for name, column in self.uses.items()}
        order = np.argsort(both["wording"], kind="stable")
        self.uses = {name: column[order] for name, column in both.items()}
        return touched

    def _nominated(self, batch: _Batch, uses: dict[str, Ints], carried: Ints, new: Ints, at: Ints) -> Ints:
        """Number the carriers of each wording; whoever comes after a nomination is an event. `new` rows of `uses` became carriers at calls `at`."""
        words = uses["wording"][new]
        order = np.lexsort((new, at, words))
        new, at, words = new[order], at[order], words[order]
        start = np.searchsorted(words, words)
        rank = np.arange(len(words)) - start + 1 + _count(uses["wording"][carried], words)
        numbered = np.isin(words, self.nominated["wording"])
        uses["counts"][new[numbered | (rank > NOMINATING)]] = True
        chosen = np.flatnonzero((rank == NOMINATING) & ~numbered)
        moments, which = np.unique(at[chosen], return_inverse=True)
        numbers = self.numbers + which
        for place, moment in enumerate(moments.tolist()):
            mine = words[chosen[which == place]]
            self.sizes[self.numbers + place] = len(mine)
            for alphabet in np.unique(_alphabet(mine)).tolist():
                self.began[self.numbers + place, alphabet] = (self.ticks + batch.ticks(moment + 1))[alphabet]
        self.numbers += len(moments)
        for row, moment in zip(chosen.tolist(), at[chosen].tolist(), strict=True):
            nominators = np.flatnonzero((uses["wording"] == words[row]) & (uses["since"] > 0) & ~uses["counts"])
            uses["since"][nominators] = batch.number(uses["unit"][nominators], _alphabet(uses["wording"][nominators]), np.full(len(nominators), moment))
        both = {"wording": np.concatenate([self.nominated["wording"], words[chosen]]), "nominee": np.concatenate([self.nominated["nominee"], numbers])}
        order = np.argsort(both["wording"], kind="stable")
        self.nominated = {name: column[order].astype(np.int64) for name, column in both.items()}
        index = np.searchsorted(self.nominated["wording"], words[uses["counts"][new]])
        return np.unique(self.nominated["nominee"][index])

    def wordings(self, nominee: int) -> Ints:
        """Those of a nominee that are followed."""
        followed: Ints = self.nominated["wording"][self.nominated["nominee"] == nominee]
        return followed

    def followed(self, wording: int, known: Owners) -> tuple[Ints, Ints]:
        """(call numbers of the events; calls at risk since the nomination, by call number): what `evidence.arrivals.log10_e` asks of a nominated wording."""
        low, high = np.searchsorted(self.uses["wording"], [wording, wording + 1])
        alphabet = int(_alphabet(np.array([wording]))[0])
        nominee = int(self.nominated["nominee"][np.searchsorted(self.nominated["wording"], wording)])
        chances = self.ticks[alphabet] - self.began[nominee, alphabet]
        since, counts = self.uses["since"][low:high], self.uses["counts"][low:high]
        carrying = since > 0
        unit = known.unit[np.searchsorted(known.accounts, self.uses["unit"][low:high][carrying])]
        mine = np.isin(known.unit, unit)
        made = np.bincount(known.unit[mine], weights=self.calls[mine, alphabet], minlength=known.units).astype(np.int64)[unit]
        # A carrier's further calls could not make it one.
        for first, last in zip(np.minimum(since[carrying], WINDOW).tolist(), np.minimum(made, WINDOW).tolist(), strict=True):
            chances[first:last] -= 1
        return since[counts], np.maximum(chances, 0)

    def let_go(self, wordings: Ints) -> None:
        """Follow some nominated wordings no more: they can show nothing."""
        self.spent = np.union1d(self.spent, wordings)
        keep = ~np.isin(self.nominated["wording"], wordings)
        self.nominated = {name: column[keep] for name, column in self.nominated.items()}
        keep = ~np.isin(self.uses["wording"], wordings)
        self.uses = {name: column[keep] for name, column in self.uses.items()}
        alive = set(self.nominated["nominee"].tolist())
        self.began = {key: held for key, held in self.began.items() if key[0] in alive}

    def _replayed(self, marks: pa.Table, known: Owners) -> None:
        """Pairs of accounts between which reasoning was replayed."""
        out, into = marks["reasoning_out"].combine_chunks(), marks["reasoning_in"].combine_chunks()
        account = marks["account"].to_numpy()
        issuing = np.flatnonzero(np.asarray(out.is_valid()))
        digest = np.concatenate([self.issued["digest"], out.drop_null().to_numpy()])
        first = np.unique(digest, return_index=True)[1]
        self.issued = {"digest": digest[first], "account": np.concatenate([self.issued["account"], account[issuing]])[first]}
        lengths = pc.fill_null(pc.list_value_length(into), 0).to_numpy().astype(np.int64)
        wanted = np.concatenate([self.waiting["digest"], into.flatten().to_numpy(zero_copy_only=False).astype(np.int64)])
        target = np.concatenate([self.waiting["account"], np.repeat(account, lengths)])
        if not len(wanted):
            return
        at = np.minimum(np.searchsorted(self.issued["digest"], wanted), max(0, len(self.issued["digest"]) - 1))
        found = self.issued["digest"][at] == wanted if len(self.issued["digest"]) else np.zeros(len(wanted), np.bool_)
        self.waiting = {"digest": wanted[~found], "account": target[~found]}
        pairs = np.stack([self.issued["account"][at[found]], target[found]])
        unit = known.unit[np.searchsorted(known.accounts, pairs)]
        pairs = np.concatenate([np.stack([self.replays["source"], self.replays["target"]]), pairs[:, unit[0] != unit[1]]], axis=1)
        self.replays = dict(zip(("source", "target"), np.unique(pairs, axis=1), strict=True))
        self._grouped(known)

    def _grouped(self, known: Owners) -> None:
        """Number the groups of replays; two that grow together keep the smaller number."""
        label = self._labels(known)
        old = label[np.searchsorted(known.accounts, self.groups["account"])]
        heads = np.searchsorted(known.accounts, self.replays["source"])
        first = np.unique(label[heads], return_index=True)
        new = np.sort(first[1][~np.isin(first[0], old)])
        self.groups = {
            "account": np.concatenate([self.groups["account"], self.replays["source"][new]]),
            "nominee": np.concatenate([self.groups["nominee"], self.numbers + np.arange(len(new))]),
        }
        self.numbers += len(new)

    def _labels(self, known: Owners) -> Ints:
        left, right = (np.searchsorted(known.accounts, self.replays[name]) for name in ("source", "target"))
        return merged(len(known.accounts), left, right)

    def replaying(self, known: Owners) -> dict[int, tuple[int, Ints]]:
        """Of each group of replays by number: unrelated organisations in it, and its accounts."""
        label = self._labels(known) if len(self.groups["account"]) else np.zeros(0, np.int64)
        found: dict[int, tuple[int, Ints]] = {}
        seen: set[int] = set()
        for account, number in sorted(zip(self.groups["account"].tolist(), self.groups["nominee"].tolist(), strict=True), key=lambda each: each[1]):
            group = int(label[np.searchsorted(known.accounts, account)])
            if group not in seen:
                seen.add(group)
                inside = np.flatnonzero(label == group)
                found[number] = strangers(known, inside), known.accounts[inside]
        return found


class _Batch:
    """One micro-batch in order of arrival."""

    def __init__(self, marks: pa.Table, known: Owners, calls: Ints) -> None:
        """`calls`: of each account before, by alphabet."""
        self.known = known
        self._account = np.searchsorted(known.accounts, marks["account"].to_numpy())
        self.unit = known.unit[self._account]
        self._prompt = pc.fill_null(marks["prompt"], 0).to_numpy()
        column = marks["wordings"].combine_chunks()
        self._lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
        self._values = column.flatten().to_numpy()
        self._before = np.stack([np.bincount(known.unit, weights=calls[:, a], minlength=known.units) for a in range(ALPHABETS)], axis=1).astype(np.int64)
        self.made = np.zeros_like(calls)
        call = np.repeat(np.arange(len(self.unit)), self._lengths)
        self._keys, self._at, self._number = [], [], []
        for alphabet in range(ALPHABETS):
            at = np.unique(call[_alphabet(self._values) == alphabet])
            np.add.at(self.made[:, alphabet], self._account[at], 1)
            key = np.sort(self.unit[at] * np.int64(len(self.unit)) + at)
            start = np.searchsorted(key, (key // max(1, len(self.unit))) * np.int64(len(self.unit)))
            unit, place = np.divmod(key, max(1, len(self.unit)))
            self._keys.append(key)
            self._at.append(place)
            self._number.append(self._before[unit, alphabet] + np.arange(len(key)) - start + 1)

    def occurrences(self) -> dict[str, Ints]:
        """Every wording of every call: wording, unit (code), call, prompt, and a byte that tells the unit."""
        call = np.repeat(np.arange(len(self.unit)), self._lengths)
        unit = self.unit[call]
        tag = ((self.known.unit_hash.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(56)).astype(np.uint8)[unit]
        return {"wording": self._values, "unit": unit, "call": call, "prompt": self._prompt[call], "tag": tag}

    def unit_of(self, names: Ints) -> Ints:
        """Codes of organisations that are named by an account."""
        return self.known.unit[np.searchsorted(self.known.accounts, names)]

    def number(self, unit: Ints, alphabet: Ints, call: Ints) -> Ints:
        """How many calls in an alphabet each organisation had made at a call of this batch, that one included."""
        out = np.zeros(len(unit), np.int64)
        for each in range(ALPHABETS):
            some = np.flatnonzero(alphabet == each)
            low = np.searchsorted(self._keys[each], unit[some] * np.int64(len(self.unit)))
            high = np.searchsorted(self._keys[each], unit[some] * np.int64(len(self.unit)) + call[some], "right")
            out[some] = self._before[unit[some], each] + high - low
        return out

    def ticks(self, until: int) -> Ints:
        """`Arriving.ticks` of the batch's calls before one."""
        out = np.zeros((ALPHABETS, WINDOW), np.int64)
        for alphabet, (place, number) in enumerate(zip(self._at, self._number, strict=True)):
            out[alphabet] = np.bincount(number[(place < until) & (number <= WINDOW)] - 1, minlength=WINDOW)
        return out


def _alphabet(wordings: Ints) -> Ints:
    return np.asarray(np.minimum(wordings & 7, ALPHABETS - 1), np.int64)


def _first(*columns: Ints) -> Any:
    new = np.ones(len(columns[0]), np.bool_)
    new[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return new


def _count(values: Ints, wanted: Ints) -> Ints:
    values = np.sort(values)
    return np.searchsorted(values, wanted, "right") - np.searchsorted(values, wanted, "left")


def _sum(one: pa.Table, other: pa.Table) -> pa.Table:
    columns = [name for name in one.column_names if name != "count_all"]
    both = pa.concat_tables([one, other]).group_by(columns, use_threads=False).aggregate([("count_all", "sum")])
    return both.rename_columns([*both.column_names[:-1], "count_all"]).select(one.column_names).combine_chunks()


@njit(cache=True, nogil=True)
def _screened(shown: Any, last: Any, wordings: Any, tags: Any, most: int) -> Any:
    """Whether the wording of each occurrence was shown by `most` organisations until then, this one among them."""
    out = np.zeros(len(wordings), np.bool_)
    bits = np.uint64(64)
    size = len(shown)
    while size > 1:
        size >>= 1
        bits -= np.uint64(1)
    for i in range(len(wordings)):
        at = (np.uint64(wordings[i]) * np.uint64(0x9E3779B97F4A7C15)) >> bits
        if shown[at] < most and (shown[at] == 0 or last[at] != tags[i]):
            shown[at] += 1
            last[at] = tags[i]
        out[i] = shown[at] >= most
    return out
