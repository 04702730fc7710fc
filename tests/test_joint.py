"""Joint evidence: by hand, by enumeration of every deal, and what no member can do: count a firm twice, or make an alert alone."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from coalitions import KINDS, RULES, liar, world
from stillwatch.evidence import strangers
from stillwatch.evidence.discoveries import q_values
from stillwatch.evidence.joint import (
    MINIMUM,
    Carriers,
    average,
    calibrated,
    coarse,
    counted,
    differs,
    fresh,
    judge,
    organisations,
    strata,
    tail,
)

HALF = np.array([[0.5]] * 5)
LATIN = np.zeros(1, np.int64)


def _rows(*rows: tuple[int, int, bool]) -> Carriers:
    """Carriers of one wording: (organisation, member, today)."""
    organisation, member, today = (np.array(column) for column in zip(*rows, strict=True))
    return Carriers(np.zeros(len(rows), np.int64), organisation.astype(np.int64), member.astype(np.int64), today.astype(np.bool_))


def _e(rows: Carriers, shares: NDArray[np.float64] = HALF, most: NDArray[np.int64] | None = None) -> float:
    return float(counted(rows, 1, LATIN, shares, most).log10_e[0])


def test_a_firm_at_all_members_counts_once() -> None:
    once = _rows(*[(firm, 0, True) for firm in range(12)])
    everywhere = _rows(*[(firm, member, True) for firm in range(12) for member in range(5)])
    assert strata(everywhere).now.tolist() == [12] and strata(everywhere).members.tolist() == [31]
    assert _e(once) == pytest.approx(_e(everywhere)) == pytest.approx(12 * math.log10(0.95 / 0.5))
    assert counted(everywhere, 1, LATIN, HALF).held.tolist() == [31]


def test_by_hand() -> None:
    """Three of member 0, two of member 1, one at both, and one of member 1's history; shares .2 and .5."""
    rows = _rows((1, 0, True), (2, 0, True), (3, 0, True), (4, 1, True), (5, 1, True), (6, 0, True), (6, 1, True), (7, 1, False))
    shares = np.array([[0.2], [0.5]])
    expected = 3 * math.log10(0.95 / 0.2) + 2 * math.log10(0.95 / 0.5) + math.log10(0.95 / 0.5) + math.log10(0.05 / 0.5)
    assert _e(rows, shares) == pytest.approx(expected)
    found = counted(rows, 1, LATIN, shares)
    assert (found.now.tolist(), found.before.tolist(), found.able.tolist()) == ([6], [1], [True])
    assert found.most[0] == pytest.approx(3 * math.log10(0.95 / 0.2) + 4 * math.log10(0.95 / 0.5))
    # With at most four strangers, two of those at the smallest share give way, for they say most.
    capped = expected - 2 * math.log10(0.95 / 0.2)
    assert _e(rows, shares, np.array([4])) == pytest.approx(capped)


def test_a_member_without_history_adds_nothing_and_takes_nothing() -> None:
    rows = [(firm, 0, True) for firm in range(8)]
    with_it = [*rows, *[(100 + firm, 1, True) for firm in range(50)], (200, 1, False)]
    shares = np.array([[0.4], [1.0]])
    assert _e(_rows(*with_it), shares) == pytest.approx(_e(_rows(*rows), shares))


@pytest.mark.parametrize("carriers", [(2, 2, 2), (4, 1, 0), (0, 3, 3), (3, 3, 1), (0, 0, 4)])
def test_the_mean_is_at_most_one_over_every_deal(carriers: tuple[int, int, int]) -> None:
    """Exactly: firms of member 0 only, of member 1 only, and of both are each dealt to today and before in every way; carriers carry wherever they are."""
    groups = ((3, 3), (2, 6), (3, 5))  # (today's, the history's) customers of 0, of 1, of both
    at = ((0,), (1,), (0, 1))
    shares = np.array([[6 / 14], [5 / 16]])
    mean = 0.0
    for now in itertools.product(*(range(count + 1) for count in carriers)):
        likely = 1.0
        rows: list[tuple[int, int, bool]] = []
        for group, ((today, before), members) in enumerate(zip(groups, at, strict=True)):
            likely *= math.comb(today, now[group]) * math.comb(before, carriers[group] - now[group]) / math.comb(today + before, carriers[group])
            rows += [(100 * group + firm, member, firm < now[group]) for firm in range(carriers[group]) for member in members]
        mean += likely * 10 ** _e(_rows(*rows), np.maximum(shares, 0.5)) if likely else 0.0
    assert 0 < mean <= 1


def test_counting_a_firm_at_each_member_breaks_the_promise() -> None:
    """Eight of twenty firms are today's, five carry a wording, at all of three members: the product of the members' own bets has a mean far above 1."""
    deals = [math.comb(8, now) * math.comb(12, 5 - now) / math.comb(20, 5) for now in range(6)]
    own = [strangers.log10_e(now, 5 - now, 0.4) for now in range(6)]
    assert sum(p * 10 ** (3 * e) for p, e in zip(deals, own, strict=True)) > 10
    assert sum(p * 10 ** average([e] * 3) for p, e in zip(deals, own, strict=True)) <= 1


def _random(rng: np.random.Generator) -> Carriers:
    size = 60
    return Carriers(rng.integers(0, 4, size), rng.integers(0, 25, size), rng.integers(0, 5, size), rng.random(size) < 0.7)


def test_members_in_any_order_give_the_same() -> None:
    rng = np.random.default_rng(3)
    alphabet = np.array([0, 1, 0, 2])
    for _ in range(20):
        rows, shares, order = _random(rng), rng.random((5, 3)), rng.permutation(5)
        mixed = rng.permutation(len(rows.wording))
        other = Carriers(rows.wording[mixed], rows.organisation[mixed], np.argsort(order)[rows.member][mixed], rows.today[mixed])
        one, two = counted(rows, 4, alphabet, shares), counted(other, 4, alphabet, shares[order])
        assert np.allclose(one.log10_e, two.log10_e) and np.allclose(one.most, two.most)
        assert (one.now == two.now).all() and (one.able == two.able).all()


def test_earlier_users_never_add_and_strangers_never_take_away() -> None:
    rng = np.random.default_rng(4)
    for _ in range(50):
        rows, shares = _random(rng), np.round(rng.random((5, 1)), 2)
        rows = Carriers(np.zeros(60, np.int64), *(getattr(rows, name) for name in ("organisation", "member", "today")))
        member, before = int(rng.integers(0, 5)), bool(rng.random() < 0.5)
        more = Carriers(
            *(np.append(getattr(rows, name), value) for name, value in (("wording", 0), ("organisation", 99), ("member", member), ("today", not before)))
        )
        change = _e(more, shares) - _e(rows, shares)
        assert change <= 1e-9 if before else change >= -1e-9


def test_a_member_with_nothing_to_say_does_not_help_the_attacker() -> None:
    """Evidence stays as it was, and so does the verdict; being left out changes nothing either."""
    rows = _rows(*[(firm, firm % 3, True) for firm in range(30)])
    assert _e(rows, HALF[:3]) == pytest.approx(_e(rows, HALF[:4]))
    left = [[_e(rows.without(member))] for member in range(4)]
    three, four = (judge([_e(rows)], 50.0, left[:count], [50.0] * count, 0.01, 0.1)[0] for count in (3, 4))
    assert three.step == four.step == 0 and four.without[3] == four.q


def test_a_liar_cannot_alone_make_an_alert() -> None:
    honest = [(1, 0, True), (2, 1, True), (3, 1, False)]
    rows = _rows(*honest, *[(100 + firm, 2, True) for firm in range(500)])
    left = [[_e(rows.without(member))] for member in range(3)]
    found = judge([_e(rows)], 1.0, left, [1.0] * 3, 0.01, 0.1)[0]
    assert found.q < 1e-50 and found.step == 1 and found.rests_on == (2,)


def test_what_nobody_could_examine_is_one_step_weaker() -> None:
    given = ([9.0, 2.5], 10.0, [[8.0, 2.4], [8.0, 2.4]], [10.0, 10.0], 0.01, 0.1)
    assert [[each.step for each in judge(*given, examined)] for examined in (None, [True, False], [False, True])] == [[0, 1], [0, 2], [1, 1]]


def test_whatever_a_liar_says_its_alerts_are_discoveries_of_the_others() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        honest, said = rng.normal(1, 2, (3, 12)), rng.normal(6, 6, 12)
        together = honest.sum(axis=0) + said
        left = [*(together - mine for mine in honest), honest.sum(axis=0)]
        found = judge(together.tolist(), 12.0, [each.tolist() for each in left], [12.0] * 4, 0.01, 0.1)
        of_the_others = q_values(honest.sum(axis=0).tolist(), 12.0)
        assert all(of_the_others[i] <= 0.1 for i, each in enumerate(found) if each.step == 0)


def test_in_worlds_without_a_campaign_what_is_kept_is_silent_and_products_of_ranks_are_not() -> None:
    """Forty small worlds of each kind; docs/joint.md has thousands."""
    for kind in KINDS:
        worlds = [(world(seed, kind), seed) for seed in range(40)]
        false = {
            name: sum(
                min(q_values(list(map(float, es)), float(len(es))), default=1.0) <= 0.1
                for es in (RULES[name][1](made, np.random.default_rng(seed)) for made, seed in worlds)
            )
            for name in ("union", "ranks averaged", "ranks multiplied")
        }
        assert false["union"] <= 4 and false["ranks averaged"] <= 4, kind
        assert kind == "apart" or false["ranks multiplied"] >= 8, kind


def test_a_liar_in_such_worlds() -> None:
    worlds = [made for made in (world(seed, "shared") for seed in range(30)) if len(made.calls) > 2]
    told = [liar(made, None) for made in worlds]
    assert sum(each["unguarded"] for each in told) > 0.9 * len(told)
    assert sum(each["guarded"] for each in told) <= 2 and sum(each["noticed"] for each in told) > 0.9 * len(told)


def test_averages_and_products() -> None:
    assert average([4.0, 4.0]) == pytest.approx(4.0) and average([4.0, -math.inf]) == pytest.approx(4.0 - math.log10(2))
    assert fresh([[1.0, 3.0], [2.0]]) == pytest.approx(math.log10((10 + 1000) / 2) + 2)
    assert fresh([]) == 0.0 and fresh([[], []]) == 0.0
    assert calibrated(0.01) == 2.0 and calibrated(0.0101) == -math.inf
    # Exactly: 99 permutations of each of two members' calls, so p is uniform on .01, .02, ..., 1.
    values = [10 ** calibrated(k / 100, 0.05) for k in range(1, 101)]
    assert sum(one * two for one in values for two in values) / 10_000 == pytest.approx(1.0)


def test_organisations_over_tokens_of_several_kinds() -> None:
    """A chain of ten units, each sharing a card with the next, is one; strangers stay apart."""
    unit = np.repeat(np.arange(10), 2)[1:-1]
    assert set(organisations(12, unit, np.repeat(np.arange(9), 2)).tolist()) == {0, 1, 2}
    assert organisations(3, np.zeros(0, np.int64), np.zeros(0, np.int64)).tolist() == [0, 1, 2]


def test_calibration_shows_no_small_band() -> None:
    rng = np.random.default_rng(6)
    for _ in range(50):
        made = tail(rng.exponential(1.0, int(rng.integers(0, 200))))
        assert all(count == 0 or count >= MINIMUM for count in made[1:])
    one = np.array([990, 10, 0, 0, 0])
    assert differs(one, [one, one]) is None and differs(np.array([900, 0, 0, 0, 60]), [one, one]) == 1
    assert [coarse(each) for each in (0.0, 0.291, 0.29, 0.999)] == [0.0, 0.3, 0.29, 1.0]
