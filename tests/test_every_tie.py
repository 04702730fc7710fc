"""Laws that every tie obeys, and its own cases."""

from __future__ import annotations

import pytest

from stillwatch.linking.declare import Joins, KeepsApart, Tie, every_tie
from stillwatch.records import MARKS
from stillwatch.traffic import from_rows

TIES = every_tie()
CASES = [pytest.param(tie, case, id=f"{tie.name}-{i}-{type(case).__name__}") for tie in TIES.values() for i, case in enumerate(tie.cases)]


@pytest.mark.parametrize(("tie", "case"), CASES)
def test_case(tie: Tie, case: Joins | KeepsApart) -> None:
    traffic = from_rows(case.calls)
    account, _ = tie.edges(traffic)
    assert set(account.tolist()) == (set(case.together) if isinstance(case, Joins) else set())


@pytest.mark.parametrize("tie", TIES.values(), ids=TIES)
def test_laws(tie: Tie) -> None:
    assert {type(case) for case in tie.cases} == {Joins, KeepsApart}, "cases of both sides"
    assert set(tie.reads) <= set(MARKS.names)
    assert tie.why and tie.lookalike and tie.blind_spot


@pytest.mark.parametrize("tie", TIES.values(), ids=TIES)
def test_order_of_rows_changes_nothing(tie: Tie) -> None:
    case = next(case for case in tie.cases if isinstance(case, Joins))
    rows = [{"call": i, "ts": i, **row} for i, row in enumerate(case.calls)]
    forward, backward = tie.edges(from_rows(rows)), tie.edges(from_rows(rows[::-1]))
    assert [part.tolist() for part in forward] == [part.tolist() for part in backward]
