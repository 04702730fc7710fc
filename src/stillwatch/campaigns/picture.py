"""A case as pictures: who shares which keys, who calls when, which models are asked, which pieces of template are used.

Only counts, and at most a few members by their keyed hash (`named`, which a door turns into the log's own ids). Every
part is bounded whatever the size of the case: what does not fit is merged or sampled by hash, and its number is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stillwatch.campaigns.judge import Judged, accounts_of
from stillwatch.facts import MODELS as ASKED
from stillwatch.facts import span
from stillwatch.traffic import Bools, Ints, Traffic, distinct_rows, merged

BUCKETS = 96
"Columns of everything over time, at most."

BUCKET_STEPS = (60, 300, 900, 3600, 3 * 3600, 6 * 3600, 86_400, 7 * 86_400, 28 * 86_400)
"Widths of a column, seconds."

KEYS = 5
"Nodes of one kind of key, at most; the last holds the rest."

LEAST_SHARE = 0.01
"Share of a kind's accounts below which a key is no node of its own, where there are more than KEYS."

GROUPS = 24
"Groups of accounts, at most; up to as many accounts stand each for itself."

ROWS = 60
"Accounts of the raster, at most."

MODELS = 6
"Models told apart over time, at most; the last holds the rest."

PIECES, SETS = 12, 8
"Pieces of template, and sets of them that accounts use together, at most."

NAMED = 3
"Members named for a group or a piece, at most."

DAY = 86_400_000_000
"Microseconds."

Edges = Mapping[str, tuple[Ints, Ints]]
"Tie -> (account codes, keys)."


def volume(ts: Ints) -> dict[str, Any]:
    """Calls over time in at most BUCKETS bars of a round width, aligned to UTC."""
    span = int(ts.max() - ts.min()) + 1
    longest = BUCKET_STEPS[-1] * 1_000_000
    width = next((s * 1_000_000 for s in BUCKET_STEPS if span / (s * 1_000_000) <= BUCKETS - 1), -(-span // (longest * (BUCKETS - 1))) * longest)
    start = int(ts.min()) // width * width
    return {"start_ts": start, "bucket_us": width, "calls": np.bincount((ts - start) // width).tolist()}


OUT_OF = 7.0
"Accounts that would have been expected to ask a model before its first appearance, from which it was not there before (chance below e^-7)."


def appearances(traffic: Traffic) -> dict[str, int]:
    """Models that appear while the log runs -> when, microseconds.

    Were a model there from the start, asked by as many accounts in the same time as afterwards, some would have asked it earlier: only where OUT_OF would
    have is it an appearance, and not a rarely used name. An outage of a model looks the same.
    """
    start, end = span(traffic)
    return {name: at for name, (at, users) in traffic.whole(ASKED).items() if users * (at - start) >= OUT_OF * max(end - at, 1)}


def draw(case: Sequence[Judged], calls: Ints, kinds: Sequence[str], traffic: Traffic, edges: Edges, releases: Mapping[str, int]) -> dict[str, Any]:
    """The fields of a campaign that are pictures: volume, graph, raster, pivots, templates.

    Args: the case's clusters, its core calls, the kinds of tie that it tells, the edges of every tie that is on, and what `appearances`
    says of the whole log.
    """
    members = accounts_of(case)
    over_time = volume(traffic.ts[calls])
    pieces = _pieces(case, members)
    keyed = {kind: pieces if kind == "template" else _inside(edges[kind], members) for kind in kinds if kind == "template" or kind in edges}
    return {
        "volume": over_time,
        "graph": graph(traffic, members, calls, keyed),
        "raster": raster(traffic, members, calls, over_time),
        "pivots": pivots(traffic, calls, over_time, releases),
        "templates": templates(traffic, case, members, calls, pieces),
    }


def _inside(edges: tuple[Ints, Ints], members: Ints) -> tuple[Ints, Ints]:
    """(row of the member, dense key) of the edges of a tie whose key joins at least two members; each pair once."""
    account, key = edges
    inside = np.isin(account, members)
    pairs, _ = distinct_rows(np.searchsorted(members, account[inside]), key[inside])
    _, dense, sizes = np.unique(pairs[1], return_inverse=True, return_counts=True)
    shared = sizes[dense] >= 2
    return pairs[0][shared], np.unique(dense[shared], return_inverse=True)[1].astype(np.int64)


def _pieces(case: Sequence[Judged], members: Ints) -> tuple[Ints, Ints]:
    """(row of the member, number of the family) of who uses which family again, families of all clusters counted on."""
    rows, families, before = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 0
    for one in case:
        cluster = one.weighed.cluster
        account, family = np.nonzero(cluster.carried)
        rows.append(np.searchsorted(members, cluster.accounts[account]))
        families.append(family + before)
        before += cluster.carried.shape[1]
    return np.concatenate(rows), np.concatenate(families)


def _nodes(row: Ints, key: Ints, members: int) -> tuple[Ints, Ints, Ints]:
    """(row, node) of every edge, each once, and the keys of each node, with at most KEYS nodes.

    The largest keys are nodes of their own where they reach half of the accounts. Where keys are too small for that (a card for five accounts, a piece of
    reasoning for two), keys that hang together by accounts are one node first. What is left over, or too small to see, is the last node.
    """
    count = int(key.max(initial=-1)) + 1
    label = np.arange(count)
    sizes = np.bincount(key, minlength=count)
    if count > KEYS and 2 * len(np.unique(row[np.isin(key, np.argsort(-sizes, kind="stable")[: KEYS - 1])])) < len(np.unique(row)):
        label = np.unique(merged(members + count, row, members + key)[members:], return_inverse=True)[1]
    pairs, _ = distinct_rows(row, label[key])
    sizes = np.bincount(pairs[1], minlength=int(label.max(initial=-1)) + 1)
    rank = np.empty(len(sizes), np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    if len(sizes) > KEYS:
        telling = int((sizes >= LEAST_SHARE * len(np.unique(pairs[0]))).sum())
        rank = np.minimum(rank, min(telling, KEYS - 1))
    pairs, _ = distinct_rows(pairs[0], rank[pairs[1]])
    return pairs[0], pairs[1], np.bincount(rank[label])


def graph(traffic: Traffic, members: Ints, calls: Ints, keyed: Mapping[str, tuple[Ints, Ints]]) -> dict[str, Any]:
    """Accounts and keys as a bipartite graph of at most GROUPS groups of accounts and KEYS nodes of each kind of key.

    Accounts that share the same set of nodes are one group, unless there are so few that each stands for itself. Keys: accounts;
    keys (kind, keys, accounts); groups (accounts, calls, sets: how many different sets were merged, named); edges (group, key, accounts).
    """
    keys: list[dict[str, Any]] = []
    columns = []
    for kind, (row, key) in keyed.items():
        at, node, count = _nodes(row, key, len(members))
        uses = np.zeros((len(members), len(count)), np.bool_)
        uses[at, node] = True
        columns.append(uses)
        keys += [{"kind": kind, "keys": int(n), "accounts": int(uses[:, i].sum())} for i, n in enumerate(count)]
    uses = np.concatenate(columns, axis=1) if columns else np.zeros((len(members), 0), np.bool_)
    made = np.bincount(traffic.account[calls], minlength=len(traffic.accounts))[members]
    group, sets = _groups(uses, made)
    counted = np.zeros((len(sets), uses.shape[1]), np.int64)
    np.add.at(counted, group, uses)
    sizes, spent = np.bincount(group, minlength=len(sets)), np.bincount(group, weights=made, minlength=len(sets)).astype(np.int64)
    return {
        "accounts": len(members),
        "keys": keys,
        "groups": [
            {"accounts": int(sizes[g]), "calls": int(spent[g]), "sets": int(sets[g]), "named": _named(traffic, members[group == g], made[group == g])}
            for g in range(len(sets))
        ],
        "edges": [[int(g), int(k), int(counted[g, k])] for g, k in zip(*np.nonzero(counted), strict=True)],
    }


def _groups(uses: Bools, made: Ints) -> tuple[Ints, Ints]:
    """Group of each account, and how many different sets of nodes each group holds: the largest groups first, the rest in the last."""
    patterns, index, sizes = np.unique(uses, axis=0, return_inverse=True, return_counts=True)
    index = index.reshape(-1)
    order = np.lexsort((np.arange(len(patterns)), -sizes))
    rank = np.empty(len(patterns), np.int64)
    rank[order] = np.arange(len(patterns))
    if len(uses) <= GROUPS:
        # Each account for itself: those of the same set side by side, the busiest first.
        group = np.empty(len(uses), np.int64)
        group[np.lexsort((np.arange(len(uses)), -made, rank[index]))] = np.arange(len(uses))
        return group, np.ones(len(uses), np.int64)
    rank = np.minimum(rank, GROUPS - 1) if len(patterns) > GROUPS else rank
    return rank[index], np.bincount(rank)


def _named(traffic: Traffic, accounts: Ints, made: Ints) -> list[int]:
    """Keyed hashes of the busiest of the accounts."""
    return [int(traffic.accounts[a]) for a in accounts[np.lexsort((accounts, -made))[:NAMED]]]


def raster(traffic: Traffic, members: Ints, calls: Ints, over_time: Mapping[str, Any]) -> dict[str, Any]:
    """Calls of each account over the columns of `over_time`, accounts in order of their first core call.

    Of more than ROWS accounts those with the smallest keyed hash, which is a sample without regard to what they did.
    Keys: accounts (of the case), rows (calls, named).
    """
    hashes = traffic.accounts[members].view(np.uint64)
    shown = np.sort(members[np.argsort(hashes, kind="stable")[:ROWS]])
    mine = calls[np.isin(traffic.account[calls], shown)]
    row, ts = np.searchsorted(shown, traffic.account[mine]), traffic.ts[mine]
    columns = len(over_time["calls"])
    cells = np.bincount(row * columns + (ts - over_time["start_ts"]) // over_time["bucket_us"], minlength=len(shown) * columns).reshape(len(shown), columns)
    first = np.full(len(shown), np.iinfo(np.int64).max)
    np.minimum.at(first, row, ts)
    order = np.lexsort((np.arange(len(shown)), first))
    return {"accounts": len(members), "rows": [{"calls": cells[i].tolist(), "named": [int(traffic.accounts[shown[i]])]} for i in order]}


def pivots(traffic: Traffic, calls: Ints, over_time: Mapping[str, Any], releases: Mapping[str, int]) -> dict[str, Any]:
    """Core calls by model over the columns of `over_time`, and what became of models that appeared meanwhile.

    Keys: models (model, None for the rest; first_ts: its first core call; calls per column), appeared (model, ts: first seen in the log, share_before
    and share_after: share of the core calls of the day before and after that ask it, None without calls).
    """
    coded = traffic.column("model").combine_chunks().take(calls).dictionary_encode()
    model, names = coded.indices.to_numpy().astype(np.int64), coded.dictionary.to_pylist()
    ts = traffic.ts[calls]
    column, columns = (ts - over_time["start_ts"]) // over_time["bucket_us"], len(over_time["calls"])
    table = np.bincount(model * columns + column, minlength=len(names) * columns).reshape(len(names), columns)
    first = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(first, model, ts)
    order = sorted(range(len(names)), key=lambda i: (-int(table[i].sum()), names[i]))
    shown = order if len(order) <= MODELS else order[: MODELS - 1]
    told: list[dict[str, Any]] = [{"model": names[i], "first_ts": int(first[i]), "calls": table[i].tolist()} for i in shown]
    if rest := order[len(shown) :]:
        told.append({"model": None, "models": len(rest), "first_ts": int(first[rest].min()), "calls": table[rest].sum(axis=0).tolist()})
    appeared: list[dict[str, Any]] = []
    for name, at in sorted(releases.items(), key=lambda each: (each[1], each[0])):
        asks = model == (names.index(name) if name in names else -1)
        days = [(ts >= at - DAY) & (ts < at), (ts >= at) & (ts < at + DAY)]
        before, after = (round(int((asks & day).sum()) / int(day.sum()), 6) if day.any() else None for day in days)
        appeared.append({"model": name, "ts": at, "share_before": before, "share_after": after})
    appeared.sort(key=lambda each: (-(each["share_after"] or 0.0), each["ts"], each["model"]))
    return {"models": told, "appeared": sorted(appeared[:MODELS], key=lambda each: (each["ts"], each["model"]))}


def templates(traffic: Traffic, case: Sequence[Judged], members: Ints, calls: Ints, pieces: tuple[Ints, Ints]) -> dict[str, Any]:
    """Pieces of template as marks: how many wordings, accounts and calls each has, and which sets of them accounts use together.

    A mark is the keyed hash of the smallest wording of a piece: the same piece has the same mark in every scan under one key.
    Keys: pieces (mark, wordings, accounts, calls, before: reference organisations that use its wordings again, in the median, None without history; named); more (pieces,
    wordings: what is not shown); sets (pieces by their place in the list, accounts), others (accounts with other sets).
    """
    row, family = pieces
    made = np.bincount(traffic.account[calls], minlength=len(traffic.accounts))[members]
    found: list[dict[str, Any]] = []
    for one in case:
        cluster = one.weighed.cluster
        known = len(cluster.share) > 0 and float(cluster.share.min()) < 1.0
        for piece in range(cluster.carried.shape[1]):
            mine, users = np.flatnonzero(cluster.family == piece), row[family == len(found)]
            found.append({
                "mark": f"{int(cluster.wordings[mine].min()) & (2**64 - 1):016x}", "wordings": len(mine), "accounts": len(users), "calls": int(cluster.uses[piece]),
                "before": int(np.median(cluster.before[mine])) if known else None, "named": _named(traffic, members[users], made[users]),
            })  # fmt: skip
    order = sorted(range(len(found)), key=lambda i: (-found[i]["accounts"], -found[i]["calls"], found[i]["mark"]))
    shown, rest = order[:PIECES], order[PIECES:]
    place = np.full(len(found) + 1, -1)
    place[shown] = np.arange(len(shown))
    uses = np.zeros((len(members), len(shown)), np.bool_)
    seen = place[family] >= 0
    uses[row[seen], place[family[seen]]] = True
    patterns, sizes = np.unique(uses[uses.any(axis=1)], axis=0, return_counts=True)
    ranked = np.lexsort((np.arange(len(sizes)), -sizes))
    return {
        "pieces": [found[i] for i in shown],
        "more": {"pieces": len(rest), "wordings": sum(found[i]["wordings"] for i in rest)},
        "sets": [{"pieces": np.flatnonzero(patterns[i]).tolist(), "accounts": int(sizes[i])} for i in ranked[:SETS]],
        "others": int(sizes[ranked[SETS:]].sum()),
    }
