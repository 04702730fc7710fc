"""Which conversations an account holds on a day, and when: stretches of its pattern's days, moved by minutes, until the day's calls are full."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scale.kernels import mixed, mixed_pairs
from scale.pattern import Pattern, day_second
from scale.people import People, Size, unit
from stillwatch.drill.personas import DAY

Ints = NDArray[np.int64]

MICROS = DAY * 1_000_000
EVENING, MINUTES = 2_400_000_000, 240_000_000
"By how much (microseconds) a day begins earlier or later than its pattern, and a conversation."


@dataclass(frozen=True)
class Rows:
    """Calls of one day, by time."""

    call: Ints
    "Call of the pattern world."
    account: Ints
    "Row of `People`."
    session: NDArray[np.uint64]
    "Key of the conversation."
    place: Ints
    "Place in the conversation."
    ts: Ints
    number: Ints
    "Number of the call in the log."

    def part(self, start: int, end: int) -> Rows:
        """Some of them."""
        return self.taken(np.arange(start, end))

    def taken(self, some: Ints) -> Rows:
        """Those at some places."""
        return Rows(self.call[some], self.account[some], self.session[some], self.place[some], self.ts[some], self.number[some])


def quota(calls: int, day: int, days: int) -> int:
    """Calls of a day, so that all days make exactly `calls`."""
    return calls * (day + 1) // days - calls * day // days


def plan(pattern: Pattern, people: People, size: Size, day: int) -> Rows:
    """All calls of a day."""
    parts = []
    for guilty, calls in ((False, size.calls - size.campaign_calls), (True, size.campaign_calls)):
        if wanted := quota(calls, day, size.days):
            parts.append(_conversations(pattern, people, np.flatnonzero(people.campaign == guilty), wanted, size, day))
    account, talk, key, count, begin = (np.concatenate(each) for each in zip(*parts, strict=True))
    row = np.repeat(np.arange(len(account)), count)
    place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    call = pattern.session_calls[talk][row] + place
    since = day_second(pattern)[1]
    pace = 0.8 + 0.45 * unit(mixed(key, 31))
    lasts = since[pattern.session_calls[talk] + count - 1] * pace
    pace = np.where(lasts > 0.9 * MICROS, pace * 0.9 * MICROS / np.maximum(lasts, 1), pace)
    latest = MICROS - 1 - np.minimum(lasts, 0.9 * MICROS).astype(np.int64) - 1
    begin = np.minimum(begin % MICROS, latest)
    ts = (size.start + day * DAY) * 1_000_000 + begin[row] + (since[call] * pace[row]).astype(np.int64)
    order = np.lexsort((place, key[row], ts))
    first = sum(quota(part, each, size.days) for each in range(day) for part in (size.calls - size.campaign_calls, size.campaign_calls))
    return Rows(call[order], account[row][order], key[row][order], place[order], ts[order], first + np.arange(len(row)))


def _conversations(pattern: Pattern, people: People, some: Ints, wanted: int, size: Size, day: int) -> tuple[Ints, Ints, NDArray[np.uint64], Ints, Ints]:
    """(account, session of the pattern, key, calls, microsecond after midnight) of conversations with exactly `wanted` calls together."""
    able = some[people.first_day[some] <= day]
    today = mixed(people.key[able], 1000 + day)
    chance, more = unit(mixed(today, 32)), 1.06
    since = size.days - people.first_day[able]
    due = people.first_day[able] + (unit(mixed(people.key[able], 33)) * since).astype(np.int64) == day
    while True:
        count = (people.rate[able] * more + chance).astype(np.int64)
        count = np.maximum(count, due)
        which = np.repeat(np.arange(len(able)), count)
        turn = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
        account = able[which]
        first = pattern.account_sessions[people.pattern[account]]
        held = pattern.account_sessions[people.pattern[account] + 1] - first
        talk = first + ((today[which] >> np.uint64(20)).astype(np.int64) + turn) % held
        calls = pattern.session_calls[talk + 1] - pattern.session_calls[talk]
        if calls.sum() >= wanted:
            break
        more *= 1.15
    key = mixed_pairs(today[which], turn, size.seed + 34)
    # Everybody's first conversation has a place; of the others, as many as there is room for.
    order = np.lexsort((mixed(key, 35), ~(due[which] & (turn == 0))))
    order = order[: int(np.searchsorted(np.cumsum(calls[order]), wanted)) + 1]
    calls = calls[order]
    calls[-1] -= calls.sum() - wanted
    begin = day_second(pattern)[0][talk[order]]
    late = (unit(mixed(today[which[order]], 36)) - 0.5) * 2 * EVENING + (unit(mixed(key[order], 37)) - 0.5) * 2 * MINUTES
    again = turn[order] // held[order]  # a day with more conversations than the pattern has goes through it again, at other hours
    return account[order], talk[order], key[order], calls, begin + late.astype(np.int64) + again * 16_180_339_887
