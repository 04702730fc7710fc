"""How much is drawn from each request: answers up to the limit, several answers, probabilities."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.features.declare import Feature, Floats, Groups
from stillwatch.features.rows import number, pack
from stillwatch.traffic import NONE

AT_LIMIT = ("length", "max_tokens", "max_output_tokens", "model_length", "token_limit")
"Finish reasons of an answer that was cut at its limit, as the providers name them, in small letters."


LEAST_TRIES = 5
"Times that one question must come with a bias to be swept: a bias reads off one token's probability, so a sweep needs many."


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


def bias_sweep(groups: Groups) -> Floats:
    """Share of calls that bias single tokens for a prompt that the group asks so at least LEAST_TRIES times: the same question, another bias each time."""
    biased, prompt = np.nan_to_num(number(groups, "logit_bias"), nan=0.0) > 0, groups.traffic.prompt[groups.calls]
    rows = np.flatnonzero(biased & (prompt != NONE))
    _, cell, tries = np.unique(pack(groups.label[rows], prompt[rows]), return_inverse=True, return_counts=True)
    swept = np.zeros(len(groups.label), np.bool_)
    swept[rows] = tries[cell] >= LEAST_TRIES
    return groups.share(swept)


_ROWS: list[dict[str, object]] = [
    {"finish": "length", "max_tokens": 50, "output_tokens": 50, "n": 1},
    {"finish": "stop", "max_tokens": 50, "output_tokens": 60, "n": 2},
    {"finish": "stop", "max_tokens": 50, "output_tokens": 50, "logprobs": True},
    {"finish": "stop", "output_tokens": 9, "logit_bias": False},
]

_SWEEP: list[dict[str, object]] = [{"prompt": 1, "logit_bias": True} for _ in range(6)]
_SWEEP += [{"prompt": i, "logit_bias": True} for i in range(2, 6)]
_SWEEP += [{"prompt": 9} for _ in range(6)]
"One question six times with a bias, four questions once with one, and one six times without."

FEATURES = (
    Feature("cut_off", "share of answers", "answers end where they are done", "every answer runs into its limit", ("finish",), cut_off, (_ROWS, 0.5)),
    Feature(
        "alternatives_asked", "share of calls", "one answer, as it comes", "every call asks for several answers, probabilities or a bias",
        ("max_tokens",), alternatives_asked, (_ROWS, 0.5),
    ),
    Feature(
        "bias_sweep", "share of calls", "no question comes twice with a bias", "every call repeats a question under another bias",
        ("logit_bias", "prompt"), bias_sweep, (_SWEEP, 0.375),
    ),
)  # fmt: skip
