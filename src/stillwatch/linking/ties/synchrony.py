"""Accounts of unrelated organisations that are active in the same minutes again and again (after SynchroTrap, CCS 2014)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from stillwatch.linking.declare import Joins, KeepsApart, Tie, among_strangers, pairs, rows
from stillwatch.traffic import Ints, Owners, Traffic, distinct_rows

SLOT = 2 * 60 * 1_000_000
"Two calls in the same two minutes are in step."

LEAST_SLOTS = 6
"Fewest active slots of an account for its pattern to say anything."

BANDS = 8
"Bands of two min-hashes each: accounts with 80 % of their slots in common share one with probability .99, with 20 % .28."

LEAST, MOST_SHARE = 4, 0.05


def _hashed(slots: Ints, seed: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    mixed = (slots.astype(np.uint64) ^ np.uint64(seed << 40)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def part(traffic: Traffic) -> pa.Table:
    """Bands of the min-hash signature of the slots in which each account is active."""
    (account, slot), _ = distinct_rows(traffic.account, traffic.ts // SLOT)
    busy = np.bincount(account, minlength=len(traffic.accounts))[account] >= LEAST_SLOTS
    slot = slot[busy]
    who, first = np.unique(account[busy], return_index=True)
    if not len(who):
        return rows(traffic, who, who)
    keys = []
    for band in range(BANDS):
        one = np.minimum.reduceat(_hashed(slot, 2 * band + 1), first)
        two = np.minimum.reduceat(_hashed(slot, 2 * band + 2), first)
        key = ((one ^ (two << np.uint64(1))) & ~np.uint64(15) | np.uint64(band)).view(np.int64)
        keys.append(key)
    return rows(traffic, np.tile(who, BANDS), np.concatenate(keys))


def joined(owners: Owners, table: pa.Table) -> tuple[Ints, Ints]:
    """Edges to bands that several strangers share, and not too many."""
    return among_strangers(owners, *pairs(owners, table), LEAST, MOST_SHARE)


def _calls(accounts: range, in_step: bool) -> list[dict[str, int]]:
    own = [0 if in_step else account for account in accounts]
    return [
        {"account": account, "ts": (mine * 7919 + slot * 104_729 * (mine + 3)) % 50_000 * SLOT}
        for account, mine in zip(accounts, own, strict=True)
        for slot in range(12)
    ]


def _beside(accounts: int, minutes: Sequence[float], times: int) -> list[dict[str, int]]:
    """Accounts that call every six minutes, each so many minutes after the full six as `minutes` says."""
    return [{"account": i, "ts": int((minutes[i] + 6 * time) * 60_000_000)} for i in range(accounts) for time in range(times)]


def _partly(start: int, common: int, own: int) -> list[dict[str, int]]:
    """Four accounts with some slots in common and some of their own."""
    slots = [[*range(start, start + common), *(start + 1000 * (account + 1) + slot for slot in range(own))] for account in range(4)]
    return [{"account": account, "ts": slot * SLOT} for account, mine in enumerate(slots) for slot in mine]


TIE = Tie(
    name="synchrony",
    reads=("ts",),
    part=part,
    joined=joined,
    why="Accounts of unrelated organisations are active in the same minutes, time after time.",
    lookalike="schedulers that start on the hour, and everybody at busy times: patterns that many organisations share are taken out",
    blind_spot="jittered or human-shaped timing",
    cases=(
        Joins(_calls(range(5), True) + _calls(range(5, 120), False), frozenset(range(5))),
        Joins(_beside(4, (0, 0.4, 0.8, 1.9), 6), frozenset(range(4))),
        Joins(_partly(600, common=8, own=4), frozenset(range(4))),
        KeepsApart(_calls(range(60), False), "customers who work at times of their own"),
        KeepsApart(_calls(range(6), True) + _calls(range(6, 100), False), "a scheduler that one customer in seventeen uses"),
        KeepsApart(_beside(4, (0, 0, 0, 0), 5), "customers who met five times by chance"),
        KeepsApart(_beside(3, (0, 0, 0), 12), "three partners with one nightly job"),
        KeepsApart(_beside(4, (0, 1, 2, 2.9), 12), "jobs that start one after another"),
        KeepsApart(_partly(1000, common=6, own=6), "customers who work in the same hours half of the time"),
    ),
)
