"""A payment instrument shared by accounts that show no common organisation."""

from __future__ import annotations

import numpy as np

from stillwatch.linking.declare import Joins, KeepsApart, Tie
from stillwatch.traffic import NONE, Ints, Traffic, distinct_rows

LEAST = 3
"Fewest visible organisations on one card."


def edges(traffic: Traffic) -> tuple[Ints, Ints]:
    """Accounts on a card that at least LEAST visible organisations use. (A unit is one payer, so units cannot count here.)"""
    account = np.flatnonzero(traffic.payment != NONE)
    key = traffic.payment[account]
    pairs, _ = distinct_rows(key, traffic.org[account])
    keys, owners = np.unique(pairs[0], return_counts=True)
    keep = np.isin(key, keys[owners >= LEAST])
    return account[keep], key[keep]


def _calls(orgs: list[int], payment: int) -> list[dict[str, int]]:
    return [{"account": i, "org": org, "payment": payment} for i, org in enumerate(orgs)]


TIE = Tie(
    name="payment",
    reads=("payment",),
    edges=edges,
    core=None,
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
