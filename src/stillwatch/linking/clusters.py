"""Keys to clusters: template families and replays that the same accounts carry are one cluster.

The graph is that of the *keys*, an edge where two keys have most of their accounts in common, never of the accounts: one
cluster of 25,000 accounts would be 312 million pairs. The community step is Leiden (Traag, Waltman, van Eck 2019) run on
one thread over canonically sorted edges, so the same log gives the same clusters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import networkit as nk
import numpy as np
from scipy.sparse import csr_matrix, triu

from stillwatch.linking.carriers import Carriers, carriers
from stillwatch.linking.families import LEAST_UNITS, Families, Family, families
from stillwatch.linking.history import History, exposure_table, share_now
from stillwatch.linking.ties import replay
from stillwatch.records import Cluster
from stillwatch.traffic import Ints, Traffic, merged, strangers

IN_COMMON = 0.6
"Jaccard index of the accounts of two keys from which they may be one cluster's: a turn of phrase that two campaigns share joins neither."

CARRIES = 0.3
"Share of the families that the well-connected members carry which a member must carry: fewer, and it was swept in."

SEEDED = 0.1
"Share of a family's accounts at an end of a replay from which the family belongs to the replay."

LEAST_ACCOUNTS = 3
"Fewest accounts of a cluster."

LOOSE = 5
"Replay groups with fewer accounts are looked at together: a campaign may carry each piece of reasoning between two accounts only."

Edges = Mapping[str, tuple[Ints, Ints]]


@dataclass(frozen=True)
class Linked:
    """What linking found in one log."""

    clusters: list[Cluster]
    "Ordered by name."
    tested: float
    "Hypotheses that the clusters stand among: clusters here, and what the history alone would have added."
    carriers: Carriers
    "Reuse pairs, kept for later scans."


def communities(keys: list[Ints], accounts: int) -> list[list[int]]:
    """Groups of keys whose account sets overlap; each key in exactly one group, groups by their smallest key."""
    rows = np.repeat(np.arange(len(keys)), [len(key) for key in keys])
    matrix = csr_matrix((np.ones(len(rows)), (rows, np.concatenate(keys))), shape=(len(keys), accounts))
    common = triu(matrix @ matrix.T, k=1).tocoo()
    sizes = np.asarray(matrix.sum(axis=1)).ravel()
    jaccard = common.data / (sizes[common.row] + sizes[common.col] - common.data)
    strong = jaccard >= IN_COMMON
    row, col, weight = common.row[strong], common.col[strong], jaccard[strong]
    graph = nk.Graph(len(keys), weighted=True)
    for i in np.lexsort((col, row)):
        graph.addEdge(int(row[i]), int(col[i]), float(weight[i]))
    threads = nk.getMaxNumberOfThreads()
    nk.setNumberOfThreads(1)
    nk.setSeed(1, False)
    leiden = nk.community.ParallelLeiden(graph, iterations=4, randomize=False)
    leiden.run()
    nk.setNumberOfThreads(threads)
    labels = np.asarray(leiden.getPartition().getVector())
    groups: dict[int, list[int]] = {}
    for key, label in enumerate(labels):
        groups.setdefault(int(label), []).append(key)
    return sorted(groups.values())


def _replay_groups(traffic: Traffic, made: Families) -> list[Ints]:
    """Accounts at an end of a replay between strangers, grouped by replays and by the families that belong to them."""
    source, target, _ = replay.links(traffic)
    if not len(source):
        return []
    left, right = traffic.account[source], traffic.account[target]
    ends = np.unique(np.concatenate([left, right]))
    pairs_left, pairs_right = [left], [right]
    for family in made.members:
        inside = family.accounts[np.isin(family.accounts, ends)]
        if len(inside) >= max(2, SEEDED * len(family.accounts)):
            pairs_left.append(inside[:-1])
            pairs_right.append(inside[1:])
    labels = merged(len(traffic.accounts), np.concatenate(pairs_left), np.concatenate(pairs_right))[ends]
    _, group, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    loose = sizes[group] < LOOSE
    return [ends[group == label] for label in np.flatnonzero(sizes >= LOOSE)] + ([ends[loose]] if loose.any() else [])


def _expected(sizes: Ints, members: int, accounts: int) -> float:
    """Accounts of a random group of `members` that share a key of these sizes with another of the group."""
    p = members / accounts
    return float((sizes * p * (1.0 - (1.0 - p) ** (sizes - 1))).sum())


def _facts(edges: Edges, accounts: Ints, total: int) -> list[tuple[str, int, int, float | None]]:
    """Per tie: keys that join at least two members, members they join, and what a random group would show."""
    facts: list[tuple[str, int, int, float | None]] = []
    for name, (account, key) in edges.items():
        if not len(account):
            continue
        inside = np.isin(account, accounts)
        keys, counts = np.unique(key[inside], return_counts=True)
        shared = keys[counts >= 2]
        if not len(shared):
            continue
        joined = len(np.unique(account[inside & np.isin(key, shared)]))
        _, sizes = np.unique(key, return_counts=True)
        facts.append((name, len(shared), joined, min(_expected(sizes, len(accounts), total), float(len(accounts)))))
    return facts


def _needed(accounts: Ints, parts: list[Family]) -> tuple[Ints, float]:
    """(families carried by each account, how many a member must carry): far fewer than the members usually do, and it was swept in."""
    carried = np.sum([np.isin(accounts, part.accounts) for part in parts], axis=0) if parts else np.zeros(len(accounts))
    return np.asarray(carried), max(1.0, CARRIES * float(np.quantile(carried, 0.75))) if len(accounts) else 1.0


def _fresh(parts: list[Family], history: History, replays: bool) -> list[Family]:
    """The families of which most wordings are new: a phrase that others used before makes nobody a member, unless there is nothing else.

    Without history nobody knows which are new, so only the ends of replays are members where there are replays.
    """
    if replays and not history.known:
        return []
    fresh = [part for part in parts if (history.before(part.wordings) > 0).mean() < 0.5]
    return fresh if fresh or replays else parts


def _cluster(traffic: Traffic, parts: list[Family], replayed: list[Ints], edges: Edges, history: History, shares: list[float]) -> Cluster | None:
    """One cluster from its families and its replays; None when fewer than LEAST_ACCOUNTS accounts or strangers are left."""
    calls = np.unique(np.concatenate([part.calls for part in parts])) if parts else np.zeros(0, np.int64)
    pairs = np.unique(np.stack([traffic.account[calls], traffic.prompt[calls]]), axis=1)
    who, prompts = np.unique(pairs[0], return_counts=True)
    ends = np.unique(np.concatenate(replayed)) if replayed else np.zeros(0, np.int64)
    telling = _fresh(parts, history, len(ends) > 0)
    carried, needed = _needed(who[prompts >= 2], telling)
    accounts = np.union1d(who[prompts >= 2][carried >= needed], ends)
    if len(accounts) < LEAST_ACCOUNTS:
        return None
    calls = calls[np.isin(traffic.account[calls], accounts)]
    if len(ends):
        calls = np.union1d(calls, replay.core(traffic, ends))
    unrelated = strangers(traffic, accounts)
    wordings = np.concatenate([part.wordings for part in parts]) if parts else np.zeros(0, np.int64)
    family = np.repeat(np.arange(len(parts)), [len(part.wordings) for part in parts]).astype(np.int64)
    now = np.concatenate([part.now for part in parts]) if parts else np.zeros(0, np.int64)
    inside = ends[np.isin(ends, accounts)]
    names = [int(part.wordings[0]) for part in parts] + [int(traffic.accounts[part].min()) for part in replayed]
    return Cluster(
        name=min(names),
        accounts=accounts,
        calls=calls,
        strangers=unrelated,
        family=family,
        now=np.minimum(now, unrelated),
        before=history.before(wordings),
        share=np.asarray(shares)[np.minimum(wordings & 7, len(shares) - 1)],
        replaying=strangers(traffic, inside) if len(inside) else 0,
        carried=np.array([np.isin(accounts, part.accounts) for part in parts], np.bool_).reshape(len(parts), len(accounts)).T,
        ties=tuple(_facts(edges, accounts, len(traffic.accounts))),
        touch=np.stack([np.repeat(np.arange(len(telling)), [len(part.calls) for part in telling]), np.concatenate([part.calls for part in telling])])
        if telling
        else np.zeros((2, 0), np.int64),
        needed=needed,
        ends=inside,
        wordings=wordings,
        uses=np.array([np.isin(traffic.account[part.calls], accounts).sum() for part in parts], np.int64),
    )


def link(traffic: Traffic, edges: Edges, history: History) -> Linked:
    """All clusters of a log. `edges` are those of the ties that are on; the template tie is made here."""
    found = carriers(traffic)
    made = families(traffic, found)
    exposure = exposure_table(traffic)
    now = np.stack([exposure[f"calls_{i}"].to_numpy() for i in range(exposure.num_columns - 1)], axis=1)
    shares = share_now(now, history)
    groups = _replay_groups(traffic, made) if "replay" in edges else []
    parts = [family for family in made.members if len(family.accounts) >= LEAST_ACCOUNTS]
    keys = [family.accounts for family in parts] + groups
    clusters = []
    for group in communities(keys, len(traffic.accounts)) if keys else []:
        chosen = [parts[i] for i in group if i < len(parts)]
        cluster = _cluster(traffic, chosen, [groups[i - len(parts)] for i in group if i >= len(parts)], edges, history, shares)
        if cluster is not None:
            clusters.append(cluster)
    clusters.sort(key=lambda each: each.name)
    return Linked(clusters, len(clusters) * _pooled(found, history), found)


def _pooled(found: Carriers, history: History) -> float:
    """By how much the wordings that enough units carry grow when the history's carriers count too (at least 1).

    The exact null holds for wordings chosen without regard to which side a carrier is on, so those that only the
    history made frequent belong to the hypotheses.
    """
    here, counts = np.unique(found.pair_wording, return_counts=True)
    there, before = np.unique(history.wording, return_counts=True)
    both = np.concatenate([here, there])
    wordings, inverse = np.unique(both, return_inverse=True)
    total = np.bincount(inverse, weights=np.concatenate([counts, before]), minlength=len(wordings))
    return max(1.0, float((total >= LEAST_UNITS).sum()) / max(1, int((counts >= LEAST_UNITS).sum())))
