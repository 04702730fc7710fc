"""What two to five members know of one wording, put together, so that a campaign too faint for each can be clear to all.

Members see no customer, prompt or volume of one another. Wordings are paired first, by blinded token; then, of paired wordings, the organisations that carry them. What a member brings
is committed before anything is opened, so nobody words its part after another's.

**What adds up.** The strangers' count (`evidence.strangers`), taken on the *union* of organisations: a firm at three members is one carrier, not three. Null: an organisation that
carries an innocent wording is as likely today's as one of the history's, in proportion to the exposure *at the member where it carries it*. Members' shares differ, so carriers are counted in strata, by
the members at which they carry, each at the largest of those members' shares. Within a stratum the bet of one member's scan; strata hold different organisations, so their bets multiply. A mean of at most 1 for
each follows as there (Hoeffding 1963, theorem 4). Assumed besides: that a customer of one member is also another's says nothing of its side.

**What is averaged.** Numbers that rest on the same organisations at several members: an unusual firm is unusual at all of them, and a product of its ranks counts it again and again. The mean of
e-values is an e-value under every dependence, and no other symmetric way is better (Vovk and Wang 2021, proposition 3.1). It never exceeds the largest: it keeps safe and adds nothing.

**What is multiplied.** Tests whose chance is fresh at each member given the same actor: permutations of its own ties and times. One member's tests of a cluster are averaged first, for they share its calls.
Such a test rejects every organised innocent, so `fresh` grades and never enters a verdict (decision 005).

**Many.** e-BH (Wang and Ramdas 2022) over all candidates of one joint scan, at the levels of a member's own. **A member that lies** is bounded by leaving each out in turn: see `judge`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from stillwatch.evidence.discoveries import q_values
from stillwatch.evidence.strangers import log10_e, log10_mean, most_shown

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]

MOST_MEMBERS = 5
"A coalition is two to five members."

HELD_BY = 2
"Members that must carry a wording, today or in the history, for it to be a joint hypothesis: the rest is left to own scans."

MINIMUM = 10
"Organisations in a band below which it is not told apart from the next."

BANDS = (0.0, 0.5, 1.0, 2.0, 4.0)
"Lower ends of the bands of log10 e in which members tell the tail of their innocents."

STRANGE = 1e-4
"Tail probability from which a member's tail differs from the others'."


def organisations(units: int, unit: Ints, token: Ints) -> Ints:
    """Label of each unit, 0...: units that show a common token (organisation, mail domain, payer), directly or over others, are one organisation.

    Units are all members' together, each member's its own; (unit, token) are rows. A unit without tokens is one of its own: where a person shows no
    member anything, nobody can know that it is the same person.

    >>> organisations(4, np.array([0, 1, 1, 3]), np.array([7, 7, 8, 8])).tolist()
    [0, 0, 1, 0]
    """
    label = np.arange(units)
    _, code = np.unique(token, return_inverse=True)
    while True:
        least = np.full(int(code.max(initial=-1)) + 1, units)
        np.minimum.at(least, code, label[unit])
        next_ = label.copy()
        np.minimum.at(next_, unit, least[code])
        next_ = next_[next_]  # whoever is joined to another takes its label too
        if np.array_equal(next_, label):
            return np.unique(label, return_inverse=True)[1].astype(np.int64)
        label = next_


@dataclass(frozen=True)
class Carriers:
    """Which organisations carry which paired wordings where. One row for each (wording, organisation, member, side), in any order."""

    wording: Ints
    "Place of the paired wording, 0..."
    organisation: Ints
    "Label that all members share (`organisations`)."
    member: Ints
    "Where it carries it, 0..MOST_MEMBERS - 1."
    today: Bools
    "Whether today; False: in that member's history."

    def without(self, member: int) -> Carriers:
        """What the others brought. An organisation that is also at one of them stays, as theirs."""
        keep = self.member != member
        return Carriers(self.wording[keep], self.organisation[keep], self.member[keep], self.today[keep])


@dataclass(frozen=True)
class Strata:
    """Carriers of wordings, each organisation once a side, by the members at which it carries."""

    wording: Ints
    "Ascending, with `members` the key of a row."
    members: Ints
    "A bit for each member."
    now: Ints
    "Organisations of today."
    before: Ints
    "Organisations of the histories."


def strata(carriers: Carriers) -> Strata:
    """Each organisation counted once, wherever it carries a wording.

    >>> three = Carriers(np.array([0, 0, 0]), np.array([5, 5, 5]), np.array([0, 1, 2]), np.array([True] * 3))
    >>> found = strata(three); found.now.tolist(), found.members.tolist()
    ([1], [7])
    """
    rows = np.stack([carriers.wording, carriers.today.astype(np.int64), carriers.organisation])
    which, index = np.unique(rows, axis=1, return_inverse=True)
    members = np.zeros(which.shape[1], np.int64)
    np.bitwise_or.at(members, index.reshape(-1), np.int64(1) << carriers.member)
    kinds, index = np.unique(np.stack([which[0], members]), axis=1, return_inverse=True)
    index = index.reshape(-1)
    now = np.bincount(index, weights=which[1], minlength=kinds.shape[1]).astype(np.int64)
    return Strata(kinds[0], kinds[1], now, np.bincount(index, minlength=kinds.shape[1]) - now)


def share(members: int, shares: Floats) -> float:
    """Today's share of the exposure of a stratum: the largest of its members', the most cautious.

    >>> share(0b101, np.array([0.2, 0.9, 0.4]))
    0.4
    """
    return float(max(shares[at] for at in range(len(shares)) if members >> at & 1))


def coarse(exact: float) -> float:
    """A share as a member tells it: rounded up to the next hundredth, so that no volume can be read from it and no evidence is gained.

    >>> coarse(0.3312), coarse(0.5), coarse(1.0)
    (0.34, 0.5, 1.0)
    """
    return min(1.0, math.ceil(round(exact * 100, 9)) / 100)


@dataclass(frozen=True)
class Counted:
    """Paired wordings with their joint count. Arrays by place of the wording."""

    now: Ints
    "Organisations of today that carry it, at any member."
    before: Ints
    "Organisations of the histories."
    held: Ints
    "A bit for each member that carries it on either side."
    log10_e: Floats
    "Evidence of the union; negative speaks for innocence."
    most: Floats
    "What it would be were all of its carriers today's."

    @property
    def able(self) -> Bools:
        """Which may be held by a coalition's hypothesis: carried at HELD_BY members. Said of both sides together, so it tells nothing of today."""
        at = [(self.held >> member) & 1 for member in range(MOST_MEMBERS)]
        return np.asarray(np.sum(at, axis=0) >= HELD_BY)


def counted(carriers: Carriers, wordings: int, alphabet: Ints, shares: Floats, most: Ints | None = None) -> Counted:
    """The joint count of each paired wording.

    Args: the rows; how many wordings; alphabet of each; (members, alphabets) today's shares; at most so many strangers for each (common addresses), where
    the strata that would say most give way first.

    >>> firms = Carriers(np.zeros(40, int), np.arange(40) % 20, np.repeat([0, 1], 20), np.ones(40, bool))
    >>> round(float(counted(firms, 1, np.array([0]), np.array([[0.5], [0.5]])).log10_e[0]), 2)
    5.58
    """
    found = strata(carriers)
    now, before, held = np.zeros(wordings, np.int64), np.zeros(wordings, np.int64), np.zeros(wordings, np.int64)
    evidence, could = np.zeros(wordings), np.zeros(wordings)
    np.add.at(now, found.wording, found.now)
    np.add.at(before, found.wording, found.before)
    np.bitwise_or.at(held, found.wording, found.members)
    which = list(zip(found.members.tolist(), alphabet[found.wording].tolist(), strict=True))
    known = {(members, letters): share(members, shares[:, letters]) for members, letters in set(which)}
    odds = np.array([known[each] for each in which], np.float64)
    over = np.zeros(wordings, np.int64) if most is None else np.maximum(0, now - most)
    for at in np.lexsort((odds, found.wording)).tolist():  # of each wording, the smallest share first: it says most
        word, here, earlier, of = int(found.wording[at]), int(found.now[at]), int(found.before[at]), float(odds[at])
        left = max(0, here - int(over[word]))
        over[word] -= here - left
        evidence[word] += log10_e(left, earlier, of)
        could[word] += most_shown(here + earlier, of)
    return Counted(now if most is None else np.minimum(now, most), before, held, evidence, could)


# -- what is averaged, and what is multiplied


def average(values: Sequence[float]) -> float:
    """log10 of the mean of members' e-values: valid whatever they have in common, and never more than the largest.

    >>> round(average([3.0, 3.0, 0.0]), 2)
    2.82
    """
    return log10_mean(list(values))


def fresh(tests: Sequence[Sequence[float]]) -> float:
    """log10 of the product over members of the mean of each one's tests, log10 e each: for tests whose chance is fresh at each member given the actor.

    A member without tests says nothing. Permutation p-values are turned into e-values by a calibrator fixed beforehand (`calibrated`).

    >>> round(fresh([[1.0, 1.0], [1.0], []]), 2), round(fresh([[2.0, -9.0]]), 2)
    (2.0, 1.7)
    """
    return sum(log10_mean(list(mine)) for mine in tests if mine)


def calibrated(p: float, level: float = 0.01) -> float:
    """log10 of the all-or-nothing e-value of a p-value: 1/level from `level` on, else 0 (Vovk and Wang 2021, section 2).

    >>> calibrated(0.004), calibrated(0.2)
    (2.0, -inf)
    """
    return -math.log10(level) if p <= level else -math.inf


# -- the verdict, and a member that lies


@dataclass(frozen=True)
class Judged:
    """The joint verdict of one candidate."""

    log10_e: float
    "Evidence of all."
    q: float
    "False-discovery rate at its rank among all candidates, 0..1."
    without: tuple[float, ...]
    "The same with each member left out, among the candidates that are left then."
    step: int
    "0 alert, 1 review, 2 neither."
    rests_on: tuple[int, ...]
    "Members without whom it would not be a review; with any, it is no alert."


def judge(
    log10_es: Sequence[float],
    tested: float,
    left: Sequence[Sequence[float]],
    tested_left: Sequence[float],
    alert: float,
    review: float,
    examined: Sequence[bool] | None = None,
) -> list[Judged]:
    """Verdicts of all candidates of a joint scan.

    Args: log10 e of each candidate; how many there are (unlisted ones count as 0); for each member, the log10 e of each candidate without it and the number
    of candidates then; the levels of an alert and of a review; whether any member has so many carriers of each that it could compare them (None: of all). Where
    none has, nobody could try what speaks for innocence, and the verdict is one step weaker.

    An alert must be a review whoever is left out. Whatever one member says, its alerts are thus discoveries of the others alone at the level of a
    review: in a log without a campaign it makes one with probability `review` at most. It may still make a review, which says that it rests on it.

    >>> [each.step for each in judge([9.0, 9.0], 10, [[4.0, 9.0], [4.0, -3.0]], [10, 10], 0.01, 0.1)]
    [0, 1]
    """
    q = q_values(list(log10_es), tested)
    others = [q_values(list(mine), among) for mine, among in zip(left, tested_left, strict=True)]
    found = []
    for i, value in enumerate(q):
        without = tuple(mine[i] for mine in others)
        rests = tuple(member for member, rate in enumerate(without) if rate > review)
        step = 2 if value > review else 1 if value > alert or rests else 0
        found.append(Judged(float(log10_es[i]), value, without, step if examined is None or examined[i] else min(2, step + 1), rests))
    return found


# -- calibration that shows nobody's customers


def tail(values: Floats, minimum: int = MINIMUM) -> Ints:
    """How many of a member's innocent wordings lie in each of BANDS; a band with fewer than `minimum` goes to the one below, so that the tail is not overstated.

    >>> tail(np.array([0.1] * 30 + [0.7] * 12 + [1.5] * 3 + [9.0])).tolist()
    [30, 16, 0, 0, 0]
    """
    counts = np.bincount(np.maximum(np.searchsorted(BANDS, values, "right") - 1, 0), minlength=len(BANDS)).astype(np.int64)
    for band in range(len(BANDS) - 1, 0, -1):
        if counts[band] < minimum:
            counts[band - 1], counts[band] = counts[band - 1] + counts[band], 0
    return counts


def differs(mine: Ints, others: Sequence[Ints]) -> int | None:
    """The lowest band from which a member's tail is heavier than its coalition's, or None: it words a lie, or its traffic is unlike theirs, and a person asks.

    One-sided binomial tail (Chernoff's bound) at STRANGE against the others' share with one added, band by band. That rate holds for values that are independent:
    wordings of one template are not, and honest members are then named far more often (docs/joint.md). A reason to ask, never one to leave a member out.

    >>> differs(np.array([100, 40, 0, 0, 0]), [np.array([900, 60, 0, 0, 0])]), differs(np.array([100, 7, 0, 0, 0]), [np.array([900, 60, 0, 0, 0])])
    (1, None)
    """
    theirs = np.sum(others, axis=0)
    n = int(mine.sum())
    for band in range(1, len(BANDS)):
        above, usual = int(mine[band:].sum()), float((theirs[band:].sum() + 1) / (theirs.sum() + 1))
        rate = above / max(1, n)
        if rate > usual:
            apart = rate * math.log(rate / usual) + ((1 - rate) * math.log((1 - rate) / (1 - usual)) if rate < 1 else 0.0)
            if -n * apart < math.log(STRANGE / (len(BANDS) - 1)):
                return band
    return None
