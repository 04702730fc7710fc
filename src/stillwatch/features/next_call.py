"""What follows a call: whether the next prompt takes up the answer, and whether a refused job comes back another way."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from stillwatch.features.declare import Feature, Floats, Groups
from stillwatch.features.rows import HOUR, code, mean, next_calls, number, pack, thinned
from stillwatch.sketch.text import ANSWER_TERMS, TERMS
from stillwatch.traffic import NONE, Ints, Traffic

LEAST_PAIRS, MOST_PAIRS = 30, 256
"Pairs of calls from which following can be told, and pairs of a group that are looked at, evenly spaced."

LEAST_REFUSED, SOON = 5, HOUR
"Fewest refused calls from which coming back is a habit, and how soon that is."

REFUSED = (403, 429)
"Statuses of a caller that is stopped: forbidden, or too many requests."


def _padded(traffic: Traffic, name: str, calls: Ints, width: int) -> Ints:
    """The hashes of a list column as a matrix of calls x width, NONE where there is none (hashes of words are never negative)."""
    column = traffic.column(name).combine_chunks().take(calls)
    lengths: Ints = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
    out = np.full((len(calls), width), NONE)
    at = np.arange(width) < lengths[:, None]
    values = column.flatten().to_numpy(zero_copy_only=False)
    inside = np.arange(len(values)) - np.repeat(np.cumsum(lengths) - lengths, lengths) < width
    out[at] = values[inside]
    return out


def _in_common(prompts: Ints, answers: Ints) -> Floats:
    """How many words of each answer's sample stand in the prompt's sample beside it."""
    common = np.zeros(len(prompts))
    for column in answers.T:
        common += (prompts == column[:, None]).any(axis=1) & (column != NONE)
    return common


def _places(group: Ints, count: int) -> tuple[Ints, Ints, Ints]:
    """Of ascending groups: how many rows each has, where it starts, and the place of each row in its own."""
    size = np.bincount(group, minlength=count)
    start = np.cumsum(size) - size
    return size, start, np.arange(len(group)) - start[group]


def taken_up(groups: Groups) -> Floats:
    """Share of an answer's words that the next prompt of the conversation takes up, beyond what chance gives.

    The answers are those of the group's calls; the next prompt counts whether or not it is the group's.
    Chance is measured on pairs pulled apart: the same prompts beside answers from half a group away, so that what a group
    always talks about cancels. 0 or below: no prompt depends on the answer before it.
    """
    count = groups.count
    follows = next_calls(groups.traffic)[groups.calls]
    words_known = np.asarray(pc.greater(pc.fill_null(pc.list_value_length(groups.traffic.column("answered")), 0), 0))
    use = (follows != NONE) & words_known[groups.calls]
    group, before, after = groups.label[use], groups.calls[use], follows[use]
    size, _, place = _places(group, count)
    most = np.minimum(size, MOST_PAIRS)[group]
    keep = (place * most) // size[group] != ((place - 1) * most) // size[group]
    group, before, after = group[keep], before[keep], after[keep]
    size, start, place = _places(group, count)
    apart = start[group] + (place + size[group] // 2) % size[group]
    prompts = _padded(groups.traffic, "terms", after, TERMS)
    answers = _padded(groups.traffic, "answered", before, ANSWER_TERMS)
    words = np.bincount(group, weights=(answers != NONE).sum(axis=1), minlength=count)
    beyond = np.bincount(group, weights=_in_common(prompts, answers) - _in_common(prompts, answers[apart]), minlength=count)
    known = (size >= LEAST_PAIRS) & (words > 0) & ~thinned(groups)
    return np.asarray(np.divide(beyond, words, out=np.full(count, np.nan), where=known), np.float64)


def failover(groups: Groups) -> Floats:
    """Share of calls stopped with 403 or 429 whose very prompt comes within the hour by another account, path or model of the group."""
    traffic = groups.traffic
    ts, status = traffic.ts[groups.calls], number(groups, "status")
    job = traffic.prompt[groups.calls]
    way = pack(traffic.account[groups.calls], code(groups, "path"), code(groups, "model"))
    way = np.unique(way, return_inverse=True)[1].astype(np.int64)
    name = traffic.column("call").to_numpy()[groups.calls]
    rows = np.flatnonzero(job != NONE)
    rows = rows[np.lexsort((name[rows], ts[rows], job[rows], groups.label[rows]))]
    label, job, way, when = groups.label[rows], job[rows], way[rows], ts[rows]
    stopped = np.flatnonzero(np.isin(status[rows], REFUSED))
    same_job = (label[1:] == label[:-1]) & (job[1:] == job[:-1])
    turns = np.append(~(same_job & (way[1:] == way[:-1])), True)
    # The first call after a run of the same job by the same way: it is by another way, if it is still the same job.
    end = np.minimum.accumulate(np.where(turns, np.arange(len(rows)), len(rows))[::-1])[::-1][stopped] + 1
    other = np.minimum(end, len(rows) - 1)
    came = (end < len(rows)) & (label[other] == label[stopped]) & (job[other] == job[stopped]) & (when[other] - when[stopped] <= SOON)
    owner = label[stopped]
    share = mean(groups.count, owner, came.astype(np.float64))
    return np.where((np.bincount(owner, minlength=groups.count) >= LEAST_REFUSED) & ~thinned(groups), share, np.nan)


def _talk(depends: bool) -> list[dict[str, object]]:
    """31 calls of one conversation; each answer has four words, of which the next prompt takes up one, or none."""
    return [
        {"session": 1, "ts": i, "terms": [7, 8, *([100 + 4 * (i - 1)] if depends and i else [])], "answered": [7, *(100 + 4 * i + j for j in range(3))]}
        for i in range(31)
    ]


_STOPPED = [
    {"account": 1, "ts": i * 10**9, "prompt": i, "status": 429, "path": "native"} for i in range(5)
] + [
    {"account": 1, "ts": 10**6, "prompt": 0, "status": 429, "path": "native"},
    {"account": 2, "ts": 2 * 10**6, "prompt": 0, "status": 200, "path": "native"},
    {"account": 1, "ts": 10**9 + 5, "prompt": 1, "status": 200, "path": "cloud"},
    {"account": 1, "ts": 2 * 10**9 + 5, "prompt": 2, "status": 200, "path": "native"},
    {"account": 3, "ts": 3 * 10**9 + 2 * HOUR, "prompt": 3, "status": 200, "path": "native"},
]  # fmt: skip
"Six stops: two of job 0 and one of job 1 come by another way at once, job 2 by the same way, job 3 too late, job 4 never."

FEATURES = (
    Feature(
        "taken_up", "share of words", "no prompt depends on the answer before it", "prompts take up what was answered",
        ("terms", "answered"), taken_up, (_talk(True), 0.25),
    ),
    Feature(
        "failover", "share of stops", "a stopped job waits or is given up", "a stopped job comes at once by another account, path or model",
        ("prompt", "status"), failover, (_STOPPED, 0.5),
    ),
)  # fmt: skip
