"""How strong the exact evidence against each cluster is, and its false-discovery rate among all that were tested."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stillwatch.evidence.discoveries import q_values
from stillwatch.evidence.strangers import log10_e, log10_mean
from stillwatch.records import Cluster

ALERT, REVIEW, WATCH_LOG10_E = 0.01, 0.10, 2.0
"Expected false discoveries of an alert and of a review; least evidence of a watch (e >= 100, so p <= .01)."

LONG = 6
"Wordings from which a family is long; long ones have half of the budget, because few innocents share so much."

REPLAY_LEAST = 3
"Unrelated organisations at the ends of replays from which replay is evidence."

STRANGERS_LEAST = 5
"Fewest strangers of a cluster that counting can speak about."


@dataclass(frozen=True)
class Weighed:
    """A cluster with its evidence."""

    cluster: Cluster
    "The cluster."
    strangers: float | None
    "log10 e of unrelated organisations saying what nobody said before; None without history or with too few strangers."
    families: tuple[float, ...]
    "The same by family."
    replay: float | None
    "log10 e of reasoning replayed between strangers; None when there is none."
    log10_e: float
    "Both together."
    q: float
    "False-discovery rate at its rank, 0..1."
    q_replay: float
    "The same from replay alone."
    p_floor: float
    "Least p that its carriers could have shown, given the history."


def replay_log10_e(organisations: int) -> float | None:
    """log10 e of replays between strangers, None below REPLAY_LEAST.

    No history is needed. The assumption, stated in every case: among innocents, a group with three unrelated organisations at the
    ends of replays is rarer than one in a hundred, and each further organisation makes it ten times rarer. (None is documented.)
    """
    return None if organisations < REPLAY_LEAST else min(float(organisations - 1), 300.0)


def _by_family(cluster: Cluster) -> tuple[float, ...]:
    found = []
    for family in range(int(cluster.family.max(initial=-1)) + 1):
        mine = np.flatnonzero(cluster.family == family)
        found.append(log10_mean([log10_e(int(cluster.now[i]), int(cluster.before[i]), float(cluster.share[i])) for i in mine]))
    return tuple(found)


def weigh(clusters: list[Cluster], tested: float) -> list[Weighed]:
    """Evidence and q of every cluster, in the order given. `tested`: all hypotheses, at least as many as clusters."""
    parts: list[tuple[float | None, tuple[float, ...], float | None, float]] = []
    for cluster in clusters:
        families = _by_family(cluster)
        known = len(families) > 0 and cluster.strangers >= STRANGERS_LEAST and float(cluster.share.min()) < 1.0
        strangers = log10_mean(list(families)) if known else None
        replay = replay_log10_e(cluster.replaying)
        have = [value for value in (strangers, replay) if value is not None]
        # The mean of two e-values, the silent one counted as 0, is an e-value.
        total = log10_mean([*have, *[-math.inf] * (2 - len(have))]) if have else -math.inf
        parts.append((strangers, families, replay, total))
    long = [int(np.bincount(cluster.family).max(initial=0)) >= LONG for cluster in clusters]
    # Half of the budget for each kind (all for a lone kind), shared out as they stand among the clusters: weights average 1.
    of_kind = [max(1, sum(other is kind for other in long)) for kind in long]
    weights = [len(long) / len(set(long)) / count for count in of_kind]
    q = q_values([part[3] for part in parts], tested, weights)
    q_replay = q_values([-math.inf if part[2] is None else part[2] - math.log10(2) for part in parts], tested)
    out = []
    for cluster, part, one, other in zip(clusters, parts, q, q_replay, strict=True):
        share = float(cluster.share.min(initial=1.0))
        floor = share**cluster.strangers if part[2] is None else min(share**cluster.strangers, 10 ** -part[2])
        out.append(Weighed(cluster, *part, q=min(one, other), q_replay=other, p_floor=floor))
    return out


def worth_a_look(weighed: list[Weighed]) -> list[Weighed]:
    """Those that any verdict could name: the rest is not described further."""
    return [each for each in weighed if each.q <= REVIEW or each.log10_e >= WATCH_LOG10_E]
