"""Laws that every feature obeys, and its own example."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.features.declare import Feature, Groups, columns, every_feature
from stillwatch.records import MARKS, NO_CONTEXT, Context
from stillwatch.traffic import from_rows

FEATURES = every_feature()
EACH = pytest.mark.parametrize("feature", FEATURES.values(), ids=FEATURES)


def _alone(rows: list[dict[str, object]], given: Context = NO_CONTEXT) -> Groups:
    traffic = from_rows(rows)
    return Groups(traffic, np.arange(traffic.calls), np.zeros(traffic.calls, np.int64), 1, given)


@EACH
def test_example(feature: Feature) -> None:
    rows, value = feature.example
    assert columns(_alone(list(rows), feature.given), [feature], frozenset())[feature.name] == [pytest.approx(value)]


@EACH
def test_laws(feature: Feature) -> None:
    assert set(feature.reads) <= set(MARKS.names) - {"script"}, "language is for reports only"
    assert feature.unit and feature.low and feature.high


@EACH
def test_unknown_is_none(feature: Feature) -> None:
    rows, _ = feature.example
    assert columns(_alone(list(rows), feature.given), [feature], frozenset(feature.reads))[feature.name] == [None]


@EACH
def test_unknown_where_the_context_is_not_told(feature: Feature) -> None:
    rows, value = feature.example
    (found,) = columns(_alone(list(rows)), [feature], frozenset())[feature.name]
    assert found is None if feature.needs else found == pytest.approx(value), "an example needs no more context than is declared"
    assert set(feature.needs) <= {"releases", "bans", "payments"}


@EACH
def test_a_group_does_not_depend_on_its_neighbours(feature: Feature) -> None:
    rows, value = feature.example
    traffic = from_rows([{"call": i, "ts": i, **row} for i, row in enumerate(rows)])
    twice = Groups(traffic, np.tile(np.arange(traffic.calls), 2), np.repeat([0, 1], traffic.calls), 2, feature.given)
    assert columns(twice, [feature], frozenset())[feature.name] == [pytest.approx(value)] * 2


@EACH
def test_order_of_rows_changes_nothing(feature: Feature) -> None:
    rows = [{"call": i, "ts": i, **row} for i, row in enumerate(feature.example[0])]
    assert columns(_alone(rows, feature.given), [feature], frozenset()) == columns(_alone(rows[::-1], feature.given), [feature], frozenset())
