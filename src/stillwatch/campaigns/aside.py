"""Who is left out of a case though a cluster of it holds them: innocents who took over one of a campaign's sentences.

A campaign of several clusters is one job in several wordings, and its accounts mostly stand in several of them or at an end of a replay. Whoever stands in one alone, with a
traffic that is mostly something else, is more likely somebody who uses that sentence as well (decision 043). No verdict changes: the evidence is of the clusters as they were found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from stillwatch.campaigns.judge import Judged
from stillwatch.campaigns.membership import Pieces
from stillwatch.campaigns.rule import least_share
from stillwatch.codes import NONE, Ints
from stillwatch.evidence.tails import Floats
from stillwatch.facts import ACCOUNTS
from stillwatch.records import Cluster
from stillwatch.traffic import Traffic, distinct_rows


def without_those_beside(case: Sequence[Judged], traffic: Traffic, pieces: Pieces, placed: Callable[[Cluster], Cluster]) -> list[Judged]:
    """The case without them; calls are those of who stays, ties of the cluster as it was judged.

    Args: a case's clusters; all calls of their members; who carries which piece of wording; what gives a cluster its calls. Every cluster keeps somebody: it has accounts
    in common with the others, or it would be a case of its own.
    """
    least = least_share(len(case))
    if not least:
        return list(case)
    stands_in = np.bincount(np.concatenate([one.weighed.cluster.accounts for one in case]), minlength=len(traffic.accounts))
    made = []
    for one in case:
        cluster = one.weighed.cluster
        alone = (stands_in[cluster.accounts] == 1) & ~np.isin(cluster.accounts, cluster.ends)
        kept = ~alone
        kept[alone] = shares(traffic, pieces, cluster, cluster.accounts[alone]) >= least
        if not kept.all():
            narrowed = replace(placed(replace(cluster, accounts=cluster.accounts[kept], carried=cluster.carried[kept])), ties=cluster.ties)
            one = replace(one, weighed=replace(one.weighed, cluster=narrowed))
        made.append(one)
    return made


def shares(traffic: Traffic, pieces: Pieces, cluster: Cluster, accounts: Ints) -> Floats:
    """Of each of these accounts (codes, ascending), how much of what it asks (`ACCOUNTS`) carries the cluster's own wording, 0..1."""
    calls = np.unique(np.concatenate([np.zeros(0, np.int64), *(pieces.calls(int(family)) for family in cluster.own)]))
    calls = calls[np.isin(traffic.account[calls], accounts) & (traffic.prompt[calls] != NONE)]
    (who, _, _), _ = distinct_rows(traffic.account[calls], traffic.ts[calls], traffic.prompt[calls])
    worded = np.bincount(np.searchsorted(accounts, who), minlength=len(accounts))
    return np.asarray(worded / np.maximum(1, traffic.whole(ACCOUNTS)["asks"][accounts]), np.float64)
