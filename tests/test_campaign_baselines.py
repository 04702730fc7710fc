"""Baselines for campaigns of accounts: each against a value worked out by hand or the plain twin, and the comparison at equal false accounts."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse
from scipy.sparse.csgraph import maximum_bipartite_matching

from baselines import beside, fraudar, isolation, mahalanobis, mmd, synchrotrap, texts, volume
from baselines.accounts import OPENING, TEXTS, Log, network
from stillwatch.calls import SCHEMA

HOUR, MINUTE = 3_600_000_000, 60_000_000
DAY = 24 * HOUR
THOUSANDTH = "1 in 1,000"


def _log(*rows: dict[str, Any], embed: Any = None) -> Log:
    told = [{"call_id": f"c{at}", "ts": 0, "account": "a", "model": "m", **row} for at, row in enumerate(rows)]
    return Log.read(pa.Table.from_pylist(told, schema=SCHEMA), embed)


def _embed(said: list[str]) -> np.ndarray:
    """Words in buckets."""
    made = np.full((len(said), 32), 1e-3)
    for row, text in enumerate(said):
        for word in text.split():
            made[row, sum(ord(letter) * 7**at for at, letter in enumerate(word)) % 32] += 1
    return made


# -- a log


def test_a_call_has_objects_of_every_kind_and_none_where_nothing_is_told() -> None:
    long = "x" * 60 + "y" * 60
    log = _log({"ip": "10.0.0.1", "prompt": long}, {"ip": "10.0.0.9", "prompt": "short"}, {"account": "b", "ip": "", "payment": "p"})
    assert log.names == ["a", "b"] and log.of.tolist() == [0, 0, 1]
    assert log.objects("ip").of.tolist() == [0, 1, -1] and log.objects("network").of.tolist() == [0, 0, -1]
    assert log.objects("payment").of.tolist() == [-1, -1, 0]
    assert log.objects("opening").of.tolist() == [0, -1, -1] and log.objects("opening").names.to_pylist() == ["x" * OPENING]
    assert log.objects("ending").names.to_pylist() == ["y" * OPENING]
    assert [network(each) for each in ("203.0.113.7", "2001:db8:1:2::3")] == ["203.0.113", "2001:db8:1"]
    assert log.known("ip", _log({"ip": "10.0.0.9"})).tolist() == [False, True, False]


def test_texts_are_chosen_by_the_calls_id_whatever_the_order() -> None:
    rows = [{"call_id": f"n{at}", "prompt": f"word{at}"} for at in range(3 * TEXTS)]
    some = [{_log(*each).objects("prompt").names[at].as_py() for at in _log(*each).sampled} for each in (rows, rows[::-1])]
    # The text's number in the dictionary is that of the call here, as every text is new.
    assert len(some[0]) == TEXTS and some[0] == some[1]


# -- volume


def test_volume_by_hand() -> None:
    log = _log({}, {"ts": DAY - 1}, {"ts": DAY}, {"account": "b"}, {"account": "b"}, {"account": "b", "ts": 1})
    assert volume.calls(log).tolist() == [3, 3] and volume.busiest_day(log).tolist() == [2, 3]


# -- SynchroTrap


def _actions() -> tuple[Any, ...]:
    """Account 0: x at 0:00, 0:30, 3:00. Account 1: x at 0:20, 3:30, y at 0:00. Account 2: y at 0:10, and one action on nothing."""
    told = [(0, 0, 0), (0, 30, 0), (0, 180, 0), (1, 20, 0), (1, 210, 0), (1, 0, 1), (2, 10, 1), (2, 10, -1)]
    return tuple(np.array(column, np.int64) * (MINUTE if at == 1 else 1) for at, column in enumerate(zip(*told, strict=True)))


def test_synchrotraps_similarity_by_hand() -> None:
    one, other, matched, alike = synchrotrap.similarities(3, *_actions())
    assert list(zip(one.tolist(), other.tolist(), matched.tolist(), strict=True)) == [(0, 1, 2), (1, 2, 1)]
    assert alike == pytest.approx([2 / (3 + 3 - 2), 1 / (3 + 1 - 1)])
    _, _, matched, alike = synchrotrap.similarities(3, *_actions(), synchrotrap.DAY)
    assert matched.tolist() == [2, 1] and alike == pytest.approx([2 / 4, 1 / 3])
    assert synchrotrap.similarities(3, *_actions(), 5 * MINUTE)[2].tolist() == []
    # Half is enough to be tied, a single match is not.
    assert synchrotrap.sizes(3, *_actions()).tolist()[:2] == [2, 2] and np.isnan(synchrotrap.sizes(3, *_actions())[2])


def test_actions_match_one_to_one_as_many_as_possible() -> None:
    rng = np.random.default_rng(5)
    for _ in range(60):
        times = [np.sort(rng.integers(0, 8 * 60, rng.integers(1, 9))) * MINUTE for _ in range(2)]
        near = np.abs(times[0][:, None] - times[1][None]) <= synchrotrap.HOUR
        most = int((maximum_bipartite_matching(sparse.csr_matrix(near)) >= 0).sum())
        who = np.repeat([0, 1], [len(each) for each in times])
        _, _, matched, _ = synchrotrap.similarities(2, who, np.concatenate(times), np.zeros(len(who), np.int64))
        assert matched.sum() == most


def test_pairs_left_out_as_hopeless_are() -> None:
    rng = np.random.default_rng(6)
    who, ts, objects = rng.integers(0, 12, 150), rng.integers(0, 10 * HOUR, 150), rng.integers(0, 4, 150)
    whole, cut = ({(a, b): s for a, b, s in zip(one.tolist(), other.tolist(), alike.tolist(), strict=True) if s >= 0.3}
                  for one, other, _, alike in (synchrotrap.similarities(12, who, ts, objects, HOUR, least) for least in (0.0, 0.3)))  # fmt: skip
    assert whole and whole == cut


def test_one_match_is_chance_however_similar() -> None:
    told = [synchrotrap.sizes(2, np.repeat([0, 1], many), np.arange(2 * many), np.zeros(2 * many, np.int64)) for many in (1, 2)]
    assert np.isnan(told[0]).all() and told[1].tolist() == [2, 2]


def test_a_chain_of_accounts_is_one_cluster_and_a_known_wording_ties_nobody() -> None:
    rows = [{"account": name, "system": said, "ts": at} for name, said in (("a", "s"), ("b", "s"), ("b", "t"), ("c", "t"), ("d", "u")) for at in (0, MINUTE)]
    log = _log(*rows)
    assert synchrotrap.scores(log, None, ("system",)).tolist()[:3] == [3, 3, 3]
    assert np.isnan(synchrotrap.scores(log, None, ("system",))[3])
    left = synchrotrap.scores(log, _log({"system": "s"}), ("system",))
    assert np.isnan(left[0]) and left[1:3].tolist() == [2, 2]


# -- FRAUDAR


def test_fraudars_densest_block_by_hand() -> None:
    # Accounts 0-2 use objects 0 and 1; object 2 is used by 0 as camouflage, and by 3 and 4. Every object has degree 3.
    one, other = np.array([0, 0, 1, 1, 2, 2, 0, 3, 4]), np.array([0, 1, 0, 1, 0, 1, 2, 2, 2])
    accounts, objects, density = fraudar.densest(5, 3, one, other)
    assert accounts.tolist() == [True, True, True, False, False] and objects.tolist() == [True, True, False]
    assert density == pytest.approx(6 / math.log(8) / 5)
    assert fraudar.weights(np.array([1, 95])) == pytest.approx([1 / math.log(6), 1 / math.log(100)])


def _density(one: Any, other: Any, weight: Any, accounts: set[int], objects: set[int]) -> float:
    inside = [w for a, o, w in zip(one.tolist(), other.tolist(), weight.tolist(), strict=True) if a in accounts and o in objects]
    return sum(inside) / (len(accounts) + len(objects))


def test_fraudar_keeps_the_theorems_bound_and_tells_the_density_of_its_block() -> None:
    rng = np.random.default_rng(7)
    for _ in range(25):
        one, other = np.nonzero(rng.random((5, 5)) < rng.uniform(0.2, 0.7))
        if not len(one):
            continue
        weight = fraudar.weights(np.bincount(other, minlength=5))[other]
        sides = [set(each) for many in range(6) for each in itertools.combinations(range(5), many)]
        best = max(_density(one, other, weight, a, o) for a in sides for o in sides if a or o)
        accounts, objects, density = fraudar.densest(5, 5, one, other)
        found = _density(one, other, weight, set(np.flatnonzero(accounts).tolist()), set(np.flatnonzero(objects).tolist()))
        assert density == pytest.approx(found) and best / 2 <= found <= best + 1e-9


def test_fraudars_blocks_come_one_after_the_other() -> None:
    large = [{"account": f"l{a}", "system": f"s{o}"} for a in range(6) for o in range(4)]
    small = [{"account": f"m{a}", "system": f"t{o}"} for a in range(3) for o in range(2)]
    beside_it = [{"account": f"n{a}", "system": "s0"} for a in range(3)]  # too few for the first block; its object's other edges stay for a later one
    log = _log(*large, *small, *beside_it, {"account": "z", "system": "alone"})
    numbers = dict(zip(log.names, fraudar.scores(log, None, ("system",)).tolist(), strict=True))
    assert {numbers[f"l{a}"] for a in range(6)} == {fraudar.BLOCKS} and {numbers[f"m{a}"] for a in range(3)} == {fraudar.BLOCKS - 1}
    assert math.isnan(numbers["z"]) and {numbers[f"n{a}"] for a in range(3)} == {fraudar.BLOCKS - 2}
    later = dict(zip(log.names, fraudar.scores(log, _log(*large), ("system",)).tolist(), strict=True))
    assert math.isnan(later["l0"]) and later["m0"] == fraudar.BLOCKS


# -- isolation forest


def test_entropy_by_hand_and_the_odd_account_out() -> None:
    assert isolation.entropy(3, np.array([0, 0, 1, 1, 1, 1, 2]), np.array([5, 6, 1, 1, 2, 3, -1])) == pytest.approx([1.0, 1.5, 0.0])
    rng = np.random.default_rng(8)
    usual = [
        {"account": f"u{at % 60:02}", "ts": int(rng.integers(0, DAY)), "prompt": "p" * int(rng.integers(20, 80)), "ip": f"10.0.{at % 60}.1"}
        for at in range(600)
    ]
    odd = [{"account": "odd", "ts": at, "prompt": "p" * 5_000, "ip": f"10.1.{at % 250}.1", "temperature": 2.0} for at in range(400)]
    log = _log(*usual, *odd)
    numbers = isolation.scores(log, None, 1)
    assert log.names[int(np.argmax(numbers))] == "odd" and (numbers == isolation.scores(log, None, 1)).all()


# -- detectors of texts


def test_a_number_stands_beside_windows_of_its_size() -> None:
    null = np.array([0.0, 2.0] * 100 + [10.0, 14.0] * 100)
    sizes = np.array([1] * 200 + [9] * 200)
    assert texts.standing(np.array([3.0, 12.0, 8.0]), np.array([1, 9, 9]), null, sizes, False) == pytest.approx([2.0, 0.0, -2.0])
    assert texts.standing(np.array([8.0]), np.array([9]), null, sizes, True) == pytest.approx([2.0])
    assert np.isnan(texts.standing(np.array([8.0]), np.array([9]), null[:5], sizes[:5], True)).all()


def _people(many: int, seed: int, texts_each: int, words: str) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    said = words.split()
    return [{"call_id": f"{seed}-{account}-{at}", "account": f"{seed}-{account:03}", "prompt": " ".join(rng.choice(said, 4)), "payment": f"card {seed}-{account // 2}"}
            for account in range(many) for at in range(texts_each)]  # fmt: skip


def test_an_accounts_numbers_are_the_windows_and_too_few_texts_have_none() -> None:
    log = _log(*_people(20, 1, 6, "red green blue white black grey"), {"account": "one", "prompt": "red"}, {"account": "none"}, embed=_embed)
    fitted, _ = texts.seen(log, None)
    windows = texts.single(log)
    rows, reference = windows.rows[3], fitted.fitted.reference
    assert len(rows) == 6 and {log.names[log.of[log.sampled[at]]] for at in rows} == {log.names[3]}
    near = [mmd.kernel(left @ right.T, fitted.fitted.square) for left, right in ((log.vectors[rows],) * 2, (reference,) * 2, (log.vectors[rows], reference))]
    plain = (near[0].sum() - 6) / 30 + (near[1].sum() - len(reference)) / len(reference) / (len(reference) - 1) - 2 * near[2].mean()
    assert texts.numbers(fitted, windows.rows, "MMD")[3] == pytest.approx(plain, abs=1e-4)
    assert texts.numbers(fitted, windows.rows, "Mahalanobis")[3] == pytest.approx(mahalanobis.distances(reference, log.vectors[rows]).mean(), rel=1e-4)
    have = {name: np.isfinite(texts.numbers(fitted, windows.rows, name))[-2:].tolist() for name in texts.NUMBER}
    assert [log.names[-2:], have] == [
        ["none", "one"],
        {"PRADA": [False] * 2, "SEAT": [False] * 2, "CAP": [False, True], "Mahalanobis": [False, True], "MMD": [False] * 2},
    ]


def test_what_shares_a_card_is_one_window_and_its_strangeness_everybodys() -> None:
    history = _log(*_people(120, 2, 4, "red green blue white black grey"), embed=_embed)
    strange = [{**row, "account": "x" + row["account"], "payment": "one card"} for row in _people(6, 4, 2, "sun moon star sky rain wind")]
    log = _log(*_people(20, 3, 4, "red green blue white black grey"), *strange, {"account": "loner", "prompt": "red", "payment": "its own"}, embed=_embed)
    windows = texts.shared(log, "payment")
    assert sorted(map(len, windows.members)) == [2] * 10 + [6] and sorted(map(len, windows.rows)) == [8] * 10 + [12]
    fitted = texts.seen(log, history)
    numbers = dict(zip(log.names, texts.scores(log, history, lambda each: texts.shared(each, "payment"), fitted, "MMD").tolist(), strict=True))
    theirs = {value for name, value in numbers.items() if name.startswith("x")}
    assert len(theirs) == 1 and math.isnan(numbers["loner"])
    assert theirs.pop() > 5 > max(value for name, value in numbers.items() if name[0] == "3")


def test_windows_that_one_is_compared_with_are_of_the_half_that_nothing_was_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    history = _log(*_people(121, 2, 4, "red green blue white black grey"), embed=_embed)
    compared: list[int] = []

    def standing(values: Any, sizes: Any, null: Any, null_sizes: Any, both: bool) -> Any:
        compared.append(int(null_sizes.sum()))
        return values

    monkeypatch.setattr(texts, "standing", standing)
    fitted = texts.seen(history, None)
    for group in (texts.single, lambda log: texts.shared(log, "payment")):
        texts.scores(history, None, group, fitted, "MMD")
    learned = {"halves": history.halves.sum(), "paired": sum(history.halves[each].sum() for each in texts.shared(history, "payment").members)}
    assert compared == [4 * (121 - learned["halves"]), 4 * (120 - learned["paired"])] and learned["halves"] != 121 - learned["halves"]
    assert len(fitted[0].fitted.reference) == 4 * learned["halves"]


# -- side by side


def test_names_end_before_the_innocent_that_would_be_one_too_many() -> None:
    numbers = np.array([9.0, 8.0, 7.0, 6.0, 5.0, np.nan])
    innocent = np.array([False, True, False, True, False, False])
    told = {allowed: beside.named(numbers, innocent, allowed, np.random.default_rng(1)).tolist() for allowed in (0, 1, 2, 9)}
    assert told[0] == [True] + 5 * [False]
    assert told[1] == [True, True, True, False, False, False]
    assert told[2] == told[9] == [True] * 5 + [False]


def test_ties_fall_at_random_by_the_seed() -> None:
    innocent = np.arange(1_000) < 500
    mean = np.mean([beside.named(np.ones(1_000), innocent, 50, np.random.default_rng(seed))[500:].mean() for seed in range(40)])
    assert mean == pytest.approx(0.1, abs=0.02)


def test_one_log_told_side_by_side(tmp_path: Path) -> None:
    history = _log(*_people(80, 5, 4, "red green blue white black grey"))
    innocents = _people(60, 6, 4, "red green blue white black grey")
    template = "you are an expert and show every step of your reasoning before the answer which is"
    campaign = [
        {"call_id": f"k{a}-{at}", "account": f"k{a}", "ts": at * MINUTE, "system": template, "prompt": f"{template} {a} {at} {template}"}
        for a in range(10)
        for at in range(3)
    ]
    log = _log(*innocents, *campaign)
    truth = pa.table({"account": log.calls["account"], "campaign": pa.array([None] * len(innocents) + ["K"] * len(campaign), pa.string())})
    cases = [
        {"accounts": [f"k{a}" for a in range(4)] + ["6-000"], "verdict": "review", "log10_e": 3.0},
        {"accounts": ["k4", "k5"], "verdict": "watch", "log10_e": None},
    ]
    (tmp_path / "campaigns.jsonl").write_text("".join(json.dumps(each) + "\n" for each in cases))
    rows = beside.beside(log.calls, truth, history.calls, 1, tmp_path, _embed)
    told = {(row["detector"], row["budget"]): row for row in rows}
    assert told[beside.STANDING, beside.EQUAL] | {"seconds": 0} == {
        "detector": beside.STANDING, "budget": beside.EQUAL, "allowed": 1, "campaign": "K", "accounts": 10, "scored": 0.6, "auc": told[beside.OWN, beside.EQUAL]["auc"], "named": 4, "recall": 0.4, "found": False,
        "false": 1, "precision": 0.8, "seconds": 0,
    }  # fmt: skip
    assert told[beside.OWN, beside.EQUAL]["named"] == 6 and told[beside.OWN, beside.EQUAL]["found"]
    assert told["FRAUDAR, wordings that the history lacks", beside.EQUAL]["recall"] == 1.0
    assert told["SynchroTrap, wordings", THOUSANDTH]["recall"] == 1.0 and told["SynchroTrap, wordings", THOUSANDTH]["allowed"] == 0
    assert told["calls", THOUSANDTH]["named"] == 0
    # All innocents call more often than the campaign. Four of Stillwatch's six stand level with one innocent, and nobody else has a number.
    assert told["calls", THOUSANDTH]["auc"] == 0.0
    assert told[beside.OWN, beside.EQUAL]["auc"] == pytest.approx(((4 * (59 + 1 / 2)) + 2 * 59 + 4 * 59 / 2) / 600, abs=1e-4)
    again = beside.beside(log.calls, truth, history.calls, 1, tmp_path, _embed)
    assert [{**row, "seconds": None} for row in rows] == [{**row, "seconds": None} for row in again]
    assert any("| FRAUDAR, wordings |" in line for line in beside.table(rows))
