"""A member's log made ready for a joint session: its tokens, its part of blinded rows, and what it can tell of its own clusters.

The log and its history are read here, under the coalition's hashing key, so that members' wordings, organisations and payers have the same keyed hashes. Nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.codes import Ints
from stillwatch.engines.local import Gathered
from stillwatch.errors import UserError
from stillwatch.evidence import joint
from stillwatch.examination import FACTS, _ranges, missing_in
from stillwatch.exchange.joint.brought import Brought, Group
from stillwatch.exchange.joint.taking_part import Tokens, shuffled
from stillwatch.facts import every_fact
from stillwatch.features.declare import Groups, columns, every_feature
from stillwatch.linking import clusters as linking
from stillwatch.linking.declare import every_tie
from stillwatch.linking.history import ALPHABETS, merge, share_now
from stillwatch.linking.ties import replay
from stillwatch.linking.used import Used, used
from stillwatch.owners import OWNED, owned
from stillwatch.parts import Parts, with_facts
from stillwatch.records import NO_CONTEXT
from stillwatch.sources import Log, Reading, gather
from stillwatch.survey import Survey, survey
from stillwatch.traffic import Traffic

DIGITS = 3
"Significant digits in which values of features are told: enough to judge by."


@dataclass(frozen=True)
class _Side:
    """A log, or a history, with what a look at it found."""

    log: Gathered
    parts: Parts
    seen: Survey


class Bench:
    """A member's log beside its history."""

    def __init__(self, logs: Sequence[Log], history: Sequence[Log], how: Reading, folder: Path, chance: Callable[[int], bytes]) -> None:
        """Read both; marks lie in `folder` as long as they are needed. Raises: UserError where there is nothing to read."""
        self._today, self._before = _side(logs, how, folder / "today", "LOG"), _side(history, how, folder / "before", "--history")
        here, there = self._today.seen, self._before.seen
        self._history = merge([there.organisations.select(["unit", *(f"calls_{alphabet}" for alphabet in range(ALPHABETS))])], [there.wordings])
        self._users = used(here.wordings, self._history)
        by_owner, by_name = (share_now(each, self._history) for each in (here.by_owner, here.by_name))
        self._linked = linking.link(self._today.parts, self._users, replay.NO_LINKS, self._history, (by_owner, by_name))
        wordings = shuffled(self._users.common, chance)
        self.tokens, self.brought = _brought(self._today, self._before, self._users, wordings, self._linked, by_owner, chance)

    def describe(self, asked: Sequence[int]) -> list[dict[str, Any]]:
        """What can be told of some of the groups: values of features on the member's own calls, ties, and how many accounts and calls."""
        clusters = [self._linked.clusters[at] for at in self._groups(asked)]
        if not clusters:
            return []
        traffic, placed = self._placed(clusters)
        missing = missing_in(self._today.log)
        whole = [placed(each) for each in clusters]
        label = np.repeat(np.arange(len(whole)), [len(each.calls) for each in whole])
        groups = Groups(traffic, np.concatenate([each.calls for each in whole]), label, len(whole), NO_CONTEXT)
        values = columns(groups, list(every_feature().values()), missing)
        return [
            {
                "values": {name: _told(column[at]) for name, column in values.items()},
                "ties": [list(tie) for tie in each.ties],
                "accounts": len(each.accounts),
                "calls": len(each.calls),
            }
            for at, each in enumerate(whole)
        ]

    def accounts(self, groups: Sequence[int]) -> list[list[str]]:
        """The log's own names of the accounts of some groups."""
        clusters = [self._linked.clusters[at] for at in self._groups(groups)]
        if not clusters:
            return []
        traffic, placed = self._placed(clusters)
        return [sorted(self._today.log.names[int(traffic.accounts[at])] for at in placed(each).accounts) for each in clusters]

    def _groups(self, asked: Sequence[int]) -> list[int]:
        """Groups as places among the clusters: those without a wording are not brought."""
        worded = [at for at, each in enumerate(self._linked.clusters) if len(each.wordings)]
        return [worded[at] for at in asked]

    def _placed(self, clusters: list[Any]) -> tuple[Traffic, linking.Placed]:
        traffic = linking.suspects(self._today.parts, self._linked, clusters)
        return traffic, linking.Placed(self._linked, traffic, self._today.seen.edges, clusters)


def _side(logs: Sequence[Log], how: Reading, folder: Path, what: str) -> _Side:
    folder.mkdir()
    log = gather(logs, how, lambda rejected: None, folder)
    if log is None:
        raise UserError("no usable record", what, "name logs, or marks, that `stillwatch scan` reads; a scan's folder holds too little for this")
    parts = with_facts(log.parts, every_fact(*FACTS), NO_CONTEXT)
    ties = [name for name, tie in every_tie().items() if name != "replay" and set(tie.reads) <= log.present]
    return _Side(log, parts, survey(parts, missing_in(log), ties, NO_CONTEXT))


def _brought(
    today: _Side, before: _Side, users: Used, wordings: Ints, linked: linking.Linked, shares: Sequence[float], chance: Callable[[int], bytes]
) -> tuple[Tokens, Brought]:  # fmt: skip
    """The tokens and the rows. Only organisations that carry a wording which several use are told of."""
    place = _places(wordings)
    rows, owned_rows, tokens, first = list[Any](), list[Any](), list[Ints](), 0
    for side, now in ((today, True), (before, False)):
        pairs = side.seen.wordings
        word, unit = pairs["wording"].to_numpy(), pairs["unit"].to_numpy()
        keep = np.isin(word, users.common)
        word, unit = word[keep], unit[keep]
        units, number = np.unique(unit, return_inverse=True)
        rows.append(np.stack([place(word), first + number, np.full(len(word), now)]))
        who, token = _owner_tokens(side, units)
        owned_rows.append(first + who)
        tokens.append(token)
        first += len(units)
    every = np.concatenate(tokens)
    distinct = shuffled(np.unique(every), chance)
    word, unit, now_ = np.concatenate(rows, axis=1)
    groups = tuple(Group(place(each.wordings), each.family) for each in linked.clusters if len(each.wordings))
    ranges = {name: (each.low, each.high) for name, each in _ranges(before.seen.organisations).items()}
    made = Brought(
        np.minimum(wordings & 7, ALPHABETS - 1), word, unit, now_.astype(np.bool_), np.stack([np.concatenate(owned_rows), _places(distinct)(every)], axis=1), first,
        tuple(joint.coarse(each) for each in shares), groups, ranges,
    )  # fmt: skip
    return Tokens(wordings, distinct), made


def _places(among: Ints) -> Callable[[Ints], Ints]:
    """Tells the places of values among distinct ones, in whatever order those stand; each value is among them."""
    order = np.argsort(among)
    return lambda values: np.asarray(order[np.searchsorted(among, values, sorter=order)])


def _owner_tokens(side: _Side, units: Ints) -> tuple[Ints, Ints]:
    """(places among `units`, tokens): organisations and payers that the accounts of each unit show. `units`: names of units, the smallest hashes of their accounts."""
    found, owners = side.parts.each(_owned, OWNED), side.parts.owners
    who, token = list[Ints](), list[Ints]()
    for name in ("org", "payment"):
        table = found[name]
        known = table.filter(pa.compute.is_valid(table[name]))
        account = np.searchsorted(owners.accounts, known["account"].to_numpy())
        at = np.searchsorted(units, owners.unit_hash[owners.unit[account]])
        inside = (at < len(units)) & (units[np.minimum(at, len(units) - 1)] == owners.unit_hash[owners.unit[account]])
        who.append(at[inside])
        token.append(known[name].to_numpy()[inside])
    return np.concatenate(who).astype(np.int64), np.concatenate(token).astype(np.int64)


def _owned(traffic: Traffic) -> dict[str, pa.Table]:
    return owned(traffic.marks)


def _told(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")
