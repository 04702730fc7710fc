"""How often explanations miss, told by the log itself: a group that nothing explains is worth little where hundreds like it are explained (decision 041).

Innocents take up something new in common by the handful, and an exculpation covers nearly all of them. Those that are covered are there to be counted, so the log itself says
how many groups of a size it has; of so many some are missed. The larger the log the more, whatever the evidence says of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import gammainc

from stillwatch.campaigns.weigh import Weighed
from stillwatch.codes import Ints
from stillwatch.records import Cluster

MISSED = 70.0
"""Of innocent groups of k unrelated organisations with something new in common, one in MISSED x k is explained by nothing. In 1,000 benign worlds of 160,000 calls, which have 43 groups of ten or more each and
18 of twenty or more, 62 and 20 were missed."""

COVERED = 2.0
"Steps from which explanations cover a group: it is a watch, whatever else."

APART = 0.5
"Share of a group's accounts that may stand in larger ones, for it to be a group of its own."

LIBRARY = frozenset({"template", "fingerprint"})
"Ties that a common library gives to strangers, of judges say: its rubric and its client."

JOINED = 0.2
"Share of a group's accounts from which another tie joins the group, and not some of its accounts."

BY_CHANCE, TAIL, ROOT = 0.1, 0.2, 0.25
"""Innocents who do the same work keep the same hours as well: of groups that are explained a share of TAIL x p^ROOT is tied as closely as a random group is with a chance of p, for any p up to BY_CHANCE
(1,600 groups of 10 to 40 organisations: 5 % at .003, 2 % at 10^-4, 1 % at 10^-6)."""


def carriers(cluster: Cluster) -> int:
    """Most unrelated organisations of this log that have one of its wordings."""
    return int(cluster.now.max(initial=0))


def joining(cluster: Cluster) -> list[tuple[int, float]]:
    """(accounts joined, accounts expected of a random group) of the ties that join a cluster, besides those of a common library."""
    return [(joined, expected or 0.0) for name, _, joined, expected in cluster.ties if name not in LIBRARY and joined >= JOINED * len(cluster.accounts)]


def tied(cluster: Cluster) -> float:
    """Share of innocent groups that another tie than a common library's joins as closely; 1 where none joins the group.

    Accounts of a random group that share a key meet by twos: a Poisson number of meetings, half of the accounts expected.
    """
    least = min((float(gammainc((joined + 1) // 2, expected / 2)) if expected else 0.0 for joined, expected in joining(cluster)), default=1.0)
    return TAIL * float(least**ROOT) if least <= BY_CHANCE else 1.0


def to_be_expected(weighed: Weighed) -> float:
    """Innocent groups as large and as closely tied that explanations are to be expected to miss in this log; 0 where that is not asked."""
    many = carriers(weighed.cluster)
    return weighed.explained / (MISSED * many) * tied(weighed.cluster) if many else 0.0


def sizes(weighed: Sequence[Weighed], steps: Sequence[float], others: Ints) -> Ints:
    """Unrelated organisations of each group that is explained, ascending. `steps`: by which explanations lower each cluster; `others`: sizes of groups that stand besides."""
    covered = sorted((each.cluster for each, by in zip(weighed, steps, strict=True) if by >= COVERED), key=carriers, reverse=True)
    seen: set[int] = set()
    found = []
    for cluster in covered:
        mine = cluster.accounts.tolist()
        if sum(account in seen for account in mine) <= APART * len(mine):
            found.append(carriers(cluster))
            seen.update(mine)
    return np.sort(np.concatenate([others, np.array(found, np.int64)]))


def beside(each: Weighed, explained: Ints) -> Weighed:
    """A cluster with how many groups as large are explained. `explained`: sizes of all, ascending."""
    return replace(each, explained=max(1, len(explained) - int(np.searchsorted(explained, carriers(each.cluster)))))
