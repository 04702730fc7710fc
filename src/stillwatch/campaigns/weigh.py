"""How strong the exact evidence against each cluster is, and its false-discovery rate among all that were tested."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from stillwatch.evidence.discoveries import q_values
from stillwatch.evidence.strangers import LEAST_SHOWN, log10_e, log10_mean, most_shown
from stillwatch.records import Cluster

ALERT, REVIEW, WATCH_LOG10_E = 0.01, 0.10, 2.0
"Expected false discoveries of an alert and of a review; least evidence of a watch (e >= 100, so p <= .01)."

LONG = 6
"Wordings from which a family is long; long ones have half of the budget, because few innocents share so much."

REPLAY_LEAST = 3
"Unrelated organisations at the ends of replays from which replay is evidence."

REPLAY_SLOPE = 0.9
"log10 e of each further organisation of a replay; 1 would be its rarity itself, and has no mean."

REPLAY_SCALE = (1 - 10 ** (REPLAY_SLOPE - 1)) / (0.9 * 10 ** (2 * (REPLAY_SLOPE - 1)))
"What makes the mean 1 under the tail that `replay_log10_e` assumes: 1 / sum over n of 10^(slope (n - 1)) (10^-(n - 1) - 10^-n), n from REPLAY_LEAST."

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
    named: float | None = None
    "`strangers`, organisations counted by name: not on fewer than STRANGERS_LEAST owners."
    families_named: tuple[float, ...] = ()
    "The same by family."
    p_floor_named: float = 1.0
    "Least p that its carriers by name could have shown."
    q_named: float = 1.0
    "False-discovery rate at its rank by that count alone."
    weight: float = 1.0
    "Its weight among the hypotheses; they average 1."
    tested: float = 1.0
    "Hypotheses that pay for one another."
    organisations: int = 0
    "Organisations of the log; 0 where that is not asked."
    explained: int = 0
    "Groups of the log with as many organisations and calls that something innocent explains, at least 1; 0 where that is not asked."

    @property
    def score(self) -> float:
        """log10 of its e-value times its weight: what it is ranked by."""
        return self.log10_e + math.log10(self.weight)

    @property
    def score_named(self) -> float:
        """The same by organisations counted by name."""
        return _silent(self.named) + math.log10(self.weight)

    @property
    def strong(self) -> bool:
        """Whether it may be an alert or a review."""
        return self.q <= REVIEW or self.q_named <= ALERT


def replay_log10_e(organisations: int) -> float | None:
    """log10 e of replays between strangers, None below REPLAY_LEAST.

    No history is needed. The assumption, stated in every case: among innocents, a group with three unrelated organisations at the
    ends of replays is rarer than one in a hundred, and each further organisation makes it ten times rarer. (None is documented.)
    With n organisations or more of probability 10^-(n - 1), REPLAY_SCALE 10^(REPLAY_SLOPE (n - 1)) has the mean 1.

    >>> replay_log10_e(2), round(replay_log10_e(3), 2), round(replay_log10_e(8), 2)
    (None, 1.36, 5.86)
    """
    if organisations < REPLAY_LEAST:
        return None
    return min(math.log10(REPLAY_SCALE) + REPLAY_SLOPE * (organisations - 1), 300.0)


def _by_family(cluster: Cluster, now: Any, shares: Any) -> tuple[float, ...]:
    found = []
    for family in range(int(cluster.family.max(initial=-1)) + 1):
        mine = np.flatnonzero(cluster.family == family)
        found.append(log10_mean([log10_e(int(now[i]), int(cluster.before[i]), float(shares[i])) for i in mine]))
    return tuple(found)


def can_show(cluster: Cluster) -> bool:
    """Whether any of its wordings has so many carriers, on whichever side, that it could show anything."""
    return any(most_shown(carriers, share) >= LEAST_SHOWN for carriers, share in set(zip(cluster.carriers.tolist(), cluster.share.tolist(), strict=True)))


def is_tested(cluster: Cluster) -> bool:
    """Whether the cluster is a hypothesis at all: by wording, or by replays."""
    return can_show(cluster) or cluster.replaying >= REPLAY_LEAST


def _weights(clusters: list[Cluster], able: list[bool]) -> list[float]:
    """Half of the budget for each kind, long and short (all for a lone kind), shared out as they stand among those that can show something: weights average 1."""
    kinds = [int(np.bincount(each.family).max(initial=0)) >= LONG if can else None for each, can in zip(clusters, able, strict=True)]
    of_kind = Counter(kind for kind in kinds if kind is not None)
    return [1.0 if kind is None else of_kind.total() / len(of_kind) / of_kind[kind] for kind in kinds]


def weigh(clusters: list[Cluster], pooled: float, organisations: int = 0) -> list[Weighed]:
    """Evidence and q of every cluster, in the order given. `pooled`: hypotheses for each cluster that can be tested (linking.Linked); `organisations`: of the log."""
    able = [can_show(cluster) for cluster in clusters]
    among = sum(pooled if can else 1.0 for cluster, can in zip(clusters, able, strict=True) if can or cluster.replaying >= REPLAY_LEAST)
    weights = _weights(clusters, able)
    known = [can and len(each.family) > 0 and each.strangers >= STRANGERS_LEAST for each, can in zip(clusters, able, strict=True)]
    families = [_by_family(each, each.now, each.share) for each in clusters]
    strangers = [log10_mean(list(mine)) if yes else None for mine, yes in zip(families, known, strict=True)]
    by_name = [_by_family(each, each.named, each.share_named) for each in clusters]
    named = [log10_mean(list(mine)) if yes else None for mine, yes in zip(by_name, known, strict=True)]
    replay = [replay_log10_e(each.replaying) for each in clusters]
    # The mean of two e-values, the silent one counted as 0, is an e-value.
    total = [log10_mean([_silent(one), _silent(other)]) for one, other in zip(strangers, replay, strict=True)]
    q = q_values(total, among, weights)
    q_replay = q_values([_silent(value) - math.log10(2) for value in replay], among)
    q_named = q_values([_silent(value) for value in named], among, weights)
    return [
        Weighed(
            cluster,
            strangers[i],
            families[i],
            replay[i],
            total[i],
            min(q[i], q_replay[i]),
            q_replay[i],
            _floor(cluster),
            named[i],
            by_name[i],
            float(cluster.share_named.min(initial=1.0)) ** int(cluster.named.max(initial=0)),
            q_named[i],
            weights[i],
            among,
            organisations,
        )
        for i, cluster in enumerate(clusters)
    ]


def _silent(value: float | None) -> float:
    return -math.inf if value is None else value


def _floor(cluster: Cluster) -> float:
    """Least p that its carriers could have shown."""
    floor = float(cluster.share.min(initial=1.0)) ** cluster.strangers
    return floor if cluster.replaying < REPLAY_LEAST else min(floor, 10.0 ** -min(cluster.replaying - 1, 300))


def worth_a_look(weighed: list[Weighed]) -> list[Weighed]:
    """Those that any verdict could name: the rest is not described further."""
    return [each for each in weighed if each.strong or each.log10_e >= WATCH_LOG10_E]
