"""Slow and obvious twins of the compiled and the packed ways of linking, on traffic drawn at random."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from stillwatch.features.slots import AGAIN_UNITS
from stillwatch.linking import carriers, used
from stillwatch.linking.carriers import again, reused
from stillwatch.linking.clusters import Facts
from stillwatch.linking.families import LEAST_UNITS, Family
from stillwatch.linking.history import ALPHABETS, NOTHING, History, exposures
from stillwatch.linking.members import KIN, MOST_KIN, NOBODY, Members, _least
from stillwatch.standing import standing
from stillwatch.traffic import Ints, Traffic, from_rows


def _drawn(seed: int) -> Traffic:
    """Some accounts call often, some wordings are common, some calls keep no content."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for call in range(400):
        account = int(rng.integers(40) * rng.random())
        kept = rng.random() < 0.9
        words = [int(w) * 8 + int(rng.integers(3)) for w in rng.geometric(0.05, size=rng.integers(7))] if kept else None
        rows.append({"call": call, "account": account, "org": account // 2, "org_known": True, "ts": int(rng.integers(10**9)), "prompt": int(rng.integers(150)) if kept else None, "wordings": words})  # fmt: skip
    return from_rows(rows)


def _by_hand(traffic: Traffic, group: Ints) -> set[tuple[int, int]]:
    prompts: dict[tuple[int, int], set[object]] = defaultdict(set)
    for account, prompt, words in zip(traffic.account.tolist(), traffic.column("prompt").to_pylist(), traffic.column("wordings").to_pylist(), strict=True):
        for word in words or ():
            prompts[word, int(group[account])].add(prompt)
    return {pair for pair, several in prompts.items() if len(several) >= 2}


@pytest.mark.parametrize("most", [carriers.MOST_SLOTS, 64, 16])
@pytest.mark.parametrize("seed", range(4))
def test_used_again_is_found_in_tables_of_any_size(seed: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carriers, "MOST_SLOTS", most)
    traffic = _drawn(seed)
    for group in (traffic.unit, np.arange(len(traffic.accounts)), np.zeros(len(traffic.accounts), np.int64)):
        wording, owner = again(traffic, group, int(group.max()) + 1)
        found = list(zip(wording.tolist(), owner.tolist(), strict=True))
        assert len(found) == len(set(found)) and set(found) == _by_hand(traffic, group)
    pairs = reused(traffic)
    assert set(zip(pairs["wording"].to_pylist(), pairs["unit"].to_pylist(), strict=True)) == {
        (w, int(traffic.unit_hash[u])) for w, u in _by_hand(traffic, traffic.unit)
    }


@pytest.mark.parametrize("seed", range(4))
def test_where_candidates_stand(seed: int) -> None:
    traffic = _drawn(seed)
    candidates = np.unique(traffic.wordings[1])[::3]
    call, index = standing(traffic, candidates)
    place = {int(word): at for at, word in enumerate(candidates)}
    assert list(zip(call.tolist(), index.tolist(), strict=True)) == [
        (at, place[word]) for at, words in enumerate(traffic.column("wordings").to_pylist()) for word in words or () if word in place
    ]


@pytest.mark.parametrize("seed", range(4))
def test_exposure_counts_calls_with_a_wording_of_the_alphabet(seed: int) -> None:
    traffic = _drawn(seed)
    want = np.zeros((traffic.units, ALPHABETS), np.int64)
    for account, words in zip(traffic.account.tolist(), traffic.column("wordings").to_pylist(), strict=True):
        for alphabet in {word & 7 for word in words or ()}:
            want[traffic.unit[account], alphabet] += 1
    assert exposures(traffic, traffic.unit, traffic.units).tolist() == want.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_common_wordings_are_counted_as_if_all_pairs_were(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = reused(_drawn(seed))
    earlier = reused(_drawn(seed + 100))
    history = History(np.arange(5), np.ones((5, ALPHABETS), np.int64), np.sort(earlier["wording"].to_numpy()), np.zeros(earlier.num_rows, np.int64))
    here, there = pairs["wording"].to_pylist(), earlier["wording"].to_pylist()
    now = {w: here.count(w) for w in here}
    both = {w: now.get(w, 0) + there.count(w) for w in {*here, *there}}
    found = used.used(pairs, history)
    assert dict(zip(found.wordings.tolist(), found.now.tolist(), strict=True)) == {w: n for w, n in now.items() if n >= LEAST_UNITS}
    common = {w: (now.get(w, 0), n - now.get(w, 0)) for w, n in both.items() if n >= LEAST_UNITS}
    assert dict(zip(found.common.tolist(), zip(found.common_now.tolist(), found.common_before.tolist(), strict=True), strict=True)) == common


def test_what_joins_a_group_is_counted_as_by_hand() -> None:
    rng = np.random.default_rng(3)
    edges = {"card": (rng.integers(60, size=200), rng.integers(90, size=200)), "none": (np.zeros(0, np.int64), np.zeros(0, np.int64))}
    told = Facts(edges, 60)
    for _ in range(20):
        group = np.unique(rng.integers(60, size=rng.integers(2, 30)))
        members: dict[int, list[int]] = defaultdict(list)
        for account, key in zip(*(part.tolist() for part in edges["card"]), strict=True):
            if account in group:
                members[key].append(account)
        shared = {key: who for key, who in members.items() if len(who) >= 2}
        found = told(group)
        assert [(name, keys, accounts) for name, keys, accounts, _ in found] == (
            [("card", len(shared), len({a for who in shared.values() for a in who}))] if shared else []
        )


@pytest.mark.parametrize("seed", range(6))
def test_members_are_told_as_by_hand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    accounts = 50
    made = [
        Family(np.array([8 * i]), np.array([5]), np.array([5]), np.unique(rng.integers(accounts * (0.2 + rng.random()), size=25).astype(np.int64) % accounts))
        for i in range(20)
    ]
    made.sort(key=lambda each: (-len(each.accounts), int(each.wordings[0])))
    old = np.array([8 * i for i in range(0, 20, 4)])
    history = History(np.arange(3), np.ones((3, ALPHABETS), np.int64), old, np.zeros(len(old), np.int64)) if seed % 2 else NOTHING
    members = Members(made, accounts, history)
    uses = np.array([np.isin(np.arange(accounts), each.accounts) for each in made])
    new = np.array([not np.isin(each.wordings, history.wording).any() for each in made])
    for _ in range(10):
        group = np.sort(rng.choice(20, size=rng.integers(1, 6), replace=False))
        told = members.of(group, False)
        own = group[new[group]] if new[group].any() else group
        carried = uses[own].sum(axis=0)
        base = np.flatnonzero(carried >= _least(carried[carried > 0]))
        besides = {k: int(uses[k, base].sum()) for k in range(20) if new[k] and k not in own}
        most = sorted(besides, key=lambda k: (-besides[k], k))[:MOST_KIN]
        kin = [*own.tolist(), *(k for k in most if besides[k] >= KIN * len(base) and besides[k])]
        every = uses[kin].sum(axis=0)[base]
        assert told.own.tolist() == own.tolist() and told.kin.tolist() == kin
        assert told.accounts.tolist() == base[every >= _least(every)].tolist() and told.needed_kin == _least(every)
    assert members.of(np.arange(3), True) is NOBODY or history.known


def test_what_features_may_ask_for_again_is_kept() -> None:
    assert used.SHARED_UNITS <= AGAIN_UNITS
