"""What is asked: the project's own small corpus in several languages, or corpora; wordings of applications and campaigns alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

from stillwatch.drill import corpora as corpus
from stillwatch.drill import grammar

WEIGHTS = {"prose": 5.0, "short": 2.0, "reason": 1.6, "code": 1.4}
"How often each kind of question is asked."


@dataclass(frozen=True)
class Wording:
    """What stays the same around a slot. Each piece has one form, or several that mean the same."""

    pieces: tuple[tuple[str, ...], ...]
    lead: str
    joint: str
    after: bool
    "Whether the instructions follow the slot when they share the prompt with it."

    def settled(self, rng: Random) -> Wording:
        """The wording in one of its forms, as one account has it."""
        return replace(self, pieces=tuple((rng.choice(piece),) for piece in self.pieces))

    def around(self, slot: str, through_system: bool) -> tuple[str | None, str]:
        """(system prompt, prompt) of one call: where instructions go is the client's habit, not the wording's."""
        fixed = self.joint.join(piece[0] for piece in self.pieces)
        if through_system:
            return fixed, f"{self.lead}\n{slot}" if self.lead else slot
        return None, f"{self.lead}\n{slot}\n\n{fixed}" if self.after else f"{fixed}\n\n{self.lead}\n{slot}"


@lru_cache(maxsize=50_000)
def _inside(repository: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Files and identifiers of a repository: its own, whatever the material."""
    local = Random(repository)
    files = [f"{repository}/{grammar.coined(local, 1)}_{grammar.coined(local, 2)}.{local.choice(('py', 'ts', 'go', 'rs', 'java', 'md'))}" for _ in range(14)]
    return tuple(files), tuple(grammar.coined(local, 2) for _ in range(25))


class Texts:
    """Prompts, documents, questions and wordings of one log. Every text of a corpus is dealt once before it comes again."""

    def __init__(self, seed: str, folder: Path | None, split: str) -> None:
        self._seed, self._folder, self._split = seed, folder, split
        self._pools: dict[str, corpus.Pool] = {}
        self._decks: dict[str, Iterator[str]] = {}
        self._fills: dict[tuple[str, str], dict[str, Any]] = {}
        names = Random(f"{seed}/names")
        self._names = [grammar.coined(names, 2).capitalize() for _ in range(600)]
        self.language = {code: grammar.language(code) for code in grammar.languages()}

    # -- words of the small corpus

    def words(self, language: str, *path: str) -> Any:
        """An entry of a language's words; English where the language has none of its own."""
        found: Any = self.language[language]
        for part in path:
            found = found.get(part) if isinstance(found, dict) else None
        return found if found is not None or language == "en" else self.words("en", *path)

    def fills(self, language: str, topic: str) -> dict[str, Any]:
        """What stands for `<name>` in a pattern."""
        if (language, topic) in self._fills:
            return self._fills[language, topic]
        topics = self.words(language, "topics")
        terms = topics.get(topic) or topics[sorted(topics)[sum(topic.encode()) % len(topics)]]
        small, big = (lambda r: str(r.randrange(2, 12))), (lambda r: str(r.randrange(12, 990)))
        criteria = self.words(language, "answer", "criteria")
        fill: dict[str, Any] = {
            **self.words("en", "fills"), **self.words(language, "fills"), "t": terms, "w": terms, "n": big, "k": small, "m": small, "x": small,
            "few": lambda r: str(r.randrange(2, 5)), "more": lambda r: str(r.randrange(5, 9)), "name": self._names, "house": self._names[:200],
            "tag": lambda r: grammar.coined(r, 1).upper(), "id": lambda r: grammar.coined(r, 1) + str(r.randrange(10)), "y": lambda r: str(r.randrange(1950, 2026)),
            "day": ("Monday", "Tuesday", "Friday", "Sunday"), "date": lambda r: f"{r.randrange(1, 29)}.{r.randrange(1, 13)}.", "labels": lambda r: ", ".join(r.sample(terms, min(len(terms), 4))), "label": terms,
            "criteria": lambda r: ", ".join(r.sample(criteria, 3)), "tongue": self.words(language, "answer", "tongue"),
        }  # fmt: skip
        for name in ("c", "who", "trade"):
            fill[name] = lambda r, options=tuple(fill[name]), own=fill: grammar.expand(r.choice(options), r, own)
        fill["problem"] = lambda r: grammar.expand(r.choice(self.words(language, "problems", "patterns")), r, fill)
        self._fills[language, topic] = fill
        return fill

    def line(self, rng: Random, language: str, topic: str, *path: str) -> str:
        """One line of a kind about a topic."""
        return grammar.expand(rng.choice(self.words(language, *path)), rng, self.fills(language, topic))

    def aside(self, rng: Random, patterns: list[str], language: str, topic: str) -> str:
        """One line of patterns that a member brings itself."""
        return grammar.expand(rng.choice(patterns), rng, self.fills(language, topic))

    # -- texts

    def topics(self) -> list[str]:
        """Names of topics that an account can have."""
        return self._pool("chat").topics if self._folder else list(self.words("en", "topics"))

    def _pool(self, use: str) -> corpus.Pool:
        if use not in self._pools:
            assert self._folder is not None
            self._pools[use] = corpus.read(self._folder, use, self._split, Random(f"{self._seed}/{use}"))
        return self._pools[use]

    def conversation(self, rng: Random, topic: str, language: str) -> list[tuple[str, str]]:
        """(prompt, kind of answer) of the turns of one conversation on a topic, at least one."""
        if self._folder and rng.random() < 0.95:
            told, other = self._pool("chat").draw(topic)
            if other is None:
                return [(turn, kind_of(turn)) for turn in told]
            # The deck has been dealt: the text comes again only within a question of its own.
            context = self.line(rng, language, topic, "fills", "c")
            return [(f"{turn}\n\n{context}. {other[i % len(other)][:400]}", kind_of(turn)) for i, turn in enumerate(told)]
        questions = self.words(language, "questions")
        fill = self.fills(language, topic)
        kinds = rng.choices(questions, [WEIGHTS[q["ask"]] for q in questions], k=1 + int(rng.expovariate(0.6)))
        return [(grammar.expand(rng.choice(kind["patterns"]), rng, fill), kind["ask"]) for kind in kinds]

    def document(self, rng: Random, topic: str, language: str) -> str:
        """A document of somebody's business on a topic."""
        if self._folder:
            told, other = self._pool("documents").draw(topic)
            text = " ".join(told)[: rng.choice((300, 700, 1500))]
            return text if other is None else f"{text}\n{self.line(rng, language, topic, 'docs', 'patterns')}\n{' '.join(other)[:700]}"
        return " ".join(self.line(rng, language, topic, "docs", "patterns") for _ in range(rng.randrange(2, 9)))

    def repository(self, rng: Random) -> str:
        """A repository: the topic of its `work`, and a name of its own."""
        return f"{rng.choice(self._pool('agents').topics if self._folder else list(self.words('en', 'topics')))}/{grammar.coined(rng, 3)}"

    def work(self, rng: Random, repository: str, language: str) -> tuple[str, str]:
        """One turn of agent work in a repository, a task or a tool's output; and what kind of answer it asks for."""
        topic, name = repository.split("/")
        files, words = _inside(name)
        fill = {**self.fills(language, topic), "name": [name, *words], "house": [name], "id": [f"{a}_{b}" for a, b in zip(words, words[3:], strict=False)]}
        patterns, code = self.words(language, "tasks", "patterns"), self.words("en", "answer", "code")
        if rng.random() < 0.4:
            parts, kind = [grammar.expand(rng.choice(patterns), rng, fill)], "code"
        elif self._folder:
            told, again = self._pool("agents").draw(topic)
            parts, kind = told if again is None else [], "code" if rng.random() < 0.5 else "prose"
        else:
            parts, kind = [f"{rng.choice(files)}: {grammar.expand(rng.choice(self.words(language, 'docs', 'patterns')), rng, fill)}"], "prose"
        parts = parts + [
            f"{rng.choice(files)}:{rng.randrange(900)}: {grammar.expand(rng.choice(code), rng, fill)}"
            for _ in range(int(rng.expovariate(1 / 5)) + (0 if parts else 6))
        ]
        return "\n".join(parts), kind if rng.random() < 0.75 else "reason"

    def suites(self) -> list[str]:
        """All questions of the public suites in the corpora; none without them."""
        return [" ".join(item) for item in self._pool("suites").every()] if self._folder else []

    def suite(self, rng: Random, size: int, language: str) -> list[str]:
        """The questions of a public suite, the same for everybody who runs it."""
        if self._folder:
            return [" ".join(item) for item in rng.sample(self._pool("suites").every(), size)]
        return [self.line(rng, language, rng.choice(self.topics()), "problems", "patterns") for _ in range(size)]

    def job(self, use: str, language: str = "en") -> str:
        """The next item of a job list: hardly ever the same twice."""
        name = f"{use}/{language}"
        if name not in self._decks:
            self._decks[name] = self._deck(use, language)
        return next(self._decks[name])

    def _deck(self, use: str, language: str) -> Iterator[str]:
        rng = Random(f"{self._seed}/{use}/{language}")
        patterns = {"reasoning": "problems", "engineering": "tasks", "grading": "questions", "sensitive": "sensitive"}[use]
        texts = [" ".join(text) for text in self._pool(use).every()] if self._folder else []
        rng.shuffle(texts)
        while True:
            topic = rng.choice(self.topics())
            if texts:
                item = texts.pop()
            elif patterns == "questions":
                item = grammar.expand(rng.choice(rng.choice(self.words(language, "questions"))["patterns"]), rng, self.fills(language, topic))
            else:
                item = self.line(rng, language, topic, patterns, "patterns")
            if use == "grading":
                answer = " ".join(self.line(rng, language, topic, "answer", "plain") for _ in range(rng.randrange(2, 6)))
                item = f"{item}\n\n{answer}"
            yield item

    def wording(self, rng: Random, tasks: tuple[str, ...], cares: int = 2, topic: str = "", language: str = "en", forms: int = 1) -> Wording:
        """A wording of its own around a slot: role, rules, task. Every application, library and campaign has its wordings from here."""
        fill = self.fills(language, topic or rng.choice(self.topics()))

        def piece(patterns: list[str]) -> tuple[str, ...]:
            pattern = rng.choice(patterns)
            return tuple(dict.fromkeys(grammar.expand(pattern, rng, fill) for _ in range(1 if rng.random() < 0.5 else forms)))

        pieces = [piece(self.words(language, "wrap", "role"))] if rng.random() < 0.7 else []
        care = self.words(language, "wrap", "care")
        rules = [piece([pattern]) for pattern in rng.sample(care, min(cares, len(care)))]
        for task in dict.fromkeys(tasks):  # a task asked for several times gives as many different sentences
            options = self.words(language, "wrap", "task", task)
            pieces += [piece([pattern]) for pattern in rng.sample(options, min(tasks.count(task), len(options)))]
        if rng.random() < 0.5:
            pieces += rules
        else:
            pieces[1:1] = rules
        lead = "" if rng.random() < 0.25 else grammar.expand(rng.choice(self.words(language, "wrap", "lead")), rng, fill)
        return Wording(tuple(pieces), lead, rng.choice((" ", "\n", "\n- ")), rng.random() < 0.2)


def kind_of(text: str) -> str:
    """What kind of answer a prompt from a corpus asks for."""
    low = text.lower()
    if "```" in text or "code" in low or "function" in low:
        return "code"
    if "step" in low or "explain" in low or "why" in low or "推理" in text or "为什么" in text:
        return "reason"
    return "short" if len(text) < 40 else "prose"
