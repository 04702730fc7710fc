"""Lists of blinded tokens: a token is an element of a group, raised by a scalar of every member in turn.

What comes out is the same for the same token, whoever brought it, and nobody can compute it alone: to try a guess takes all members. A list is as long as its band, filled
up with elements that nobody has, and begins with check tokens that everybody knows, so that a member which raises one list by another key is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from stillwatch.exchange.joint.refusals import Refused
from stillwatch.exchange.matching import bands, group
from stillwatch.exchange.matching.refusals import Refused as Unsound
from stillwatch.exchange.matching.work import Work

WORDINGS, OWNERS = "wordings", "owners"
KINDS = (WORDINGS, OWNERS)
"Kinds of lists: of one kind are never those of another."

CHECKS = 4
"Check tokens at the head of each list."

FEWEST, MOST = 1_000, 500_000
"Elements of a list: a smaller one would be a question about somebody."

Ints = NDArray[np.int64]


def token(kind: str, epoch: str, value: int) -> bytes:
    """A keyed hash as input of the group, for one kind and epoch."""
    return b"\0".join([b"stillwatch joint 1", kind.encode(), epoch.encode(), int(value).to_bytes(8, "little", signed=True)])


def begun(kind: str, epoch: str, values: Ints, scalar: bytes, work: Work, chance: Callable[[int], bytes]) -> bytes:
    """One's own list: checks, values in their order, and as many of nobody's as the band wants. Raises: Refused where there are too few or too many.

    `values`: distinct keyed hashes in an order that tells nothing.
    """
    size = len(values) + CHECKS
    if size > MOST:
        raise Refused("large list")
    fill = chance(32 * (length(size) - size))
    inputs = [b"check " + token(kind, epoch, at) for at in range(CHECKS)]
    inputs += [token(kind, epoch, value) for value in values.tolist()]
    inputs += [b"fill " + fill[at : at + 32] for at in range(0, len(fill), 32)]
    return work.raised(scalar, inputs)


def length(size: int) -> int:
    """As many elements as a list of this size is filled up to."""
    return max(FEWEST, bands.upper(size))


def checked(points: bytes, size: int) -> bytes:
    """A list as it was committed to, of sound elements that differ. Raises: Refused."""
    if len(points) != size * group.POINT:
        raise Refused("size")
    try:
        group.check(group.split(points))
    except Unsound as error:
        raise Refused("invalid point") from error
    return points


def size_of(value: object) -> int:
    """A length that a list may have. Raises: Refused."""
    if type(value) is not int or value not in bands.EDGES or value < FEWEST:
        raise Refused("small list" if type(value) is int and value < FEWEST else "size")
    if value > MOST:
        raise Refused("large list")
    return value


def same_keys(lists: Sequence[bytes]) -> bool:
    """Whether lists of one kind, raised by all, begin with the same checks: whether every member raised all by one key."""
    return len({points[: CHECKS * group.POINT] for points in lists}) <= 1
