"""Each signal left out in turn: what the judgement on a case would be without it, found by judging again.

The clusters stay as they were linked; what is left out is what a signal says in the judgement. A signal that is evidence is left out of all clusters, which are then weighed
again, because the false-discovery rate of one depends on the evidence of every other; any other signal of this case alone, while the others stand as they stand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from stillwatch.campaigns.discovered import Field, Verdict, settled
from stillwatch.campaigns.judge import LADDER, Judged, judge
from stillwatch.campaigns.weigh import Weighed, weigh, worth_a_look
from stillwatch.records import Cluster, Evidence

STRANGERS, REPLAY = "strangers", "replay"
"The two signals that are evidence."

ALIKE = {"tie: template": STRANGERS, "tie: replay": REPLAY}
"Ties that are evidence as well: what such a tie says in the judgement is what that evidence says."

Again = Mapping[str, Mapping[int, Weighed]]
"Signal -> name of the cluster -> what it weighs without that signal."


def _without(signal: str, cluster: Cluster) -> Cluster:
    """The cluster as the judgement would see it without the signal."""
    same = ALIKE.get(signal, signal)
    if same == STRANGERS:
        return replace(cluster, strangers=0)
    if same == REPLAY:
        cluster = replace(cluster, replaying=0)
    return replace(cluster, ties=tuple(tie for tie in cluster.ties if f"tie: {tie[0]}" != signal))


def again(clusters: list[Cluster], tested: float, judged: Sequence[Judged], speaking: frozenset[str], organisations: int) -> Again:
    """Every cluster weighed without strangers and without replay: nothing else weighs. `tested`, `organisations`: as for `weigh`; `judged`: those that were judged, whose rates are told anew."""
    found = {}
    for signal in (STRANGERS, REPLAY):
        weighed = {each.cluster.name: each for each in weigh([_without(signal, cluster) for cluster in clusters], tested, organisations)}
        mine = [replace(weighed[one.weighed.cluster.name], cluster=_without(signal, one.weighed.cluster), explained=one.weighed.explained) for one in judged]
        rated, _ = settled(mine, [_asked(one, speaking) for one in judged])
        found[signal] = weighed | {each.cluster.name: each for each in rated}
    return found


def _asked(one: Judged, speaking: frozenset[str], evidence: list[Evidence] | None = None, uncounted: frozenset[str] = frozenset()) -> Verdict:
    """What judging says of a cluster by what it weighs."""
    return lambda each: judge(each, one.values, one.evidence if evidence is None else evidence, speaking, uncounted).verdict


def _strongest(judged: Sequence[Judged]) -> Judged | None:
    """What the case would be named by; None where nothing would be listed."""
    return min(judged, key=lambda each: (LADDER.index(each.verdict), each.q, -each.log10_e), default=None)


def _entry(name: str, before: Judged, found: Judged | None, weighed: Sequence[Weighed]) -> dict[str, Any]:
    """One line: the judgement without the signal. Of a case that would not be listed, the evidence that is left."""
    best = max(weighed, key=lambda each: each.log10_e) if found is None else found
    log10_e = None if best.log10_e == -math.inf else round(best.log10_e, 4)
    told = {"name": name, "verdict": None if found is None else found.verdict, "log10_e": log10_e, "q": round(best.q, 8)}
    was = (before.verdict, round(before.log10_e, 4), round(before.q, 8))
    if (told["verdict"], log10_e, told["q"]) == was:
        return {**told, "text": "Changes nothing: the judgement is the same without it."}
    parts = []
    if found is None:
        parts.append(f"Not listed at all instead of {_a(before.verdict)}.")
    elif found.verdict != before.verdict:
        parts.append(f"{_a(found.verdict).capitalize()} instead of {_a(before.verdict)}.")
    else:
        parts.append(f"Still {_a(before.verdict)}.")
    if found is not None and found.weighed.cluster.name != before.weighed.cluster.name:
        parts.append("Another of its clusters leads then.")
    if log10_e is None:
        parts.append("No evidence is left.")
    elif log10_e != was[1]:
        parts.append(f"Evidence 10^{log10_e:.1f} instead of 10^{was[1]:.1f}.")
    return {**told, "text": " ".join(parts)}


def _a(verdict: str) -> str:
    return f"an {verdict}" if verdict == "alert" else f"a {verdict}"


def _again(one: Judged, field: Field, speaking: frozenset[str], evidence: list[Evidence], uncounted: frozenset[str] = frozenset()) -> Judged:
    """A cluster judged with other evidence of purpose, or without one exculpation."""
    return judge(field.placed(one.weighed, _asked(one, speaking, evidence, uncounted)), one.values, evidence, speaking, uncounted)


def left_out(case: Sequence[Judged], kinds: Sequence[str], without: Again, speaking: frozenset[str], field: Field) -> list[dict[str, Any]]:
    """The case without each of its signals: name, verdict (None: it would not be listed), log10_e (None: no evidence at all), q, text.

    Args: the case's clusters, the strongest first; the kinds of tie that it tells; what all clusters weigh without each of the two signals that are evidence; the
    detectors that speak of purpose; the clusters that stand. Names: "strangers", "replay", "tie: KIND", "purpose: DETECTOR", "exculpation: NAME" (tried, but not counted).
    """
    told = []
    has = {STRANGERS: any(one.weighed.strangers is not None for one in case), REPLAY: any(one.weighed.replay is not None for one in case)}
    for signal in (*(name for name, there in has.items() if there), *(f"tie: {kind}" for kind in kinds)):
        # A tie that is no evidence weighs nothing, but the judge may look at it.
        light = without.get(ALIKE.get(signal, signal))
        weighed = [replace(one.weighed if light is None else light[one.weighed.cluster.name], cluster=_without(signal, one.weighed.cluster)) for one in case]
        if light is None:
            weighed = [field.placed(each, _asked(one, speaking)) for each, one in zip(weighed, case, strict=True)]
        listed = [(each, one) for each, one in zip(weighed, case, strict=True) if worth_a_look([each])]
        found = _strongest([judge(each, one.values, one.evidence, speaking) for each, one in listed])
        told.append(_entry(signal, case[0], found, weighed))
    same = [one.weighed for one in case]
    for name in sorted({each.name for one in case for each in one.evidence if each.name in speaking}):
        rest = [_again(one, field, speaking, [each for each in one.evidence if each.name != name]) for one in case]
        told.append(_entry(f"purpose: {name}", case[0], _strongest(rest), same))
    for name in dict.fromkeys(each.name for one in case for each in one.exculpations if each.found is not None):
        rest = [_again(one, field, speaking, one.evidence, frozenset({name})) for one in case]
        told.append(_entry(f"exculpation: {name}", case[0], _strongest(rest), same))
    return told
