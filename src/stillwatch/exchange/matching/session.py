"""One matching as a state machine: a message in, a message out. Chance, clock, keys, the book and the arithmetic are passed in.

opener                          answerer
  commitment            ->
                        <-        commitment
  key, masked items     ->                              phase A: sizes, keys of this run alone, answers sorted so that
                        <-        key, answers, masked items     no order is left
  answers, consent      ->
                        <-        consent               both say yes, or here it ends
  masked items          ->                              phase B: which, with proofs under the keys shown above
                        <-        answers, masked items
  answers               ->
                        <-        done
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from stillwatch import merkle
from stillwatch.exchange.matching import bands, group, verified, wire
from stillwatch.exchange.matching.book import Book
from stillwatch.exchange.matching.refusals import Refused
from stillwatch.exchange.matching.wire import Opening, Terms
from stillwatch.exchange.matching.work import Work

LONGEST = 3_600_000_000
"Microseconds from the first message to the last."


@dataclass(frozen=True)
class Policy:
    """What a member agrees to. By default sizes only."""

    reveal_from: int | None = None
    "The least number of common items (a lower edge of a band) from which the items are revealed, when the peer agrees too; None for never."
    least: int = 10
    "k: fewer common items than this are told as nothing."
    fewest: int = 1_000
    "Items that a set must have; a smaller one is a question about single customers."
    most: int = 1_000_000
    "Elements that a set may be padded to."
    budget: int = 200_000
    "Evaluations for one peer, type and epoch, both phases and all tries together."

    def __post_init__(self) -> None:
        if self.least < bands.EDGES[0] or self.fewest < 1_000:
            raise ValueError(f"k is at least {bands.EDGES[0]} and a set has at least 1,000 items")
        if self.reveal_from is not None and self.reveal_from < self.least:
            raise ValueError("nothing below k is revealed")

    def consents(self, size: tuple[int, int] | None) -> bool:
        """Whether items are revealed at this banded size."""
        return size is not None and self.reveal_from is not None and size[0] >= self.reveal_from


@dataclass(frozen=True)
class Note:
    """What happened, field by field an entry of the ledger: never an item and never a number."""

    kind: str
    "`match` or `refusal`."
    what: str
    "Which step, or the code of the refusal."
    digest: str
    "SHA-256 of the message, hex."
    member: str
    "The peer."
    at: int
    "Microseconds since 1970."


@dataclass(frozen=True)
class Outcome:
    """What one side learnt."""

    size: tuple[int, int] | None
    "Band of the number of common items; None when there are fewer than k."
    common: frozenset[bytes] | None
    "The common items; None when they were not revealed."


@dataclass(frozen=True)
class Own:
    """My side of the terms: the set, and keys that follow from my secret for this pair, type and epoch."""

    terms: Terms
    items: Collection[bytes]
    secret: bytes = field(repr=False)

    def derived(self, use: str) -> bytes:
        """32 bytes for one use; without the secret they are chance."""
        return hmac.digest(self.secret, self.terms.own(use), "sha256")

    def commitment(self, band: int) -> merkle.Tree:
        """The tree of salted hashes, padded so that it tells the band alone. Stays the same in an epoch; an item can be opened to an auditor with the salt."""
        salt = self.derived("salt")
        leaves = [hmac.digest(salt, b"\0" + item, "sha256") for item in self.items]
        leaves += [hmac.digest(salt, b"\1" + at.to_bytes(8, "big"), "sha256") for at in range(band - len(leaves))]
        return merkle.Tree(merkle.leaf(each) for each in sorted(leaves))


class Session:
    """One side of one matching.

    After each call `book` is to be kept before the answer is sent, and `notes` belong into the ledger. `outcome` is None until this side knows
    everything that it will know. A Refused ends the session.
    """

    def __init__(
        self,
        own: Own,
        *,
        policy: Policy,
        book: Book,
        work: Work,
        chance: Callable[[int], bytes],
        clock: Callable[[], int],
    ) -> None:
        """`own.items` are distinct, normalised identifiers of one type. Raises: Refused where there are too few or too many."""
        self.terms, self.policy, self.book = own.terms, policy, book
        self.outcome: Outcome | None = None
        self.notes: list[Note] = []
        self._own, self._work, self._chance, self._clock = own, work, chance, clock
        self._items = sorted(set(own.items))
        if len(self._items) < policy.fewest:
            raise Refused("small set", own.terms.peer)
        if len(self._items) > policy.most or bands.upper(len(self._items)) > policy.most:
            raise Refused("large set", own.terms.peer)
        self._band = bands.upper(len(self._items))
        self._seed, self._info = own.derived("key"), own.terms.own("info")
        self._transcript, self._session = wire.start(own.terms.shared()), b""
        self._step, self._since = 0, clock()
        self._fresh = group.scalar(chance(64))
        self._peer: Opening | None = None
        self._public = b""
        self._size: tuple[int, int] | None = None
        self._agreed = False

    def open(self) -> bytes:
        """The first message of the side that begins."""
        if self._step:
            raise Refused("closed", self.terms.peer)
        self._step = 1
        opening = self._opening()
        self._session = opening.nonce
        return self._send({wire.OPEN: opening.to_bytes()})

    def receive(self, message: bytes) -> bytes | None:
        """Takes the peer's message; returns the answer, None when nothing is to be said. Raises: Refused, whose `answer` may be sent back."""
        try:
            return self._received(message)
        except Refused as refused:
            over = self._step < 0 or refused.code == "closed"
            self._step = -1
            self._note("refusal", refused.code, message)
            answer = b"" if over else wire.close(self._session or bytes(32), self._transcript, refused.code)
            raise Refused(refused.code, self.terms.peer, answer) from refused

    def _received(self, message: bytes) -> bytes | None:
        if self._step < 0:
            raise Refused("closed")
        if self._clock() - self._since > LONGEST:
            raise Refused("late")
        session, transcript, parts = wire.read(message)
        if wire.CLOSE in parts:
            self._note("refusal", f"by the peer: {wire.closed_for(parts[wire.CLOSE])}", message)
            raise Refused("closed")
        expected, answer = _STEPS.get(self._step, ((), None))
        if answer is None or not hmac.compare_digest(transcript, self._transcript) or session != (self._session or session):
            if self._step == 0 and wire.OPEN in parts and transcript != self._transcript:
                raise Refused("terms")
            raise Refused("order")
        if tuple(parts) != expected:
            raise Refused("order")
        self._session = session
        self._transcript = wire.after(self._transcript, message)
        self._note("match", " ".join(_NAMES[kind] for kind in parts), message)
        return answer(self, *parts.values())

    def _send(self, parts: dict[int, bytes]) -> bytes:
        message = wire.write(self._session, self._transcript, parts)
        self._transcript = wire.after(self._transcript, message)
        return message

    def _note(self, kind: str, what: str, message: bytes) -> None:
        self.notes.append(Note(kind, what, hashlib.sha256(message).hexdigest(), self.terms.peer, self._clock()))

    # What each message does, in the order of the picture above.

    def _opening(self) -> Opening:
        return Opening(self._chance(32), self._own.commitment(self._band).root(), self._band, self.terms.shared())

    def _committed(self, data: bytes) -> None:
        """The peer's commitment."""
        opening = Opening.from_bytes(data)
        if opening.shared != self.terms.shared():
            raise Refused("terms")
        if opening.band < self.policy.fewest:
            raise Refused("small set")
        if opening.band > self.policy.most or opening.band not in bands.EDGES:
            raise Refused("large set")
        self.book = self.book.opened(self.terms, opening)
        self._peer = opening

    def _answer_opening(self, data: bytes) -> bytes:
        self._committed(data)
        if not self._peer or self._peer.nonce != self._session:
            raise Refused("format")
        self._step = 2
        return self._send({wire.OPEN: self._opening().to_bytes()})

    def _ask_size(self, data: bytes) -> bytes:
        self._committed(data)
        self._step = 3
        return self._send({wire.KEY: self._key(), wire.SIZE_ASK: self._size_ask()})

    def _answer_size(self, public: bytes, asked: bytes) -> bytes:
        self._keyed(public)
        answered = self._sized(asked)
        self._step = 4
        return self._send({wire.KEY: self._key(), **answered, wire.SIZE_ASK: self._size_ask()})

    def _size_and_consent(self, public: bytes, answered: bytes, tags: bytes, asked: bytes) -> bytes:
        self._keyed(public)
        self._measure(answered, tags)
        own = self._sized(asked)
        self._step = 5
        return self._send({**own, wire.CONSENT: self._consent()})

    def _answer_consent(self, answered: bytes, tags: bytes, consent: bytes) -> bytes:
        self._measure(answered, tags)
        own = self._consent()
        self._step = 6
        if not self._agree(consent, own):
            self._end(None)
        return self._send({wire.CONSENT: own})

    def _ask(self, consent: bytes) -> bytes | None:
        if not self._agree(consent, self._consent()):
            self._end(None)
            return None
        self._step = 7
        return self._send({wire.ASK: self._asked()})

    def _answer_ask(self, asked: bytes) -> bytes:
        answered = self._revealed(asked)
        self._step = 8
        return self._send({**answered, wire.ASK: self._asked()})

    def _learn_and_answer(self, answered: bytes, tags: bytes, asked: bytes) -> bytes:
        common = self._common(answered, tags)
        own = self._revealed(asked)
        self._end(common)
        self._step = 9
        return self._send(own)

    def _learn(self, answered: bytes, tags: bytes) -> bytes:
        self._end(self._common(answered, tags))
        return self._send({wire.DONE: b""})

    def _over(self, data: bytes) -> None:
        self._step = -1

    # The pieces of those steps.

    def _padded(self) -> list[bytes]:
        """Own items, in their order, and behind them up to the band items that nobody has. Masked, one is like the other."""
        pads = self._chance(32 * (self._band - len(self._items)))
        every = [b"\0" + self.terms.bound(each) for each in self._items]
        every += [b"\1" + pads[at : at + 32] for at in range(0, len(pads), 32)]
        return every

    def _padded_tags(self, tags: bytes) -> bytes:
        """Own tags, and tags of nothing up to the band, sorted so that the order tells nothing."""
        tags += self._chance(verified.TAG * (self._band - len(self._items)))
        return b"".join(sorted(group.split(tags, verified.TAG)))

    def _bound(self) -> list[bytes]:
        return [b"\0" + self.terms.bound(each) for each in self._items]

    def _key(self) -> bytes:
        return verified.public_key(self._seed, self._info)

    def _keyed(self, public: bytes) -> None:
        group.check([public])
        self.book = self.book.keyed(self.terms, public)
        self._public = public

    def _charge(self, asked: bytes) -> list[bytes]:
        """The peer's masked items, once they are as many as committed to, sound, distinct, and within the budget."""
        if self._peer is None or len(asked) != group.POINT * self._peer.band:
            raise Refused("size")
        self.book = self.book.charged(self.terms, self._peer.band, self.policy.budget)
        points = group.split(asked)
        group.check(points)
        return points

    def _size_ask(self) -> bytes:
        return self._work.raised(self._fresh, self._padded())

    def _sized(self, asked: bytes) -> dict[int, bytes]:
        """Answers for sizes, sorted, and own tags: a hash of the element alone, for an answer without order names no input."""
        self._charge(asked)
        key = group.scalar(self._chance(64))
        answers = sorted(group.split(self._work.lifted(key, asked)))
        tags = b"".join(_tag(each) for each in group.split(self._work.raised(key, self._bound())))
        return {wire.SIZE_ANSWER: b"".join(answers), wire.TAGS: self._padded_tags(tags)}

    def _measure(self, answered: bytes, tags: bytes) -> None:
        if len(answered) != group.POINT * self._band or self._peer is None or len(tags) != verified.TAG * self._peer.band:
            raise Refused("size")
        group.check(group.split(answered))
        theirs = set(_distinct(tags))
        back = group.split(self._work.lifted(group.inverse(self._fresh), answered))
        self._size = bands.within(sum(_tag(each) in theirs for each in back), self.policy.least)

    def _consent(self) -> bytes:
        return b"\1" if self.policy.consents(self._size) else b"\0"

    def _agree(self, theirs: bytes, own: bytes) -> bool:
        if theirs not in (b"\0", b"\1"):
            raise Refused("format")
        self._agreed = theirs == own == b"\1"
        return self._agreed

    def _asked(self) -> bytes:
        return self._work.blind(self._padded())

    def _revealed(self, asked: bytes) -> dict[int, bytes]:
        if not self._agreed:
            raise Refused("order")
        self._charge(asked)
        answers = self._work.answer(self._seed, self._info, asked)
        return {wire.ANSWER: answers, wire.TAGS: self._padded_tags(self._work.mask(self._seed, self._info, self._bound()))}

    def _common(self, answered: bytes, tags: bytes) -> frozenset[bytes]:
        if len(answered) != verified.answered_length(self._band) or self._peer is None or len(tags) != verified.TAG * self._peer.band:
            raise Refused("size")
        theirs = set(_distinct(tags))
        own = group.split(self._work.finish(answered, self._public), verified.TAG)
        return frozenset(item for item, tag in zip(self._items, own, strict=False) if tag in theirs)

    def _end(self, common: frozenset[bytes] | None) -> None:
        self._step = -1
        self.book = self.book.finished(self.terms)
        self.outcome = Outcome(self._size, common)


def _tag(point: bytes) -> bytes:
    return hashlib.sha256(b"stillwatch match 1 size\0" + point).digest()[: verified.TAG]


def _distinct(tags: bytes) -> list[bytes]:
    """A peer's tags. One that stands there twice would count twice."""
    every = group.split(tags, verified.TAG)
    if len(set(every)) != len(every):
        raise Refused("repeated item")
    return every


_NAMES = {
    wire.OPEN: "commitment",
    wire.KEY: "key",
    wire.SIZE_ASK: "ask-size",
    wire.SIZE_ANSWER: "answer-size",
    wire.CONSENT: "consent",
    wire.ASK: "ask",
    wire.ANSWER: "answer",
    wire.TAGS: "tags",
    wire.DONE: "done",
}

_STEPS: dict[int, tuple[tuple[int, ...], Callable[..., bytes | None]]] = {
    0: ((wire.OPEN,), Session._answer_opening),
    1: ((wire.OPEN,), Session._ask_size),
    2: ((wire.KEY, wire.SIZE_ASK), Session._answer_size),
    3: ((wire.KEY, wire.SIZE_ANSWER, wire.TAGS, wire.SIZE_ASK), Session._size_and_consent),
    4: ((wire.SIZE_ANSWER, wire.TAGS, wire.CONSENT), Session._answer_consent),
    5: ((wire.CONSENT,), Session._ask),
    6: ((wire.ASK,), Session._answer_ask),
    7: ((wire.ANSWER, wire.TAGS, wire.ASK), Session._learn_and_answer),
    8: ((wire.ANSWER, wire.TAGS), Session._learn),
    9: ((wire.DONE,), Session._over),
}
"Step -> the parts that must come, and what they do."
