"""Pairs of normal and attacking texts, analogues of the fourteen of arXiv 2606.05725 (its own texts cannot be had here).

Every text is stripped of the wrapper that its corpus puts around it, so that no pair is told by a template. Texts stay in memory.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq


@dataclass(frozen=True)
class Pair:
    """One kind of normal traffic and one kind of attacking texts."""

    name: str
    kind: str
    "Kind of scenario in the paper that it stands for."
    like: str
    "The paper's pairs that it is an analogue of."
    normal: Callable[[Path], list[str]]
    attacking: Callable[[Path], list[str]]
    developed: bool = False
    "Whether our own row was developed on it: then it does not count."
    akin: bool = False
    "Whether it shares a side with a developed one."


def _rows(corpora: Path, name: str) -> list[dict[str, Any]]:
    return pq.read_table(corpora / f"{name}.parquet", columns=["text", "lang", "meta"]).to_pylist()


def _whole(name: str) -> Callable[[Path], list[str]]:
    return lambda corpora: [row["text"] for row in _rows(corpora, name)]


def _lines(corpora: Path) -> list[str]:
    """Sentences of film reviews: one a line in this corpus."""
    return [line.strip() for row in _rows(corpora, "docs_movie_reviews") for line in row["text"].split("\n") if len(line.split()) >= 5]


def _english_wiki(corpora: Path) -> list[dict[str, Any]]:
    return [row for row in _rows(corpora, "docs_xquad") if row["lang"] == "en"]


def _wiki_sentences(corpora: Path) -> list[str]:
    return [each for row in _english_wiki(corpora) for each in re.split(r"(?<=[.?!]) +", row["text"]) if len(each.split()) >= 5]


def _wiki_questions(corpora: Path) -> list[str]:
    return [question for row in _english_wiki(corpora) for question in json.loads(row["meta"])["questions"]]


def _web_sentences(corpora: Path) -> list[str]:
    """English sources of a translation task: news, reviews, talk; the request to translate them is cut off."""
    bodies = {row["text"].split("\n\n", 1)[-1] for row in _rows(corpora, "translate_wmt23") if json.loads(row["meta"])["pair"].startswith("en-")}
    return sorted(each for each in bodies if len(each.split()) >= 5)


def _question_of(name: str) -> Callable[[Path], list[str]]:
    """The question of an examination, without the suite's wrapper and the choices."""

    def read(corpora: Path) -> list[str]:
        bodies = (row["text"].split("\n\n", 1)[-1] for row in _rows(corpora, name))
        return [re.split(r"\nA\. ", body)[0].strip() for body in bodies]

    return read


def _word_problems(corpora: Path) -> list[str]:
    return [row["text"].removeprefix("Question: ").removesuffix("\nAnswer:") for row in _rows(corpora, "eval_math_word")]


def _random_words(corpora: Path) -> list[str]:
    """As many words as a sentence has, drawn with the frequencies of an encyclopedia's words (Krishna et al., ICLR 2020, RANDOM)."""
    rng = random.Random(20200426)
    sentences = _wiki_sentences(corpora)
    words = [word for sentence in sentences for word in sentence.split()]
    return [" ".join(rng.choices(words, k=len(rng.choice(sentences).split()))) for _ in range(4_000)]


PAIRS: tuple[Pair, ...] = (
    Pair("news / random words", "random words", "ME-BERT random", _whole("docs_agnews"), _random_words, developed=True),
    Pair("chat / made code tasks", "made instructions", "query-efficient", _whole("sharegpt"), _whole("codealpaca"), developed=True),
    Pair("examination / medicine, Chinese", "domain questions", "query-efficient medicine", _question_of("eval_ceval"), _whole("huatuo_zh"), developed=True),
    Pair("reviews / random words", "random words", "ME-BERT sst2 random", _lines, _random_words, akin=True),
    Pair("reviews / encyclopedia", "sentences of another domain", "ME-BERT sst2 wiki", _lines, _wiki_sentences),
    Pair("bank customers / encyclopedia questions", "sentences of another domain", "ME-BERT boolq wiki", _whole("docs_banking77"), _wiki_questions),
    Pair("news / web sentences", "retrieved for the task", "MeaeQ AGNEWS", _whole("docs_agnews"), _web_sentences, akin=True),
    Pair("reviews / web sentences", "retrieved for the task", "MeaeQ IMDB, SST-2", _lines, _web_sentences),
    Pair("chat / made instructions", "made instructions", "Model Leeching, query-efficient", _whole("sharegpt"), _whole("alpaca_en"), akin=True),
    Pair("bank customers / made tool requests", "made instructions", "query-efficient", _whole("docs_banking77"), _whole("metatool")),
    Pair("examination / mathematics", "domain questions", "query-efficient medicine", _question_of("eval_mmlu"), _whole("deepscaler_math")),
    Pair("word problems / word problems", "domain questions", "ME-BERT squad wiki", _word_problems, _whole("gsm8k_train_metamath")),
)
"Twelve pairs of five kinds. Three were for development; nine judge, of which six share no side with the three."


@cache
def texts(pair: Pair, corpora: Path, normal: int, attacking: int) -> tuple[list[str], list[str]]:
    """At most so many distinct texts of each side, drawn once with a fixed seed; texts that both sides have are left out of the attacking one."""
    ours = sorted({each.strip() for each in pair.normal(corpora) if each.strip()})
    theirs = sorted({each.strip() for each in pair.attacking(corpora) if each.strip()} - set(ours))
    for seed, side in enumerate((ours, theirs)):
        random.Random(seed).shuffle(side)
    return ours[:normal], theirs[:attacking]
