"""Which clusters are discoveries together: the rate of false ones is promised among those that are named, not among all that were strong.

e-BH lets a cluster pass by its rank among the strong ones. Most of those are innocents that something explains: they are never named, and must lend their rank to nobody.
So the rank is taken among those that stand when everything that speaks for innocence has been counted: an alert's among what may be an alert, a review's among
alerts and reviews. A set keeps the rate, however it was chosen, where each of its e-values is at least (number tested) / (rate x size of the set) (self-consistency, Wang
and Ramdas 2022; filters: Katsevich, Sabatti and Bogomolov 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from stillwatch.campaigns.unexplained import NONE
from stillwatch.campaigns.weigh import REVIEW, Weighed
from stillwatch.codes import Ints
from stillwatch.evidence.discoveries import q_values

Verdict = Callable[[Weighed], str]
"What judging says of a cluster by what it weighs."

Scores = Mapping[int, float]
"Name of a cluster -> log10 of its e-value times its weight."


@dataclass(frozen=True)
class Field:
    """The clusters that stand, as far as their evidence reaches."""

    alerts: Scores
    "What nothing speaks for: alerts, if strong enough."
    named: Scores
    "Those of them that are reviews at least, and what may be a review at most."
    by_name: Scores
    "What may be a review by organisations counted by name, with that evidence."
    explained: Ints = field(default_factory=lambda: NONE)
    "(unrelated organisations, calls) of each group that is explained."

    def placed(self, each: Weighed, verdict: Verdict) -> Weighed:
        """A cluster with its rates among these, whether it is one of them or not. `verdict`: judges it."""
        best, q, q_named = at_best(each, verdict), each.q, each.q_named
        if best != "watch":
            q = min(rate(self.alerts if best == "alert" else self.named, each.cluster.name, each.score, each.tested), each.q_replay)
        if at_best_by_name(each, verdict) != "watch":
            q_named = rate(self.by_name, each.cluster.name, each.score_named, each.tested)
        return replace(each, q=q, q_named=q_named)


def at_best(each: Weighed, verdict: Verdict) -> str:
    """What it would be were it as strong as can be."""
    return verdict(replace(each, q=0.0, q_named=1.0))


def at_best_by_name(each: Weighed, verdict: Verdict) -> str:
    """The same by organisations counted by name alone."""
    return verdict(replace(each, q=1.0, q_named=0.0, q_replay=1.0))


def rate(scores: Scores, name: int, own: float, tested: float) -> float:
    """The false-discovery rate (0..1) at which a cluster of score `own` is rejected beside all others of these (e-BH)."""
    return q_values([own, *(score for other, score in scores.items() if other != name)], tested)[0]


NOBODY = Field({}, {}, {})
"Nothing stands."


def settled(weighed: Sequence[Weighed], verdicts: Sequence[Verdict], others: Field = NOBODY) -> tuple[list[Weighed], Field]:
    """Every cluster with its rates among those that stand, and those. `verdicts`: judges each of them; `others`: stand besides, and were settled before."""
    best = [at_best(each, verdict) for each, verdict in zip(weighed, verdicts, strict=True)]
    of = dict(zip((each.cluster.name for each in weighed), weighed, strict=True))
    names = list(of)
    own = {name: of[name].score for name, one in zip(names, best, strict=True) if one == "alert"}
    alerts = {**others.alerts, **own}
    strong = {name: score for name, score in own.items() if rate(alerts, name, score, of[name].tested) <= REVIEW}
    named = {**others.named, **strong} | {name: of[name].score for name, one in zip(names, best, strict=True) if one == "review"}
    by_name = {**others.by_name} | {
        each.cluster.name: each.score_named for each, verdict in zip(weighed, verdicts, strict=True) if at_best_by_name(each, verdict) != "watch"
    }
    field = Field(alerts, named, by_name)
    return [field.placed(each, verdict) for each, verdict in zip(weighed, verdicts, strict=True)], field
