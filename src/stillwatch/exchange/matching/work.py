"""The arithmetic of a matching as a port: done here, one item after the other, or dealt to processes by an engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stillwatch.exchange.matching import group, verified
from stillwatch.exchange.matching.refusals import Refused

SIZES = b"stillwatch-match-sizes-v1-ristretto255-SHA512"
"Domain separation of the phase that tells sizes: its elements are never those of the phase that reveals."


class Work(Protocol):
    """What takes the time. Each call keeps the order of its items; `finish` belongs to the last `blind`."""

    def blind(self, inputs: Sequence[bytes]) -> bytes:
        """Masked items to be answered with proofs."""

    def answer(self, seed: bytes, info: bytes, asked: bytes) -> bytes:
        """Answers of a key to a peer's masked items, with proofs."""

    def finish(self, answered: bytes, public: bytes) -> bytes:
        """Tags of the items that were masked, once the proofs hold."""

    def mask(self, seed: bytes, info: bytes, inputs: Sequence[bytes]) -> bytes:
        """Tags of one's own items under one's own key."""

    def raised(self, key: bytes, inputs: Sequence[bytes]) -> bytes:
        """Elements of one's own items times a scalar, for sizes."""

    def lifted(self, key: bytes, points: bytes) -> bytes:
        """A peer's elements times a scalar, for sizes."""


class Here:
    """All of it in this process: the slow, obvious twin of the engine's."""

    def __init__(self) -> None:
        self._askers: list[verified.Asker] = []

    def blind(self, inputs: Sequence[bytes]) -> bytes:
        """Masked items; blinds are kept until `finish`."""
        self._askers = [verified.Asker(inputs[at : at + verified.BATCH]) for at in range(0, len(inputs), verified.BATCH)]
        return b"".join(each.asked for each in self._askers)

    def answer(self, seed: bytes, info: bytes, asked: bytes) -> bytes:
        """Answers with a proof for each batch."""
        return verified.answer(seed, info, asked)

    def finish(self, answered: bytes, public: bytes) -> bytes:
        """Tags in the order of the items, or a refusal."""
        out, at = [], 0
        for each in self._askers:
            stop = at + verified.PROOF + len(each.asked)
            out.append(each.finish(answered[at:stop], public))
            at = stop
        if at != len(answered):
            raise Refused("size")
        self._askers = []
        return b"".join(out)

    def mask(self, seed: bytes, info: bytes, inputs: Sequence[bytes]) -> bytes:
        """Tags of own items."""
        return verified.mask(seed, info, inputs)

    def raised(self, key: bytes, inputs: Sequence[bytes]) -> bytes:
        """Own elements times a scalar."""
        return b"".join(group.multiplied(key, group.element(each, SIZES)) for each in inputs)

    def lifted(self, key: bytes, points: bytes) -> bytes:
        """A peer's elements times a scalar. Refuses one that is no element."""
        try:
            return b"".join(group.multiplied(key, each) for each in group.split(points))
        except ValueError as error:
            raise Refused("invalid point") from error
