"""A payment instrument shared by accounts that show no common organisation."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from stillwatch.linking.declare import Joins, KeepsApart, Tie, rows
from stillwatch.traffic import NONE, Ints, Owners, Traffic, distinct_rows

LEAST = 3
"Fewest visible organisations on one card."


def part(traffic: Traffic) -> pa.Table:
    """Nothing: who pays is known of every account."""
    return rows(traffic, np.zeros(0, np.int64), np.zeros(0, np.int64))


def joined(owners: Owners, table: pa.Table) -> tuple[Ints, Ints]:
    """Accounts on a card that at least LEAST visible organisations use. (A unit is one payer, so units cannot count here.)"""
    account = np.flatnonzero(owners.payment != NONE)
    key = owners.payment[account]
    used, _ = distinct_rows(key, owners.org[account])
    keys, names = np.unique(used[0], return_counts=True)
    keep = np.isin(key, keys[names >= LEAST])
    return account[keep], key[keep]


def _calls(orgs: list[int], payment: int) -> list[dict[str, int]]:
    return [{"account": i, "org": org, "payment": payment} for i, org in enumerate(orgs)]


TIE = Tie(
    name="payment",
    reads=("payment",),
    part=part,
    joined=joined,
    why="One card or account pays for accounts that show no common organisation.",
    lookalike="one firm's many accounts: they show one organisation and are kept apart; a reseller's customers do look the same, "
    "so payment only ties and never decides",
    blind_spot="one virtual card per account",
    cases=(
        Joins(_calls([0, 1, 2], 9), frozenset({0, 1, 2})),
        KeepsApart(_calls([7, 7, 7], 9), "one firm's accounts on the firm's card"),
        KeepsApart(_calls([7, 8, 8], 9), "a founder who pays for two firms with one card"),
    ),
)
