"""How much is drawn from each request: answers up to the limit, several answers, probabilities."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.features.declare import Feature, Floats, Groups
from stillwatch.features.rows import number

AT_LIMIT = ("length", "max_tokens", "max_output_tokens", "model_length", "token_limit")
"Finish reasons of an answer that was cut at its limit, as the providers name them, in small letters."


def cut_off(groups: Groups) -> Floats:
    """Share of the answers that ended at the limit: by their finish reason, or as long as the request allowed."""
    finish = groups.traffic.column("finish")
    known = np.asarray(finish.is_valid())[groups.calls]
    at_limit = np.asarray(pc.fill_null(pc.is_in(pc.utf8_lower(finish), pa.array(AT_LIMIT)), False))[groups.calls]
    answers = np.maximum(1.0, np.nan_to_num(number(groups, "n"), nan=1.0))
    full = number(groups, "output_tokens") >= number(groups, "max_tokens") * answers
    return groups.share(at_limit | full, known)


def alternatives_asked(groups: Groups) -> Floats:
    """Share of calls that ask for several answers, log-probabilities, or bias single tokens.

    Where a log carries request parameters at all (max_tokens is the commonest), one that a call does not set was not asked for.
    """
    several = np.nan_to_num(number(groups, "n"), nan=1.0) > 1
    flags = [np.nan_to_num(number(groups, name), nan=0.0) > 0 for name in ("logprobs", "logit_bias")]
    return groups.share(several | flags[0] | flags[1])


_ROWS: list[dict[str, object]] = [
    {"finish": "length", "max_tokens": 50, "output_tokens": 50, "n": 1},
    {"finish": "stop", "max_tokens": 50, "output_tokens": 60, "n": 2},
    {"finish": "stop", "max_tokens": 50, "output_tokens": 50, "logprobs": True},
    {"finish": "stop", "output_tokens": 9, "logit_bias": False},
]

FEATURES = (
    Feature("cut_off", "share of answers", "answers end where they are done", "every answer runs into its limit", ("finish",), cut_off, (_ROWS, 0.5)),
    Feature(
        "alternatives_asked", "share of calls", "one answer, as it comes", "every call asks for several answers, probabilities or a bias",
        ("max_tokens",), alternatives_asked, (_ROWS, 0.5),
    ),
)  # fmt: skip
