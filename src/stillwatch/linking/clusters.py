"""Keys to clusters: template families and replays that the same accounts carry are one cluster.

The graph is that of the *keys*, an edge where two keys have most of their accounts in common, never of the accounts: one
cluster of 25,000 accounts would be 312 million pairs. The community step is Leiden (Traag, Waltman, van Eck 2019) run on
one thread over canonically sorted edges, so the same log gives the same clusters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stillwatch.evidence.strangers import LEAST_SHOWN, most_shown
from stillwatch.linking.families import LEAST_UNITS, Families, Family, core, families
from stillwatch.linking.history import History
from stillwatch.linking.members import NOBODY, Members, Told
from stillwatch.linking.overlap import overlapping
from stillwatch.linking.ties import replay
from stillwatch.linking.used import Used
from stillwatch.parts import Besides, Parts
from stillwatch.records import Cluster
from stillwatch.traffic import Ints, Owners, Traffic, merged, strangers

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
    "Those that can be tested, ordered by name; their calls are not looked up yet (`placed`)."
    families: list[Family]
    "By number, as clusters name them."
    made: Families
    "All that were made, those with too few accounts among them."
    pooled: float
    "Hypotheses for each cluster that can be tested: itself, and what the history alone would have added."
    shared: Ints
    "Wordings that may be asked for again, ascending (`Used.shared`)."


def communities(keys: list[Ints], accounts: int) -> list[list[int]]:
    """Groups of keys whose account sets overlap; each key in exactly one group, groups by their smallest key."""
    row, col, weight = overlapping(keys, accounts, IN_COMMON)
    if not len(row):
        return [[key] for key in range(len(keys))]
    import networkit as nk  # takes a second, which a command that groups nothing does not wait for

    graph = nk.GraphFromCoo((weight, (row, col)), n=len(keys), weighted=True)
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


def _replay_groups(links: replay.Links, accounts: Ints, made: list[Family]) -> list[Ints]:
    """Accounts at an end of a replay between strangers, grouped by replays and by the families that belong to them."""
    if not len(links.digest):
        return []
    left, right = (np.searchsorted(accounts, end).astype(np.int64) for end in (links.source, links.target))
    ends = np.unique(np.concatenate([left, right]))
    pairs_left, pairs_right = [left], [right]
    for family in made:
        inside = family.accounts[np.isin(family.accounts, ends)]
        if len(inside) >= max(2, SEEDED * len(family.accounts)):
            pairs_left.append(inside[:-1])
            pairs_right.append(inside[1:])
    labels = merged(len(accounts), np.concatenate(pairs_left), np.concatenate(pairs_right))[ends]
    _, group, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    loose = sizes[group] < LOOSE
    return [ends[group == label] for label in np.flatnonzero(sizes >= LOOSE)] + ([ends[loose]] if loose.any() else [])


def _expected(sizes: Ints, members: int, accounts: int) -> float:
    """Accounts of a random group of `members` that share a key of these sizes with another of the group."""
    p = members / accounts
    return float((sizes * p * (1.0 - (1.0 - p) ** (sizes - 1))).sum())


class Facts:
    """Per tie: keys that join at least two members, members they join, and what a random group would show."""

    def __init__(self, edges: Edges, total: int) -> None:
        """`edges` of every tie that is on; `total`: accounts of the log."""
        self._total = total
        self._of = {}
        for name, (account, key) in edges.items():
            if len(account):
                order = np.argsort(account, kind="stable")
                self._of[name] = (account[order], key[order], np.unique(key, return_counts=True)[1])

    def __call__(self, accounts: Ints) -> tuple[tuple[str, int, int, float | None], ...]:
        """(tie, keys, accounts, accounts expected) of a group of accounts (ascending)."""
        facts: list[tuple[str, int, int, float | None]] = []
        for name, (account, key, sizes) in self._of.items():
            low, high = np.searchsorted(account, accounts, "left"), np.searchsorted(account, accounts, "right")
            who = np.repeat(accounts, high - low)
            mine = key[np.arange(len(who)) - np.repeat(np.cumsum(high - low) - (high - low), high - low) + np.repeat(low, high - low)]
            keys, index, counts = np.unique(mine, return_inverse=True, return_counts=True)
            if not (counts >= 2).any():
                continue
            joined = len(np.unique(who[counts[index] >= 2]))
            facts.append((name, int((counts >= 2).sum()), joined, min(_expected(sizes, len(accounts), self._total), float(len(accounts)))))
        return tuple(facts)


def _of_alphabet(shares: list[float], wordings: Ints) -> Floats:
    return np.asarray(np.asarray(shares, np.float64)[np.minimum(wordings & 7, len(shares) - 1)])


@dataclass(frozen=True)
class _Log:
    """What clusters are weighed against."""

    owners: Owners
    history: History
    shares: list[float]
    "Today's share of the exposure by alphabet, organisations counted by owner."
    shares_named: list[float]
    "The same, organisations counted by name."


def _cluster(log: _Log, parts: list[Family], told: Told, replayed: list[Ints]) -> Cluster | None:
    """One cluster from its families and its replays; None when fewer than LEAST_ACCOUNTS accounts or strangers are left."""
    ends = np.unique(np.concatenate(replayed)) if replayed else np.zeros(0, np.int64)
    accounts = np.union1d(told.accounts, ends)
    if len(accounts) < LEAST_ACCOUNTS:
        return None
    unrelated = strangers(log.owners, accounts)
    wordings, now, named = (
        np.concatenate([getattr(part, name) for part in parts]) if parts else np.zeros(0, np.int64) for name in ("wordings", "now", "named")
    )
    family = np.repeat(np.arange(len(parts)), [len(part.wordings) for part in parts]).astype(np.int64)
    before = log.history.before(wordings)
    inside = ends[np.isin(ends, accounts)]
    names = [int(part.wordings[0]) for part in parts] + [int(log.owners.accounts[part].min()) for part in replayed]
    return Cluster(
        name=min(names),
        accounts=accounts,
        calls=np.zeros(0, np.int64),
        strangers=unrelated,
        family=family,
        now=np.minimum(now, unrelated),
        before=before,
        carriers=now + before,
        share=_of_alphabet(log.shares, wordings),
        named=np.minimum(named, len(np.unique(log.owners.org[accounts]))),
        share_named=_of_alphabet(log.shares_named, wordings),
        replaying=strangers(log.owners, inside) if len(inside) else 0,
        carried=np.array([np.isin(accounts, part.accounts) for part in parts], np.bool_).reshape(len(parts), len(accounts)).T,
        ties=(),
        own=told.own,
        kin=told.kin,
        needed=told.needed,
        needed_kin=told.needed_kin,
        ends=inside,
        wordings=wordings,
    )


def link(log: Parts, used: Used, links: replay.Links, history: History, shares: tuple[list[float], list[float]]) -> Linked:
    """All clusters of a log that can be tested.

    Args: the log; who uses which wording again; replays between strangers (none where that tie is off); the history; today's share of the exposure by alphabet,
    organisations counted by owner and by name.
    """
    found = families(log, used.wordings, used.now)
    made = found.members
    groups = _replay_groups(links, log.owners.accounts, made)
    parts = [family for family in made if len(family.accounts) >= LEAST_ACCOUNTS]
    keys = [family.accounts for family in parts] + groups
    members = Members(parts, len(log.owners.accounts), history)
    least = _least(shares[0])
    able = np.array([_able(each.now + history.before(each.wordings), each.wordings, least) for each in parts], np.bool_)
    against = _Log(log.owners, history, *shares)
    clusters = []
    for group in communities(keys, len(log.owners.accounts)) if keys else []:
        mine, replayed = [i for i in group if i < len(parts)], [groups[i - len(parts)] for i in group if i >= len(parts)]
        if not replayed and not able[mine].any():
            continue  # no hypothesis: nothing that its wordings could show, so nobody need be told of it
        told = members.of(np.array(mine, np.int64), len(replayed) > 0) if mine else NOBODY
        cluster = _cluster(against, [parts[i] for i in mine], told, replayed)
        if cluster is not None:
            clusters.append(cluster)
    clusters.sort(key=lambda each: each.name)
    return Linked(clusters, parts, found, _pooled(used, shares[0]), used.shared)


def suspects(log: Parts, linked: Linked, clusters: Sequence[Cluster]) -> Traffic:
    """All calls of the members of some clusters; of whoever else carries what those are told by, the calls that might."""
    nobody = np.zeros(0, np.int64)
    own, kin = (np.unique(np.concatenate([nobody, *several])) for several in ([each.own for each in clusters], [each.kin for each in clusters]))
    members = np.unique(np.concatenate([nobody, *(each.accounts for each in clusters)]))
    others = np.setdiff1d(linked.made.carrying(own), members)
    return log.among(members, linked.shared, Besides(log.owners.accounts[others], linked.made.said(np.union1d(own, kin))))


class Placed:
    """Clusters with their calls, once all calls of their members are at hand."""

    def __init__(self, linked: Linked, traffic: Traffic, edges: Edges, clusters: Sequence[Cluster]) -> None:
        """`traffic`: what `suspects` gives of these clusters, which may be asked for."""
        self._traffic, self._facts = traffic, Facts(edges, len(traffic.accounts))
        self._families = linked.families
        self._first = {int(family.wordings[0]): i for i, family in enumerate(linked.families)}
        asked = {int(family) for each in clusters for several in (each.own, each.kin, self._parts(each)) for family in several}
        label, call = core(traffic, linked.made.candidates, np.flatnonzero(np.isin(linked.made.place, sorted(asked))))
        labels, begins = np.unique(label, return_index=True)
        # `split` gives what stands before the first label as well.
        self._core: dict[int, Ints] = dict(zip(linked.made.place[labels].tolist(), np.split(call, begins)[1:], strict=True))

    def _parts(self, cluster: Cluster) -> list[int]:
        """The families that a cluster is made of."""
        starts = np.flatnonzero(np.append(True, cluster.family[1:] != cluster.family[:-1])[: len(cluster.family)])
        return [self._first[int(cluster.wordings[start])] for start in starts]

    def calls(self, family: int) -> Ints:
        """Core calls of a family, ascending."""
        return self._core.get(family, np.zeros(0, np.int64))

    def users(self, family: int) -> Ints:
        """Accounts that use it in two different prompts, ascending."""
        return self._families[family].accounts

    def __call__(self, cluster: Cluster) -> Cluster:
        """The cluster with its core calls and with what joins its members."""
        traffic = self._traffic
        mine = [self.calls(family) for family in self._parts(cluster)]
        member = np.zeros(len(traffic.accounts), np.bool_)
        member[cluster.accounts] = True
        inside = [part[member[traffic.account[part]]] for part in mine]
        calls = np.unique(np.concatenate(inside)) if inside else np.zeros(0, np.int64)
        if len(cluster.ends):
            calls = np.union1d(calls, replay.core(traffic, cluster.ends))
        return replace(
            cluster,
            calls=calls,
            ties=self._facts(cluster.accounts),
            uses=np.array([len(part) for part in inside], np.int64),
        )


def _least(shares: list[float]) -> Ints:
    """Carriers, on whichever side, from which a wording of each alphabet could show anything."""
    return np.array([next((n for n in range(LEAST_UNITS, MOST_LEAST) if most_shown(n, each) >= LEAST_SHOWN), MOST_LEAST) for each in shares])


def _able(carriers: Ints, wordings: Ints, least: Ints) -> bool:
    return bool((carriers >= least[np.minimum(wordings & 7, len(least) - 1)]).any())


def _pooled(used: Used, shares: list[float]) -> float:
    """By how much the wordings that could show anything grow when those count that only the history made frequent (at least 1).

    The exact null holds for wordings chosen without regard to which side a carrier is on, so those belong to the
    hypotheses too.
    """
    least = _least(shares)
    able = used.common_now + used.common_before >= least[np.minimum(used.common & 7, len(shares) - 1)]
    return max(1.0, float(able.sum()) / max(1, int((able & (used.common_now >= LEAST_UNITS)).sum())))
