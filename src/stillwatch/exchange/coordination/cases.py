"""Cases of several members that are one: joined only where both sides say so, or where our own private matching says so.

A case is joined through cases, never through what they contain: a network range or a technique is shared by innocents too. A member that claims alone that its
case is another's joins nothing, so nobody can tie somebody else's case to an innocent customer of a third.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from stillwatch.exchange.coordination.reach import latest
from stillwatch.exchange.stix.words import Case, Link, Shared

SAME = ("duplicate-of", "related-to")
"Relationships of two cases by which a member says that they are one."

Pair = tuple[str, str]
"Two ids, the smaller first."


@dataclass(frozen=True, slots=True)
class Joined:
    """Cases that are one. It holds who told of it and why they are joined, and no number of members: nothing is decided by how many there are."""

    cases: tuple[str, ...]
    "Ids, sorted."
    sources: frozenset[str]
    "Who told of them."
    matched: tuple[Pair, ...]
    "Pairs that our own matching joined."
    agreed: tuple[Pair, ...]
    "Pairs that both sources said are one."
    objects: tuple[str, ...]
    "Ids of whatever belongs to them, by groupings and relationships of each case's own source."


@dataclass(frozen=True, slots=True)
class Claim:
    """A pair that one side alone says is one: told to a person, joined by nobody."""

    pair: Pair
    "The two cases."
    by: str
    "Who says it."


@dataclass(frozen=True, slots=True)
class Grouped:
    """All cases, each in one place, and the claims that joined nothing."""

    cases: tuple[Joined, ...]
    "A case that nobody joined stands alone."
    claims: tuple[Claim, ...]
    "For a person."


def grouped(records: Iterable[Shared], matched: Collection[Pair], at: int) -> Grouped:
    """Cases of several members, those that are one together. `records`: ours and those heard; `matched`: pairs that private matching showed to share members.

    What is revoked or has expired joins nothing and is no case any more: withdrawing one side takes the joined case apart.
    """
    held = {id_: each for id_, each in latest(records).items() if not each.revoked and (each.expires is None or each.expires > at)}
    cases = {id_: each for id_, each in held.items() if isinstance(each, Case)}
    own = {_pair(*each) for each in matched if set(each) <= set(cases) and each[0] != each[1]}
    said: dict[Pair, set[str]] = defaultdict(set)
    for link in held.values():
        if isinstance(link, Link) and link.kind in SAME and {link.origin, link.target} <= set(cases) and link.origin != link.target and link.source:
            said[_pair(link.origin, link.target)].add(link.source)
    agreed = {pair for pair, by in said.items() if {cases[pair[0]].source, cases[pair[1]].source} <= by}
    parts = _components(sorted(cases), own | agreed)
    contents = _contents(held.values(), cases)
    joined = tuple(
        Joined(
            part,
            frozenset(source for id_ in part if (source := cases[id_].source) is not None),
            tuple(sorted(pair for pair in own if pair[0] in part)),
            tuple(sorted(pair for pair in agreed if pair[0] in part)),
            tuple(sorted({each for id_ in part for each in contents[id_]})),
        )
        for part in parts
    )
    claims = tuple(Claim(pair, by) for pair in sorted(set(said) - own - agreed) for by in sorted(said[pair]))
    return Grouped(joined, claims)


def _pair(one: str, other: str) -> Pair:
    return (one, other) if one <= other else (other, one)


def _components(ids: list[str], pairs: Collection[Pair]) -> list[tuple[str, ...]]:
    """Connected parts, each sorted, in the order of their first id."""
    head = {id_: id_ for id_ in ids}

    def top(id_: str) -> str:
        while head[id_] != id_:
            head[id_] = head[head[id_]]
            id_ = head[id_]
        return id_

    for one, other in pairs:
        first, second = sorted((top(one), top(other)))
        head[second] = first
    parts: dict[str, list[str]] = defaultdict(list)
    for id_ in ids:
        parts[top(id_)].append(id_)
    return [tuple(parts[each]) for each in sorted(parts)]


def _contents(records: Iterable[Shared], cases: dict[str, Case]) -> dict[str, set[str]]:
    """What belongs to each case by the word of its own source; others say nothing of it."""
    found: dict[str, set[str]] = defaultdict(set)
    for each in records:
        ends = {each.origin, each.target} if isinstance(each, Link) else set(getattr(each, "objects", ()))
        for id_ in ends & set(cases):
            if each.source == cases[id_].source:
                found[id_] |= ends - set(cases)
    return found
