"""How often explanations miss, told by the log itself: a group that nothing explains is worth little where hundreds like it are explained (decisions 041, 042).

Innocents take up something new in common by the handful, and an exculpation covers nearly all of them. Those that are covered are there to be counted, so the log itself says
how many groups of a size it has; of so many some are missed. The larger the log the more, whatever the evidence says of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stillwatch.campaigns.weigh import Weighed
from stillwatch.codes import Ints
from stillwatch.records import Cluster

ONE_IN, RARER = 2.0, 0.8
"""Of innocent groups with something new in common, for ONE_IN x c^RARER of c calls that are explained one is not: the more there is of each, the better is measured what it does. In benign worlds of 1.6 million
calls 12 were missed for a hundred explained ones of 30 calls, 4 of 150, .6 of 700 and .4 of 2,000 (decision 042)."""

COVERED = 2.0
"Steps from which explanations cover a group: it is a watch, whatever else."

APART = 0.5
"Share of a group's accounts that may stand in larger ones, for it to be a group of its own."

NONE: Ints = np.zeros((0, 2), np.int64)
"No group."


def carriers(cluster: Cluster) -> int:
    """Most unrelated organisations of this log that have one of its wordings."""
    return int(cluster.now.max(initial=0))


def to_be_expected(weighed: Weighed) -> float:
    """Innocent groups with as many organisations and calls that explanations are to be expected to miss in this log; 0 where that is not asked, or no wording is in common."""
    return weighed.explained / float(ONE_IN * max(1, len(weighed.cluster.calls)) ** RARER) if carriers(weighed.cluster) else 0.0


def sizes(weighed: Sequence[Weighed], steps: Sequence[float], others: Ints) -> Ints:
    """(unrelated organisations, calls) of each group that is explained. `steps`: by which explanations lower each cluster; `others`: the same of groups that stand besides."""
    covered = sorted((each.cluster for each, by in zip(weighed, steps, strict=True) if by >= COVERED), key=carriers, reverse=True)
    seen: set[int] = set()
    found = [others]
    for cluster in covered:
        mine = np.unique(cluster.accounts).tolist()
        if sum(account in seen for account in mine) <= APART * len(mine):
            found.append(np.array([[carriers(cluster), len(cluster.calls)]], np.int64))
            seen.update(mine)
    return np.concatenate(found)


def beside(each: Weighed, explained: Ints) -> Weighed:
    """A cluster with how many groups as large are explained. `explained`: (organisations, calls) of all."""
    mine = carriers(each.cluster), len(each.cluster.calls)
    return replace(each, explained=max(1, int((explained >= mine).all(axis=1).sum())))
