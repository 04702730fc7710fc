"""Keys to clusters: template families and replays that the same accounts carry are one cluster.

The graph is that of the *keys*, an edge where two keys have most of their accounts in common, never of the accounts: one
cluster of 25,000 accounts would be 312 million pairs. The community step is Leiden (Traag, Waltman, van Eck 2019) run on
one thread over canonically sorted edges, so the same log gives the same clusters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import networkit as nk
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, triu

from stillwatch.evidence.strangers import LEAST_SHOWN, most_shown
from stillwatch.linking.carriers import Carriers, carriers, carriers_by_name
from stillwatch.linking.families import LEAST_UNITS, Families, Family, families
from stillwatch.linking.history import History, exposures, share_now
from stillwatch.linking.members import NOBODY, Members, Told
from stillwatch.linking.ties import replay
from stillwatch.records import Cluster
from stillwatch.traffic import Ints, Traffic, merged, strangers

IN_COMMON = 0.6
"Jaccard index of the accounts of two keys from which they may be one cluster's: a turn of phrase that two campaigns share joins neither."

SEEDED = 0.1
"Share of a family's accounts at an end of a replay from which the family belongs to the replay."

LEAST_ACCOUNTS = 3
"Fewest accounts of a cluster."

MOST_LEAST = 1000
"Carriers beyond which a wording is not asked to go to be able to show anything (an alphabet that the history hardly saw)."

LOOSE = 5
"Replay groups with fewer accounts are looked at together: a campaign may carry each piece of reasoning between two accounts only."

Floats = NDArray[np.float64]

Edges = Mapping[str, tuple[Ints, Ints]]


@dataclass(frozen=True)
class Linked:
    """What linking found in one log."""

    clusters: list[Cluster]
    "Ordered by name."
    families: list[Family]
    "By number, as clusters name them."
    pooled: float
    "Hypotheses for each cluster that can be tested: itself, and what the history alone would have added."
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


class _Exposure:
    """Today's share of the exposure in each wording's alphabet, and who carries what, organisations counted by owner and by name."""

    def __init__(self, traffic: Traffic, found: Carriers, made: Families, history: History) -> None:
        def shares(group: Ints) -> list[float]:
            return share_now(exposures(traffic, group, int(group.max(initial=-1)) + 1), history)

        self.shares, self.shares_named = shares(traffic.unit), shares(traffic.org)
        self._wordings = np.sort(np.concatenate([part.wordings for part in made.members])) if made.members else np.zeros(0, np.int64)
        self._named = carriers_by_name(traffic, found, self._wordings)

    def share(self, wordings: Ints) -> Floats:
        """Today's share, organisations counted by owner."""
        return _of_alphabet(self.shares, wordings)

    def by_name(self, wordings: Ints) -> tuple[Ints, Floats]:
        """(organisations by name that use each wording again, today's share so counted)."""
        return self._named[np.searchsorted(self._wordings, wordings)], _of_alphabet(self.shares_named, wordings)


def _of_alphabet(shares: list[float], wordings: Ints) -> Floats:
    return np.asarray(np.asarray(shares, np.float64)[np.minimum(wordings & 7, len(shares) - 1)])


def _cluster(traffic: Traffic, parts: list[Family], told: Told, replayed: list[Ints], edges: Edges, history: History, exposure: _Exposure) -> Cluster | None:
    """One cluster from its families and its replays; None when fewer than LEAST_ACCOUNTS accounts or strangers are left."""
    calls = np.unique(np.concatenate([part.calls for part in parts])) if parts else np.zeros(0, np.int64)
    ends = np.unique(np.concatenate(replayed)) if replayed else np.zeros(0, np.int64)
    accounts = np.union1d(told.accounts, ends)
    if len(accounts) < LEAST_ACCOUNTS:
        return None
    calls = calls[np.isin(traffic.account[calls], accounts)]
    if len(ends):
        calls = np.union1d(calls, replay.core(traffic, ends))
    unrelated = strangers(traffic.owners, accounts)
    wordings = np.concatenate([part.wordings for part in parts]) if parts else np.zeros(0, np.int64)
    family = np.repeat(np.arange(len(parts)), [len(part.wordings) for part in parts]).astype(np.int64)
    now = np.concatenate([part.now for part in parts]) if parts else np.zeros(0, np.int64)
    inside = ends[np.isin(ends, accounts)]
    named, share_named = exposure.by_name(wordings)
    names = [int(part.wordings[0]) for part in parts] + [int(traffic.accounts[part].min()) for part in replayed]
    return Cluster(
        name=min(names),
        accounts=accounts,
        calls=calls,
        strangers=unrelated,
        family=family,
        now=np.minimum(now, unrelated),
        before=history.before(wordings),
        carriers=now + history.before(wordings),
        share=exposure.share(wordings),
        named=np.minimum(named, len(np.unique(traffic.org[accounts]))),
        share_named=share_named,
        replaying=strangers(traffic.owners, inside) if len(inside) else 0,
        carried=np.array([np.isin(accounts, part.accounts) for part in parts], np.bool_).reshape(len(parts), len(accounts)).T,
        ties=tuple(_facts(edges, accounts, len(traffic.accounts))),
        own=told.own,
        kin=told.kin,
        needed=told.needed,
        needed_kin=told.needed_kin,
        ends=inside,
        wordings=wordings,
        uses=np.array([np.isin(traffic.account[part.calls], accounts).sum() for part in parts], np.int64),
    )


def link(traffic: Traffic, edges: Edges, history: History) -> Linked:
    """All clusters of a log. `edges` are those of the ties that are on; the template tie is made here."""
    found = carriers(traffic)
    made = families(traffic, found)
    exposure = _Exposure(traffic, found, made, history)
    groups = _replay_groups(traffic, made) if "replay" in edges else []
    parts = [family for family in made.members if len(family.accounts) >= LEAST_ACCOUNTS]
    keys = [family.accounts for family in parts] + groups
    members = Members(parts, len(traffic.accounts), history)
    clusters = []
    for group in communities(keys, len(traffic.accounts)) if keys else []:
        mine, replayed = [i for i in group if i < len(parts)], [groups[i - len(parts)] for i in group if i >= len(parts)]
        told = members.of(np.array(mine, np.int64), len(replayed) > 0) if mine else NOBODY
        cluster = _cluster(traffic, [parts[i] for i in mine], told, replayed, edges, history, exposure)
        if cluster is not None:
            clusters.append(cluster)
    clusters.sort(key=lambda each: each.name)
    return Linked(clusters, parts, _pooled(found, history, exposure.shares), found)


def touched(linked: Linked, cluster: Cluster) -> Cluster:
    """The cluster with its `touch`: who carries what of that by which its members are told."""
    calls = [linked.families[family].calls for family in cluster.kin]
    place = np.repeat(np.arange(len(calls)), [len(each) for each in calls])
    return replace(cluster, touch=np.stack([place, np.concatenate(calls)]) if calls else cluster.touch)


def _pooled(found: Carriers, history: History, shares: list[float]) -> float:
    """By how much the wordings that could show anything grow when those count that only the history made frequent (at least 1).

    The exact null holds for wordings chosen without regard to which side a carrier is on, so those belong to the
    hypotheses too.
    """
    here, counts = np.unique(found.pair_wording, return_counts=True)
    there, before = np.unique(history.wording, return_counts=True)
    both = np.concatenate([here, there])
    wordings, inverse = np.unique(both, return_inverse=True)
    total = np.bincount(inverse, weights=np.concatenate([counts, before]), minlength=len(wordings))
    now = np.bincount(inverse[: len(here)], weights=counts, minlength=len(wordings))
    least = np.array([next((n for n in range(LEAST_UNITS, MOST_LEAST) if most_shown(n, each) >= LEAST_SHOWN), MOST_LEAST) for each in shares])
    able = total >= least[np.minimum(wordings & 7, len(shares) - 1)]
    return max(1.0, float(able.sum()) / max(1, int((able & (now >= LEAST_UNITS)).sum())))
