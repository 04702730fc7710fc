"""Texts from a folder of corpora, by source and by topic, each drawn once before any is drawn again."""

from __future__ import annotations

import bisect
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import UserError

SOURCES: dict[str, dict[str, tuple[str, ...]]] = {
    "chat": {"a": ("sharegpt",), "b": ("lima", "oasst", "instructionwild_users", "belle_eval_zh", "awesome_prompts", "gsm8k_train_metamath", "alpaca_zh")},
    "documents": {"a": ("docs_movie_reviews", "docs_banking77", "docs_zh_hotel_food"), "b": ("docs_agnews", "docs_dialogsum", "docs_xquad", "translate_wmt23")},
    "suites": {"a": ("eval_bbh", "eval_mmlu"), "b": ("eval_ceval", "bfcl_nonlive")},
    "agents": {"a": ("specstory_agents",), "b": ("code_review_diffs", "taubench_service")},
    "engineering": {"a": ("codealpaca", "metatool"), "b": ("apibench", "aider_polyglot")},
    "reasoning": {"a": ("deepscaler_math",), "b": ("eval_math_word",)},
    "grading": {"a": ("alpaca_en",), "b": ("lima", "fireact")},
    "sensitive": {"a": ("lawyer_llama_zh",), "b": ("huatuo_zh",)},
}
"Use -> half -> corpora. A source is in one half only (lima serves chat and grading of the same half)."

LONGEST = 4000
"Characters of a text that are kept."

MOST = 12_000
"Texts taken of a source of single texts, by hash order of their ids; conversations are all taken."

TOPIC_WORDS = re.compile(r"[^\W\d_]{4,}|[\u4e00-\u9fff]{2}")
RENDERED = re.compile(r"\ATranslate the following[^\n]*\n+")
"A template around a document, which is taken off: applications bring their own."

Text = list[str]
"A text is a list of turns."


class Pool:
    """The texts of one use by topic, dealt like a deck of cards: each once before any comes again."""

    def __init__(self, topics: Mapping[str, Sequence[Text]], rng: Random) -> None:
        self._rng = rng
        self._decks = {name: list(texts) for name, texts in topics.items()}
        self.topics = sorted(self._decks)
        for name in self.topics:
            rng.shuffle(self._decks[name])
        self._left = {name: len(self._decks[name]) for name in self.topics}
        self._again = False

    def draw(self, name: str) -> tuple[Text, Text | None]:
        """The next text of a topic, or of the topic after it that has one left.

        Once all texts have been dealt they come again, with another text beside each so that nothing is said twice.
        """
        at = bisect.bisect_left(self.topics, name) % len(self.topics)
        for step in range(len(self.topics)):
            topic = self.topics[(at + step) % len(self.topics)]
            if self._left[topic]:
                self._left[topic] -= 1
                deck = self._decks[topic]
                return deck[self._left[topic]], self._rng.choice(self._decks[topic]) if self._again else None
        self._left = {name: len(self._decks[name]) for name in self.topics}
        self._again = True
        return self.draw(name)

    def every(self) -> list[Text]:
        """All texts, in an order that depends on the seed."""
        return [text for name in self.topics for text in self._decks[name]]


def read(folder: Path, use: str, split: str, rng: Random) -> Pool:
    """The pool of a use, from the sources of one half."""
    return Pool(_topics(folder, use, split), rng)


@lru_cache(maxsize=32)
def _topics(folder: Path, use: str, split: str) -> Mapping[str, Sequence[Text]]:
    """Texts of a use by topic, read once: every drill shuffles a copy of its own."""
    texts = [text for source in SOURCES[use][split] for text in _source(folder, source)]
    if use == "agents":
        texts = [[turn] for text in texts for turn in text]
    least, most = (12, len(texts) // 60) if use == "chat" else (60, len(texts) // 12)
    return _by_topic(texts, least, max(40, most))


def _source(folder: Path, source: str) -> list[Text]:
    """Texts of a corpus: whole conversations where it has them, single texts elsewhere."""
    path = folder / f"{source}.parquet"
    try:
        table = pq.read_table(path, columns=["text", "meta"])
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        raise UserError("is no corpus with columns text and meta", str(path), "name the folder of the corpora with --corpora") from error
    grouped: dict[str, Text] = {}
    for i, (text, meta) in enumerate(zip(table["text"].to_pylist(), table["meta"].to_pylist(), strict=True)):
        if text and (text := RENDERED.sub("", text).strip()):
            told = json.loads(meta or "{}")
            grouped.setdefault(str(told.get("conv") or told.get("session") or i), []).append(text[:LONGEST])
    texts = list(grouped.values())
    if len(texts) > MOST and len(texts) > 0.9 * table.num_rows:
        return texts[:: len(texts) // MOST + 1]
    return texts


def _by_topic(texts: list[Text], least: int, most: int) -> dict[str, list[Text]]:
    """Texts by their most telling word: rarer than common, commoner than rare. Accounts that keep to a few such words have a topic."""
    words = [set(TOPIC_WORDS.findall(" ".join(text).lower()[:1500])) for text in texts]
    spread = Counter(word for have in words for word in have)
    topics: dict[str, list[Text]] = {}
    for text, have in zip(texts, words, strict=True):
        telling = [word for word in have if least <= spread[word] <= most]
        topics.setdefault(max(telling, key=lambda word: (spread[word], word), default=""), []).append(text)
    named = {name: found for name, found in topics.items() if name and len(found) >= least * 2 // 3}
    rest = [text for name, found in topics.items() if name not in named for text in found]
    names = sorted(named)
    for i, text in enumerate(rest if named else ()):  # no text is lost: those without a telling word join a topic by turns
        named[names[i % len(names)]].append(text)
    return named or {"": texts}
