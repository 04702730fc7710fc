"""The e-process of arrivals: its mean under the null, how seldom it ever crosses, its slow twin, and that cutting the log otherwise changes nothing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.alerts import Beside, evidence, raised
from stillwatch.evidence import strangers
from stillwatch.evidence.arrivals import EARLY, WINDOW, budget, crossing, log10_e
from stillwatch.linking.arriving import NOMINATING, Arriving
from stillwatch.linking.history import NOTHING
from worlds import World, highest, world

NOBODY = np.zeros(0, np.int64)


def _at(*calls: int) -> np.ndarray:
    """So many chances at the second, third... call and none later."""
    return np.array([0, *calls, *[0] * (WINDOW - 1 - len(calls))])


def test_the_mean_is_at_most_one_for_every_rate_that_does_not_rise() -> None:
    """Exactly, over all outcomes: six reference organisations and five of today's, each with a second and a third call."""
    for second, third in [(0.5, 0.5), (0.3, 0.1), (0.9, 0.0), (0.05, 0.05), (0.01, 0.0), (1.0, 1.0)]:
        chance = {0: (1 - second) * (1 - third), 2: second, 3: (1 - second) * third}
        mean = 0.0
        for old in range(7):
            carries = 1 - chance[0]
            weight = math.comb(6, old) * carries**old * chance[0] ** (6 - old)
            for at in itertools.product(chance, repeat=5):
                likely = weight * math.prod(chance[each] for each in at)
                events = np.array([each for each in at if each], np.int64)
                made = _at(5, 5 - at.count(2))
                mean += likely * 10 ** log10_e(events, made, np.full(old, 3), _at(6 - old, 6 - old)) if likely else 0.0
        assert 0 < mean <= 1, (second, third)


def _nulls(rng: np.random.Generator, rate: float) -> Iterator[tuple[float, float]]:
    """One wording in one stream of organisations that come one after another, each with one chance: (this e-process, the e-value for one look) after each from the nomination on."""
    reference, now, before = 150, 0, int(rng.binomial(150, rate))
    start = None
    for organisation in range(1, 151):
        now += rng.random() < rate
        if start is None:
            start = organisation if now == NOMINATING else None
            continue
        events = np.full(now - NOMINATING, 2)
        yield (
            log10_e(events, _at(organisation - start), np.full(before, 2), _at(reference - before)),
            strangers.log10_e(now, before, organisation / (organisation + reference)),
        )


def test_a_single_process_ever_crosses_as_seldom_as_promised() -> None:
    """Rates at which a wording just happens to be absent from the history are the worst. The e-value for one look, looked at all the time, breaks the promise."""
    rng = np.random.default_rng(11)
    for rate in (0.03, 0.1):
        paths = [list(_nulls(rng, rate)) for _ in range(200)]
        ever = [sum(max((step[which] for step in path), default=0) >= 1 for path in paths) for which in (0, 1)]
        assert ever[0] <= 200 * 0.1
        if rate == 0.03:
            assert ever[1] > 2 * ever[0]


@pytest.mark.parametrize("decline", [False, True], ids=["as the history", "half as readily"])
def test_in_exchangeable_worlds_nothing_crosses_more_often_than_promised(decline: bool) -> None:
    """Forty small worlds each; docs/streaming.md has more."""
    tops = [highest(world(seed, most=60, decline=decline), seed)[0] for seed in range(40)]
    assert sum(top >= 1 for top in tops) <= 40 * 0.1 and sum(top >= 2 for top in tops) <= 2
    assert max(tops) > -np.inf, "processes were followed"


def test_a_planted_wording_crosses_before_it_ends() -> None:
    """Forty organisations with a new wording among up to four hundred, against a history of at least a hundred; seen in most of such worlds, not in all."""
    worlds = [made for made in (world(seed, most=400, planted=40) for seed in range(3, 20)) if len(made.history.units) >= 100][:6]
    reached = [highest(made, seed)[2] for seed, made in enumerate(worlds)]
    assert all(len(planted) == 1 for planted in reached), "two wordings that one call nominates are one nominee"
    assert sum(value + math.log10(budget(number)) >= 2 for planted in reached for number, (_, value) in planted.items()) >= 4


def _stream(made: World, sizes: Iterator[int]) -> Arriving:
    arriving, at = Arriving(shown=np.zeros(1 << 16, np.uint8), last=np.zeros(1 << 16, np.uint8)), 0
    while at < made.marks.num_rows:
        size = next(sizes)
        arriving.add(made.marks.slice(at, size))
        at += size
    return arriving


def test_cutting_the_arrivals_otherwise_changes_nothing() -> None:
    made = world(2, planted=12)
    whole, pieces = _stream(made, iter([10**6])), _stream(made, itertools.cycle([1, 37, 400]))
    assert whole.numbers == pieces.numbers > 10
    nominees = sorted(whole.sizes)
    one, other = (evidence(each, nominees, Beside(made.history), each.known) for each in (whole, pieces))
    assert one == other
    for name in whole.uses:
        order = [np.lexsort((each.uses["unit"], each.uses["wording"])) for each in (whole, pieces)]
        assert np.array_equal(whole.uses[name][order[0]], pieces.uses[name][order[1]]), name


def test_carriers_are_those_of_the_slow_twin() -> None:
    made = world(4)
    arriving = _stream(made, itertools.cycle([53]))
    filtered: dict[int, set[int]] = {}
    prompts: dict[tuple[int, int], set[int]] = {}
    for row in made.marks.to_pylist():
        for wording in row["wordings"]:
            filtered.setdefault(wording, set()).add(row["account"])
            if len(filtered[wording]) > 1:
                prompts.setdefault((wording, row["account"]), set()).add(row["prompt"])
    slow = {pair for pair, said in prompts.items() if len(said) > 1}
    carrying = arriving.uses["since"] > 0
    fast = set(zip(arriving.uses["wording"][carrying].tolist(), arriving.uses["unit"][carrying].tolist(), strict=True))
    assert slow <= fast and len(slow) > 100
    assert len(fast - slow) <= 0.02 * len(fast), "a slot of the filter that two wordings share lets one through earlier"


def test_evidence_grows_with_strangers_and_falls_with_earlier_users_and_with_silence() -> None:
    reference = np.full(WINDOW, 300)
    by_now = [log10_e(np.full(n, 2), _at(60), NOBODY, reference) for n in range(1, 40)]
    by_before = [log10_e(np.full(20, 2), _at(60), np.full(n, 30), reference) for n in range(10)]
    by_silence = [log10_e(np.full(20, 2), _at(n), NOBODY, reference) for n in range(20, 2000, 50)]
    assert by_now[5:] == sorted(by_now[5:]) and by_before == sorted(by_before, reverse=True) and by_silence == sorted(by_silence, reverse=True)
    assert max(log10_e(np.full(n, 2), _at(60), NOBODY, np.zeros(WINDOW, np.int64)) for n in range(1, 60)) < 0, "without history nothing"
    assert log10_e(np.array([WINDOW + 1, 1]), _at(60), NOBODY, reference) == log10_e(NOBODY, _at(60), NOBODY, reference), "outside the window nothing counts"
    assert EARLY[-1] == WINDOW


def test_budget_and_alarms() -> None:
    assert sum(budget(n) for n in range(200_000)) < 1
    assert crossing([], [], 0, 0.01) == [] and crossing([-math.inf], [0], 5, 0.01) == []
    rng = np.random.default_rng(2)
    # Nulls at their worst: e is 1/level times what the budget asks for, with that probability, else nothing. Alarms are made one after the other.
    shares = []
    for _ in range(4000):
        false = made = 0
        for number in range(30):
            made += bool(crossing([9.0], [number], made, 0.1)) if number % 10 == 0 else 0  # a true one
            need = 1 / (0.1 * budget(number) * (made + 1))
            if crossing([math.log10(need) + 1e-9 if rng.random() < 1 / need else -math.inf], [number], made, 0.1):
                made, false = made + 1, false + 1
        shares.append(false / max(1, made))
    assert np.mean(shares) <= 0.1


def _replays(pairs: list[tuple[int, int]]) -> pa.Table:
    rows = []
    for source, target in pairs:
        digest = 1000 * source + target
        rows += [{"account": source, "reasoning_out": digest, "reasoning_in": []}, {"account": target, "reasoning_out": None, "reasoning_in": [digest]}]
    table = pa.Table.from_pylist(rows, pa.schema([("account", pa.int64()), ("reasoning_out", pa.int64()), ("reasoning_in", pa.list_(pa.int64()))]))
    ids = pa.array(np.arange(len(rows)) + 10**6 * pairs[0][0])
    nothing = pa.nulls(len(rows), pa.int64())
    more = {"call": ids, "ts": ids, "org": table["account"], "org_known": pa.array([False] * len(rows)), "payment": nothing, "ip": nothing, "prompt": nothing}
    for name, column in {**more, "wordings": pa.nulls(len(rows), pa.list_(pa.int64()))}.items():
        table = table.append_column(name, column)
    return table


def test_replays_have_a_process_of_their_own_that_only_grows() -> None:
    arriving = Arriving(shown=np.zeros(4, np.uint8), last=np.zeros(4, np.uint8))
    counts, values = [], []
    for pairs in ([(1, 2)], [(8, 9)], [(2, 3), (3, 4)], [(4, 8)], [(5, 5)]):
        arriving.add(_replays(pairs))
        groups = arriving.replaying(arriving.known)
        counts.append({number: count for number, (count, _) in groups.items()})
        values.append(evidence(arriving, [0], Beside(NOTHING), arriving.known)[0])
    assert counts == [{0: 2}, {0: 2, 1: 2}, {0: 4, 1: 2}, {0: 6}, {0: 6}], "groups that grow together keep the smaller number; one's own reasoning is none"
    assert values[0] == -math.inf and values[1:] == sorted(values[1:])


def test_an_issue_that_comes_after_its_replay_counts_all_the_same() -> None:
    arriving = Arriving(shown=np.zeros(4, np.uint8), last=np.zeros(4, np.uint8))
    both = _replays([(1, 2)])
    arriving.add(both.slice(1, 1))
    assert not len(arriving.replays["source"]) and len(arriving.waiting["digest"]) == 1
    arriving.add(both.slice(0, 1))
    assert arriving.replays["source"].tolist() == [1] and arriving.replays["target"].tolist() == [2] and not len(arriving.waiting["digest"])


def test_a_campaign_is_told_once_whatever_its_name_becomes() -> None:
    told = raised({"a": [0, 1, 2], "b": [7], "c": []}, {0: 2.0, 1: 9.0, 2: -math.inf, 7: 3.0}, [])
    assert [(line["campaign"], line["nominee"]) for line in told] == [("a", 1)]
    assert raised({"z": [1, 2, 3], "b": [7]}, {1: 9.0, 2: 1.0, 3: 1.0, 7: 9.0}, told) == [{"campaign": "b", "nominee": 7, "log10_e": 9.0, "nominees": [7]}]
