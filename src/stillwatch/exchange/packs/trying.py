"""A pack tried: on its own cases when it comes in, and on the clusters of one's own logs in shadow. Nothing here names anybody or does anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stillwatch.exchange.packs.pack import Case, Pack
from stillwatch.exchange.packs.sigma import Correlation, Numbers, Row, Rule


@dataclass(frozen=True)
class Failed:
    """A case that did not come out as the pack says."""

    case: str
    "Its name."
    missing: tuple[str, ...]
    "Titles of rules that should have hit and did not."
    extra: tuple[str, ...]
    "Titles of rules that hit and should not."


@dataclass(frozen=True)
class Shadow:
    """What a rule would have said of a log."""

    rule: str
    "Its id."
    title: str
    "Its title."
    hits: int
    "Clusters that it hits; of a correlation, 1 where it holds."
    unknown: int
    "Clusters of which it cannot tell, because a feature is unknown."
    of: int
    "Clusters that were looked at."
    by_verdict: Mapping[str, int]
    "Verdict that Stillwatch itself gave -> hits among those."


def hits(pack: Pack, rows: Sequence[Row], numbers: Numbers) -> frozenset[str]:
    """Ids of the rules that hit anything among these rows."""
    each_row = [(row, frozenset(rule.id for rule in pack.rules if isinstance(rule, Rule) and rule.hits(row, numbers))) for row in rows]
    found = set().union(*(hit for _, hit in each_row)) if each_row else set[str]()
    return frozenset(found | {rule.id for rule in pack.rules if isinstance(rule, Correlation) and rule.hits(each_row)})


def failed(pack: Pack, numbers: Numbers | None = None) -> list[Failed]:
    """Cases that do not come out as expected, with the pack's own start values or with a member's."""
    used = pack.numbers if numbers is None else numbers
    titles = {rule.id: rule.title for rule in pack.rules}
    out = []
    for case in pack.cases:
        found = hits(pack, case.rows, used)
        if found != case.hits:
            missing, extra = (tuple(sorted(titles[each] for each in ids)) for ids in (case.hits - found, found - case.hits))
            out.append(Failed(case.name, missing, extra))
    return out


def one_sided(pack: Pack) -> list[str]:
    """Titles of rules without a case in which they hit, or without one in which they must not: nothing shows that these can fail."""

    def shown(rule: Rule | Correlation, cases: Sequence[Case]) -> bool:
        return any(rule.id in case.hits for case in cases) and any(rule.id not in case.hits for case in cases)

    return [rule.title for rule in pack.rules if not shown(rule, pack.cases)]


def shadow(pack: Pack, rows: Sequence[tuple[str, Row]], numbers: Numbers) -> list[Shadow]:
    """What every rule would have said of a log's clusters. `rows`: the verdict on each cluster, and its features."""
    answers = [{rule.id: rule.test(row, numbers) for rule in pack.rules if isinstance(rule, Rule)} for _, row in rows]
    hit_rows = [(row, frozenset(name for name, answer in mine.items() if answer is True)) for (_, row), mine in zip(rows, answers, strict=True)]
    out = []
    for rule in pack.rules:
        if isinstance(rule, Correlation):
            out.append(Shadow(rule.id, rule.title, int(rule.hits(hit_rows)), 0, len(rows), {}))
            continue
        mine = [(verdict, each[rule.id]) for (verdict, _), each in zip(rows, answers, strict=True)]
        counts: dict[str, int] = {}
        for verdict, answer in mine:
            if answer is True:
                counts[verdict] = counts.get(verdict, 0) + 1
        unknown = sum(answer is None for _, answer in mine)
        out.append(Shadow(rule.id, rule.title, sum(counts.values()), unknown, len(rows), dict(sorted(counts.items()))))
    return out
