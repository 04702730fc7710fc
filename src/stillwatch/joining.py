"""Joint evidence from both ends: what a member brings of its log, and what the convenor makes of blinded parts.

The convenor counts unrelated organisations over all members (`evidence.joint`), asks for what compares calls of the clusters that cross, and judges by the ladder of a single scan.
A cluster is as its members found it, each in its own log; those that are mostly the same wordings are one hypothesis.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from stillwatch.campaigns import unexplained, weigh
from stillwatch.campaigns.judge import CROWD, CROWD_GROWS, FEW, MANY, MANY_OF, Judged, all_of, judge
from stillwatch.codes import Ints, merged
from stillwatch.detectors.declare import Range, every_detector, evidence
from stillwatch.evidence import joint
from stillwatch.evidence.strangers import LEAST_SHOWN, log10_mean
from stillwatch.exchange.joint import lists
from stillwatch.exchange.joint.brought import Brought
from stillwatch.exchange.joint.convening import Lists
from stillwatch.exchange.joint.refusals import Refused
from stillwatch.exchange.matching.group import split
from stillwatch.features.declare import every_feature
from stillwatch.linking.declare import every_tie
from stillwatch.linking.families import LEAST_UNITS
from stillwatch.records import Cluster

ALIKE = 0.5
"Share of the smaller one's paired wordings in common from which two members' clusters are one hypothesis."

COMPARED = ("shared_slots", "own_business")
"What compares the carriers of one member: without it nothing could exculpate."

MOST_VALUE, MOST_CALLS = 1e12, 10**11
"Values of features, and calls of one cluster, beyond this are nonsense."


def method() -> str:
    """Digest of what must be the same at all members: features, detectors and ties by their declarations, and the numbers that verdicts hang on."""
    said = [f"{each.name} {each.unit}" for each in every_feature().values()] + sorted(every_detector()) + sorted(every_tie())
    said += [str(each) for each in (weigh.ALERT, weigh.REVIEW, weigh.LONG, weigh.STRANGERS_LEAST, joint.HELD_BY, ALIKE, FEW, MANY, MANY_OF, CROWD, CROWD_GROWS)]
    said += [str(each) for each in (unexplained.ONE_IN, unexplained.RARER, unexplained.COVERED)]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


@dataclass(frozen=True)
class _Hypothesis:
    """Clusters of members that are one."""

    wordings: Ints
    "Paired ones, places among all."
    family: Ints
    "Family of each."
    groups: tuple[tuple[int, int], ...]
    "(member, place among its groups)."


class Together:
    """What was counted of all members' parts (`convening.Counting`)."""

    def __init__(self, parts: Mapping[str, Brought], points: Mapping[str, Lists]) -> None:
        """Parts and raised lists by member, members in one order."""
        self._names = list(parts)
        self._parts = [parts[name] for name in self._names]
        place, organisation = self._places([points[name] for name in self._names])
        rows, alphabet, self._organisations = self._rows(place, organisation)
        told = np.array([each.shares for each in self._parts])
        self._told, self._alphabet, self._rows_ = told, alphabet, rows
        self._count = joint.counted(rows, len(alphabet), alphabet, told)
        self._able = self._count.able & (self._count.most >= LEAST_SHOWN)
        self._hypotheses = [each for each in self._grouped(place) if self._able[each.wordings].any()]
        self._left = [joint.counted(rows.without(member), len(alphabet), alphabet, told) for member in range(len(self._parts))]
        self._strangers = [self._of(self._count, each) for each in self._hypotheses]
        self._strong = [i for i, each in enumerate(self._judged_by_count()) if each.step < 2]
        self.wanted = {
            name: sorted({at for i in self._strong for of, at in self._hypotheses[i].groups if of == member}) for member, name in enumerate(self._names)
        }

    # -- who is who

    def _places(self, points: Sequence[Lists]) -> tuple[list[Ints], Ints]:
        """Of each member the place of each wording of its list among all; and the organisation of every unit, members' units one after the other."""
        words = _codes([split(each[lists.WORDINGS])[lists.CHECKS : lists.CHECKS + len(part.alphabet)] for each, part in zip(points, self._parts, strict=True)])
        owners = _codes([split(each[lists.OWNERS])[lists.CHECKS :] for each in points])
        first = np.cumsum([0, *(part.units for part in self._parts)])
        unit = np.concatenate([part.owned[:, 0] + first[i] for i, part in enumerate(self._parts)])
        token = np.concatenate([owners[i][part.owned[:, 1]] for i, part in enumerate(self._parts)])
        return words, joint.organisations(int(first[-1]), unit.astype(np.int64), token.astype(np.int64))

    def _rows(self, place: Sequence[Ints], organisation: Ints) -> tuple[joint.Carriers, Ints, int]:
        """Carriers of the wordings that enough members hold, the alphabets of all wordings, and how many organisations call today (hardly any uses no wording that others use)."""
        total = max((int(each.max(initial=-1)) for each in place), default=-1) + 1
        alphabet, held, first = np.zeros(total, np.int64), np.zeros(total, np.int64), 0
        made = []
        for member, part in enumerate(self._parts):
            alphabet[place[member]] = part.alphabet
            word = place[member][part.wording]
            held[np.unique(word)] += 1
            made.append(np.stack([word, organisation[first + part.unit], np.full(len(word), member), part.today]))
            first += part.units
        word, who, member_, today = np.concatenate(made, axis=1)
        keep = held[word] >= joint.HELD_BY
        return joint.Carriers(word[keep], who[keep], member_[keep], today[keep].astype(np.bool_)), alphabet, len(np.unique(who[today == 1]))

    def _grouped(self, place: Sequence[Ints]) -> list[_Hypothesis]:
        """Members' clusters by their paired wordings; those that are mostly the same are one."""
        paired = self._count.able
        found: list[tuple[int, int, Ints, Ints]] = []
        for member, part in enumerate(self._parts):
            for at, each in enumerate(part.groups):
                words = place[member][each.wordings]
                keep = paired[words]
                if keep.any():
                    found.append((member, at, words[keep], each.family[keep]))
        left, right = self._alike([words for _, _, words, _ in found])
        label = merged(len(found), left, right) if found else np.zeros(0, np.int64)
        made = []
        for one in np.unique(label).tolist():
            mine = [found[i] for i in np.flatnonzero(label == one).tolist()]
            family: dict[int, int] = {}
            for number, (_, _, words, families) in enumerate(mine):
                for word, piece in zip(words.tolist(), families.tolist(), strict=True):
                    family.setdefault(word, number * 1_000_000 + piece)
            words = np.array(sorted(family), np.int64)
            pieces = np.unique([family[word] for word in words.tolist()], return_inverse=True)[1].astype(np.int64)
            made.append(_Hypothesis(words, pieces, tuple((member, at) for member, at, _, _ in mine)))
        return made

    @staticmethod
    def _alike(groups: Sequence[Ints]) -> tuple[Ints, Ints]:
        """Pairs of groups with most of the smaller one's wordings in common."""
        holding: dict[int, list[int]] = {}
        left, right = list[int](), list[int]()
        for at, words in enumerate(groups):
            common: dict[int, int] = {}
            for word in words.tolist():
                for other in holding.setdefault(word, []):
                    common[other] = common.get(other, 0) + 1
                holding[word].append(at)
            for other, count in common.items():
                if count >= ALIKE * min(len(words), len(groups[other])):
                    left.append(other)
                    right.append(at)
        return np.array(left, np.int64), np.array(right, np.int64)

    # -- how strong it is

    @staticmethod
    def _of(count: joint.Counted, each: _Hypothesis) -> float:
        """log10 e: the mean over families of the mean over their wordings; nothing below the fewest strangers."""
        if int(count.now[each.wordings].max(initial=0)) < weigh.STRANGERS_LEAST:
            return -np.inf
        values = count.log10_e[each.wordings]
        return log10_mean([log10_mean(values[each.family == family].tolist()) for family in range(int(each.family.max()) + 1)])

    def _pooled(self, count: joint.Counted) -> float:
        """By how much the hypotheses grow when wordings count that only the histories made frequent."""
        able = self._count.able & (count.most >= LEAST_SHOWN)
        return max(1.0, float(able.sum()) / max(1, int((able & (count.now >= LEAST_UNITS)).sum())))

    def _judged_by_count(self) -> list[joint.Judged]:
        kinds = [int(np.bincount(each.family).max()) >= weigh.LONG for each in self._hypotheses]
        weights = [np.log10(len(kinds) / len(set(kinds)) / kinds.count(kind)) for kind in kinds]
        total = [one + weight for one, weight in zip(self._strangers, weights, strict=True)]
        could = [[bool((rest.most[each.wordings] >= LEAST_SHOWN).any()) for each in self._hypotheses] for rest in self._left]
        left = [
            [self._of(rest, each) + weight if can else -np.inf for each, weight, can in zip(self._hypotheses, weights, mine, strict=True)]
            for rest, mine in zip(self._left, could, strict=True)
        ]
        tested_left = [self._pooled(rest) * sum(mine) for rest, mine in zip(self._left, could, strict=True)]
        self._given = total, self._pooled(self._count) * len(self._hypotheses), left, tested_left, weigh.ALERT, weigh.REVIEW
        return joint.judge(*self._given)

    # -- what it is

    def judged(self, described: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> dict[str, list[tuple[int, str, bool]]]:
        """Verdicts, each member's of its own groups alone (`convening.Counting.judged`)."""
        told = {i: self._values(i, described) for i in self._strong}
        compared = [i not in told or all(told[i].values.get(name) is not None for name in COMPARED) for i in range(len(self._hypotheses))]
        verdicts = joint.judge(*self._given, compared)
        found: dict[str, list[tuple[int, str, bool]]] = {name: [] for name in self._names}
        ranges = self._ranges()
        # Those that nobody could examine and that are reviews at most are not told.
        asked = [i for i in self._strong if verdicts[i].step < 2]
        listed = [self._weighed(i, verdicts[i], told[i]) for i in asked]
        said, _ = all_of([(each, self._judge(told[i], ranges)) for i, each in zip(asked, listed, strict=True)], unexplained.NONE)
        for i, verdict in zip(asked, (each.verdict for each in said), strict=True):
            if verdict == "watch":
                continue
            for member, at in self._hypotheses[i].groups:
                found[self._names[member]].append((at, verdict, bool(verdicts[i].rests_on)))
        return {name: sorted(rows) for name, rows in found.items()}

    def _values(self, i: int, described: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> _Told:
        """Members' values, averaged by strangers; ties and accounts added up."""
        values: dict[str, list[tuple[float, float]]] = {}
        ties: dict[str, list[float]] = {}
        sizes: dict[int, list[int]] = {}
        each = self._hypotheses[i]
        for member, at in each.groups:
            row = _sound(self._names[member], described[self._names[member]][at])
            mine = self._rows_.member == member
            weight = len(np.unique(self._rows_.organisation[mine & self._rows_.today & np.isin(self._rows_.wording, each.wordings)]))
            size = sizes.setdefault(member, [0, 0])
            size[0] += row["accounts"]
            size[1] += row["calls"]
            for name, value in row["values"].items():
                if value is not None and weight:
                    values.setdefault(name, []).append((value, weight))
            for name, keys, joined, expected in row["ties"]:
                known = ties.setdefault(name, [0, 0, 0.0])
                known[0] += keys
                known[1] += joined
                known[2] += expected or 0.0
        mean = {name: sum(v * w for v, w in several) / sum(w for _, w in several) for name, several in values.items()}
        told = tuple((name, int(keys), int(joined), float(expected)) for name, (keys, joined, expected) in sorted(ties.items()))
        return _Told({name: mean.get(name) for name in every_feature()}, told, *_size(list(sizes.values())))

    def _weighed(self, i: int, found: joint.Judged, told: _Told) -> weigh.Weighed:
        """By the joint count; what the joint verdict holds back is at most a review. Nobody tells which accounts and calls these are: one number, its own, stands for them all, which takes no memory."""
        each = self._hypotheses[i]
        now, before = self._count.now[each.wordings], self._count.before[each.wordings]
        share = self._told.max(axis=0)[self._alphabet[each.wordings]]
        cluster = Cluster(
            name=0, accounts=np.broadcast_to(np.int64(i), told.accounts), calls=np.broadcast_to(np.int64(i), told.calls), strangers=int(now.max()), family=each.family, now=now,
            before=before, carriers=now + before, share=share, named=now, share_named=share, replaying=0, carried=np.zeros((0, 0), np.bool_), ties=told.ties,
            wordings=each.wordings,
        )  # fmt: skip
        q = found.q if found.step == 0 else max(found.q, weigh.ALERT * 1.01)
        return weigh.Weighed(cluster, self._strangers[i], (), None, found.log10_e, q, 1.0, 0.0, organisations=self._organisations)

    @staticmethod
    def _judge(told: _Told, ranges: Mapping[str, Range]) -> Callable[[weigh.Weighed], Judged]:
        """The ladder of a single scan, for one cluster."""
        detectors = every_detector()
        said = [one for detector in detectors.values() if (one := evidence(detector, told.values, ranges)) is not None]
        speaking = frozenset(name for name, detector in detectors.items() if detector.speaks_of_purpose)
        return partial(judge, values=told.values, evidence=said, speaking=speaking)

    def _ranges(self) -> dict[str, Range]:
        """The widest range of innocents that any member has: nobody's usual is another's sign."""
        found: dict[str, Range] = {}
        for part in self._parts:
            for name, (low, high) in part.ranges.items():
                known = found.get(name)
                found[name] = Range(low, high) if known is None else Range(min(low, known.low), max(high, known.high))
        return found


@dataclass(frozen=True)
class _Told:
    values: dict[str, float | None]
    ties: tuple[tuple[str, int, int, float | None], ...]
    accounts: int
    calls: int


def _size(told: Sequence[Sequence[int]]) -> tuple[int, int]:
    """Accounts of a cluster, and its calls: at most as if who tells the most of those had told the others' mean, for the more calls, the less is thought to be missed by explanations.

    `told`: each member's (accounts, calls).
    """
    accounts, calls = (sum(column) for column in zip(*told, strict=True))
    others = calls - max(each for _, each in told)
    return accounts, min(calls, others * len(told) // (len(told) - 1)) if len(told) > 1 else calls


def _codes(several: Sequence[Sequence[bytes]]) -> list[Ints]:
    """Of each list of pseudonyms the numbers that all lists share."""
    known: dict[bytes, int] = {}
    return [np.array([known.setdefault(each, len(known)) for each in mine], np.int64) for mine in several]


def _sound(member: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a member told of a group. Raises: Refused naming it where it is nonsense."""
    values, ties, accounts, calls = row.get("values"), row.get("ties"), row.get("accounts"), row.get("calls")

    def number(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MOST_VALUE

    good = (
        isinstance(values, dict) and isinstance(ties, list) and type(accounts) is int and 0 < accounts <= 10_000_000
        and type(calls) is int and accounts <= calls <= MOST_CALLS
        and all(value is None or number(value) for value in values.values()) and set(values) <= set(every_feature())
        and all(
            isinstance(tie, list) and len(tie) == 4 and tie[0] in every_tie() and number(tie[1]) and number(tie[2]) and (tie[3] is None or number(tie[3])) and tie[2] <= accounts
            for tie in ties
        )
    )  # fmt: skip
    if not good:
        raise Refused("rows", member)
    return row
