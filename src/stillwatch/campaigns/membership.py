"""What made each account a member, or nearly one: kept with a scan, so that any account can be explained without the log.

Hashes, times and counts only. A cluster's members are told by how many of its families, and of its kin, they use in two
different prompts, or by standing at an end of a replay; a case of several clusters leaves some of them out (`aside`). What that rests on is kept for everybody who carries
anything of a listed cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import pyarrow as pa

from stillwatch.campaigns.rule import AGAIN, least_share
from stillwatch.campaigns.weigh import weigh, worth_a_look
from stillwatch.facts import ACCOUNTS
from stillwatch.records import Cluster
from stillwatch.traffic import Bools, Ints, Traffic, distinct_rows

Listed = Sequence[tuple[str, str, Sequence[Cluster]]]
"(campaign, verdict, its clusters) of every campaign that a scan lists."

RANGE = 2_000_000
"Touches that are sorted at once, about."


class Pieces(Protocol):
    """Who carries which piece of template; families are numbers in the log's list."""

    def calls(self, family: int) -> Ints:
        """Core calls of a family, ascending, as far as they are at hand."""
        ...

    def users(self, family: int) -> Ints:
        """Accounts that use it in two different prompts, ascending."""
        ...


Edges = Mapping[str, tuple[Ints, Ints]]
"Tie -> (account codes, keys)."

Replayed = tuple[Ints, Ints, Ints, Ints]
"(account code at the issue, when; account code at the replay, when) of every replay between strangers, microseconds."

NO_REPLAYS: Replayed = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64))

REPLAY = "replay"
"The tie whose keys are told as one: every digest is shared by two accounts only."

CLUSTERS = pa.schema([
    ("cluster", pa.int64()), ("case", pa.int64()), ("campaign", pa.string()), ("verdict", pa.string()), ("families", pa.int64()), ("needed", pa.float64()), ("needed_kin", pa.float64()),
    ("least_share", pa.float64()), ("members", pa.int64()), ("ends", pa.int64()), ("ends_outside", pa.int64()), ("outside_all", pa.int64()), ("stands", pa.bool_()), ("replay_ts", pa.int64()),
])  # fmt: skip
FAMILIES = pa.schema([
    ("cluster", pa.int64()), ("family", pa.int64()), ("accounts", pa.int64()), ("members", pa.int64()), ("outside", pa.int64()), ("calls", pa.int64()),
])  # fmt: skip
TOUCHES = pa.schema([("account", pa.int64()), ("number", pa.int64()), ("ts", pa.int64()), ("prompt", pa.int64())])
KIN = pa.schema([("cluster", pa.int64()), ("family", pa.int64()), ("number", pa.int64())])
ENDS = pa.schema([("account", pa.int64()), ("cluster", pa.int64()), ("ts", pa.int64()), ("replays", pa.bool_())])
MODELS = pa.schema([("cluster", pa.int64()), ("family", pa.int64()), ("ts", pa.int64()), ("prompt", pa.int64())])
TIES = pa.schema([("account", pa.int64()), ("tie", pa.string()), ("key", pa.int64()), ("accounts", pa.int64()), ("outside", pa.int64())])
HOLDERS = pa.schema([("tie", pa.string()), ("key", pa.int64()), ("campaign", pa.string()), ("members", pa.int64()), ("members_all", pa.int64())])
SEEN = pa.schema(
    [("account", pa.int64()), ("calls", pa.int64()), ("asks", pa.int64()), ("apart", pa.bool_()), ("first_ts", pa.int64()), ("last_ts", pa.int64())]
)
OWN = pa.schema([("account", pa.int64()), ("campaign", pa.string()), ("signal", pa.string()), ("value", pa.float64())])


def tables(traffic: Traffic, listed: Listed, edges: Edges, replayed: Replayed, standing: frozenset[int], pieces: Pieces) -> dict[str, pa.Table]:
    """The tables to keep but `own`, each sorted, so that the same log gives the same bytes.

    Args: all calls of the members, and of whoever else carries a family of a cluster's own; the log's campaigns; the edges of every tie that is on; replays between
    strangers; names of the clusters that would be listed with one organisation fewer (`steady`); who carries which family.
    """
    accused = np.zeros(len(traffic.accounts), np.bool_)
    for _, _, clusters in listed:
        for cluster in clusters:
            accused[cluster.accounts] = True
    who, when = np.concatenate(replayed[::2]), np.concatenate(replayed[1::2])
    replays = np.repeat([False, True], [len(part) for part in replayed[::2]])
    made: dict[str, list[dict[str, object]]] = {"clusters": [], "families": [], "models": [], "kin": []}
    ends = [np.zeros((4, 0), np.int64)]
    outside_all, ends_outside = int((~accused).sum()), int((~accused[np.unique(who)]).sum())
    several = [(case, name, verdict, cluster, least_share(len(clusters))) for case, (name, verdict, clusters) in enumerate(listed) for cluster in clusters]
    touched: dict[int, Bools] = {}
    for number, (case, campaign, verdict, cluster, least) in enumerate(several):
        own = [pieces.calls(int(family)) for family in cluster.own]
        made["clusters"].append({
            "cluster": number, "case": case, "campaign": campaign, "verdict": verdict, "families": len(own), "needed": cluster.needed,
            "needed_kin": cluster.needed_kin, "least_share": least, "members": len(cluster.accounts),
            "ends": len(cluster.ends), "ends_outside": ends_outside, "outside_all": outside_all, "stands": cluster.name in standing, "replay_ts": _first_replay(cluster, *replayed[2:]),
        })  # fmt: skip
        made["families"] += [{"cluster": number, **_family(traffic.account[calls], each, cluster.accounts, accused)} for each, calls in enumerate(own)]
        made["models"] += [{"cluster": number, **row} for row in _model(traffic, cluster, pieces)]
        made["kin"] += [{"cluster": number, "family": place, "number": int(family)} for place, family in enumerate(cluster.kin)]
        # Who carries its kin alone has nothing to do with it.
        here = np.zeros(len(traffic.accounts), np.bool_)
        for calls in own:
            here[traffic.account[calls]] = True
        for family in cluster.kin.tolist():
            touched[family] = touched[family] | here if family in touched else here
        mine = np.isin(who, cluster.ends)
        ends.append(np.stack([traffic.accounts[who[mine]], np.full(int(mine.sum()), number), when[mine], replays[mine]]))
    everybody = traffic.whole(ACCOUNTS)
    return {
        "accounts": pa.table([everybody[name] for name in ("account", "calls", "asks", "apart", "first", "last")], schema=SEEN),
        **{
            name: pa.Table.from_pylist(made[name], schema)
            for name, schema in (("clusters", CLUSTERS), ("families", FAMILIES), ("models", MODELS), ("kin", KIN))
        },
        "touches": _touches(traffic, touched, pieces),
        "ends": _sorted(ends, ENDS),
        "ties": _ties(traffic, edges, accused),
        "holders": _holders(listed, edges),
    }


def _touches(traffic: Traffic, touched: Mapping[int, Bools], pieces: Pieces) -> pa.Table:
    """When each account carries each family by which anybody is told, once whatever the clusters: a range of accounts after another, for there may be many."""
    found = [TOUCHES.empty_table()]
    calls = {family: mine[who[traffic.account[mine]]] for family, who in sorted(touched.items()) if len(mine := pieces.calls(family))}
    total = sum(map(len, calls.values()))
    edges = (
        np.searchsorted(traffic.account, np.linspace(0, len(traffic.accounts), 1 + max(1, total // RANGE)).astype(np.int64)) if total else np.zeros(1, np.int64)
    )
    for begin, end in zip(edges[:-1], edges[1:], strict=True):
        here = {family: mine[np.searchsorted(mine, begin) : np.searchsorted(mine, end)] for family, mine in calls.items()}
        number = np.repeat(np.array(list(here), np.int64), [len(mine) for mine in here.values()])
        call = np.concatenate(list(here.values()))
        found.append(_sorted([np.stack([traffic.accounts[traffic.account[call]], number, traffic.ts[call], traffic.prompt[call]])], TOUCHES))
    return pa.concat_tables(found)


def steady(clusters: Sequence[Cluster], listed: Listed, tested: float) -> frozenset[int]:
    """Names of the listed clusters that would be listed still if each had one organisation fewer, on every wording and replay.

    The worst that one member's leaving can do to the counts, done to all at once: who stands now stands alone too.
    """
    named = {cluster.name for _, _, several in listed for cluster in several}
    fewer = [
        replace(each, now=np.maximum(each.now - 1, 0), named=np.maximum(each.named - 1, 0), strangers=max(each.strangers - 1, 0), replaying=max(each.replaying - 1, 0))
        if each.name in named else each
        for each in clusters
    ]  # fmt: skip
    return frozenset(each.cluster.name for each in worth_a_look(weigh(fewer, tested)) if each.cluster.name in named)


def shown(listed: Listed, traffic: Traffic, pieces: Pieces) -> tuple[list[tuple[int, str]], Ints, Ints]:
    """((account code, campaign) of every account and campaign of which it has calls, calls, pair of each call): what each signal is worked out on."""
    pairs: list[tuple[int, str]] = []
    calls, label = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for campaign, _, clusters in listed:
        mine = np.unique(np.concatenate([part for cluster in clusters for part in (cluster.calls, *(pieces.calls(int(family)) for family in cluster.own))]))
        accounts, index = np.unique(traffic.account[mine], return_inverse=True)
        order = np.argsort(index, kind="stable")
        calls.append(mine[order])
        label.append(index[order].astype(np.int64) + len(pairs))
        pairs += [(int(account), campaign) for account in accounts]
    return pairs, np.concatenate(calls), np.concatenate(label)


def own(traffic: Traffic, pairs: Sequence[tuple[int, str]], values: Mapping[str, Sequence[float | None]]) -> pa.Table:
    """Each signal's value on the calls of one account alone, by account and campaign. `values`: signal -> value of every pair."""
    rows = [
        {"account": int(traffic.accounts[account]), "campaign": campaign, "signal": name, "value": value}
        for name, column in values.items()
        for (account, campaign), value in zip(pairs, column, strict=True)
        if value is not None
    ]
    return pa.Table.from_pylist(sorted(rows, key=lambda row: (row["account"], row["campaign"], row["signal"])), OWN)


def _family(account: Ints, number: int, members: Ints, accused: Bools) -> dict[str, int]:
    users = np.unique(account)
    inside = int(np.isin(users, members).sum())
    return {"family": number, "accounts": len(users), "members": inside, "outside": int((~accused[users]).sum()), "calls": len(account)}


def _model(traffic: Traffic, cluster: Cluster, pieces: Pieces) -> list[dict[str, int]]:
    """Of the member that uses the most families again: of each family AGAIN calls of different prompts, those that carry the most families.

    So many are enough for whoever joins: a family that does not count for them yet stands in fewer than AGAIN of their prompts.
    """
    used = np.bincount(np.concatenate([pieces.users(int(family)) for family in cluster.kin] or [cluster.own]), minlength=len(traffic.accounts))
    member = cluster.accounts[np.argmax(used[cluster.accounts])]
    begin, end = traffic.starts[member], traffic.starts[member + 1]
    several_of = [mine[np.searchsorted(mine, begin) : np.searchsorted(mine, end)] for mine in (pieces.calls(int(family)) for family in cluster.kin)]
    if not several_of:
        return []
    family, call = np.repeat(np.arange(len(several_of)), [len(each) for each in several_of]), np.concatenate(several_of)
    several = dict(zip(*(part.tolist() for part in np.unique(call, return_counts=True)), strict=True))
    kept: set[int] = set()
    for each in range(int(family.max(initial=-1)) + 1):
        seen: set[int] = set()
        for one in sorted(call[family == each].tolist(), key=lambda one: (-several[one], one)):
            prompt = int(traffic.prompt[one])
            if len(seen) < AGAIN and prompt not in seen:
                seen.add(prompt)
                kept.add(one)
    return [
        {"family": int(f), "ts": int(traffic.ts[c]), "prompt": int(traffic.prompt[c])}
        for f, c in sorted(zip(family.tolist(), call.tolist(), strict=True)) if c in kept
    ]  # fmt: skip


def _first_replay(cluster: Cluster, replaying: Ints, ts: Ints) -> int | None:
    """When a member of a cluster first replayed a stranger's reasoning, None where it has no replays."""
    mine = ts[np.isin(replaying, cluster.ends)]
    return int(mine.min()) if len(mine) else None


def _sorted(parts: Sequence[Ints], schema: pa.Schema) -> pa.Table:
    columns, _ = distinct_rows(*np.concatenate(parts, axis=1).astype(np.int64))
    return pa.table([pa.array(column).cast(field.type) for column, field in zip(columns, schema, strict=True)], schema=schema)


def _ties(traffic: Traffic, edges: Edges, accused: Bools) -> pa.Table:
    """Every tie of every account: how many accounts have the key, and how many of those stand in no campaign."""
    parts = [TIES.empty_table()]
    for name, joined in sorted(edges.items()):
        (account, key), _ = distinct_rows(*joined)
        keys, index, sizes = np.unique(key, return_inverse=True, return_counts=True)
        outside = np.bincount(index, weights=~accused[account], minlength=len(keys)).astype(np.int64)
        columns = [traffic.accounts[account], pa.array([name] * len(key), pa.string()), key, sizes[index], outside[index]]
        parts.append(pa.table(columns, schema=TIES))
    return pa.concat_tables(parts).sort_by([("account", "ascending"), ("tie", "ascending"), ("key", "ascending")])


def _holders(listed: Listed, edges: Edges) -> pa.Table:
    """How many members of each campaign have each key; replays are counted by their ends instead."""
    rows = []
    distinct = {name: distinct_rows(*joined)[0] for name, joined in sorted(edges.items()) if name != REPLAY}
    for campaign, _, clusters in listed:
        members = np.unique(np.concatenate([cluster.accounts for cluster in clusters]))
        for name, (account, key) in distinct.items():
            keys, counts = np.unique(key[np.isin(account, members)], return_counts=True)
            rows += [
                {"tie": name, "key": k, "campaign": campaign, "members": n, "members_all": len(members)}
                for k, n in zip(keys.tolist(), counts.tolist(), strict=True)
            ]
    return pa.Table.from_pylist(rows, HOLDERS)
