"""What a tie is: one reason to join accounts, declared in one file under ties/ and found by walking that package."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.traffic import Ints, Owners, Traffic, distinct_rows


@dataclass(frozen=True)
class Joins:
    """A case: these calls, in which the tie must join exactly `together`."""

    calls: Sequence[dict[str, Any]]
    "Rows of marks; columns left out are null (see `traffic.from_rows`)."
    together: frozenset[int]
    "Accounts that must share a key."


@dataclass(frozen=True)
class KeepsApart:
    """A case: these calls, in which the tie must join nobody; `why` names the innocent look-alike."""

    calls: Sequence[dict[str, Any]]
    "Rows of marks."
    why: str
    "The innocent look-alike."


@dataclass(frozen=True)
class Tie:
    """One reason to join accounts. Edges stay bipartite: (account, key), never account pairs."""

    name: str
    "As reports call it."
    reads: tuple[str, ...]
    "Columns of the marks; where one is wholly null the tie is off."
    part: Callable[[Traffic], pa.Table]
    "What one part of a log shows: rows of `account` (keyed hash) and `key`, each pair once."
    joined: Callable[[Owners, pa.Table], tuple[Ints, Ints]]
    "(account codes, keys) from the rows of all parts, with the sharing that is to be expected taken out."
    why: str
    "What it sees."
    lookalike: str
    "Who looks the same without guilt, and how it is kept apart."
    blind_spot: str
    "What it cannot see."
    cases: tuple[Joins | KeepsApart, ...]
    "Cases of both sides."
    of_calls: bool = False
    "Whether it marks calls, and not only accounts."

    def edges(self, traffic: Traffic) -> tuple[Ints, Ints]:
        """(account codes, keys) of a log that is one part."""
        return self.joined(traffic.owners, self.part(traffic))


def every_tie(package: str = "stillwatch.linking.ties") -> dict[str, Tie]:
    """All ties of a package by name, in order of name: every module under it declares one as `TIE`."""
    folder = importlib.import_module(package)
    found = {}
    for module in pkgutil.iter_modules(folder.__path__, package + "."):
        tie: Tie = importlib.import_module(module.name).TIE
        found[tie.name] = tie
    return dict(sorted(found.items()))


def rows(traffic: Traffic, account: Ints, key: Ints) -> pa.Table:
    """Pairs of an account (a code of this part) and a key, as a part shows them: each once."""
    (account, key), _ = distinct_rows(account, key)
    return pa.table({"account": traffic.accounts[account], "key": key})


def pairs(owners: Owners, table: pa.Table) -> tuple[Ints, Ints]:
    """(account codes of the whole log, keys) of the rows of all parts."""
    return np.searchsorted(owners.accounts, table["account"].to_numpy()).astype(np.int64), table["key"].to_numpy()


def among_strangers(owners: Owners, account: Ints, key: Ints, least: int, most_share: float) -> tuple[Ints, Ints]:
    """Edges whose key joins at least `least` units but at most `most_share` of all: neither one firm's nor everybody's."""
    pairs, _ = distinct_rows(key, owners.unit[account])
    keys, units = np.unique(pairs[0], return_counts=True)
    wanted = keys[(units >= least) & (units <= max(least, most_share * owners.units))]
    keep = np.isin(key, wanted)
    edges, _ = distinct_rows(account[keep], key[keep])
    return edges[0], edges[1]
