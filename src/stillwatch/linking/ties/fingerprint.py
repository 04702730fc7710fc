"""A header fingerprint or a network shared by accounts of unrelated organisations, too rare to be a popular client or a NAT."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.linking.declare import Joins, KeepsApart, Tie, among_strangers, pairs
from stillwatch.traffic import Ints, Owners, Traffic

LEAST = 4
"Fewest units behind one fingerprint."

MOST_SHARE = 0.05
"Largest share of all units: what more of them have in common is a popular client or a large NAT."


def part(traffic: Traffic) -> pa.Table:
    """Header fingerprints and networks of each account: `kind` 0 and 1."""
    tables = []
    for kind, name in enumerate(("headers", "net")):
        table = traffic.marks.select(["account", name]).rename_columns(["account", "key"])
        table = table.filter(table["key"].is_valid()).group_by(["account", "key"], use_threads=False).aggregate([])
        tables.append(table.append_column("kind", pa.array(np.full(table.num_rows, kind))))
    return pa.concat_tables(tables)


def joined(owners: Owners, table: pa.Table) -> tuple[Ints, Ints]:
    """Edges to header fingerprints and to networks, popular ones taken out before any join."""
    accounts, keys = [], []
    for kind in (0, 1):
        account, key = pairs(owners, table.filter(pc.equal(table["kind"], kind)))
        account, key = among_strangers(owners, account, np.unique(key, return_inverse=True)[1].astype(np.int64), LEAST, MOST_SHARE)
        accounts.append(account)
        keys.append(key * 2 + kind)
    return np.concatenate(accounts), np.concatenate(keys)


def _calls(count: int, shared: int) -> list[dict[str, int]]:
    return [{"account": i, "headers": 1 if i < shared else 100 + i, "net": 500 + i} for i in range(count)]


TIE = Tie(
    name="fingerprint",
    reads=("headers", "net"),
    part=part,
    joined=joined,
    why="Unrelated organisations share a header fingerprint or a network that few others have.",
    lookalike="a popular client or framework, a NAT, a VPN exit: what more than a twentieth of all organisations share is taken out",
    blind_spot="residential proxies with one exit per account, and headers made afresh for each",
    cases=(
        Joins(_calls(200, 6), frozenset(range(6))),
        Joins(_calls(200, 4), frozenset(range(4))),
        Joins(_calls(200, 9), frozenset(range(9))),
        KeepsApart(_calls(40, 30), "a popular client that most customers use"),
        KeepsApart(_calls(100, 6), "a framework that one customer in seventeen uses"),
        KeepsApart(_calls(200, 3), "three freelancers in one shared office"),
    ),
)
