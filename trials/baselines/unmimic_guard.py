"""`unmimic` 0.1.0's input guard, request by request, with another sentence model than its own.

Its attack families, hard negatives, cutting into sentences, classifier, attack memory and thresholds are the package's own. Two things cannot be had from a package registry and are
replaced: its multilingual sentence model (here any function from texts to unit vectors) and the 10,000 WildChat prompts that it learns normal requests from (here given by
the caller). So its rates here are not its published ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from unmimic.corpus import load_families
from unmimic.guards.input.extraction import FLAG_THRESHOLD, MEMORY_THRESHOLD, ExtractionGuard, chunks
from unmimic.guards.input.memory import AttackMemory
from unmimic.guards.input.stage1 import Stage1
from unmimic.resources import bundled

Embed = Callable[[list[str]], NDArray[Any]]


def guard(embed: Embed, normal: list[str]) -> ExtractionGuard:
    """A guard that has learned the package's attacks and hard negatives, and these normal requests."""
    families = load_families(bundled("attacks/public"))
    hard = [str(each) for each in yaml.safe_load(bundled("benign/hard_negatives.yaml").read_text(encoding="utf-8"))["prompts"]]
    attacks = embed([example for family in families for example in family.examples])
    benign = embed([piece for text in [*hard, *normal] for piece in chunks(text)])
    made = ExtractionGuard.__new__(ExtractionGuard)  # its own constructor would download the model
    made.stage1 = Stage1().fit(attacks, benign)
    made.memory = AttackMemory(attacks, [family.name for family in families for _ in family.examples], benign)
    made.flag_threshold, made.memory_threshold = FLAG_THRESHOLD, MEMORY_THRESHOLD
    return made


def actions(guard: ExtractionGuard, embed: Embed, requests: list[str]) -> list[str]:
    """'allow', 'flag' or 'block' for each request."""
    pieces = [chunks(text) for text in requests]
    vectors, ends = embed([piece for each in pieces for piece in each]), np.cumsum([len(each) for each in pieces])
    return [guard.decide(vectors[end - len(each) : end]).action if each else "allow" for each, end in zip(pieces, ends.tolist(), strict=True)]
