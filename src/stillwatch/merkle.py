"""The Merkle tree of RFC 9162 (and RFC 6962): one hash that stands for a list, and short proofs of what is in it and that it only grew.

The ledger is such a list, and so is the commitment to a set that is to be matched. SHA-256; a leaf is hashed behind 0x00 and a node behind
0x01, so that no node passes for a leaf. The algorithms of RFC 9162, sections 2.1.3.2 and 2.1.4.2, verify; the recursive definitions make proofs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

HASH = 32
"Bytes of a hash."

EMPTY = hashlib.sha256(b"").digest()
"Root of the tree without leaves."


def leaf(entry: bytes) -> bytes:
    """Hash of one entry of the list.

    >>> leaf(b"").hex()[:16]
    '6e340b9cffb37a98'
    """
    return hashlib.sha256(b"\0" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Hash of two subtrees, in this order."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """A list that only grows, as the hashes of its full subtrees: two hashes an entry, appended in constant time, every older root and proof kept."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        """`leaves` are hashes of entries (`leaf`), not entries."""
        self._levels: list[list[bytes]] = [[]]
        for each in leaves:
            self.append(each)

    def __len__(self) -> int:
        return len(self._levels[0])

    def append(self, hashed: bytes) -> int:
        """Adds one leaf's hash; returns its index, from 0."""
        index = len(self)
        self._levels[0].append(hashed)
        level = 0
        while len(self._levels[level]) % 2 == 0:
            if level + 1 == len(self._levels):
                self._levels.append([])
            self._levels[level + 1].append(node(self._levels[level][-2], self._levels[level][-1]))
            level += 1
        return index

    def root(self, size: int | None = None) -> bytes:
        """Root of the first `size` leaves; of all by default. Raises: ValueError when there are not so many."""
        size = self._within(size)
        return self._span(0, size) if size else EMPTY

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """Proof that leaf `index` is among the first `size`: the siblings on the way up, lowest first."""
        size = self._within(size)
        if not 0 <= index < size:
            raise ValueError(f"no leaf {index} among {size}")
        proof: list[bytes] = []
        start, stop = 0, size
        while stop - start > 1:
            middle = start + _left(stop - start)
            if index < middle:
                proof.append(self._span(middle, stop))
                stop = middle
            else:
                proof.append(self._span(start, middle))
                start = middle
        return proof[::-1]

    def consistency(self, old: int, size: int | None = None) -> list[bytes]:
        """Proof that the first `old` leaves are the beginning of the first `size`; empty for none or all of them."""
        size = self._within(size)
        if not 0 <= old <= size:
            raise ValueError(f"{old} leaves do not come before {size}")
        if old in (0, size):
            return []
        proof: list[bytes] = []
        start, stop, whole = 0, size, True
        while old != stop - start:
            middle = _left(stop - start)
            if old <= middle:
                proof.append(self._span(start + middle, stop))
                stop = start + middle
            else:
                proof.append(self._span(start, start + middle))
                start, old, whole = start + middle, old - middle, False
        if not whole:
            proof.append(self._span(start, stop))
        return proof[::-1]

    def _within(self, size: int | None) -> int:
        size = len(self) if size is None else size
        if not 0 <= size <= len(self):
            raise ValueError(f"the list has {len(self)} entries, not {size}")
        return size

    def _span(self, start: int, stop: int) -> bytes:
        """Root of leaves from `start`, a multiple of the span's largest full subtree, to `stop`."""
        wide = stop - start
        level = wide.bit_length() - 1
        if wide == 1 << level:
            return self._levels[level][start >> level]
        middle = start + _left(wide)
        return node(self._span(start, middle), self._span(middle, stop))


def _left(wide: int) -> int:
    """Largest power of two below a width of at least two: the leaves of its left subtree."""
    return 1 << ((wide - 1).bit_length() - 1)


def included(hashed: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether a proof shows that a leaf's hash stands at `index` of the list of `size` entries under `root` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, hashed
    for each in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node(each, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node(found, each)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def consistent(old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether a proof shows that a list of `old` entries was only appended to (RFC 9162, 2.1.4.2). An empty list is the beginning of every list."""
    if not 0 <= old <= size:
        return False
    if old == size:
        return not proof and old_root == root
    if old == 0:
        return not proof and old_root == EMPTY
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = path[0]
    for each in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = node(each, before), node(each, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = node(after, each)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old_root and after == root
