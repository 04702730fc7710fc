"""How many make a coalition, and in which order a list goes round."""

from __future__ import annotations

from collections.abc import Sequence

LEAST, MOST = 2, 5
"Members of a coalition."


def before(coalition: Sequence[str], owner: str, member: str) -> list[str]:
    """Who raises an owner's list before a member does, the owner first: everybody in the coalition's order, from the owner on.

    >>> before(("a", "b", "c"), "c", "b")
    ['c', 'a']
    """
    at = list(coalition).index(owner)
    order = [*coalition[at:], *coalition[:at]]
    return order[: order.index(member)]
