"""A model's name under what clouds and gateways put around it."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MAKER = re.compile(r"^(?:(?:us|eu|apac|jp|au|global|[a-z]{2}-[a-z]+-\d)\.)?[a-z]+\d*\.(?=[a-z])")
"Region and maker that a cloud puts in front of a model's name."

_EDITION = re.compile(r"(?:-v\d+)?(?:[-@](?:latest|\d{8}|\d{4}-\d{2}-\d{2}))?(?:-v\d+)?(?::\d+)?$")
"Date and edition at the end of a model's name."


def plain(model: str) -> str:
    """A model's name without what clouds and gateways put around it; dots in numbers are dashes.

    >>> plain("us.anthropic.claude-opus-4-5-20251101-v1:0"), plain("openai/gpt-4.1"), plain("GPT-5-2025-08-07"), plain("orion-5*")
    ('claude-opus-4-5', 'gpt-4-1', 'gpt-5', 'orion-5*')
    """
    name = _MAKER.sub("", model.strip().lower().rpartition("/")[2])
    return re.sub(r"(?<=\d)\.(?=[\d*?])", "-", _EDITION.sub("", name))


def asked_as(names: Sequence[str], model: str) -> list[str]:
    """The names under which a log asks a model: its own name where that occurs, else every name that is plainly the same.

    >>> asked_as(["orion-5", "us.maker.orion-5-20260205-v1:0", "orion-4"], "orion-5-20260205")
    ['orion-5', 'us.maker.orion-5-20260205-v1:0']
    """
    return [model] if model in names else [name for name in names if plain(name) == plain(model)]
