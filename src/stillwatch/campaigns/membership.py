"""What made each account a member, or nearly one: kept with a scan, so that any account can be explained without the log.

Hashes, times and counts only. A cluster's members are told by how many of its families they use in two different
prompts, or by standing at an end of a replay; both are kept for everybody who carries anything of a listed cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from stillwatch.records import Cluster
from stillwatch.traffic import Ints, Traffic

Listed = Sequence[tuple[str, str, Sequence[Cluster]]]
"(campaign, verdict, its clusters) of every campaign that a scan lists."

Edges = Mapping[str, tuple[Ints, Ints]]
"Tie -> (account codes, keys)."

CLUSTERS = pa.schema([
    ("cluster", pa.int64()), ("campaign", pa.string()), ("verdict", pa.string()), ("families", pa.int64()), ("needed", pa.float64()), ("members", pa.int64()),
])  # fmt: skip
FAMILIES = pa.schema([("cluster", pa.int64()), ("family", pa.int64()), ("accounts", pa.int64()), ("outside", pa.int64()), ("calls", pa.int64())])
TOUCHES = pa.schema([("account", pa.int64()), ("cluster", pa.int64()), ("family", pa.int64()), ("ts", pa.int64()), ("prompt", pa.int64())])
ENDS = pa.schema([("account", pa.int64()), ("cluster", pa.int64()), ("ts", pa.int64())])
TIES = pa.schema([
    ("account", pa.int64()), ("tie", pa.string()), ("key", pa.int64()), ("accounts", pa.int64()), ("outside", pa.int64()), ("outside_all", pa.int64()),
])  # fmt: skip
ACCOUNTS = pa.schema([("account", pa.int64()), ("calls", pa.int64()), ("first_ts", pa.int64()), ("last_ts", pa.int64())])


def tables(traffic: Traffic, listed: Listed, edges: Edges, replayed: tuple[Ints, Ints]) -> dict[str, pa.Table]:
    """The tables to keep: accounts, clusters, families, touches, ends and ties, each sorted, so that the same log gives the same bytes.

    `replayed`: (account, call) of both ends of every replay between strangers.
    """
    accused = np.zeros(len(traffic.accounts), np.bool_)
    for _, _, clusters in listed:
        for cluster in clusters:
            accused[cluster.accounts] = True
    made: dict[str, list[dict[str, object]]] = {"clusters": [], "families": []}
    touches, ends = [np.zeros((5, 0), np.int64)], [np.zeros((3, 0), np.int64)]
    number = 0
    for campaign, verdict, clusters in listed:
        for cluster in clusters:
            count = int(cluster.touch[0].max(initial=-1)) + 1
            made["clusters"].append({
                "cluster": number, "campaign": campaign, "verdict": verdict, "families": count, "needed": cluster.needed, "members": len(cluster.accounts),
            })  # fmt: skip
            family, call = cluster.touch
            account = traffic.account[call]
            made["families"] += [{"cluster": number, **_family(account[family == each], each, accused)} for each in range(count)]
            touches.append(np.stack([traffic.accounts[account], np.full(len(call), number), family, traffic.ts[call], traffic.prompt[call]]))
            mine = np.isin(replayed[0], cluster.ends)
            ends.append(np.stack([traffic.accounts[replayed[0][mine]], np.full(int(mine.sum()), number), traffic.ts[replayed[1][mine]]]))
            number += 1
    starts = traffic.starts
    return {
        "accounts": pa.table([traffic.accounts, np.diff(starts), traffic.ts[starts[:-1]], traffic.ts[starts[1:] - 1]], schema=ACCOUNTS),
        "clusters": pa.Table.from_pylist(made["clusters"], CLUSTERS),
        "families": pa.Table.from_pylist(made["families"], FAMILIES),
        "touches": _sorted(np.unique(np.concatenate(touches, axis=1), axis=1), TOUCHES),
        "ends": _sorted(np.unique(np.concatenate(ends, axis=1), axis=1), ENDS),
        "ties": _ties(traffic, edges, accused),
    }


def _family(account: Ints, number: int, accused: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> dict[str, int]:
    users = np.unique(account)
    return {"family": number, "accounts": len(users), "outside": int((~accused[users]).sum()), "calls": len(account)}


def _sorted(columns: Ints, schema: pa.Schema) -> pa.Table:
    return pa.table([pa.array(column) for column in columns], schema=schema)


def _ties(traffic: Traffic, edges: Edges, accused: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> pa.Table:
    """Every tie of every account: how many accounts have the key, and how many of those stand in no campaign."""
    parts = []
    outside_all = int((~accused).sum())
    for name, (account, key) in sorted(edges.items()):
        keys, index, sizes = np.unique(key, return_inverse=True, return_counts=True)
        outside = np.bincount(index, weights=~accused[account], minlength=len(keys)).astype(np.int64)
        order = np.lexsort((key, traffic.accounts[account]))
        parts.append(pa.table([
            traffic.accounts[account][order], pa.array([name] * len(order), pa.string()), key[order], sizes[index][order], outside[index][order],
            np.full(len(order), outside_all),
        ], schema=TIES))  # fmt: skip
    return pa.concat_tables(parts) if parts else TIES.empty_table()
