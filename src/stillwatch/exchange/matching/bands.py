"""Sizes in bands: 1, 2 and 5 times powers of ten. A peer is never shown a number, and what is sent is as long as the band, not as the set."""

from __future__ import annotations

EDGES: tuple[int, ...] = tuple(step * int(10**power) for power in range(1, 7) for step in (1, 2, 5))
"Edges of the bands, ascending: 10, 20, 50, 100 ... 5,000,000."


def upper(count: int) -> int:
    """The smallest edge that is not below a count: as many elements as a set of this size is padded to. Raises: ValueError above the last edge.

    >>> upper(1_000), upper(1_001)
    (1000, 2000)
    """
    for edge in EDGES:
        if count <= edge:
            return edge
    raise ValueError(f"{count} is more than {EDGES[-1]}")


def within(count: int, least: int) -> tuple[int, int] | None:
    """The band that a count of matches lies in, from its lower edge up to but not including the upper; None below `least`, the k that hides small groups.

    >>> within(49, 10), within(50, 10), within(9, 10), within(60, 50)
    ((20, 50), (50, 100), None, (50, 100))
    """
    if count < max(least, EDGES[0]):
        return None
    at = max(i for i, edge in enumerate(EDGES) if edge <= count)
    return EDGES[at], EDGES[at + 1] if at + 1 < len(EDGES) else 2 * EDGES[at]
