"""Where texts come from: the project's own small corpus, or a folder of corpora split by source."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.drill import grammar
from stillwatch.errors import UserError

SOURCES: dict[str, dict[str, tuple[str, ...]]] = {
    "chat": {"a": ("sharegpt",), "b": ("lima", "oasst", "instructionwild_users", "belle_eval_zh", "awesome_prompts")},
    "documents": {"a": ("docs_movie_reviews", "docs_banking77", "docs_zh_hotel_food"), "b": ("docs_agnews", "docs_dialogsum", "docs_xquad")},
    "suites": {"a": ("eval_bbh", "eval_mmlu"), "b": ("eval_ceval", "eval_math_word", "bfcl_nonlive")},
    "agents": {"a": ("specstory_agents",), "b": ("code_review_diffs", "taubench_service")},
    "engineering": {"a": ("codealpaca", "metatool"), "b": ("apibench", "aider_polyglot")},
    "reasoning": {"a": ("deepscaler_math",), "b": ("gsm8k_train_metamath",)},
    "grading": {"a": ("alpaca_en",), "b": ("lima", "fireact")},
    "sensitive": {"a": ("lawyer_llama_zh",), "b": ("huatuo_zh",)},
}
"Use -> half -> corpora. A source is in one half only (lima serves chat and grading of the same half)."

LONGEST = 4000
"Characters of a text that are kept."

TOPIC_WORDS = re.compile(r"[^\W\d_]{4,}|[\u4e00-\u9fff]{2}")

Wrapper = Callable[[str], tuple[str | None, str]]
"Slot -> (system prompt, prompt)."


class Texts:
    """Prompts, documents, questions and wordings of one world."""

    def __init__(self, rng: Random, corpora: Path | None, split: str) -> None:
        self._rng, self._corpora, self._split = rng, corpora, split
        self._cache: dict[str, dict[str, list[list[str]]]] = {}
        self._decks: dict[str, Iterator[str]] = {}
        self._names = [grammar.coined(rng, 2).capitalize() for _ in range(400)]
        self.language = {code: grammar.language(code) for code in grammar.languages()}

    # -- words of the small corpus

    def fills(self, rng: Random, words: dict[str, Any], topic: str) -> dict[str, Any]:
        """What stands for `<name>` in a pattern."""
        terms = words["topics"].get(topic) or next(iter(words["topics"].values()))
        small, big = (lambda r: str(r.randrange(2, 12))), (lambda r: str(r.randrange(12, 990)))
        fill: dict[str, Any] = {
            **words["fills"], "t": terms, "w": terms, "n": big, "k": small, "m": small, "x": small, "few": ["two", "three", "four"],
            "more": ["five", "six", "eight"], "name": self._names, "house": self._names[:60], "tag": lambda r: grammar.coined(r, 1).upper(),
            "id": lambda r: grammar.coined(r, 1) + str(r.randrange(10)), "y": lambda r: str(r.randrange(1950, 2026)),
            "date": lambda r: f"{r.randrange(1, 29)}.{r.randrange(1, 13)}.", "day": ["Monday", "Tuesday", "Friday", "Sunday"],
            "labels": lambda r: ", ".join(r.sample(terms, min(len(terms), 4))), "label": terms,
            "criteria": lambda r: ", ".join(r.sample(words["answer"]["criteria"], 3)), "tongue": words["answer"]["tongue"],
        }  # fmt: skip
        for name in ("c", "who", "trade"):
            fill[name] = lambda r, options=tuple(words["fills"][name]), own=fill: grammar.expand(r.choice(options), r, own)
        fill["problem"] = lambda r: grammar.expand(r.choice(words["problems"]["patterns"]), r, fill)
        return fill

    def line(self, rng: Random, patterns: list[str], topic: str, words: dict[str, Any] | None = None) -> str:
        """One line of a pattern about a topic."""
        words = words or self.language["en"]
        return grammar.expand(rng.choice(patterns), rng, self.fills(rng, words, topic))

    # -- texts of a world

    def topics(self) -> list[str]:
        """Names of topics that an account can have."""
        return sorted(self._pool("chat")) if self._corpora else list(self.language["en"]["topics"])

    def _pool(self, use: str) -> dict[str, list[list[str]]]:
        """Topic -> texts (a text is a list of turns) of a use, from the corpora."""
        if use not in self._cache:
            texts = [text for source in SOURCES[use][self._split] for text in _read(self._corpora or Path(), source)]
            self._cache[use] = _by_topic(texts)
        return self._cache[use]

    def _drawn(self, use: str, rng: Random, topic: str) -> list[str]:
        pool = self._pool(use)
        names = sorted(pool)
        mine = topic if topic in pool else names[sum(topic.encode()) * 7919 % len(names)]
        return rng.choice(pool[mine])

    def conversation(self, rng: Random, topic: str) -> list[tuple[str, str]]:
        """(prompt, kind of answer) of the turns of one conversation on a topic."""
        if self._corpora and rng.random() < 0.97:
            return [(turn, _kind(turn)) for turn in self._drawn("chat", rng, topic)]
        words = self.language[rng.choice(list(self.language))] if rng.random() < 0.3 else self.language["en"]
        kinds = rng.choices(words["questions"], [{"prose": 5, "short": 2, "reason": 1, "code": 1}.get(q["ask"], 1) for q in words["questions"]], k=rng.choice((1, 1, 2, 3)))
        fill = self.fills(rng, words, topic)
        return [(grammar.expand(rng.choice(kind["patterns"]), rng, fill), kind["ask"]) for kind in kinds]

    def document(self, rng: Random, topic: str) -> str:
        """A document of somebody's business on a topic."""
        if self._corpora:
            text = " ".join(self._drawn("documents", rng, topic))
            return text[: rng.choice((300, 700, 1500))]
        words = self.language["en"]
        fill = self.fills(rng, words, topic)
        return " ".join(grammar.expand(rng.choice(words["docs"]["patterns"]), rng, fill) for _ in range(rng.randrange(2, 9)))

    def repository(self, rng: Random) -> str:
        """A repository: the topic of its `work`, and a name of its own."""
        topics = sorted(self._pool("agents")) if self._corpora else list(self.language["en"]["topics"])
        return f"{rng.choice(topics)}/{grammar.coined(rng, 2)}"

    def work(self, rng: Random, repository: str) -> str:
        """One turn of agent work in a repository: a task, or a tool's output."""
        words, (topic, name) = self.language["en"], repository.split("/")
        fill = {**self.fills(rng, words, topic), "name": [name, f"{name}_{topic}"], "house": [name]}
        if self._corpora:
            parts = [rng.choice(self._drawn("agents", rng, topic))[:LONGEST]]
        else:
            parts = [grammar.expand(rng.choice(words["tasks"]["patterns"]), rng, fill)]
        local = Random(name)  # files and identifiers of a repository are its own, whatever the material
        names = [f"{name}/{grammar.coined(local, 1)}_{grammar.coined(local, 1)}.py" for _ in range(12)]
        parts += [f"{rng.choice(names)}:{rng.randrange(900)}: {grammar.expand(rng.choice(words['answer']['code']), rng, fill)}" for _ in range(rng.randrange(6))]
        return "\n".join(parts)

    def suite(self, rng: Random, size: int) -> list[str]:
        """The questions of a public suite, the same for everybody who runs it."""
        if self._corpora:
            pool = self._pool("suites")
            return [" ".join(item) for item in rng.sample([t for name in sorted(pool) for t in pool[name]], size)]
        words = self.language["en"]
        return [self.line(rng, words["problems"]["patterns"], rng.choice(list(words["topics"]))) for _ in range(size)]

    def job(self, use: str) -> str:
        """The next item of a job list: hardly ever the same twice."""
        if use not in self._decks:
            self._decks[use] = self._deck(use)
        item, rng = next(self._decks[use]), self._rng
        # Jobs come with more or less material, as people's questions do.
        if use == "engineering" and rng.random() < 0.6:
            return f"{item}\n{self.work(rng, self.repository(rng))}"
        if rng.random() < 0.3:
            return f"{item}\n\n{next(self._decks[use])}"
        return item

    def _deck(self, use: str) -> Iterator[str]:
        rng = Random(f"{use}{self._rng.random()}")
        if self._corpora:
            pool = self._pool(use)
            texts = [" ".join(text)[:LONGEST] for name in sorted(pool) for text in pool[name]]
            while True:
                rng.shuffle(texts)
                yield from texts
        words = self.language["en"]
        patterns = {"reasoning": words["problems"], "engineering": words["tasks"], "grading": words["problems"], "sensitive": words["sensitive"]}[use]["patterns"]
        while True:
            item = self.line(rng, patterns, rng.choice(list(words["topics"])))
            if use == "grading":
                item += "\n" + self.line(rng, words["answer"]["plain"], rng.choice(list(words["topics"]))) * 2
            yield item

    def wrapper(self, rng: Random, tasks: tuple[str, ...], cares: int = 2, topic: str = "", system: float = 0.4) -> Wrapper:
        """A wording of its own around a slot: role, rules, task; in the system prompt, before the slot, or around it."""
        wrap = self.language["en"]["wrap"]
        fill = self.fills(rng, self.language["en"], topic)
        lines = [grammar.expand(rng.choice(wrap["role"]), rng, fill)] if rng.random() < 0.7 else []
        lines += [grammar.expand(rng.choice(wrap["task"][task]), rng, fill) for task in tasks]
        lines += [grammar.expand(pattern, rng, fill) for pattern in rng.sample(wrap["care"], min(cares, len(wrap["care"])))]
        lead = grammar.expand(rng.choice(wrap["lead"]), rng, fill)
        fixed, place = rng.choice((" ", "\n", "\n- ")).join(lines), rng.random()
        if place < system:
            return lambda slot: (fixed, f"{lead}\n{slot}")
        if place < system + 0.15:
            return lambda slot: (None, f"{lead}\n{slot}\n\n{fixed}")
        return lambda slot: (None, f"{fixed}\n\n{lead}\n{slot}")


def _kind(text: str) -> str:
    """What kind of answer a prompt from a corpus asks for."""
    low = text.lower()
    if "```" in text or "code" in low or "function" in low:
        return "code"
    if "step" in low or "explain" in low or "why" in low or "推理" in text:
        return "reason"
    return "short" if len(text) < 40 else "prose"


def _read(folder: Path, source: str) -> list[list[str]]:
    """Texts of a corpus: whole conversations where it has them, single texts elsewhere."""
    path = folder / f"{source}.parquet"
    try:
        table = pq.read_table(path, columns=["text", "meta"])
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        raise UserError("is no corpus with columns text and meta", str(path), "name the folder of the corpora with --corpora") from error
    grouped: dict[str, list[str]] = {}
    for i, (text, meta) in enumerate(zip(table["text"].to_pylist(), table["meta"].to_pylist(), strict=True)):
        if text and text.strip():
            told = json.loads(meta or "{}")
            grouped.setdefault(str(told.get("conv") or told.get("session") or i), []).append(text[:LONGEST])
    return list(grouped.values())


def _by_topic(texts: list[list[str]]) -> dict[str, list[list[str]]]:
    """Texts by their most telling word: rarer than common, commoner than rare. Accounts that keep to a few such words have a topic."""
    words = [set(TOPIC_WORDS.findall(" ".join(text).lower()[:1500])) for text in texts]
    spread = Counter(word for have in words for word in have)
    most = max(40, len(texts) // 60)
    topics: dict[str, list[list[str]]] = {}
    for text, have in zip(texts, words, strict=True):
        telling = [word for word in have if 12 <= spread[word] <= most]
        topics.setdefault(max(telling, key=lambda word: (spread[word], word), default=""), []).append(text)
    named = {name: found for name, found in topics.items() if name and len(found) >= 8}
    return named or {"": texts}
