"""Sentences with choices: `{a|b|{c|d}}` picks one, `<name>` is filled from what the caller knows.

The small corpus that ships with the project is written in this form (words/*.toml, one file a language), so that a
few pages of original sentences give far more than 100,000 distinct prompts, and every seed has wordings of its own.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from random import Random
from typing import Any

Node = str | tuple["Node", ...] | list["Node"]


def _parse(text: str, at: int, inside: bool) -> tuple[tuple[Any, ...], int, str]:
    """Parts up to the end, or up to '|' or '}' inside a choice: (parts, where it stopped, the stopping sign)."""
    parts: list[Any] = []
    run = at
    while at < len(text):
        sign = text[at]
        if inside and sign in "|}":
            if at > run:
                parts.append(text[run:at])
            return tuple(parts), at, sign
        if sign == "{":
            if at > run:
                parts.append(text[run:at])
            options = []
            while True:
                option, at, stop = _parse(text, at + 1, True)
                options.append(option)
                if stop != "|":
                    break
            parts.append(options)
            run = at + 1
        elif sign == "<" and (end := text.find(">", at)) > 0 and text[at + 1 : end].isidentifier():
            if at > run:
                parts.append(text[run:at])
            parts.append(("<", text[at + 1 : end]))
            at = end
            run = at + 1
        at += 1
    if at > run:
        parts.append(text[run:at])
    return tuple(parts), at, ""


@lru_cache(maxsize=20_000)
def _tree(pattern: str) -> tuple[Any, ...]:
    return _parse(pattern, 0, False)[0]


def _walk(parts: tuple[Any, ...], rng: Random, fill: Mapping[str, Any], out: list[str]) -> None:
    for part in parts:
        if isinstance(part, str):
            out.append(part)
        elif isinstance(part, list):
            _walk(part[int(rng.random() * len(part))], rng, fill, out)
        else:
            value = fill[part[1]]
            if isinstance(value, list | tuple):
                value = value[int(rng.random() * len(value))]
            elif callable(value):
                value = value(rng)
            out.append(value)


def expand(pattern: str, rng: Random, fill: Mapping[str, Any] | None = None) -> str:
    """One sentence of a pattern. `fill` maps a name to a text, a list to choose from, or a function of the generator."""
    out: list[str] = []
    _walk(_tree(pattern), rng, fill or {}, out)
    return "".join(out)


@lru_cache(maxsize=32)
def language(code: str) -> dict[str, Any]:
    """The words of a language: patterns by purpose, topics with their terms."""
    return tomllib.loads((files("stillwatch.drill") / "words" / f"{code}.toml").read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """Codes of the languages at hand, found by their files."""
    here = files("stillwatch.drill") / "words"
    return tuple(sorted(each.name[:-5] for each in here.iterdir() if each.name.endswith(".toml")))


ONSETS = [
    "b",
    "br",
    "c",
    "ch",
    "d",
    "dr",
    "f",
    "g",
    "gl",
    "h",
    "j",
    "k",
    "kr",
    "l",
    "m",
    "n",
    "p",
    "pl",
    "qu",
    "r",
    "s",
    "sk",
    "st",
    "t",
    "tr",
    "v",
    "w",
    "y",
    "z",
    "th",
    "sh",
    "v",
]
VOWELS = ["a", "e", "i", "o", "u", "ai", "ea", "io", "oa", "au", "y"]
CODAS = ["n", "r", "l", "s", "x", "m", "d", "t", "k", "rn", "lt", "sk", "nd", "v", "nt", "ph"]


def coined(rng: Random, syllables: int = 2) -> str:
    """A made-up name: of a firm, a product, a repository, a person's project."""
    parts = []
    for i in range(syllables):
        parts.append(rng.choice(ONSETS) + rng.choice(VOWELS))
        if i == syllables - 1 or rng.random() < 0.3:
            parts.append(rng.choice(CODAS))
    return "".join(parts)
