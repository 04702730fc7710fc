"""A scan of several members' logs by the rules of `evidence.joint`, with one hashing key in place of private matching.

What is done over all members' marks at once here (families, clusters, organisations) needs only blinded tokens and sums that add up: how many accounts carry two wordings side by side, which
account tokens use a family. What compares calls (exculpations, detectors) is worked out on each member's own calls, and only the values are put together, weighed by strangers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.campaigns import weigh
from stillwatch.campaigns.judge import accounts_of, all_of, cases, judge
from stillwatch.campaigns.unexplained import NONE
from stillwatch.detectors.declare import every_detector, evidence
from stillwatch.engines.local import Gathered
from stillwatch.evidence import joint
from stillwatch.evidence.discoveries import q_values
from stillwatch.evidence.strangers import LEAST_SHOWN, log10_mean
from stillwatch.examination import FACTS, _ranges, examine, missing_in
from stillwatch.facts import every_fact
from stillwatch.features.declare import Groups, columns, every_feature
from stillwatch.linking import clusters as linking
from stillwatch.linking.families import LEAST_UNITS
from stillwatch.linking.history import ALPHABETS, History, merge, shares
from stillwatch.linking.ties import replay
from stillwatch.linking.used import used
from stillwatch.parts import One, with_facts
from stillwatch.records import NO_CONTEXT, Cluster
from stillwatch.results import Reference
from stillwatch.store.states import States
from stillwatch.survey import Survey, survey
from stillwatch.traffic import Ints, Traffic

COMPARED = ("shared_slots", "own_business")
"What compares the carriers of one member: without it nothing could exculpate."


@dataclass(frozen=True)
class Member:
    """One provider's log and history, as marks."""

    marks: pa.Table
    "Today's, in canonical order."
    before: pa.Table
    "The history's."
    present: frozenset[str]
    "Columns that the log carries."


@dataclass(frozen=True)
class Said:
    """What a scan said."""

    cases: list[tuple[str, list[int]]]
    "(verdict, keyed hashes of its accounts), strongest first."
    rests_on: list[list[int]]
    "Of each case that is weaker because it rests on one member: which."
    strange: list[int]
    "Members whose tail differs from the others'."
    tested: float
    "Candidates that the budget runs over."


def _gathered(marks: pa.Table, present: frozenset[str]) -> Gathered:
    return Gathered(One(Traffic(marks)), marks.num_rows, present, [])


_SEEN: dict[int, tuple[pa.Table, Survey]] = {}


def _seen(marks: pa.Table, present: frozenset[str]) -> Survey:
    """The survey of a member's calls, worked out once for a table."""
    if id(marks) not in _SEEN:
        log = _gathered(marks, present)
        _SEEN[id(marks)] = marks, survey(with_facts(log.parts, every_fact(*FACTS), NO_CONTEXT), missing_in(log), (), NO_CONTEXT)
    return _SEEN[id(marks)][1]


def _history(seen: Survey) -> History:
    columns_ = ["unit", *(f"calls_{alphabet}" for alphabet in range(ALPHABETS))]
    return merge([seen.organisations.select(columns_)], [seen.wordings])


def alone(member: Member) -> Said:
    """A member's own scan."""
    earlier = _seen(member.before, member.present)
    reference = Reference(_history(earlier), earlier.organisations, [States(earlier.organisations, earlier.wordings)], [None])
    found = examine(_gathered(member.marks, member.present), reference, lambda name, count: None)
    return Said([(each.verdict, list(each.accounts)) for each in found.campaigns], [], [], float(found.tested))


def _labels(tables: Sequence[pa.Table]) -> Mapping[int, int]:
    """Keyed hash of an account -> label of its organisation, over all members: by organisation (or mail domain) and payer."""
    both = (
        pa.concat_tables([table.select(["account", "org", "payment"]) for table in tables])
        .group_by(["account", "org", "payment"], use_threads=False)
        .aggregate([])
    )
    accounts, unit = np.unique(both["account"].to_numpy(), return_inverse=True)
    paid = np.flatnonzero(np.asarray(both["payment"].is_valid()))
    tokens = np.concatenate([both["org"].to_numpy(), both["payment"].combine_chunks().take(pa.array(paid)).to_numpy()])
    label = joint.organisations(len(accounts), np.concatenate([unit, unit[paid]]).astype(np.int64), tokens.astype(np.int64))
    return dict(zip(accounts.tolist(), label.tolist(), strict=True))


def _carriers(surveys: Sequence[Survey], tables: Sequence[pa.Table], wordings: Ints, today: bool) -> joint.Carriers:
    """Rows of one side. Only wordings among `wordings` (ascending)."""
    label = _labels(tables)
    rows = []
    for member, seen in enumerate(surveys):
        word, unit = seen.wordings["wording"].to_numpy(), seen.wordings["unit"].to_numpy()
        at = np.minimum(np.searchsorted(wordings, word), len(wordings) - 1)
        keep = wordings[at] == word
        rows.append(np.stack([at[keep], np.array([label[each] for each in unit[keep].tolist()], np.int64), np.full(int(keep.sum()), member)]))
    word, organisation, member_ = np.concatenate(rows, axis=1)
    return joint.Carriers(word, organisation, member_, np.full(len(word), today))


class Count:
    """The joint count of paired wordings, with or without one member."""

    def __init__(self, rows: joint.Carriers, wordings: Ints, told: Any) -> None:
        """`told`: (members, alphabets) shares as members tell them."""
        self.rows, self.wordings, self.told = rows, wordings, told
        self.alphabet = np.minimum(wordings & 7, ALPHABETS - 1)
        self.all = joint.counted(rows, len(wordings), self.alphabet, told)
        self._able = self.all.able & (self.all.most >= LEAST_SHOWN)
        self._order = np.argsort(rows.wording, kind="stable")
        self._starts = np.searchsorted(rows.wording[self._order], np.arange(len(wordings) + 1))

    def of(self, cluster: Cluster) -> tuple[float, bool]:
        """(log10 e of a cluster by wording, the mean over its families of the mean over their wordings; whether any could show anything)."""
        at = np.searchsorted(self.wordings, cluster.wordings)
        evidence = self.all.log10_e[at]
        if (self.all.now[at] > cluster.strangers).any():
            chosen = np.concatenate([self._order[self._starts[each] : self._starts[each + 1]] for each in at.tolist()])
            place = np.repeat(np.arange(len(at)), self._starts[at + 1] - self._starts[at])
            some = joint.Carriers(place, *(getattr(self.rows, name)[chosen] for name in ("organisation", "member", "today")))
            evidence = joint.counted(some, len(at), self.alphabet[at], self.told, np.full(len(at), cluster.strangers)).log10_e
        families = [log10_mean(evidence[cluster.family == family].tolist()) for family in range(int(cluster.family.max(initial=-1)) + 1)]
        able = bool(self._able[at].any())
        return (log10_mean(families) if families and cluster.strangers >= weigh.STRANGERS_LEAST else -np.inf), able

    def could(self, cluster: Cluster) -> bool:
        """Whether any of its wordings could show anything."""
        return bool((self.all.most[np.searchsorted(self.wordings, cluster.wordings)] >= LEAST_SHOWN).any())

    def pooled(self, joint_ones: Any) -> float:
        """By how much the candidates grow when wordings count that only the histories made frequent."""
        able = joint_ones & (self.all.most >= LEAST_SHOWN)
        return max(1.0, float(able.sum()) / max(1, int((able & (self.all.now >= LEAST_UNITS)).sum())))


def taken_together(at: Sequence[Member]) -> Said:
    """The joint scan of two to five members."""
    today, before = [_seen(each.marks, each.present) for each in at], [_seen(each.before, each.present) for each in at]
    told = np.array([[joint.coarse(one) for one in shares(now.by_owner, _history(old).calls)] for now, old in zip(today, before, strict=True)])
    marks = pa.concat_tables([each.marks for each in at]).sort_by([("account", "ascending"), ("ts", "ascending"), ("call", "ascending")]).combine_chunks()
    log = _gathered(marks, frozenset.intersection(*(each.present for each in at)))
    parts = with_facts(log.parts, every_fact(*FACTS), NO_CONTEXT)
    seen = survey(parts, missing_in(log), ("replay",), NO_CONTEXT)
    history = _joint_history(before, [each.before for each in at])
    links = replay.links(parts.among(np.zeros(0, np.int64)))
    least = told.min(axis=0).tolist()
    users = used(seen.wordings, history)
    linked = linking.link(parts, users, links, history, (least, least))
    rows = _both(_carriers(today, [each.marks for each in at], users.common, True), _carriers(before, [each.before for each in at], users.common, False))
    count = Count(rows, users.common, told)
    candidates = [each for each in linked.clusters if len(each.wordings) == 0 or np.isin(each.wordings, users.common).all()]
    candidates = [each for each in candidates if (len(each.wordings) and count.of(each)[1]) or each.replaying >= weigh.REPLAY_LEAST]
    return _said(at, parts, linked, candidates, count, seen)


def _joint_history(before: Sequence[Survey], tables: Sequence[pa.Table]) -> History:
    """The members' histories with each organisation once, for linking, which only asks how many used a wording."""
    words = np.unique(np.concatenate([each.wordings["wording"].to_numpy() for each in before]))
    rows = _carriers(before, tables, words, False)
    once = np.unique(np.stack([rows.wording, rows.organisation]), axis=1)
    units = np.unique(once[1])
    return History(units, np.zeros((len(units), ALPHABETS), np.int64), words[once[0]], once[1])


def _both(one: joint.Carriers, other: joint.Carriers) -> joint.Carriers:
    return joint.Carriers(*(np.concatenate([getattr(one, name), getattr(other, name)]) for name in ("wording", "organisation", "member", "today")))


def _member_of(at: Sequence[Member], accounts: Ints) -> Ints:
    """Whose each account is (an account is at one member)."""
    whose = np.full(len(accounts), -1)
    for member, each in enumerate(at):
        whose[np.isin(accounts, each.marks["account"].to_numpy())] = member
    return whose


def _said(at: Sequence[Member], parts: Any, linked: linking.Linked, candidates: list[Cluster], count: Count, seen: Survey) -> Said:
    whose = _member_of(at, parts.owners.accounts)
    able = count.all.able
    left = [Count(count.rows.without(member), count.wordings, count.told) for member in range(len(at))]
    weights = [np.log10(weight) for weight in weigh._weights(candidates, [True] * len(candidates))]
    strangers = [count.of(each)[0] for each in candidates]
    ends = [weigh.replay_log10_e(each.replaying) for each in candidates]
    total = [log10_mean([one, weigh._silent(two)]) + w for one, two, w in zip(strangers, ends, weights, strict=True)]
    tested = count.pooled(able) * len(candidates)
    others = []
    for member, rest in enumerate(left):
        of_rest = [np.unique(parts.owners.unit[each.ends[whose[each.ends] != member]]) for each in candidates]
        mine = [weigh._silent(weigh.replay_log10_e(min(len(units), each.replaying))) for units, each in zip(of_rest, candidates, strict=True)]
        words = [rest.of(each)[0] if rest.could(each) else -np.inf for each in candidates]
        others.append([log10_mean([one, two]) + w for one, two, w in zip(words, mine, weights, strict=True)])
    tested_left = [rest.pooled(able) * sum(rest.could(each) or each.replaying >= weigh.REPLAY_LEAST for each in candidates) for rest in left]
    given = (total, tested, others, tested_left, weigh.ALERT, weigh.REVIEW)
    q_replay = q_values([weigh._silent(value) - np.log10(2) for value in ends], tested)
    strong = [i for i, each in enumerate(joint.judge(*given)) if each.step < 2]
    described = dict(zip(strong, _described(at, parts, linked, [candidates[i] for i in strong], whose, seen), strict=True))
    # Replays stand alone, as in a member's own scan: nothing that compares calls could exculpate them.
    compared = [i not in described or all(described[i].values.get(name) is not None for name in COMPARED) for i in range(len(candidates))]
    examined = [one or q <= weigh.ALERT for one, q in zip(compared, q_replay, strict=True)]
    found = joint.judge(*given, examined)
    asked = [i for i in strong if found[i].step < 2]  # the others nobody could examine, and they were reviews at most
    organisations = len(np.unique(count.rows.organisation[count.rows.today]))
    listed = []
    for i in asked:
        weighed = _weighed(described[i].cluster, found[i], strangers[i], ends[i], q_replay[i], count, organisations)
        listed.append((weighed, partial(judge, values=described[i].values, evidence=described[i].evidence, speaking=described[i].speaking)))
    judged, _ = all_of(listed, NONE)
    rests = [list(found[i].rests_on) for i in strong if found[i].q <= weigh.ALERT and found[i].rests_on]
    named = [(case[0].verdict, [int(parts.owners.accounts[a]) for a in accounts_of(case)]) for case in cases(judged)]
    return Said(named, rests, _strange(count, len(at)), tested)


def _weighed(cluster: Cluster, found: joint.Judged, strangers: float, ends: float | None, q_replay: float, count: Count, organisations: int) -> weigh.Weighed:
    """As a member's own scan weighs, with the joint count; what the joint verdict holds back is at most a review."""
    place = np.searchsorted(count.wordings, cluster.wordings)
    share = np.array([max(count.told[:, a]) for a in count.alphabet[place]])
    mine = replace(cluster, now=np.minimum(count.all.now[place], cluster.strangers), before=count.all.before[place], share=share)
    q = found.q if found.step == 0 else max(found.q, weigh.ALERT * 1.01)
    q_replay = q_replay if found.step == 0 else 1.0
    return weigh.Weighed(mine, None if np.isinf(strangers) else strangers, (), ends, found.log10_e, q, q_replay, 0.0, organisations=organisations)


@dataclass(frozen=True)
class Described:
    """A cluster with what its members' own calls say."""

    cluster: Cluster
    "With its calls."
    values: Mapping[str, float | None]
    "Features: each member's, averaged by strangers."
    evidence: list[Any]
    "What detectors say of those."
    speaking: frozenset[str]
    "Detectors that speak of purpose."


def _described(at: Sequence[Member], parts: Any, linked: linking.Linked, clusters: list[Cluster], whose: Ints, seen: Survey) -> list[Described]:
    """Values that each member works out on its own calls, put together by strangers."""
    traffic = linking.suspects(parts, linked, clusters)
    placed = linking.Placed(linked, traffic, seen.edges, clusters)
    detectors, features = every_detector(), list(every_feature().values())
    speaking = frozenset(name for name, detector in detectors.items() if detector.speaks_of_purpose)
    missing = missing_in(_gathered(parts.traffic.marks, frozenset.intersection(*(each.present for each in at))))
    ranges = _ranges(pa.concat_tables([_seen(each.before, each.present).organisations for each in at]))
    found = []
    for each in clusters:
        cluster = placed(each)
        parts_of = [cluster.calls[whose[traffic.account[cluster.calls]] == member] for member in range(len(at))]
        strangers = np.array([len(np.unique(parts.owners.unit[cluster.accounts[whose[cluster.accounts] == member]])) for member in range(len(at))], float)
        calls, label = np.concatenate(parts_of), np.repeat(np.arange(len(at)), [len(part) for part in parts_of])
        columns_ = columns(Groups(traffic, calls, label, len(at), NO_CONTEXT), features, missing)
        if "wordings" not in missing:
            columns_["all_traffic"] = columns(Groups(traffic, calls, label, len(at)), [every_feature()["all_traffic"]], frozenset())["all_traffic"]
        values = {name: _mean(column, strangers) for name, column in columns_.items()}
        said = [told for detector in detectors.values() if (told := evidence(detector, values, ranges)) is not None]
        found.append(Described(cluster, values, said, speaking))
    return found


def _mean(values: Sequence[float | None], weights: Any) -> float | None:
    """The members' mean, of those who know."""
    known = [(value, weight) for value, weight in zip(values, weights, strict=True) if value is not None and weight > 0]
    return sum(value * weight for value, weight in known) / sum(weight for _, weight in known) if known else None


def _strange(count: Count, members: int) -> list[int]:
    """Members whose tail of wordings differs from the others'."""
    tails = []
    for member in range(members):
        keep = count.rows.member == member
        rows = joint.Carriers(*(getattr(count.rows, name)[keep] for name in ("wording", "organisation", "member", "today")))
        mine = joint.counted(rows, len(count.wordings), count.alphabet, count.told)
        tails.append(joint.tail(mine.log10_e[mine.most >= LEAST_SHOWN]))
    return [member for member, mine in enumerate(tails) if joint.differs(mine, [each for other, each in enumerate(tails) if other != member]) is not None]
