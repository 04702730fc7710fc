"""A header fingerprint or a network shared by accounts of unrelated organisations, too rare to be a popular client or a NAT."""

from __future__ import annotations

import numpy as np

from stillwatch.linking.declare import Joins, KeepsApart, Tie, among_strangers
from stillwatch.traffic import NONE, Ints, Traffic, codes

LEAST = 4
"Fewest units behind one fingerprint."

MOST_SHARE = 0.05
"Largest share of all units: what more of them have in common is a popular client or a large NAT."


def edges(traffic: Traffic) -> tuple[Ints, Ints]:
    """Edges to header fingerprints and to networks, popular ones taken out before any join."""
    accounts, keys = [], []
    for offset, name in enumerate(("headers", "net")):
        code, _ = codes(traffic.column(name))
        known = code != NONE
        account, key = among_strangers(traffic.owners, traffic.account[known], code[known], LEAST, MOST_SHARE)
        accounts.append(account)
        keys.append(key * 2 + offset)
    return np.concatenate(accounts), np.concatenate(keys)


def _calls(count: int, shared: int) -> list[dict[str, int]]:
    return [{"account": i, "headers": 1 if i < shared else 100 + i, "net": 500 + i} for i in range(count)]


TIE = Tie(
    name="fingerprint",
    reads=("headers", "net"),
    edges=edges,
    core=None,
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
