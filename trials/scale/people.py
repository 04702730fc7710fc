"""The accounts of a log: copies of the pattern world's, each with an identity, a card, an address and a rate of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scale.kernels import mixed, mixed_pairs
from scale.pattern import CAMPAIGN, DAYS, NEW, Pattern
from stillwatch.drill.declare import every_campaign
from stillwatch.drill.personas import DAY

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Hashes = NDArray[np.uint64]

UNEVEN = 0.5
"Log-normal sigma by which the rate of an account differs from that of its pattern, which is uneven already."

KNOWN = 0.5
"Share of organisations that stand in the log and in its history under the same name, where both have room for them."


@dataclass(frozen=True)
class Size:
    """What is asked for."""

    calls: int
    accounts: int
    share: float
    "The campaign's share of the calls, cover included."
    days: int
    start: int
    "First second."
    seed: int
    "Of this log."
    world: int
    "Of what a log and its history have in common."
    nat: int = 0
    "Accounts behind one address."
    framework: float = 0.0
    "Share of the accounts that use one agent framework, besides those that do anyway."
    least: int = 0
    "Fewest calls of an account to be expected."
    new: bool = True
    "Whether classes that are new by nature are in it."

    @property
    def campaign_calls(self) -> int:
        """Calls of the campaign's accounts."""
        return round(self.calls * self.share)

    @property
    def campaign_accounts(self) -> int:
        """As many as the disclosure gives for so many calls in so many days: 25.6 calls an account and day."""
        disclosed = every_campaign()[CAMPAIGN]
        a_day = disclosed.calls / disclosed.accounts / disclosed.days
        return min(self.accounts // 2, max(20, round(self.campaign_calls / a_day / self.days))) if self.campaign_calls else 0


@dataclass(frozen=True)
class People:
    """One row an account; innocents first."""

    pattern: Ints
    "Account of the pattern world."
    district: Hashes
    "Key of the copy of the world that it lives in, whose carriers, exits, agencies and lists it shares."
    organisation: Hashes
    key: Hashes
    rate: Floats
    "Conversations a day."
    first_day: Ints
    "Day of its first call, at the earliest."
    signup: Ints
    "Microseconds."
    campaign: NDArray[np.bool_]
    nat: NDArray[np.bool_]
    framework: NDArray[np.bool_]


def unit(hashes: Hashes) -> Floats:
    """Hashes as numbers of 0..1."""
    return np.asarray((hashes >> np.uint64(11)).astype(np.float64) / 2.0**53)


def settle(pattern: Pattern, size: Size) -> People:
    """All accounts of a log: innocents copy by copy, whole organisations together, and the campaign's."""
    new = np.array([label in NEW for label in pattern.label], np.bool_)
    innocent, copy = _copies(pattern, ~pattern.campaign & (size.new | ~new), size.accounts - size.campaign_accounts, size.world)
    guilty, again = _copies(pattern, pattern.campaign, size.campaign_accounts, size.world)
    who, copies = np.concatenate([innocent, guilty]), np.concatenate([copy, again])
    campaign = pattern.campaign[who]
    named = mixed_pairs(pattern.owner[who], copies, size.world)
    known = (unit(mixed(named, 11)) < KNOWN) & ~campaign
    organisation = np.where(known, named, mixed_pairs(pattern.owner[who], copies, size.seed + 101))
    key = mixed_pairs(organisation, who, 12)
    signup, first_day = _signups(pattern, who, key, size)
    rate = np.concatenate([
        _rates(pattern, who[part], key[part], size.days - first_day[part], calls, size.least)
        for part, calls in ((~campaign, size.calls - size.campaign_calls), (campaign, size.campaign_calls))
    ])  # fmt: skip
    nat = np.zeros(len(who), np.bool_)
    nat[np.argsort(mixed(key, 13), kind="stable")[: size.nat]] = True
    framework = unit(mixed(key, 14)) < size.framework
    return People(who, mixed(copies, size.seed + 102), organisation, key, rate, first_day, signup, campaign, nat, framework)


def _copies(pattern: Pattern, some: NDArray[np.bool_], count: int, world: int) -> tuple[Ints, Ints]:
    """The first `count` of these accounts and their copies, organisation by organisation in an order that only the world knows."""
    mine = np.flatnonzero(some)
    if not count or not len(mine):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    mine = mine[np.lexsort((mine, mixed(pattern.owner[mine], world)))]
    at = np.arange(count)
    return mine[at % len(mine)], at // len(mine)


def _signups(pattern: Pattern, who: Ints, key: Hashes, size: Size) -> tuple[Ints, Ints]:
    """When each registered, and the first day on which it can call: those who are young in the pattern register while the log runs."""
    first = pattern.session_calls[pattern.account_sessions[:-1]]
    signup = pattern.calls["signup_ts"].to_numpy()[first][who]
    age = pattern.start * 1_000_000 - signup
    shift = (unit(mixed(key, 15)) * DAY * 1e6).astype(np.int64)
    old = size.start * 1_000_000 - age - shift
    day = np.minimum((-age / (DAYS * DAY * 1e6) * size.days + unit(mixed(key, 16))).astype(np.int64), size.days - 2)
    young = (age < 0) & (size.days > 1)
    at = (size.start + day * DAY) * 1_000_000 + shift
    return np.where(young, at, old), np.where(young, np.maximum(day + 1, 0), 0)


def _rates(pattern: Pattern, who: Ints, key: Hashes, days: Ints, calls: int, least: int) -> Floats:
    """Conversations a day, so that `calls` are to be expected: in proportion to the pattern's, less evenly, and `least` calls an account and a few more."""
    sessions = np.diff(pattern.account_sessions)[who].astype(np.float64)
    made = np.diff(pattern.session_calls[pattern.account_sessions])[who] / sessions
    normal = np.sqrt(-2 * np.log(unit(mixed(key, 17)) + 1e-12)) * np.cos(2 * np.pi * unit(mixed(key, 18)))
    rate = sessions / DAYS * np.exp(UNEVEN * normal)
    floor = (least - 25 * np.log(unit(mixed(key, 19)) + 1e-12)) / made / days if least else np.zeros(len(who))
    low, high = 0.0, 1e6
    for _ in range(80):
        middle = (low + high) / 2
        more = float((np.maximum(rate * middle, floor) * made * days).sum()) < calls
        low, high = (middle, high) if more else (low, middle)
    return np.asarray(np.maximum(rate * high, floor), np.float64)
