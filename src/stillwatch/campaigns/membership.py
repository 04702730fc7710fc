"""What made each account a member, or nearly one: kept with a scan, so that any account can be explained without the log.

Hashes, times and counts only. A cluster's members are told by how many of its families, and of its kin, they use in two
different prompts, or by standing at an end of a replay; both are kept for everybody who carries anything of a listed cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from stillwatch.campaigns.explain import AGAIN
from stillwatch.campaigns.weigh import weigh, worth_a_look
from stillwatch.facts import ACCOUNTS
from stillwatch.records import Cluster
from stillwatch.traffic import Bools, Ints, Traffic, distinct_rows

Listed = Sequence[tuple[str, str, Sequence[Cluster]]]
"(campaign, verdict, its clusters) of every campaign that a scan lists."

Edges = Mapping[str, tuple[Ints, Ints]]
"Tie -> (account codes, keys)."

Replayed = tuple[Ints, Ints, Ints, Ints]
"(account code at the issue, when; account code at the replay, when) of every replay between strangers, microseconds."

NO_REPLAYS: Replayed = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64))

REPLAY = "replay"
"The tie whose keys are told as one: every digest is shared by two accounts only."

CLUSTERS = pa.schema([
    ("cluster", pa.int64()), ("campaign", pa.string()), ("verdict", pa.string()), ("families", pa.int64()), ("needed", pa.float64()), ("needed_kin", pa.float64()),
    ("members", pa.int64()),
    ("ends", pa.int64()), ("ends_outside", pa.int64()), ("outside_all", pa.int64()), ("stands", pa.bool_()), ("replay_ts", pa.int64()),
])  # fmt: skip
FAMILIES = pa.schema([
    ("cluster", pa.int64()), ("family", pa.int64()), ("accounts", pa.int64()), ("members", pa.int64()), ("outside", pa.int64()), ("calls", pa.int64()),
])  # fmt: skip
TOUCHES = pa.schema([("account", pa.int64()), ("cluster", pa.int64()), ("family", pa.int64()), ("ts", pa.int64()), ("prompt", pa.int64())])
ENDS = pa.schema([("account", pa.int64()), ("cluster", pa.int64()), ("ts", pa.int64()), ("replays", pa.bool_())])
MODELS = pa.schema([("cluster", pa.int64()), ("family", pa.int64()), ("ts", pa.int64()), ("prompt", pa.int64())])
TIES = pa.schema([("account", pa.int64()), ("tie", pa.string()), ("key", pa.int64()), ("accounts", pa.int64()), ("outside", pa.int64())])
HOLDERS = pa.schema([("tie", pa.string()), ("key", pa.int64()), ("campaign", pa.string()), ("members", pa.int64()), ("members_all", pa.int64())])
SEEN = pa.schema([("account", pa.int64()), ("calls", pa.int64()), ("first_ts", pa.int64()), ("last_ts", pa.int64())])
OWN = pa.schema([("account", pa.int64()), ("campaign", pa.string()), ("signal", pa.string()), ("value", pa.float64())])


def tables(traffic: Traffic, listed: Listed, edges: Edges, replayed: Replayed, standing: frozenset[int]) -> dict[str, pa.Table]:
    """The tables to keep but `own`, each sorted, so that the same log gives the same bytes.

    Args: the log; its campaigns; the edges of every tie that is on; replays between strangers; names of the clusters that would be listed
    with one organisation fewer (`steady`).
    """
    accused = np.zeros(len(traffic.accounts), np.bool_)
    for _, _, clusters in listed:
        for cluster in clusters:
            accused[cluster.accounts] = True
    who, when = np.concatenate(replayed[::2]), np.concatenate(replayed[1::2])
    replays = np.repeat([False, True], [len(part) for part in replayed[::2]])
    made: dict[str, list[dict[str, object]]] = {"clusters": [], "families": [], "models": []}
    touches, ends = [np.zeros((5, 0), np.int64)], [np.zeros((4, 0), np.int64)]
    outside_all, ends_outside = int((~accused).sum()), int((~accused[np.unique(who)]).sum())
    several = [(campaign, verdict, cluster) for campaign, verdict, clusters in listed for cluster in clusters]
    for number, (campaign, verdict, cluster) in enumerate(several):
        family, call = _told(traffic, cluster)
        account = traffic.account[call]
        count = len(cluster.own)
        made["clusters"].append({
            "cluster": number, "campaign": campaign, "verdict": verdict, "families": count, "needed": cluster.needed,
            "needed_kin": cluster.needed_kin, "members": len(cluster.accounts),
            "ends": len(cluster.ends), "ends_outside": ends_outside, "outside_all": outside_all, "stands": cluster.name in standing, "replay_ts": _first_replay(cluster, *replayed[2:]),
        })  # fmt: skip
        made["families"] += [{"cluster": number, **_family(account[family == each], each, cluster.accounts, accused)} for each in range(count)]
        made["models"] += [{"cluster": number, **row} for row in _model(traffic, cluster)]
        touches.append(np.stack([traffic.accounts[account], np.full(len(call), number), family, traffic.ts[call], traffic.prompt[call]]))
        mine = np.isin(who, cluster.ends)
        ends.append(np.stack([traffic.accounts[who[mine]], np.full(int(mine.sum()), number), when[mine], replays[mine]]))
    everybody = traffic.whole(ACCOUNTS)
    return {
        "accounts": pa.table([everybody[name] for name in ("account", "calls", "first", "last")], schema=SEEN),
        "clusters": pa.Table.from_pylist(made["clusters"], CLUSTERS),
        "families": pa.Table.from_pylist(made["families"], FAMILIES),
        "models": pa.Table.from_pylist(made["models"], MODELS),
        "touches": _sorted(touches, TOUCHES),
        "ends": _sorted(ends, ENDS),
        "ties": _ties(traffic, edges, accused),
        "holders": _holders(listed, edges),
    }


def _told(traffic: Traffic, cluster: Cluster) -> tuple[Ints, Ints]:
    """(family, call) of everybody who carries a family of the cluster's own; who carries its kin alone has nothing to do with it."""
    family, call = cluster.touch
    touched = np.zeros(len(traffic.accounts), np.bool_)
    touched[traffic.account[call[family < len(cluster.own)]]] = True
    mine = touched[traffic.account[call]]
    return family[mine], call[mine]


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


def shown(listed: Listed, traffic: Traffic) -> tuple[list[tuple[int, str]], Ints, Ints]:
    """((account code, campaign) of every account and campaign of which it has calls, calls, pair of each call): what each signal is worked out on."""
    pairs: list[tuple[int, str]] = []
    calls, label = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for campaign, _, clusters in listed:
        mine = np.unique(np.concatenate([part for cluster in clusters for part in (cluster.calls, cluster.touch[1][cluster.touch[0] < len(cluster.own)])]))
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


def _model(traffic: Traffic, cluster: Cluster) -> list[dict[str, int]]:
    """Of the member that uses the most families: of each family AGAIN calls of different prompts, those that carry the most families.

    So many are enough for whoever joins: a family that does not count for them yet stands in fewer than AGAIN of their prompts.
    """
    family, call = cluster.touch
    inside = np.isin(traffic.account[call], cluster.accounts)
    rows, _ = distinct_rows(traffic.account[call[inside]], family[inside], traffic.prompt[call[inside]])
    if not len(rows[0]):
        return []
    pairs, prompts = distinct_rows(*rows[:2])
    used = np.bincount(pairs[0][prompts >= AGAIN], minlength=len(traffic.accounts)) * (len(rows[0]) + 1) + np.bincount(rows[0], minlength=len(traffic.accounts))
    mine = traffic.account[call] == int(used.argmax())
    family, call = family[mine], call[mine]
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
