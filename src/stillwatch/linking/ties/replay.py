"""Encrypted reasoning issued to one account and replayed by an unrelated one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.linking.declare import Joins, KeepsApart, Tie, pairs, rows
from stillwatch.records import Context
from stillwatch.traffic import Fact, Ints, Owners, Traffic

ENDS = pa.schema([("digest", pa.int64()), ("account", pa.int64()), ("ts", pa.int64()), ("call", pa.int64())])
"One end of a replay; the account and the call by keyed hash."


@dataclass(frozen=True)
class Links:
    """Replays between accounts of different units, by digest. One entry of each array a replay."""

    digest: Ints
    "What was replayed."
    source: Ints
    "Account (keyed hash) that it was issued to."
    source_ts: Ints
    "When, microseconds."
    source_call: Ints
    "In which call (keyed hash)."
    target: Ints
    "Account that replayed it."
    target_ts: Ints
    "When."
    target_call: Ints
    "In which call."


_NOTHING = np.zeros(0, np.int64)
NO_LINKS = Links(_NOTHING, _NOTHING, _NOTHING, _NOTHING, _NOTHING, _NOTHING, _NOTHING)
"No replays."


def _replayed(traffic: Traffic) -> tuple[Ints, Ints]:
    """(call, digest) of everything that was replayed."""
    column = traffic.column("reasoning_in").combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
    return np.repeat(np.arange(traffic.calls), lengths), column.flatten().to_numpy(zero_copy_only=False).astype(np.int64)


def _ends(traffic: Traffic, call: Ints, digest: Ints) -> pa.Table:
    account, name = traffic.accounts[traffic.account[call]], traffic.column("call").to_numpy()[call]
    return pa.table([digest, account, traffic.ts[call], name], schema=ENDS)


def _from_elsewhere(traffic: Traffic, context: Context) -> pa.Table:
    """What was replayed and not issued to the same unit."""
    replaying, wanted = _replayed(traffic)
    issued = traffic.column("reasoning_out")
    issuing = np.flatnonzero(np.asarray(issued.is_valid()))
    digest = pc.drop_null(issued).to_numpy()
    order = np.argsort(digest, kind="stable")
    issuing, digest = issuing[order], digest[order]
    unit = traffic.unit[traffic.account]
    low, high = np.searchsorted(digest, wanted, "left"), np.searchsorted(digest, wanted, "right")
    own = high > low
    own[own] = unit[issuing[low[own]]] == unit[replaying[own]]
    # A digest is issued once. Were it issued several times, once to the replayer's own unit is enough.
    for i in np.flatnonzero((high - low > 1) & ~own):
        own[i] = bool((unit[issuing[low[i] : high[i]]] == unit[replaying[i]]).any())
    return _ends(traffic, replaying[~own], wanted[~own])


def _sorted(rows: pa.Table) -> pa.Table:
    return rows.sort_by([(name, "ascending") for name in ENDS.names]).combine_chunks()


FROM_ELSEWHERE = Fact("replays from elsewhere", ("reasoning_out", "reasoning_in", "call"), _from_elsewhere, _sorted)
"Ends of replays at the replayer, of digests that were not issued to the replayer's own unit."


def _issued(traffic: Traffic, context: Context) -> pa.Table:
    column = traffic.column("reasoning_out")
    call = np.flatnonzero(np.asarray(pc.is_in(column, traffic.whole(FROM_ELSEWHERE)["digest"].combine_chunks())) & np.asarray(column.is_valid()))
    return _ends(traffic, call, column.take(pa.array(call)).to_numpy())


def _first(rows: pa.Table) -> pa.Table:
    """The first issue of each digest, by account and time: it stands for it, were it issued to several calls."""
    table = _sorted(rows)
    return table.take(pa.array(np.unique(table["digest"].to_numpy(), return_index=True)[1]))


ISSUED = Fact("issued to others", ("reasoning_out", "call"), _issued, _first, after=(FROM_ELSEWHERE.name,))
"Ends of replays at the issue."

FACTS = (FROM_ELSEWHERE, ISSUED)


def links(traffic: Traffic) -> Links:
    """Every replay between accounts of different units, in the whole log."""
    target, source = traffic.whole(FROM_ELSEWHERE), traffic.whole(ISSUED)
    digests = source["digest"].to_numpy()
    at = np.minimum(np.searchsorted(digests, target["digest"].to_numpy()), max(0, len(digests) - 1))
    found = digests[at] == target["digest"].to_numpy() if len(digests) else np.zeros(len(at), np.bool_)
    target, source = target.filter(pa.array(found)), source.take(pa.array(at[found]))
    return Links(
        target["digest"].to_numpy(),
        *(source[name].to_numpy() for name in ("account", "ts", "call")),
        *(target[name].to_numpy() for name in ("account", "ts", "call")),
    )


def part(traffic: Traffic) -> pa.Table:
    """Both ends of each replay between strangers, of the accounts of this part."""
    found = links(traffic)
    account, key = np.concatenate([found.source, found.target]), np.concatenate([found.digest, found.digest])
    at = np.minimum(np.searchsorted(traffic.accounts, account), max(0, len(traffic.accounts) - 1))
    here = traffic.accounts[at] == account if len(traffic.accounts) else np.zeros(len(at), np.bool_)
    return rows(traffic, at[here], key[here])


def joined(owners: Owners, table: pa.Table) -> tuple[Ints, Ints]:
    """Both ends of each replay, joined by the digest."""
    account, key = pairs(owners, table)
    order = np.lexsort((key, account))
    return account[order], key[order]


def core(traffic: Traffic, accounts: Ints) -> Ints:
    """The issuing and replaying calls among the accounts, of which all calls must be here."""
    found = links(traffic)
    calls = np.flatnonzero(np.isin(traffic.column("call").to_numpy(), np.concatenate([found.source_call, found.target_call])))
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
    part=part,
    joined=joined,
    why="Encrypted reasoning that was issued to one account came back from an unrelated account.",
    lookalike="a person who carries a conversation on under a second account of the same organisation or payer: not counted",
    of_calls=True,
    blind_spot="logs that keep no digests of reasoning, and answers whose reasoning is never replayed",
    cases=(
        Joins(_calls(2), frozenset({0, 1})),
        KeepsApart(_calls(1), "one organisation's two accounts share a conversation"),
    ),
)
