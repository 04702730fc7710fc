"""What was taken: tokens, list price, what was paid for them, and how grave that is. Says nothing of guilt.

Severity grades size, evidence grades certainty, and neither is worked into the other: an alert may be small, a watch may be huge.
Figures are of the core calls that the log holds; a log that keeps a sample of its calls shows that part of the whole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stillwatch.records import Context
from stillwatch.sketch.lexicon import CAPABILITIES
from stillwatch.sketch.model_names import plain
from stillwatch.traffic import Bools, Fact, Ints, Traffic

TOKENS_A_WORD = (4, 3)
"Tokens in a word or ideograph, as a fraction: the rule of thumb that 75 English words are 100 tokens."

REASONING = 0b100001
"Bits of `delivered` that are reasoning: written out, and in inline tags."

GRADES = ("low", "medium", "high", "severe")
"Severity, least first."

TOKENS = (1_000_000, 100_000_000, 1_000_000_000)
"""Generated tokens from which severity is medium, high and severe. A thousand long traces (s1, Muennighoff et al. 2025) or 52,000
short answers (Alpaca, Taori et al. 2023) are some millions; 800,000 reasoned answers (DeepSeek-R1, 2025) are billions."""

DOLLARS = (500.0, 10_000.0, 100_000.0)
"List price from which severity is medium, high and severe, US dollars. Alpaca's answers cost less than 500."


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens of some models cost, US dollars."""

    pattern: str
    "Name of the models, as `plain` gives it; * and ? stand for any text and any letter."
    input: float
    "Request."
    output: float
    "Answer, hidden reasoning among it."
    cached: float | None
    "Part of the request that is read from a cache; None: as the rest of the request."
    as_of: str
    "Day on which the price held."


@dataclass(frozen=True, slots=True)
class Prices:
    """List prices. The first pattern that fits a model is its price; a model that none fits has an unknown price."""

    prices: tuple[Price, ...]
    "In the order in which they are tried."
    source: str
    "Where they come from, for the reader of a case."

    def of(self, model: str) -> Price | None:
        """The price of a model under the name that the log has for it, None when unknown."""
        name = plain(model)
        return next((price for price in self.prices if fnmatchcase(name, plain(price.pattern))), None)


@dataclass(frozen=True)
class _Column:
    """An integer column of the calls."""

    values: Ints
    "0 where unknown."
    known: Bools
    "Where the log tells."


def _column(traffic: Traffic, calls: Ints, name: str) -> _Column:
    array = traffic.column(name).combine_chunks().take(pa.array(calls))
    return _Column(pc.fill_null(array, 0).to_numpy().astype(np.int64), np.asarray(array.is_valid()))


@dataclass(frozen=True)
class _Tokens:
    """Tokens of each call."""

    asked: Ints
    "Request, what was cached among it; 0 where unknown."
    made: Ints
    "Answer and hidden reasoning; 0 where unknown."
    asked_known: Bools
    "Calls of whose request tokens or words are known."
    made_known: Bools
    "Calls of whose answer tokens, words or hidden reasoning are known."
    reasoning: Ints
    "Hidden reasoning alone."
    cached: Ints
    "Read from a cache."
    estimated: int
    "How many of all are estimated from words."

    @property
    def unknown(self) -> Bools:
        """Calls of which neither tokens nor words are known."""
        return ~(self.asked_known | self.made_known)


def counted_beside(traffic: Traffic) -> frozenset[str]:
    """Models whose hidden reasoning the log counts beside the tokens of the answer, not among them.

    Told by a call, anywhere in the log, that reasoned longer than its whole answer. Elsewhere reasoning counts as part of the answer,
    which can only say too little.
    """
    found: frozenset[str] = traffic.whole(BESIDE)
    return found


def _reasoning_longer(traffic: Traffic, context: Context) -> pa.Table:
    longer = pc.fill_null(pc.greater(traffic.column("reasoning_tokens"), traffic.column("output_tokens")), False)
    return pa.table({"model": pc.unique(traffic.column("model").filter(longer))})


BESIDE = Fact("reasoning beside", ("model", "reasoning_tokens", "output_tokens"), _reasoning_longer, lambda rows: frozenset(rows["model"].to_pylist()))
"Models of which a call reasoned longer than its whole answer."

FACTS = (BESIDE,)


def _tokens(traffic: Traffic, calls: Ints, beside: Bools) -> _Tokens:
    """Counted tokens, and where a count is missing, words times TOKENS_A_WORD. `beside`: calls whose reasoning is counted apart."""
    times, by = TOKENS_A_WORD
    sides: list[_Column] = []
    estimated = 0
    for name, words in (("input_tokens", "prompt_tokens"), ("output_tokens", "response_tokens")):
        counted, sketched = _column(traffic, calls, name), _column(traffic, calls, words)
        guess = np.where(counted.known, 0, -(-sketched.values * times // by))
        estimated += int(guess.sum())
        sides.append(_Column(counted.values + guess, counted.known | sketched.known))
    asked, answer = sides
    reasoning = _column(traffic, calls, "reasoning_tokens")
    beside = beside | ~_column(traffic, calls, "output_tokens").known
    cached = _column(traffic, calls, "cached_tokens")
    return _Tokens(
        asked.values, answer.values + np.where(beside, reasoning.values, 0), asked.known, answer.known | reasoning.known, reasoning.values,
        np.minimum(cached.values, asked.values), estimated,
    )  # fmt: skip


def _list_price(tokens: _Tokens, prices: list[Price | None], model: Ints) -> NDArray[np.float64]:
    """List price of each call, US dollars; NaN where the model's price is unknown (ends inside this file)."""
    table = [
        (np.nan,) * 3 if price is None else (price.input, price.output, price.input if price.cached is None else price.cached) for price in prices
    ]  # fmt: skip
    each = np.array(table, np.float64).reshape(-1, 3)[model]
    return np.asarray(((tokens.asked - tokens.cached) * each[:, 0] + tokens.made * each[:, 1] + tokens.cached * each[:, 2]) / 1e6, np.float64)


def _share(flags: Any, among: Any) -> float | None:
    whole = int(among.sum())
    return round(int((flags & among).sum()) / whole, 6) if whole else None


def _answers(traffic: Traffic, calls: Ints) -> float | None:
    """Share of calls that were answered, of those of which the log tells."""
    out, words, status = (_column(traffic, calls, name) for name in ("output_tokens", "response_tokens", "status"))
    spoken = out.known | words.known
    answered = np.where(spoken, (out.values > 0) | (words.values > 0), status.values < 400)
    return _share(answered, spoken | status.known)


def _reasoned(traffic: Traffic, calls: Ints) -> float | None:
    """Share of calls whose answer delivers reasoning or that carry reasoning tokens, of those of which the log tells."""
    delivered, hidden = _column(traffic, calls, "delivered"), _column(traffic, calls, "reasoning_tokens")
    return _share(((delivered.values & REASONING) != 0) | (hidden.values > 0), delivered.known | hidden.known)


def _capabilities(traffic: Traffic, calls: Ints, made: Ints) -> dict[str, float]:
    """Shares of generated tokens by what was asked for, largest first; calls without content left out."""
    column = _column(traffic, calls, "capability")
    weights = np.bincount(column.values[column.known], weights=made[column.known], minlength=len(CAPABILITIES))
    if weights.sum() <= 0:
        return {}
    order = np.lexsort((np.arange(len(weights)), -weights))
    return {CAPABILITIES[int(code)]: round(float(weights[code] / weights.sum()), 6) for code in order if weights[code] > 0}


def severity(made: int | None, dollars: float | None) -> tuple[str | None, str]:
    """Grade of what was taken, the graver of tokens and value, and a sentence that says why. No grade where neither is known.

    >>> severity(2_000_000, 40.0)
    ('medium', '2,000,000 generated tokens (medium from 1,000,000), list price 40 USD (medium from 500).')
    """
    if made is None and dollars is None:
        return None, "Neither generated tokens nor list price are known."
    by_tokens = 0 if made is None else sum(made >= step for step in TOKENS)
    by_value = 0 if dollars is None else sum(dollars >= step for step in DOLLARS)
    value = "list price unknown" if dollars is None else f"list price {dollars:,.0f} USD ({_step(by_value, DOLLARS)})"
    tokens = "Generated tokens unknown" if made is None else f"{made:,} generated tokens ({_step(by_tokens, TOKENS)})"
    return GRADES[max(by_tokens, by_value)], f"{tokens}, {value}."


def _step(grade: int, steps: tuple[float, ...]) -> str:
    at = max(grade, 1)
    return f"{GRADES[at]} from {steps[at - 1]:,.0f}"


def taken(traffic: Traffic, calls: Ints, prices: Prices, beside: frozenset[str] | None = None) -> dict[str, Any]:
    """What the calls took, as a case tells it. Unknown is None, and what has no known price is counted apart, never as free.

    `beside`: what `counted_beside` says of the log, for who asks more than once.

    Keys: calls; tokens_in (cached among them), tokens_out (hidden reasoning among them), tokens_reasoning, tokens_cached (each of the calls of which the
    log tells it); estimated_share (of tokens_in
    and tokens_out, from word counts); calls_without_tokens (neither tokens nor words known); list_price_usd (of the priced models), unpriced_calls and
    unpriced_models; charged_usd (where the log tells); unpaid_share (1 - charged / list price over calls with both, at least 0); with_reasoning_share
    and answers_share (of calls of which the log tells); capabilities (shares of tokens_out); severity and severity_text; prices (as_of of the oldest
    price used, source).
    """
    named = pc.fill_null(traffic.column("model"), "").combine_chunks().take(pa.array(calls)).dictionary_encode()
    model: Ints = named.indices.to_numpy().astype(np.int64)
    names = named.dictionary.to_pylist()
    found = [prices.of(name) for name in names]
    beside = counted_beside(traffic) if beside is None else beside
    tokens = _tokens(traffic, calls, np.array([name in beside for name in names], np.bool_)[model])
    value = _list_price(tokens, found, model)
    priced = ~np.isnan(value) & ~tokens.unknown
    worth = round(math.fsum(value[priced]), 6) if priced.any() else None
    cost = traffic.column("cost").combine_chunks().take(pa.array(calls))
    paid, told = pc.fill_null(cost, 0.0).to_numpy(), np.asarray(cost.is_valid())
    both = told & priced
    owed = math.fsum(value[both])
    asked = int(tokens.asked.sum()) if tokens.asked_known.any() else None
    made = int(tokens.made.sum()) if tokens.made_known.any() else None
    whole = (asked or 0) + (made or 0)
    grade, why = severity(made, worth)
    if worth is not None and np.isnan(value).any():
        why += f" The price of {int(np.isnan(value).sum()):,} further calls is unknown."
    used = [price.as_of for price in found if price is not None]
    return {
        "calls": len(calls),
        "tokens_in": asked,
        "tokens_out": made,
        "tokens_reasoning": _total(traffic, calls, "reasoning_tokens"),
        "tokens_cached": _total(traffic, calls, "cached_tokens"),
        "estimated_share": round(tokens.estimated / whole, 6) if whole else None,
        "calls_without_tokens": int(tokens.unknown.sum()),
        "list_price_usd": worth,
        "unpriced_calls": int(np.isnan(value).sum()),
        "unpriced_models": sorted(name for name, price in zip(names, found, strict=True) if price is None),
        "charged_usd": round(math.fsum(paid[told]), 6) if told.any() else None,
        "unpaid_share": round(max(0.0, 1 - math.fsum(paid[both]) / owed), 6) if owed > 0 else None,
        "with_reasoning_share": _reasoned(traffic, calls),
        "answers_share": _answers(traffic, calls),
        "capabilities": _capabilities(traffic, calls, tokens.made),
        "severity": grade,
        "severity_text": why,
        "prices": {"as_of": min(used, default=None), "source": prices.source},
    }


def _total(traffic: Traffic, calls: Ints, name: str) -> int | None:
    column = _column(traffic, calls, name)
    return int(column.values.sum()) if column.known.any() else None
