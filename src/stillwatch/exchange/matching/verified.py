"""RFC 9497's VOPRF over ristretto255-SHA512 in batches (`voprf`): answers to masked items, and the proof that one known key made them all.

The library draws blinds and the proofs' nonces from the system itself, and keeps a blind inside its client; so a batch is finished by the process that
blinded it. It takes elements only when they are canonical and not the identity.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from stillwatch.errors import UserError
from stillwatch.exchange.matching.group import POINT, split
from stillwatch.exchange.matching.refusals import Refused

try:
    from voprf import ristretto
except ImportError as error:  # the bare install has no peers
    raise UserError("voprf is not installed", "matching", 'pip install "stillwatch[exchange]"') from error

BATCH = 512
"Elements under one proof: a part of version 1 of the messages. RFC 9497 allows 65,535; small ones can be dealt evenly to processes, and cost 64 bytes each."

PROOF = 64
"Bytes of a proof, which stands before the elements of its batch."

TAG = 16
"Bytes of an output that are compared: among 100,000 times 100,000 pairs two are alike by chance once in 10^28 matchings."


@contextmanager
def _refusing(code: str) -> Iterator[None]:
    """What the library says of a peer's bytes as a refusal. `voprf` 0.2.0 panics on a false proof of a batch, where it should raise ValueError, and what PyO3
    makes of a panic is no Exception; uncaught, one message of a peer would end the process."""
    try:
        yield
    except ValueError as error:
        raise Refused(code) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise Refused(code) from error


class Asker:
    """One batch of masked items, and the way back from its answer."""

    def __init__(self, inputs: Sequence[bytes]) -> None:
        made = [ristretto.Client.blind(each) for each in inputs]
        self._clients = [client for client, _ in made]
        self.asked = b"".join(blinded.serialize() for _, blinded in made)

    def finish(self, answered: bytes, public: bytes) -> bytes:
        """Tags of the items, in order. Raises: Refused where the proof does not hold under the public key."""
        if len(answered) != PROOF + POINT * len(self._clients):
            raise Refused("size")
        with _refusing("invalid point"):
            output = ristretto.VerifiableBatchOutput.deserialize(answered)
            key = ristretto.PublicKey.deserialize(public)
        with _refusing("proof"):
            made = ristretto.Client.finalize_batch(self._clients, output, key)
        return b"".join(each[:TAG] for each in made)


def public_key(seed: bytes, info: bytes) -> bytes:
    """The key that the answers of a seed are proved under."""
    return bytes(ristretto.Evaluator.from_seed(seed, info).public_key.serialize())


def answer(seed: bytes, info: bytes, asked: bytes) -> bytes:
    """Answers to masked items with one proof for each batch: proof, elements, proof, elements. Raises: Refused for an element that is none."""
    evaluator = ristretto.Evaluator.from_seed(seed, info)
    points = split(asked)
    out = []
    for at in range(0, len(points), BATCH):
        with _refusing("invalid point"):
            messages = [ristretto.BlindedInput.deserialize(each) for each in points[at : at + BATCH]]
        out.append(evaluator.evaluate_batch(messages).serialize())
    return b"".join(out)


def mask(seed: bytes, info: bytes, inputs: Sequence[bytes]) -> bytes:
    """Tags of one's own items, in order: what a peer that was answered compares with."""
    evaluator = ristretto.Evaluator.from_seed(seed, info)
    return b"".join(evaluator.evaluate_known_input(each)[:TAG] for each in inputs)


def answered_length(count: int) -> int:
    """Bytes of the answer to so many masked items."""
    return POINT * count + PROOF * -(-count // BATCH)
