"""Verdicts: what the exact evidence allows, downgraded by what speaks for innocence and by what could not be examined."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from scipy.special import gammainc

from stillwatch.campaigns.exculpations import Exculpation, exculpations
from stillwatch.campaigns.kindred import SAME_CASE
from stillwatch.campaigns.unexplained import beside, carriers, sizes, to_be_expected
from stillwatch.campaigns.weigh import ALERT, REVIEW, Weighed
from stillwatch.codes import Ints
from stillwatch.records import Cluster, Evidence

LADDER = ("alert", "review", "watch")
"Verdicts, strongest first."

PERMITTED = frozenset({"grading", "capability concentration"})
"Signs of purpose that a judge of its own application's answers shows in full: where there are no others, they never make an alert."

DEALT = "dealt job"
"The detector that says that the members are interchangeable."

HANDED_OUT = frozenset({DEALT, "load balance"})
"Detectors that say that work was given out. What others say (no telemetry, every item only once) judges of different applications show each by itself."

FEW = 10
"""Unrelated organisations with one wording in common that an alert takes: beside a large history fewer are strong evidence that something is new, and innocents by the
handful take up something new every day."""

MANY = 50
"Unrelated organisations with one wording in common from which it needs no second tie beside it: the customers of one vendor are rarely as many."

MANY_OF = 0.5
"""Times the root of the log's organisations: as many with one wording and one list dealt out among them need no second tie, where that is less than MANY. 14 among 800, 32 among 4,000: the most innocents
of whom both was said, with a sign of purpose, were 8 in a hundred logs of 800 and 32 in 363 logs of 8,000 (decision 038)."""

CROWD, CROWD_GROWS = 1.9, 2.0
"""Unrelated organisations that a review of a wording alone takes: CROWD_GROWS for each tenfold of the log's organisations, and CROWD. That is 8 among 800 and 10 among 8,000: so many innocents have
something new in common, and nothing else, in one log of twelve or so, whatever the evidence says of it (decision 036)."""

LIBRARY = frozenset({"template", "fingerprint"})
"Ties that a common library gives to strangers, of judges say: its rubric and its client."

JOINED = 0.2
"Share of a group's accounts from which another tie joins the group, and not some of its accounts."

BY_CHANCE = 0.1
"Chance that accounts drawn at random share as many keys, from which another tie joins none of them."

PART_OF = 0.8
"Share of a weaker cluster's accounts in one stronger case from which it is no case of its own."


@dataclass(frozen=True)
class Judged:
    """A cluster with its verdict and the reasons for it."""

    weighed: Weighed
    "Evidence."
    verdict: str
    "alert, review or watch."
    exculpations: list[Exculpation]
    "Tried explanations."
    evidence: list[Evidence]
    "What the detectors say."
    purpose: str
    "strong, some or open."
    values: Mapping[str, float | None]
    "Features."
    reasons: list[str]
    "Why the verdict is not higher."

    @property
    def by_name(self) -> bool:
        """Whether the verdict stands on organisations counted by name, because only that count is strong."""
        return self.weighed.strong and self.weighed.q > REVIEW

    @property
    def q(self) -> float:
        """The false-discovery rate that the verdict stands on."""
        return self.weighed.q_named if self.by_name else self.weighed.q

    @property
    def log10_e(self) -> float:
        """The evidence that the verdict stands on."""
        return self.weighed.named if self.by_name and self.weighed.named is not None else self.weighed.log10_e

    @property
    def families(self) -> tuple[float, ...]:
        """The same by family."""
        return self.weighed.families_named if self.by_name else self.weighed.families

    @property
    def p_floor(self) -> float:
        """Least p that the carriers counted could have shown."""
        return self.weighed.p_floor_named if self.by_name else self.weighed.p_floor


def purpose_of(evidence: Sequence[Evidence], speaking: frozenset[str]) -> str:
    """Grade of what speaks of purpose: strong (two detectors), some (one), open (none)."""
    count = sum(each.fires and each.name in speaking for each in evidence)
    return "strong" if count >= 2 else "some" if count == 1 else "open"


def judge(
    weighed: Weighed, values: Mapping[str, float | None], evidence: list[Evidence], speaking: frozenset[str], uncounted: frozenset[str] = frozenset()
) -> Judged:
    """The verdict on one cluster that is worth a look. `uncounted`: exculpations that are tried but not counted."""
    if not weighed.strong:
        return Judged(weighed, LADDER[2], [], evidence, purpose_of(evidence, speaking), values, ["too weak among all that was tested"])
    tried = exculpations(weighed.cluster, values)
    purpose = purpose_of(evidence, speaking)
    step = 0 if weighed.q <= ALERT else 1
    reasons: list[str] = []
    if weighed.q_replay <= ALERT:
        # No innocent is known to replay strangers' reasoning: this sign stands alone.
        return Judged(weighed, LADDER[0], tried, evidence, purpose, values, reasons)
    if weighed.q > ALERT and weighed.q_named <= ALERT:
        reasons.append("by name these are many organisations, but on few cards or behind few addresses: one owner's, or a campaign's, a person has to look")
    # Partial explanations add up: a wording that is half a public list and half each member's own business is innocent enough.
    step += round(steps(tried, uncounted))
    reasons += [f"{each.name}: {each.text}" for each in tried if each.found and each.name not in uncounted]
    if step == 0 and any(values.get(name) is None for name in ("shared_slots", "own_business")):
        step = 1
        reasons.append("dealing could not be examined, so a person has to look")
    if graded := _only_grades(weighed.cluster, evidence, speaking):
        least, why = graded
        if step < least:
            step = least
            reasons.append(why)
    dealt, many = any(each.fires and each.name == DEALT for each in evidence), carriers(weighed.cluster)
    if purpose == "open":
        # Nothing speaks of distillation: at most a review, and with an innocent explanation or weak evidence besides, a watch.
        step += 1 if dealt or many >= MANY else 2
        reasons.append("coordinated, purpose open: nothing says what the answers are for")
    alone = many < MANY and not _joined(weighed.cluster)
    if alone and weighed.organisations and many < CROWD + CROWD_GROWS * math.log10(weighed.organisations):
        step = 2
        reasons.append(
            f"a wording of {many} unrelated organisations and nothing else: in a log of {weighed.organisations:,} as many innocents have something new in common now and then"
        )
    if alone and (not dealt or (step == 0 and many < _enough(weighed.organisations))):
        step += 1
        reasons.append(f"{many} unrelated organisations have a wording in common and nothing else, as the customers of one vendor have")
    if step == 0 and many < FEW:
        step = 1
        reasons.append(f"only {many} unrelated organisations have a wording in common: a person has to look")
    expected = to_be_expected(weighed)
    if step < 2 and expected > REVIEW:
        step = 2
        reasons.append(
            f"{weighed.explained:,} groups of this log with as many organisations and calls have something new in common too and are explained;"
            f" of so many, {expected:.2g} like this one that nobody could explain are to be expected"
        )
    return Judged(weighed, LADDER[min(step, 2)], tried, evidence, purpose, values, reasons)


def all_of(listed: Sequence[tuple[Weighed, Callable[[Weighed], Judged]]], others: Ints) -> tuple[list[Judged], Ints]:
    """Every cluster of a log, each judged beside the groups that explanations cover; and those groups, (unrelated organisations, calls) of each.

    `listed`: clusters, with what judges each; `others`: such groups that stand besides.
    """
    covered = [steps(ask(each).exculpations) for each, ask in listed]
    explained = sizes([each for each, _ in listed], covered, others)
    return [ask(beside(each, explained)) for each, ask in listed], explained


def steps(exculpations: Sequence[Exculpation], uncounted: frozenset[str] = frozenset()) -> float:
    """Steps by which explanations lower a verdict."""
    return sum(each.steps for each in exculpations if each.name not in uncounted)


def _enough(organisations: int) -> float:
    """Organisations with one wording and one list dealt out among them from which an alert needs no second tie; `organisations`: of the log, 0 where that is not asked."""
    return min(MANY, MANY_OF * math.sqrt(organisations)) if organisations else MANY


def _joined(cluster: Cluster) -> bool:
    """Whether anything but what a common library gives joins the cluster: twice as many accounts as of a random group, and hardly by chance."""
    least = JOINED * len(cluster.accounts)
    others = ((joined, expected or 0.0) for name, _, joined, expected in cluster.ties if name not in LIBRARY and joined >= least)
    return any(joined > 2 * expected and _by_chance(joined, expected) <= BY_CHANCE for joined, expected in others)


def _by_chance(joined: int, expected: float) -> float:
    """How likely as many accounts of a random group share a key with another: they meet by twos, a Poisson number of meetings, half of the accounts expected."""
    return float(gammainc((joined + 1) // 2, expected / 2)) if expected else 0.0


def _only_grades(cluster: Cluster, evidence: Sequence[Evidence], speaking: frozenset[str]) -> tuple[int, str] | None:
    """Steps that grading and nothing else takes at the least, and why; None where something else speaks of purpose, or nothing grades."""
    firing = {each.name for each in evidence if each.fires}
    if "grading" not in firing or not firing & speaking <= PERMITTED:
        return None
    if not _joined(cluster) and (not firing & HANDED_OUT or carriers(cluster) < MANY):
        return 2, "strangers who grade, and have a wording and a client in common and nothing else, are judges on one library as likely"
    return 1, "grading is what judges of applications do as well: a person has to look"


def cases(judged: list[Judged], named: Callable[[list[Judged]], Ints] | None = None) -> list[list[Judged]]:
    """Clusters of one case together: same verdict, and most of the smaller one's accounts in common. Strongest first.

    `named`: the accounts that a case names once it has all its clusters, asked in the order of the cases; whom it leaves out does not hide a weaker cluster. None: all.
    """
    order = sorted(judged, key=lambda each: (LADDER.index(each.verdict), each.q, -each.log10_e, each.weighed.cluster.name))
    made: list[list[Judged]] = []
    standing: dict[int, list[int]] = {}  # account -> cases that it stands in
    for _, several in groupby(order, key=lambda each: each.verdict):
        first = len(made)
        _gathered(several, made, standing, first)
        for at in range(first, len(made)):
            for account in [] if named is None else np.setdiff1d(accounts_of(made[at]), named(made[at])).tolist():
                standing[account].remove(at)
    return made


def accounts_of(case: Sequence[Judged]) -> Ints:
    """Codes of a case's accounts, ascending."""
    found: Ints = np.unique(np.concatenate([one.weighed.cluster.accounts for one in case]))
    return found


def _gathered(several: Iterable[Judged], made: list[list[Judged]], standing: dict[int, list[int]], first: int) -> None:
    """Put clusters of one verdict into cases, from number `first` on; earlier ones are stronger."""
    sizes: dict[int, int] = {}
    for each in several:
        mine = each.weighed.cluster.accounts.tolist()
        common = Counter(case for account in mine for case in standing.get(account, ()))
        if any(common[at] >= PART_OF * len(mine) for at in common if at < first):
            continue  # a weaker view of accounts that already stand in a stronger case
        at = next((at for at in sorted(common) if at >= first and common[at] >= SAME_CASE * min(len(mine), sizes[at])), len(made))
        if at == len(made):
            made.append([])
        made[at].append(each)
        new = [account for account in mine if at not in standing.get(account, ())]
        sizes[at] = sizes.get(at, 0) + len(new)
        for account in new:
            standing.setdefault(account, []).append(at)
