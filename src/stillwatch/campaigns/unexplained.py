"""How often explanations miss, told by the log itself: a group that nothing explains is worth little where hundreds like it are explained (decision 041).

Innocents take up something new in common by the handful, and an exculpation covers nearly all of them. Those that are covered are there to be counted, so the log itself says
how many groups of a size it has; of so many some are missed. The larger the log the more, whatever the evidence says of each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc

from stillwatch.campaigns.weigh import ALERT, REVIEW, Weighed
from stillwatch.codes import Ints
from stillwatch.records import Cluster

Floats = NDArray[np.float64]

MISSED = 70.0
"""Of innocent groups of k unrelated organisations with something new in common, one in MISSED x k is explained by nothing. In 1,000 benign worlds of 160,000 calls, which have 43 groups of ten or more each and
18 of twenty or more, 62 and 20 were missed."""

COVERED = 2.0
"Steps from which explanations cover a group: it is a watch, whatever else."

APART = 0.5
"Share of a group's accounts that may stand in larger ones, for it to be a group of its own."

LIBRARY = frozenset({"template", "fingerprint"})
"Ties that a common library gives to strangers."

JOINED = 0.2
"Share of a group's accounts from which another tie joins the group, and not some of its accounts."


@dataclass(frozen=True)
class Crowd:
    """What stands in a log beside a group."""

    sizes: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    "Unrelated organisations of each group that is explained, ascending."
    alerts: tuple[float, ...] = ()
    "Of the alerts, group by group: how many as large are to be expected that explanations miss."
    named: tuple[float, ...] = ()
    "The same of alerts and reviews."


NOBODY = Crowd()


def carriers(cluster: Cluster) -> int:
    """Most unrelated organisations of this log that have one of its wordings."""
    return int(cluster.now.max(initial=0))


def by_chance(cluster: Cluster) -> float:
    """The root of the chance that some accounts of the log meet as often in another tie than a common library's; 1 where none joins the group.

    Accounts of a random group that share a key meet by twos: a Poisson number of meetings, half of the accounts expected. The root, because innocents who do the same
    work also keep the same hours: of 70 missed groups fifteen were in step, where the chance itself allows two.
    """
    least = 1.0
    for name, _, joined, expected in cluster.ties:
        if name not in LIBRARY and joined >= JOINED * len(cluster.accounts):
            least = min(least, float(gammainc((joined + 1) // 2, expected / 2)) if expected else 0.0)
    return math.sqrt(least)


def to_be_expected(weighed: Weighed) -> float:
    """Innocent groups as large and as closely tied that explanations are to be expected to miss in this log; 0 where that is not asked."""
    many = carriers(weighed.cluster)
    return weighed.explained / (MISSED * many) * by_chance(weighed.cluster) if many else 0.0


def _apart(clusters: Sequence[Cluster]) -> list[int]:
    """Places of those that are groups of their own, in the order given: most of whose accounts stand in none before."""
    seen: set[int] = set()
    found = []
    for at, cluster in enumerate(clusters):
        mine = cluster.accounts.tolist()
        if sum(account in seen for account in mine) <= APART * len(mine):
            found.append(at)
            seen.update(mine)
    return found


def counted(weighed: Sequence[Weighed], steps: Sequence[float], verdicts: Sequence[str], others: Crowd = NOBODY) -> tuple[list[Weighed], Crowd]:
    """Every cluster with how many groups as large are explained, and how many stand beside it; and what stands in the log.

    `steps`: by which explanations lower each; `verdicts`: of each, before any of this was counted; `others`: what stands besides.
    """
    covered = sorted((each.cluster for each, by in zip(weighed, steps, strict=True) if by >= COVERED), key=carriers, reverse=True)
    sizes = np.sort(np.concatenate([others.sizes, np.array([carriers(covered[at]) for at in _apart(covered)], np.int64)]))
    told = [replace(each, explained=max(1, len(sizes) - int(np.searchsorted(sizes, carriers(each.cluster))))) for each in weighed]
    expected = [to_be_expected(each) for each in told]
    order = sorted(range(len(told)), key=lambda at: expected[at])
    alerts = [at for at in order if verdicts[at] == "alert"]
    named = [at for at in order if verdicts[at] in ("alert", "review")]
    of_alerts, of_named = (
        np.sort([*before, *(expected[mine[at]] for at in _apart([told[at].cluster for at in mine]))])
        for mine, before in ((alerts, others.alerts), (named, others.named))
    )
    for at in named:
        told[at] = replace(told[at], beside=_beside(of_named, expected[at], REVIEW))
    for at in alerts:
        told[at] = replace(told[at], beside_alerts=_beside(of_alerts, expected[at], ALERT))
    return told, Crowd(sizes, tuple(of_alerts.tolist()), tuple(of_named.tolist()))


def _beside(ranked: Floats, own: float, level: float) -> int:
    """Among how many a group stands (Benjamini and Hochberg 1995): those that pass stand together, any other by its rank."""
    rank = max(1, int(np.searchsorted(ranked, own, "right")))
    passing = np.flatnonzero(ranked <= level * np.arange(1, len(ranked) + 1))
    return max(rank, int(passing[-1]) + 1) if len(passing) and own <= ranked[passing[-1]] else rank
