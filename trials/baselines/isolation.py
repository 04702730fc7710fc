"""Isolation forest (Liu, Ting, Zhou: "Isolation forest", ICDM 2008; scikit-learn's) on what an account's metadata say: volume, hours, addresses, models, lengths, parameters.

It learns from the history's accounts where there is a history, and from the log's own otherwise. No text, country, language, name or domain is a feature.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from baselines.accounts import Floats, Ints, Log
from baselines.volume import DAY, busiest_day

TREES = 200
HOUR = DAY // 24

MEANS = (
    "max_tokens",
    "temperature",
    "n",
    "tools",
    "turns",
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cached_tokens",
    "images",
    "stream",
    "logprobs",
)
"Columns whose mean is a feature, and whether they are given at all."

VARIETY = ("ip", "network", "user_agent", "model", "key", "session", "system", "prompt", "headers", "end_user")
"Kinds of object of which the number of different ones a call is a feature."


def _mean(log: Log, values: Floats) -> Floats:
    """Mean of each account, NaN where nothing is given."""
    given = np.isfinite(values)
    count = np.bincount(log.of[given], minlength=len(log.names))
    total = np.bincount(log.of[given], weights=values[given], minlength=len(log.names))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _column(log: Log, name: str) -> Floats:
    return np.asarray(pc.fill_null(log.calls[name].cast(pa.float64()), float("nan")).to_numpy(), np.float64)


def entropy(accounts: int, who: Ints, what: Ints) -> Floats:
    """Shannon's entropy (bits) of what each account's calls have: 0 when always the same, more when spread evenly over many. What is -1 does not count."""
    has = what >= 0
    pairs, count = np.unique(np.stack([who[has], what[has]]), axis=1, return_counts=True)
    share = count / np.bincount(who[has], minlength=accounts)[pairs[0]]
    return np.bincount(pairs[0], weights=-share * np.log2(share), minlength=accounts).astype(np.float64)


def _different(log: Log, kind: str) -> Floats:
    of = log.objects(kind).of
    pairs = np.unique(np.stack([log.of[of >= 0], of[of >= 0]]), axis=1)
    return np.log1p(np.bincount(pairs[0], minlength=len(log.names)) / log.count)


def _pace(log: Log) -> tuple[Floats, Floats]:
    """Mean log10 of the seconds between an account's calls, and how much it varies (standard deviation); NaN with one call."""
    order = np.lexsort((log.ts, log.of))
    who, gaps = log.of[order], np.log10(np.maximum(np.diff(log.ts[order]) / 1e6, 1e-3))
    same = np.diff(who) == 0
    who, gaps = who[1:][same], gaps[same]
    count = np.bincount(who, minlength=len(log.names))
    mean = np.bincount(who, weights=gaps, minlength=len(log.names)) / np.maximum(count, 1)
    square = np.bincount(who, weights=gaps**2, minlength=len(log.names)) / np.maximum(count, 1)
    return np.where(count > 0, mean, np.nan), np.where(count > 0, np.sqrt(np.maximum(square - mean**2, 0)), np.nan)


def features(log: Log) -> NDArray[np.float64]:
    """A row of numbers for each account; NaN where it is not known."""
    accounts = len(log.names)
    hours = (log.ts // HOUR) % 24
    lengths = np.asarray(pc.fill_null(pc.utf8_length(log.calls["prompt"]), -1).to_numpy(), np.float64)
    lengths = np.where(lengths < 0, np.nan, np.log1p(lengths))
    mean = _mean(log, lengths)
    replays = np.asarray(pc.is_valid(log.calls["reasoning_in"]).to_numpy(), np.float64)
    failed = np.asarray(pc.fill_null(pc.not_equal(log.calls["status"], 200), False).to_numpy(), np.float64)
    columns = [
        np.log1p(log.count),
        np.log1p(busiest_day(log)),
        entropy(accounts, log.of, hours),
        *(_mean(log, (hours // 6 == part).astype(np.float64)) for part in range(4)),
        *_pace(log),
        mean,
        np.sqrt(_mean(log, (lengths - mean[log.of]) ** 2)),
        *(entropy(accounts, log.of, log.objects(kind).of) for kind in ("model", "ip", "system", "user_agent")),
        *(_different(log, kind) for kind in VARIETY),
        _mean(log, replays),
        _mean(log, failed),
        _mean(log, (log.ts - _column(log, "signup_ts")) / DAY),
    ]
    for name in MEANS:
        values = _column(log, name)
        columns += [_mean(log, np.sign(values) * np.log1p(np.abs(values))), _mean(log, np.isfinite(values).astype(np.float64))]
    return np.stack(columns, axis=1)


def scores(log: Log, history: Log | None, seed: int) -> Floats:
    """How early an account is alone in random trees: 0 to 1, higher for rarer. What is unknown is the reference's median."""
    mine = features(log)
    past = mine if history is None else features(history)
    usual = np.array([np.median(column[np.isfinite(column)]) if np.isfinite(column).any() else 0.0 for column in past.T])
    filled, reference = (np.where(np.isfinite(each), each, usual) for each in (mine, past))
    return np.asarray(-IsolationForest(n_estimators=TREES, random_state=seed, n_jobs=1).fit(reference).score_samples(filled))
