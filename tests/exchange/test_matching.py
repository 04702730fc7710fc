"""Private matching from end to end: what two honest members learn, and how a dishonest one is refused and recorded."""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import random
from collections.abc import Callable
from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

for package in ("voprf", "rbcl"):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f'{package} is not installed: pip install "stillwatch[exchange]"', allow_module_level=True)

import test_house  # noqa: E402
from stillwatch import merkle  # noqa: E402
from stillwatch.errors import StillwatchError  # noqa: E402
from stillwatch.exchange.matching import group, wire  # noqa: E402
from stillwatch.exchange.matching.book import Book  # noqa: E402
from stillwatch.exchange.matching.refusals import CODES, Refused  # noqa: E402
from stillwatch.exchange.matching.session import LONGEST, Own, Policy, Session  # noqa: E402
from stillwatch.exchange.matching.wire import Terms  # noqa: E402
from stillwatch.exchange.matching.work import Here  # noqa: E402
from stillwatch.ledger.entries import Entry  # noqa: E402

REVEALS = Policy(reveal_from=10)
TERMS = Terms("north", "south", "payment", "2026-11-26")
NORTH = [f"card {i}".encode() for i in range(1000)]
SOUTH = [f"card {i}".encode() for i in range(970, 1970)]
PARTS = {getattr(wire, name): name for name in ("OPEN", "KEY", "SIZE_ASK", "SIZE_ANSWER", "CONSENT", "ASK", "ANSWER", "TAGS", "DONE", "CLOSE")}


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000_000_000

    def __call__(self) -> int:
        self.now += 1
        return self.now


def side(terms: Terms, items: list[bytes], policy: Policy = REVEALS, book: Book | None = None, seed: int = 1, clock: Clock | None = None) -> Session:
    draw = random.Random(f"{terms.me} {seed}")
    secret = hashlib.sha256(terms.me.encode()).digest()
    return Session(Own(terms, items, secret), policy=policy, book=book or Book(), work=Here(), chance=draw.randbytes, clock=clock or Clock())


def two(north: list[bytes] = NORTH, south: list[bytes] = SOUTH, policies: tuple[Policy, Policy] = (REVEALS, REVEALS), seed: int = 1) -> tuple[Session, Session]:
    return side(TERMS, north, policies[0], seed=seed), side(replace(TERMS, me="south", peer="north"), south, policies[1], seed=seed)


Change = Callable[[int, bytes], bytes]


def play(north: Session, south: Session, change: Change = lambda step, message: message) -> list[bytes]:
    """All messages, each perhaps changed on its way."""
    sent, at = [], (south, north)
    message: bytes | None = north.open()
    while message is not None:
        message = change(len(sent), message)
        sent.append(message)
        message = at[len(sent) % 2 == 0].receive(message)
    return sent


def names(message: bytes) -> list[str]:
    return [PARTS[kind] for kind in wire.read(message)[2]]


@pytest.fixture(scope="module")
def whole() -> tuple[Session, Session, list[bytes]]:
    north, south = two()
    return north, south, play(north, south)


def test_both_learn_what_they_have_in_common_and_no_more(whole: tuple) -> None:
    north, south, sent = whole
    both = frozenset(NORTH) & frozenset(SOUTH)
    assert north.outcome == south.outcome and north.outcome.common == both and north.outcome.size == (20, 50)
    assert [names(each) for each in sent] == [
        ["OPEN"],
        ["OPEN"],
        ["KEY", "SIZE_ASK"],
        ["KEY", "SIZE_ANSWER", "TAGS", "SIZE_ASK"],
        ["SIZE_ANSWER", "TAGS", "CONSENT"],
        ["CONSENT"],
        ["ASK"],
        ["ANSWER", "TAGS", "ASK"],
        ["ANSWER", "TAGS"],
        ["DONE"],
    ]
    assert {note.kind for note in north.notes + south.notes} == {"match"}
    assert north.book.page(north.terms).spent == 2000 and north.book.page(north.terms).done


def test_no_item_and_no_plain_hash_of_one_is_on_the_wire(whole: tuple) -> None:
    _, _, sent = whole
    wired = b"".join(sent)
    assert b"card" not in wired
    for item in NORTH[:50] + NORTH[960:]:
        for bound in (item, TERMS.bound(item), b"\0" + TERMS.bound(item)):
            for digest in (hashlib.sha256, hashlib.sha512, hashlib.sha1, hashlib.md5, hashlib.blake2b):
                assert digest(bound).digest()[:12] not in wired and digest(bound).hexdigest()[:24].encode() not in wired
            assert group.element(bound, b"stillwatch-match-sizes-v1-ristretto255-SHA512") not in wired


def test_what_is_sent_is_as_long_as_the_band_and_not_as_the_set() -> None:
    lengths = []
    for count in (1001, 1999):
        north, south = two(north=[f"x {i}".encode() for i in range(count)], policies=(Policy(), Policy()))
        lengths.append([len(each) for each in play(north, south)])
    assert lengths[0] == lengths[1]


@pytest.mark.parametrize("policies", [(Policy(), REVEALS), (REVEALS, Policy()), (Policy(reveal_from=50), REVEALS), (Policy(), Policy())])
def test_nothing_is_revealed_unless_both_policies_agree(policies: tuple[Policy, Policy]) -> None:
    north, south = two(policies=policies)
    sent = play(north, south)
    assert names(sent[-1]) == ["CONSENT"] and north.outcome == south.outcome
    assert north.outcome.size == (20, 50) and north.outcome.common is None
    with pytest.raises(Refused):
        south.receive(wire.write(bytes(32), bytes(32), {wire.ASK: bytes(32000)}))


def test_below_k_there_is_no_number_and_no_item() -> None:
    north, south = two(south=SOUTH[21:] + [f"y {i}".encode() for i in range(21)])
    play(north, south)
    assert north.outcome.size is None and north.outcome.common is None and south.outcome == north.outcome
    with pytest.raises(ValueError, match="below k"):
        Policy(reveal_from=5)
    with pytest.raises(ValueError, match="1,000"):
        Policy(fewest=999)


def test_a_small_set_is_not_asked_about_even_with_repeats() -> None:
    with pytest.raises(Refused, match="fewer items"):
        side(TERMS, NORTH[:999] + NORTH[:5])


def test_an_item_of_the_commitment_can_be_opened_to_an_auditor(whole: tuple) -> None:
    own = Own(TERMS, NORTH, hashlib.sha256(b"north").digest())
    tree, (_, _, sent) = own.commitment(1000), whole
    assert wire.Opening.from_bytes(wire.read(sent[0])[2][wire.OPEN]).root == tree.root()
    other = Own(TERMS, NORTH, bytes(32)).commitment(1000)
    assert other.root() != tree.root(), "salted"
    opened = merkle.leaf(hmac.digest(own.derived("salt"), b"\0" + NORTH[0], "sha256"))
    index = next(i for i in range(1000) if tree.inclusion(i) and merkle.included(opened, i, 1000, tree.inclusion(i), tree.root()))
    assert 0 <= index < 1000


def replaced(part: int, make: Callable[[bytes], bytes], step: int) -> Change:
    """Changes one part of one message, the frame around it as it was."""

    def change(at: int, message: bytes) -> bytes:
        if at != step:
            return message
        session, transcript, parts = wire.read(message)
        return wire.write(session, transcript, {**parts, part: make(parts[part])})

    return change


def opening(**changed: object) -> Callable[[bytes], bytes]:
    return lambda data: replace(wire.Opening.from_bytes(data), **changed).to_bytes()


OTHER = group.element(b"other", b"x")
DISHONEST = {
    "small set": (wire.OPEN, opening(band=500), 0),
    "large set": (wire.OPEN, opening(band=2_000_000), 0),
    "a band that is none": (wire.OPEN, opening(band=1500), 0),
    "other terms": (wire.OPEN, opening(shared=b"x"), 0),
    "fewer than committed": (wire.SIZE_ASK, lambda data: data[:-32], 2),
    "more than committed": (wire.SIZE_ASK, lambda data: data + OTHER, 2),
    "identity": (wire.SIZE_ASK, lambda data: bytes(32) + data[32:], 2),
    "not canonical": (wire.SIZE_ASK, lambda data: bytes([255] * 32) + data[32:], 2),
    "one item twice": (wire.SIZE_ASK, lambda data: data[:32] + data[:-32], 2),
    "identity as key": (wire.KEY, lambda data: bytes(32), 2),
    "short key": (wire.KEY, lambda data: data[:31], 2),
    "short sizes": (wire.SIZE_ANSWER, lambda data: data[:-32], 3),
    "one tag many times": (wire.TAGS, lambda data: data[:16] * (len(data) // 16), 3),
    "bad answer for sizes": (wire.SIZE_ANSWER, lambda data: bytes(32) + data[32:], 3),
    "consent that is none": (wire.CONSENT, lambda data: b"\2", 4),
    "short ask": (wire.ASK, lambda data: data[:-32], 6),
    "identity in the ask": (wire.ASK, lambda data: data[:-32] + bytes(32), 6),
    "another element answered": (wire.ANSWER, lambda data: data[:-32] + OTHER, 7),
    "answers in another order": (wire.ANSWER, lambda data: data[:64] + data[96:128] + data[64:96] + data[128:], 7),
    "identity in the answer": (wire.ANSWER, lambda data: data[:-32] + bytes(32), 7),
    "false proof": (wire.ANSWER, lambda data: 2 * group.scalar(bytes([7] * 64)) + data[64:], 7),
    "short answer": (wire.ANSWER, lambda data: data[:-32], 7),
    "tags cut": (wire.TAGS, lambda data: data[:-16], 7),
}
CODE = {
    "small set": "small set",
    "large set": "large set",
    "a band that is none": "large set",
    "other terms": "terms",
    "identity": "invalid point",
    "not canonical": "invalid point",
    "one item twice": "repeated item",
    "identity as key": "invalid point",
    "short key": "invalid point",
    "one tag many times": "repeated item",
    "bad answer for sizes": "invalid point",
    "consent that is none": "format",
    "identity in the ask": "invalid point",
    "another element answered": "proof",
    "answers in another order": "proof",
    "identity in the answer": "invalid point",
    "false proof": "proof",
}


@pytest.mark.parametrize("what", DISHONEST)
def test_a_dishonest_message_is_refused_and_recorded(what: str) -> None:
    part, make, step = DISHONEST[what]
    north, south = two()
    with pytest.raises(Refused) as refused:
        play(north, south, replaced(part, make, step))
    assert refused.value.code == CODE.get(what, "size")
    victim = (south, north)[step % 2]
    assert victim.notes[-1].kind == "refusal" and victim.notes[-1].what == refused.value.code
    assert victim.outcome is None or victim.outcome.common is None
    assert [Entry(**asdict(note)).kind for note in victim.notes][-1] == "refusal"
    told = wire.read(refused.value.answer)[2]
    assert told == {wire.CLOSE: refused.value.code.encode()}
    with pytest.raises(Refused) as over:
        (north, south)[step % 2].receive(refused.value.answer)
    assert over.value.answer == b"", "two members do not refuse one another for ever"


def test_replayed_reordered_and_repeated_messages_are_refused(whole: tuple) -> None:
    _, _, sent = whole
    for step in (1, 3, 6, 8):
        north, south = two(seed=2)
        with pytest.raises(Refused) as refused:
            play(north, south, lambda at, message, step=step: sent[step] if at == step else message)
        assert refused.value.code == "order", step
    north, south = two(seed=2)
    first = north.open()
    south.receive(first)
    with pytest.raises(Refused) as refused:
        south.receive(first)
    assert refused.value.code == "order"


def again(first: tuple[Session, Session], **kwargs: object) -> tuple[Session, Session]:
    """A second matching in the same epoch, with what both remember."""
    north, south = first
    terms = replace(TERMS, me="south", peer="north")
    return side(TERMS, NORTH, book=north.book, seed=9), side(terms, SOUTH, **{"book": south.book, "seed": 9, **kwargs})


def test_an_opening_is_taken_once(whole: tuple) -> None:
    north, south = two()
    message = north.open()
    south.receive(message)
    _, later = again((north, south))
    with pytest.raises(Refused) as refused:
        later.receive(message)
    assert refused.value.code == "order"


def test_a_set_is_matched_once_an_epoch_and_never_changed_within_one(whole: tuple) -> None:
    north, south, _ = whole
    with pytest.raises(Refused) as refused:
        play(*again((north, south)))
    assert refused.value.code == "repeated set"
    broken = two()
    south_only = broken[1]
    south_only.receive(broken[0].open())
    other = side(TERMS, NORTH[:-1] + [b"probe"], seed=3)
    with pytest.raises(Refused) as refused:
        play(other, again((broken[0], south_only))[1])
    assert refused.value.code == "changed set"
    new = replace(TERMS, epoch="2026-11-27")
    play(side(new, NORTH[:-1] + [b"probe"], seed=3), side(replace(new, me="south", peer="north"), SOUTH, book=south.book))


def test_a_broken_matching_goes_on_with_the_same_set_and_key() -> None:
    def lost(at: int, message: bytes) -> bytes:
        if at == 4:
            raise ConnectionError
        return message

    north, south = two()
    with pytest.raises(ConnectionError):
        play(north, south, lost)
    second = again((north, south))
    play(*second)
    assert second[0].outcome.common == frozenset(NORTH) & frozenset(SOUTH)
    assert second[1].book.page(second[1].terms).spent == 3000, "what was answered in vain is spent"


def test_a_changed_key_is_refused() -> None:
    north, south = two()
    message = south.receive(north.open())
    south.receive(north.receive(message))
    thief, _ = again((north, south))
    thief._seed = bytes(32)
    with pytest.raises(Refused) as refused:
        play(thief, again((north, south))[1])
    assert refused.value.code == "changed key"


def test_evaluations_above_the_budget_are_refused_before_they_are_made() -> None:
    made = []

    class Counting(Here):
        def answer(self, seed: bytes, info: bytes, asked: bytes) -> bytes:
            made.append(len(asked))
            return super().answer(seed, info, asked)

    north, _ = two()
    south = side(replace(TERMS, me="south", peer="north"), SOUTH, replace(REVEALS, budget=1999))
    south._work = Counting()
    with pytest.raises(Refused) as refused:
        play(north, south)
    assert refused.value.code == "budget" and not made


def test_keys_differ_by_pair_type_epoch_and_use() -> None:
    seen = set()
    for change in ({}, {"peer": "east"}, {"type": "email"}, {"epoch": "2026-11-27"}, {"me": "west"}):
        own = Own(replace(TERMS, **change), NORTH, bytes(32))
        seen |= {own.derived("key"), own.derived("salt")}
    assert len(seen) == 10
    assert "secret" not in repr(own)


def test_a_matching_that_takes_too_long_is_over() -> None:
    clock = Clock()
    north, south = side(TERMS, NORTH), side(replace(TERMS, me="south", peer="north"), SOUTH, clock=clock)
    clock.now += LONGEST + 10
    with pytest.raises(Refused) as refused:
        south.receive(north.open())
    assert refused.value.code == "late"


def test_the_book_is_kept_and_read_again(whole: tuple) -> None:
    north, _, _ = whole
    assert Book.from_bytes(north.book.to_bytes()) == north.book
    assert not north.book.without(TERMS.epoch).pages
    for bad in (b"", b"[]", b'{"version":2,"pages":[]}', b'{"version":1,"pages":[{}]}'):
        with pytest.raises(StillwatchError, match="no book"):
            Book.from_bytes(bad)


def test_every_refusal_says_what_was_refused() -> None:
    assert str(Refused("budget", "south")) == "matching with south: refused: more evaluations than are allowed in this epoch"
    assert all(CODES.values())


@pytest.fixture(scope="module")
def messages(whole: tuple) -> list[bytes]:
    return [each[:3000] for each in whole[2]]


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_refused_and_never_an_error(messages: list[bytes], data: st.DataObject) -> None:
    north, south = two()
    first = north.open()
    reply = south.receive(first)
    victim = data.draw(st.sampled_from([north, south]))
    kind = data.draw(st.sampled_from(["bytes", "parts", "flip"]))
    if kind == "bytes":
        message = data.draw(st.binary(max_size=300))
    elif kind == "parts":
        parts = data.draw(st.dictionaries(st.integers(0, 11), st.binary(max_size=100), max_size=5))
        message = wire.write(victim._session, victim._transcript, parts)
    else:
        message = bytearray(data.draw(st.sampled_from([first, reply, *messages])))
        message[data.draw(st.integers(0, len(message) - 1))] ^= data.draw(st.integers(1, 255))
        message = bytes(message)
    try:
        victim.receive(message)
    except Refused as refused:
        assert refused.code in CODES and victim.outcome is None
    else:
        # What is taken is the peer's own opening with another commitment: it binds the peer, and tells nobody anything.
        assert victim is north and wire.OPEN in wire.read(message)[2]


@pytest.mark.parametrize("path", sorted((test_house.ROOT / "exchange" / "matching").glob("*.py")), ids=lambda path: path.name)
def test_matching_is_pure(path: object) -> None:
    test_house.test_pure_rooms_touch_no_world(path)


def test_a_message_of_version_1_stays_what_it_is() -> None:
    """Golden bytes: the first message of this pair, with this secret and this chance."""
    draw = random.Random(7)
    own = Own(TERMS, NORTH, bytes(range(32)))
    session = Session(own, policy=Policy(), book=Book(), work=Here(), chance=draw.randbytes, clock=Clock())
    message = session.open()
    assert message[:8] == b"SWMATCH\x01" and len(message) == 176
    assert hashlib.sha256(message).hexdigest() == GOLDEN


GOLDEN = "82777303b8452831a1d58e01fc1e4f6ffb1d3f1434777881709ac7e005cdee3c"
