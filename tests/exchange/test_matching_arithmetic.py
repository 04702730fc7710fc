"""The arithmetic of private matching: RFC 9497's vectors, a slow twin beside the library, and processes beside one."""

from __future__ import annotations

import doctest
import importlib.util
import os
import random
import signal

import pytest

for package in ("voprf", "rbcl"):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f'{package} is not installed: pip install "stillwatch[exchange]"', allow_module_level=True)

import rfc9497  # noqa: E402
from voprf import ristretto  # noqa: E402

from stillwatch.engines.matching import Processes  # noqa: E402
from stillwatch.errors import StillwatchError  # noqa: E402
from stillwatch.exchange.matching import bands, group, verified  # noqa: E402
from stillwatch.exchange.matching.refusals import Refused  # noqa: E402
from stillwatch.exchange.matching.work import Here  # noqa: E402


def chance(seed: int) -> random.Random:
    return random.Random(seed)


@pytest.mark.parametrize("vector", rfc9497.VECTORS, ids=["1", "2", "3"])
def test_the_twin_is_the_rfc(vector: tuple) -> None:
    items, blinds, asked, answered, proof, nonce, outputs = vector
    blinds, asked, answered = ([bytes.fromhex(each) for each in some] for some in (blinds, asked, answered))
    assert rfc9497.derived(rfc9497.SEED, rfc9497.INFO) == rfc9497.SECRET
    assert [rfc9497.blinded(*each) for each in zip(items, blinds, strict=True)] == asked
    assert rfc9497.answer(rfc9497.SECRET, asked, bytes.fromhex(nonce)) == (answered, bytes.fromhex(proof))
    assert rfc9497.holds(rfc9497.PUBLIC, asked, answered, bytes.fromhex(proof))
    made = [rfc9497.output(*each).hex() for each in zip(items, blinds, answered, strict=True)]
    assert made == outputs


@pytest.mark.parametrize("vector", rfc9497.VECTORS, ids=["1", "2", "3"])
def test_the_library_is_the_rfc(vector: tuple) -> None:
    """All that can be compared without the library's own chance: keys, answers, outputs; its proof of them is judged by the twin."""
    items, _, asked, answered, _, _, outputs = vector
    assert verified.public_key(rfc9497.SEED, rfc9497.INFO) == rfc9497.PUBLIC
    evaluator = ristretto.Evaluator.from_seed(rfc9497.SEED, rfc9497.INFO)
    assert [evaluator.evaluate_known_input(each).hex() for each in items] == outputs
    made = verified.answer(rfc9497.SEED, rfc9497.INFO, bytes.fromhex("".join(asked)))
    assert made[verified.PROOF :].hex() == "".join(answered)
    points = [bytes.fromhex(each) for each in asked]
    assert rfc9497.holds(rfc9497.PUBLIC, points, group.split(made[verified.PROOF :]), made[: verified.PROOF])
    assert not rfc9497.holds(rfc9497.PUBLIC, points, group.split(made[verified.PROOF :]), rfc9497.SECRET * 2)


def test_the_library_takes_the_twins_answers_and_no_others() -> None:
    items = [f"item {i}".encode() for i in range(5)]
    secret, nonce = rfc9497.derived(rfc9497.SEED, b"x"), group.scalar(bytes(range(64)))
    public = verified.public_key(rfc9497.SEED, b"x")
    for spoil in (None, "key", "element", "proof", "order"):
        asker = verified.Asker(items)
        answered, proof = rfc9497.answer(rfc9497.SECRET if spoil == "key" else secret, group.split(asker.asked), nonce)
        if spoil == "element":
            answered[2] = group.element(b"another", b"x")
        if spoil == "order":
            answered[0], answered[1] = answered[1], answered[0]
        if spoil == "proof":
            proof = proof[:32] + group.scalar(bytes([7] * 64))
        if spoil is None:
            assert asker.finish(proof + b"".join(answered), public) == verified.mask(rfc9497.SEED, b"x", items)
        else:
            with pytest.raises(Refused) as refused:
                asker.finish(proof + b"".join(answered), public)
            assert refused.value.code == "proof", spoil


NOT_CANONICAL = bytes.fromhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")
"The field's prime: zero, not reduced (RFC 9496, A.3)."

NEGATIVE = bytes.fromhex("0100000000000000000000000000000000000000000000000000000000000000")
"A negative field element (RFC 9496, A.3)."

NO_SQUARE = bytes.fromhex("26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371")
"Not on the curve (RFC 9496, A.3)."


@pytest.mark.parametrize("bad", [group.IDENTITY, NOT_CANONICAL, NEGATIVE, NO_SQUARE, bytes([255] * 32)], ids=lambda each: each.hex()[:8])
def test_what_is_no_element_is_refused_everywhere(bad: bytes) -> None:
    good = group.element(b"good", b"x")
    with pytest.raises(Refused, match="identity or not canonical"):
        group.check([good, bad])
    with pytest.raises(Refused, match="identity or not canonical"):
        Here().lifted(rfc9497.SECRET, good + bad)
    with pytest.raises(Refused, match="identity or not canonical"):
        verified.answer(rfc9497.SEED, b"x", good + bad)
    asker = verified.Asker([b"a", b"b"])
    with pytest.raises(Refused):
        asker.finish(bytes(range(64)) + good + bad, verified.public_key(rfc9497.SEED, b"x"))


def test_processes_give_the_bytes_of_one() -> None:
    few = chance(3)
    items = [few.randbytes(20) for _ in range(2 * verified.BATCH + 100)]
    key, here = group.scalar(few.randbytes(64)), Here()
    with Processes(2) as many:
        assert many.raised(key, items) == here.raised(key, items)
        points = here.raised(key, items[:300])
        assert many.lifted(key, points) == here.lifted(key, points)
        seed, public = few.randbytes(32), b""
        public = verified.public_key(seed, b"x")
        tags = here.mask(seed, b"x", items)
        assert many.mask(seed, b"x", items) == tags
        answered = many.answer(seed, b"x", many.blind(items))
        assert len(answered) == verified.answered_length(len(items))
        assert many.finish(answered, public) == tags
        assert here.finish(many.answer(seed, b"x", here.blind(items)), public) == tags
        many.blind(items)
        with pytest.raises(Refused, match="proof does not hold"):
            many.finish(verified.answer(bytes(32), b"x", here.blind(items)), public)
        with pytest.raises(Refused, match="identity"):
            many.answer(seed, b"x", points + bytes(32))
        assert many.mask(seed, b"x", items[:3]) == tags[:48], "it goes on after a refusal"
        with pytest.raises(Refused, match="as many"):
            many.finish(answered, public)  # what was masked is finished once
        assert many.mask(seed, b"x", []) == b""


def test_a_process_that_is_killed_ends_the_matching_with_a_word() -> None:
    with Processes(2) as many:
        assert many.pids == [], "none begins before there is something to do"
        items = [f"{number}".encode() for number in range(1_200)]
        assert many.mask(bytes(32), b"x", items) == Here().mask(bytes(32), b"x", items)
        os.kill(many.pids[0], signal.SIGKILL)
        with pytest.raises(StillwatchError, match="ended"):
            many.raised(group.scalar(bytes(range(64))), items)


def test_bands_hold_what_they_say() -> None:
    for count in (10, 19, 20, 49, 50, 99, 100, 999_999, 4_999_999):
        low, high = bands.within(count, 10) or (0, 0)
        assert low <= count < high and bands.upper(count) >= count
    assert doctest.testmod(bands).attempted and not doctest.testmod(bands).failed
    assert bands.within(9, 10) is None and bands.within(0, 10) is None
