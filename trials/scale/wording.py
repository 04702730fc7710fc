"""Texts of the pattern world as segments with a scope, of words in classes of their like: what the kernels write from.

A segment is a sentence or a line. Whose it is follows from who says it in the pattern world: strangers by the dozen (popular: kept word by word in every
copy), a circle of strangers (another for every copy), one organisation again and again (another for every organisation), or nobody twice (said anew in every call).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from scale.kernels import CIRCLE, FRESH, HOUSE, ITEM, LESSON, LISTED, PUBLIC, SHEET, SLOT, Book
from scale.pattern import Pattern
from scale.questions import Questions
from stillwatch.sketch import lexicon

Ints = NDArray[np.int64]

POPULAR = 12
"Organisations of a pattern world of FULL calls that say a segment, above which it is everybody's."

FULL = 90_000

CREW = 3
"Accounts of the campaign from which a segment is its wording."

ONCE = 2.5
"Times that a member of a circle says a segment, up to which it is an item of a list and not a wording."

LISTS = frozenset(("evaluation suite", "benchmark in parts", "release-day benchmark", "output-drift monitor", "red team", "classroom", "homework"))
"Classes that work through lists of others. What strangers of other classes say alike was dealt twice by a deck of texts that ran out, and is fresh."

LESSONS = frozenset(("classroom", "localisation"))
"Classes with lists of their own, each for some days: exercise sheets, texts to be put into many languages."

PLAIN = {"Latin": 250, "ideograph": 120}
"The most frequent words of a script are never replaced: what holds sentences together."

LEAST = 12
"Fewest words of a class; the words of smaller ones are never replaced."

SEGMENT = re.compile(r".*?(?:\n+|[.!?]+(?=\s)\s*|[。！？]+|\Z)", re.DOTALL)
TOKEN = re.compile(r"([A-Za-z\u00c0-\u024f]{1,40}|[0-9]{1,12}|[\u4e00-\u9fff]|[^\W\d_]{1,16})?([\W_]{0,12})")
MOST_TOKENS = 250
"Tokens of a segment; a longer one is cut in two."

CONTENT = ("prompt", "system", "response")


@dataclass(frozen=True)
class Texts:
    """The book, and which segments make up each text of the pattern world."""

    book: Book
    starts: dict[str, Ints]
    "By column: first place in `segments` of each call."
    segments: dict[str, Ints]
    framework: Ints
    "Segments of the system prompt of the agent framework that most accounts use."


def read(pattern: Pattern, columns: tuple[str, ...]) -> Texts:
    """Split, scope and number every text of the pattern world."""
    numbers: dict[str, int] = {}
    starts: dict[str, Ints] = {}
    segments: dict[str, Ints] = {}
    suites = Questions(pattern.suites)
    own = np.array([label in LESSONS for label in pattern.label], np.bool_)[pattern.account]
    for column in columns:
        seen: dict[tuple[str | None, bool], list[int]] = {(None, False): [], (None, True): []}
        parts = []
        for text in zip(pattern.calls[column].to_pylist(), own.tolist(), strict=True):
            if text not in seen:
                seen[text] = _numbered(*text, suites if column == "prompt" else None, numbers)
            parts.append(seen[text])
        starts[column] = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
        segments[column] = np.fromiter(chain.from_iterable(parts), np.int64)
    popular = _framework(pattern)
    framework = np.array([numbers.setdefault(each, len(numbers)) for each in [*_split(popular), "\n\n"]], np.int64)
    said = len(numbers)
    questions = [[numbers.setdefault(each, len(numbers)) for each in _split(text)] for text in pattern.suites]
    segments["prompt"] = np.where(segments["prompt"] < 0, len(numbers) - 1 - segments["prompt"], segments["prompt"])
    scope = _scopes(pattern, starts, segments, len(numbers) + 2 * len(questions))
    scope[framework] = PUBLIC
    scope[len(numbers) :: 2], scope[len(numbers) + 1 :: 2] = LISTED, SHEET
    pool_start, pool = _pools(pattern, starts["prompt"], segments["prompt"], scope)
    return Texts(_book(list(numbers), said, questions, scope, pool_start, pool), starts, segments, framework)


def _numbered(text: str, own: bool, suites: Questions | None, numbers: dict[str, int]) -> list[int]:
    """The segments of a text; a question of a public suite is one, -1 - 2q, or -2 - 2q where the list is its account's own."""
    found = suites.find(text) if suites else None
    number, start, end = found or (-1, len(text), len(text))
    before, after = ([numbers.setdefault(each, len(numbers)) for each in _split(part)] for part in (text[:start], text[end:]))
    return [*before, *([-1 - 2 * number - own] if found else []), *after]


def _framework(pattern: Pattern) -> str:
    """The system prompt that most accounts of the fleets of agents have."""
    fleet = np.array([label == "coding-agent fleet" for label in pattern.label], np.bool_)[pattern.account]
    said = pattern.calls["system"].filter(fleet).to_pylist()
    pairs = {(account, text) for account, text in zip(pattern.account[fleet].tolist(), said, strict=True) if text}
    counts = Counter(text for _, text in pairs)
    return max(counts, key=lambda text: (counts[text], text))


def _split(text: str) -> list[str]:
    return [each for each in SEGMENT.findall(text) if each]


def _scopes(pattern: Pattern, starts: dict[str, Ints], segments: dict[str, Ints], count: int) -> NDArray[np.int8]:
    """Scope of each segment, from who says it how often."""
    calls = np.concatenate([np.repeat(np.arange(len(starts[name]) - 1), np.diff(starts[name])) for name in starts])
    said = np.concatenate(list(segments.values()))
    account = pattern.account[calls]
    innocent = ~pattern.campaign[account]
    uses = np.bincount(said, minlength=count)
    orgs = _distinct(said[innocent], pattern.owner[account[innocent]], count)
    crew = _distinct(said[~innocent], account[~innocent], count)
    popular = max(4.0, POPULAR * min(1.0, float((~pattern.campaign[pattern.account]).sum()) / FULL))
    by_list, of_own = (
        np.bincount(said[np.array([label in some for label in pattern.label], np.bool_)[account]], minlength=count) * 2 >= uses for some in (LISTS, LESSONS)
    )
    scope = np.full(count, FRESH, np.int8)
    scope[uses > 1] = HOUSE
    scope[orgs > 1] = CIRCLE
    scope[(orgs > 1) & (uses <= ONCE * orgs)] = FRESH
    scope[(orgs > 1) & (uses <= ONCE * orgs) & by_list] = ITEM
    scope[(uses > 1) & of_own] = LESSON
    scope[(orgs > popular) | (crew >= CREW)] = PUBLIC
    return scope


def _distinct(segment: Ints, who: Ints, count: int) -> Ints:
    pairs = np.unique(segment * np.int64(1 << 32) + who)
    return np.bincount(pairs >> 32, minlength=count)


def _pools(pattern: Pattern, starts: Ints, segments: Ints, scope: NDArray[np.int8]) -> tuple[Ints, Ints]:
    """Fresh segments of the prompts of each account; after them, as of one account more, those of the campaign: any of its accounts is given any job."""
    call = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    account = np.where(pattern.planted[call], len(pattern.owner), pattern.account[call])
    fresh = scope[segments] == FRESH
    order = np.argsort(account[fresh], kind="stable")
    return np.searchsorted(account[fresh][order], np.arange(len(pattern.owner) + 2)).astype(np.int64), segments[fresh][order]


# -- words


def _script(word: str) -> str:
    cp = ord(word[0])
    if cp < 0x250:
        return "Latin"
    if 0x4E00 <= cp <= 0x9FFF:
        return "ideograph"
    return f"block {cp >> 8}"


def _shape(word: str) -> str:
    if word[0].isdigit():
        return f"number {min(len(word), 6)}"
    return "lower" if word.islower() else "upper" if word.isupper() and len(word) > 1 else "title" if word.istitle() else "mixed"


def _lexicon() -> set[str]:
    """Words by which tasks are recognised: a replaced one would make another task of it."""
    phrases = chain(*lexicon.CUES.values(), *lexicon.TOPICS.values(), lexicon.STEPS, lexicon.VERDICTS, lexicon.TAGS)
    return {word.lower() for phrase in phrases for word in re.findall(r"\w+", phrase)}


def _classes(counts: Counter[str], plain: Mapping[str, int]) -> dict[str, tuple[str, str, int]]:
    """Class of each word that may be replaced: its script, its shape, and how frequent it is."""
    kept = set()
    for script, most in plain.items():
        lower: Counter[str] = Counter()
        for word, count in counts.items():
            if _script(word) == script and not word[0].isdigit():
                lower[word.lower()] += count
        kept |= {word for word, _ in lower.most_common(most)}
    kept |= _lexicon()
    free = [word for word, count in counts.items() if count and word and word.lower() not in kept]
    classes = {word: (_script(word), _shape(word), int(math.log2(counts[word]))) for word in free}
    sizes = Counter(classes.values())
    classes = {word: of if sizes[of] >= LEAST else (of[0], of[1], -1) for word, of in classes.items()}
    sizes = Counter(classes.values())
    return {word: of for word, of in classes.items() if sizes[of] >= LEAST}


def _book(
    segments: list[str], said: int, questions: list[list[int]], scope: NDArray[np.int8], pool_start: Ints, pool: Ints, plain: Mapping[str, int] = PLAIN
) -> Book:
    """`said`: segments that the pattern world says, by which words are frequent; those after them stand in `questions` only. `plain`: how many words of a script stay as they are."""
    words: dict[str, int] = {"": 0}
    separators: dict[str, int] = {" ": 0, "": 1}
    word_of: list[int] = []
    separator_of: list[int] = []
    limits = [0]
    for text in segments:
        for word, separator in TOKEN.findall(text)[:-1][:MOST_TOKENS]:
            word_of.append(words.setdefault(word, len(words)))
            separator_of.append(separators.setdefault(separator, len(separators)))
        limits.append(len(word_of))
    spoken = list(words)
    frequency = np.bincount(np.array(word_of[: limits[said]], np.int64), minlength=len(words))
    classes = _classes(Counter(dict(zip(spoken[1:], frequency[1:].tolist(), strict=True))), plain)
    named = {of: i for i, of in enumerate(sorted(set(classes.values())))}
    code = np.array([named[classes[word]] if word in classes else -1 for word in spoken], np.int32)
    order = np.lexsort((np.arange(len(spoken)), code))
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    parts = [each.encode() for each in separators]
    sorted_code = code[order]
    token = place[np.array(word_of, np.int64)].astype(np.uint64)
    token |= (sorted_code[token.astype(np.int64)] + 1).astype(np.uint64) << np.uint64(24) | np.array(separator_of, np.uint64) << np.uint64(40)
    class_start = np.searchsorted(sorted_code, np.arange(len(named))).astype(np.int64)
    class_size = np.searchsorted(sorted_code, np.arange(len(named)), "right").astype(np.int64) - class_start
    return Book(
        word=_slots([spoken[i] for i in order]), class_start=class_start, class_size=class_size,
        token=token, separator_start=_limits(parts),
        separator_bytes=np.frombuffer(b"".join(parts), np.uint8), segment_start=np.array(limits, np.int64), question_start=_limits(questions),
        question_segment=np.fromiter(chain.from_iterable(questions), np.int64), segment_scope=scope, pool_start=pool_start, pool_segment=pool,
    )  # fmt: skip


def _limits(parts: Sequence[Sized]) -> Ints:
    return np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)


def _slots(words: list[str]) -> NDArray[np.uint8]:
    """Words in places of equal size: length, then bytes; cut between letters where one is too long."""
    out = np.zeros((len(words), SLOT), np.uint8)
    for i, word in enumerate(words):
        told = word.encode()[: SLOT - 1].decode(errors="ignore").encode()
        out[i, 0] = len(told)
        out[i, 1 : 1 + len(told)] = np.frombuffer(told, np.uint8)
    return out.ravel()
