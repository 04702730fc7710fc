"""Encrypted reasoning issued to one account and replayed by an unrelated one."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from stillwatch.linking.declare import Joins, KeepsApart, Tie
from stillwatch.traffic import Ints, Traffic, distinct_rows


def links(traffic: Traffic) -> tuple[Ints, Ints, Ints]:
    """(issuing call, replaying call, digest) of every replay between accounts of different units."""
    column = traffic.column("reasoning_in").combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
    replaying = np.repeat(np.arange(traffic.calls), lengths)
    wanted = column.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
    issued = traffic.column("reasoning_out")
    issuing = np.flatnonzero(np.asarray(issued.is_valid()))
    digest = pc.drop_null(issued).to_numpy()
    order = np.argsort(digest, kind="stable")
    issuing, digest = issuing[order], digest[order]
    low, high = np.searchsorted(digest, wanted, "left"), np.searchsorted(digest, wanted, "right")
    # A digest is issued once; were it issued to several calls, the first of them (by account) stands for it.
    found = high > low
    source, target, key = issuing[low[found]], replaying[found], wanted[found]
    owner_of = traffic.unit[traffic.account]
    across = owner_of[source] != owner_of[target]
    return source[across], target[across], key[across]


def edges(traffic: Traffic) -> tuple[Ints, Ints]:
    """Both ends of each replay between strangers, joined by the digest."""
    source, target, key = links(traffic)
    both, _ = distinct_rows(traffic.account[np.concatenate([source, target])], np.concatenate([key, key]))
    return both[0], both[1]


def core(traffic: Traffic, accounts: Ints) -> Ints:
    """The issuing and replaying calls among the accounts."""
    source, target, _ = links(traffic)
    calls = np.unique(np.concatenate([source, target]))
    return calls[np.isin(traffic.account[calls], accounts)]


def _calls(unit_of_replayer: int) -> list[dict[str, object]]:
    return [
        {"account": 1, "org": 1, "reasoning_out": 77},
        {"account": 2, "org": unit_of_replayer, "reasoning_in": [77]},
        {"account": 3, "org": 3, "reasoning_out": 78, "reasoning_in": []},
    ]


TIE = Tie(
    name="replay",
    reads=("reasoning_out", "reasoning_in"),
    edges=edges,
    core=core,
    why="Encrypted reasoning that was issued to one account came back from an unrelated account.",
    lookalike="a person who carries a conversation on under a second account of the same organisation or payer: not counted",
    blind_spot="logs that keep no digests of reasoning, and answers whose reasoning is never replayed",
    cases=(
        Joins(_calls(2), frozenset({0, 1})),
        KeepsApart(_calls(1), "one organisation's two accounts share a conversation"),
    ),
)
