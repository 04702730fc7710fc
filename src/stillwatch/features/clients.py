"""From where and with what a group calls: addresses, user agents, header fingerprints, telemetry."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.facts import span
from stillwatch.features.declare import Feature, Floats, Groups
from stillwatch.features.rows import DAY, HOUR, code, distinct, mean, median, number, pack, thinned
from stillwatch.records import Context
from stillwatch.traffic import NONE, Fact, Ints, Traffic

LEAST_CALLS = 8
"Fewest calls of a key from which its addresses say something."

LEAST_ACCOUNTS, LEAST_DAYS = 5, 2
"Accounts, and days between an account's first and last call, from which 'never changes' says something."

TOGETHER, LEAST_TOGETHER = 6 * HOUR, 3
"A change is in lockstep where this many accounts of the group make the same change within this time."

LEAST_OFFICIAL = 3
"Unrelated organisations with telemetry from which a user agent is known to send it."


def _per_key_and_day(groups: Groups, name: str) -> Floats:
    """Distinct values of a column for a key on a day with calls, averaged over its days; the median over the group's keys.

    A key is the API key, or the account where the log names no key.
    """
    value, key = code(groups, name), code(groups, "key")
    account, day = groups.traffic.account[groups.calls], groups.traffic.ts[groups.calls] // DAY - span(groups.traffic)[0] // DAY
    rows = np.flatnonzero(value != NONE)
    label, value, key, day = groups.label[rows], value[rows], key[rows], day[rows]
    owner = np.where(key == NONE, account[rows], NONE)
    _, one, member = np.unique(pack(label, key, owner), return_index=True, return_inverse=True)
    calls = np.bincount(member, minlength=len(one))
    seen = np.bincount(member[distinct(member, day, value)], minlength=len(one))
    days = np.bincount(member[distinct(member, day)], minlength=len(one))
    enough = calls >= LEAST_CALLS
    return median(groups.count, label[one][enough], (seen / np.maximum(1, days))[enough])


def addresses_per_key(groups: Groups) -> Floats:
    """Addresses that a key is used from on a day: the median over the group's keys."""
    return _per_key_and_day(groups, "ip")


def agents_per_key(groups: Groups) -> Floats:
    """User agents that a key is used with on a day: the median over the group's keys."""
    return _per_key_and_day(groups, "user_agent")


def _client(groups: Groups) -> tuple[Ints, Ints, Ints, Ints]:
    """(group, account, time, client) of the rows whose headers and user agent are known, by group, account and time."""
    headers, agent = code(groups, "headers"), code(groups, "user_agent")
    rows = np.flatnonzero((headers != NONE) & (agent != NONE))
    account = groups.traffic.account[groups.calls][rows]
    rows = rows[np.argsort(pack(groups.label[rows], account), kind="stable")]
    return groups.label[rows], groups.traffic.account[groups.calls][rows], groups.traffic.ts[groups.calls][rows], pack(headers, agent)[rows]


def frozen_client(groups: Groups) -> Floats:
    """Share of the accounts whose client never changes in two days or more, or changes only in lockstep with other members.

    A client is a header fingerprint with a user agent. In lockstep: three accounts of the group or more make the same change within six hours.
    Unknown in a thinned log, where most changes fall between two kept calls and everybody looks frozen.
    """
    label, account, ts, client = _client(groups)
    if not len(label):
        return np.full(groups.count, np.nan)
    same = (label[1:] == label[:-1]) & (account[1:] == account[:-1])
    change = np.flatnonzero(same & (client[1:] != client[:-1]))
    # The time is looked at in two sets of windows, half a window apart, so that no border splits a change.
    alone = np.ones(len(change), np.bool_)
    _, kind = np.unique(pack(np.unique(client[change], return_inverse=True)[1], np.unique(client[change + 1], return_inverse=True)[1]), return_inverse=True)
    for shift in (0, TOGETHER // 2):
        window = (ts[change + 1] - span(groups.traffic)[0] + shift) // TOGETHER
        _, event = np.unique(pack(label[change], kind, window), return_inverse=True)
        with_ = np.bincount(event[distinct(event, account[change])]) if len(change) else np.zeros(0)
        alone &= with_[event] < LEAST_TOGETHER
    one = distinct(label, account)
    member = np.searchsorted(one, np.arange(len(label)), "right") - 1
    loose = np.bincount(member[change[alone]], minlength=len(one)) > 0
    last = np.append(one[1:], len(label)) - 1
    judged = ts[last] - ts[one] >= LEAST_DAYS * DAY
    owner = label[one][judged]
    share = mean(groups.count, owner, 1.0 - loose[judged])
    return np.where((np.bincount(owner, minlength=groups.count) >= LEAST_ACCOUNTS) & ~thinned(groups), share, np.nan)


def same_client(groups: Groups) -> Floats:
    """Share of a group's accounts that use its most widely used client: one header fingerprint with one user agent."""
    label, account, _, client = _client(groups)
    accounts = np.bincount(label[distinct(label, account)], minlength=groups.count)
    pairs = distinct(label, client, account)
    _, one, users = np.unique(pack(label[pairs], client[pairs]), return_index=True, return_counts=True)
    most = np.zeros(groups.count)
    np.maximum.at(most, label[pairs][one], users)
    return np.where(accounts >= LEAST_ACCOUNTS, most / np.maximum(1, accounts), np.nan)


def no_telemetry(groups: Groups) -> Floats:
    """Share of the calls with an official client's user agent for which that client's own telemetry was not seen.

    A user agent is an official client's where the log has seen its telemetry on most calls of three unrelated organisations or more.
    """
    traffic = groups.traffic
    seen = number(groups, "client_seen")
    official = np.asarray(pc.is_in(traffic.column("user_agent"), traffic.whole(OFFICIAL)))[groups.calls]
    return groups.share(seen == 0, official & ~np.isnan(seen))


def _telling(traffic: Traffic, context: Context) -> pa.Table:
    """By user agent: the organisations on most of whose calls with it the telemetry was seen."""
    rows = traffic.marks.select(["user_agent", "client_seen"]).append_column("unit", pa.array(traffic.unit[traffic.account]))
    rows = rows.filter(pc.and_(rows["user_agent"].is_valid(), rows["client_seen"].is_valid()))
    rows = rows.set_column(1, "client_seen", rows["client_seen"].cast(pa.int64()))
    cells = rows.group_by(["user_agent", "unit"], use_threads=False).aggregate([("client_seen", "sum"), ([], "count_all")])
    mostly = cells["client_seen_sum"].to_numpy() > 0.5 * cells["count_all"].to_numpy()
    agents = cells.filter(pa.array(mostly)).group_by("user_agent", use_threads=False).aggregate([([], "count_all")])
    return pa.table({"user_agent": agents["user_agent"], "units": agents["count_all"]})


def _official(rows: pa.Table) -> pa.Array:
    total = rows.group_by("user_agent", use_threads=False).aggregate([("units", "sum")])
    return total.filter(pc.greater_equal(total["units_sum"], LEAST_OFFICIAL))["user_agent"].combine_chunks()


OFFICIAL = Fact("official clients", ("user_agent", "client_seen"), _telling, _official)
"User agents (keyed hashes) of official clients: those that send telemetry."

FACTS = (OFFICIAL,)


_KEYS: list[dict[str, object]] = [{"key": 1, "ip": i, "user_agent": i % 2, "ts": i} for i in range(8)]
_KEYS += [{"key": 2, "ip": 1, "user_agent": 7, "ts": i * DAY} for i in range(8)]
_KEYS += [{"ip": i // 2, "user_agent": 7, "ts": i} for i in range(8)]

_POOL: list[dict[str, object]] = [{"account": a, "ts": day * DAY + a, "headers": 5 if day < 2 else 6, "user_agent": 9} for a in range(4) for day in range(4)]
_POOL += [{"account": 9, "ts": day * DAY, "headers": 20 + day, "user_agent": 9} for day in range(4)]
"Four accounts that change together, and one that changes every day."

_SEEN: list[dict[str, object]] = [{"account": a, "org": a, "user_agent": 5, "client_seen": True} for a in range(3)]
_SEEN += [{"account": 8, "org": 8, "user_agent": 5, "client_seen": False}, {"account": 9, "org": 9, "user_agent": 6, "client_seen": False}]

FEATURES = (
    Feature(
        "addresses_per_key", "addresses a day", "a key stays in one place", "a key is used from many places", ("ip",), addresses_per_key, (_KEYS, 4.0)
    ),
    Feature(
        "agents_per_key", "user agents a day", "a key is used by one client", "a key is used by many clients", ("user_agent",), agents_per_key, (_KEYS, 1.0)
    ),
    Feature(
        "frozen_client", "share of accounts", "each account updates its client at its own time", "clients never change, or all in the same hours",
        ("headers", "user_agent"), frozen_client, (_POOL, 0.8), clusters_only=True,
    ),
    Feature(
        "same_client", "share of accounts", "as many clients as accounts", "all accounts use one and the same client",
        ("headers", "user_agent"), same_client, (_POOL, 0.8), clusters_only=True,
    ),
    Feature(
        "no_telemetry", "share of calls", "official clients report as usual", "an official client's name without its telemetry",
        ("client_seen", "user_agent"), no_telemetry, (_SEEN, 0.25),
    ),
)  # fmt: skip
