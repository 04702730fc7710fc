"""Collections of shared objects: what is kept, in which order it is read, and that a fast page equals a slow one. PostgreSQL: tests/exchange."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_law import agree, reads
from stillwatch.errors import StillwatchError, UserError
from stillwatch.store.shared.declare import Shared, Status, Wanted, Written, moment, written
from stillwatch.store.shared.heard import Hearsay, Progress
from stillwatch.store.shared.opening import opened
from stillwatch.store.shared.shelves import Shelves


@pytest.fixture
def shelves(tmp_path: Path) -> Shelves:
    return opened(str(tmp_path / "shared.sqlite"))


def one(number: int, said: str | None = "2026-01-01T00:00:00Z", spec: str = "2.1", kind: str = "indicator") -> Shared:
    return Shared(f"{kind}--{number}", kind, spec, said, b'{"n":%d}' % number)


def test_what_is_added_is_read_in_order_and_once(shelves: Shelves) -> None:
    assert shelves.add("r", "c", [one(2), one(1), one(2)], 10).new == 2
    assert shelves.add("r", "c", [one(1), one(3)], 10).new == 1
    assert [(each.id, each.added) for each in reads(shelves, Wanted())] == [("indicator--2", 10), ("indicator--1", 11), ("indicator--3", 12)]
    assert reads(shelves, Wanted(), collection="other") == []


def test_every_object_gets_a_moment_later_than_all_before_even_when_the_clock_goes_back(shelves: Shelves) -> None:
    shelves.add("r", "c", [one(1)], 1000)
    shelves.add("r", "c", [one(2)], 5)
    assert [each.added for each in reads(shelves, Wanted())] == [1000, 1001]
    assert [each.id for each in reads(shelves, Wanted(added_after=1000))] == ["indicator--2"]


def test_an_observable_has_one_version_the_moment_of_adding(shelves: Shelves) -> None:
    shelves.add("r", "c", [one(1, None, kind="artifact")], 1_000_000)
    # Whoever adds it again is told of this request's moment: when another first added it is not for one who may only write.
    assert shelves.add("r", "c", [one(1, None, kind="artifact")], 2_000_000).versions == (2_000_000,)
    for which in ("first", "last", "all", 1_000_000):
        assert [each.said for each in reads(shelves, Wanted(versions=(which,)))] == [written(1_000_000)]


def test_a_page_is_one_statement_whatever_it_asks_for(shelves: Shelves) -> None:
    """Two statements would see two moments, and what is added between them would be missed for good."""
    shelves.add("r", "c", [one(number, kind=kind) for number, kind in enumerate(("indicator", "malware", "tool", "indicator"), 1)], 1_000_000)
    asked: list[str] = []
    real = shelves._database.query

    def query(sql: str, values: Any = ()) -> Any:
        asked.append(sql)
        return real(sql, values)

    shelves._database.query = query  # type: ignore[method-assign]
    page, more = shelves.page("r", "c", Wanted(types=("indicator", "malware")), limit=2)
    assert len(asked) == 1 and more and [each.id for each in page] == ["indicator--1", "malware--2"]
    rest, more = shelves.page("r", "c", Wanted(types=("indicator", "malware")), after=page[-1].place, limit=2)
    assert not more and [each.id for each in rest] == ["indicator--4"]


def test_deleting_one_version_makes_another_first_or_last(shelves: Shelves) -> None:
    shelves.add("r", "c", [one(1, f"2026-01-0{day}T00:00:00Z") for day in (1, 2, 3)], 10)
    assert shelves.delete("r", "c", Wanted(ids=("indicator--1",))) == 1
    assert [each.said for each in reads(shelves, Wanted())] == ["2026-01-02T00:00:00Z"]
    assert shelves.delete("r", "c", Wanted(ids=("indicator--1",), versions=("all",))) == 2
    assert not shelves.has("r", "c", "indicator--1")
    with pytest.raises(StillwatchError, match="must be named"):
        shelves.delete("r", "c", Wanted())


def test_nothing_is_kept_of_a_batch_that_fails(shelves: Shelves) -> None:
    with pytest.raises(StillwatchError, match="no timestamp"):
        shelves.add("r", "c", [one(1), one(2, "yesterday")], 10)
    assert reads(shelves, Wanted()) == []

    def broken(kept: Written) -> Status:
        raise StillwatchError("cannot be said", str(kept.new), "try again")

    with pytest.raises(StillwatchError, match="cannot be said"):
        shelves.add("r", "c", [one(1)], 10, broken)
    assert reads(shelves, Wanted()) == [], "what became of objects is kept with them, or neither is"
    shelves.add("r", "c", [one(1)], 10, lambda kept: Status("1", "north", str(kept.new).encode(), 10, None))
    assert shelves.told("r", "1", "north") == b"1" and len(reads(shelves, Wanted())) == 1


def test_writers_at_once_lose_nothing_and_a_reader_behind_them_misses_nothing(shelves: Shelves) -> None:
    def write(first: int) -> None:
        for number in range(first, first + 50):
            shelves.add("r", "c", [one(number)], 7)

    threads = [threading.Thread(target=write, args=(at,)) for at in (0, 100, 200)]
    for each in threads:
        each.start()
    seen: list[str] = []
    last = -1
    while any(each.is_alive() for each in threads) or len(seen) < 150:
        for kept in reads(shelves, Wanted(added_after=last)):
            seen.append(kept.id)
            last = kept.added
        if not any(each.is_alive() for each in threads) and not reads(shelves, Wanted(added_after=last)):
            break
    for each in threads:
        each.join()
    assert len(seen) == len(set(seen)) == 150


ROWS = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 4) | st.none(), st.sampled_from(["2.0", "2.1"]), st.sampled_from(["indicator", "malware"])), max_size=12
)
WANTED = st.builds(
    Wanted,
    added_after=st.none() | st.integers(95, 115),
    ids=st.lists(st.sampled_from(["indicator--1", "malware--2", "none--1"]), max_size=2, unique=True).map(tuple),
    types=st.lists(st.sampled_from(["indicator", "malware", "none"]), max_size=2, unique=True).map(tuple),
    versions=st.lists(st.sampled_from(["first", "last", "all", moment("2026-01-02T00:00:00Z")]), min_size=1, max_size=2, unique=True).map(tuple),
    specs=st.lists(st.sampled_from(["2.0", "2.1"]), max_size=2, unique=True).map(tuple),
)


@settings(max_examples=150, deadline=None)
@given(ROWS, WANTED, st.integers(1, 4))
def test_a_page_is_what_the_slow_twin_reads(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int | None, str, str]], wanted: Wanted, limit: int
) -> None:
    agree(opened(str(tmp_path_factory.mktemp("law") / "s.sqlite")), rows, wanted, limit)


def test_a_status_is_told_to_whoever_asked_and_goes_in_time(shelves: Shelves) -> None:
    shelves.tell("r", Status("1", "north", b"{}", 10, None))
    assert shelves.told("r", "1", "north") == b"{}" and shelves.told("r", "1", "south") is None and shelves.told("other", "1", "north") is None
    shelves.tell("r", Status("2", "north", b"{}", 20, 15))
    assert shelves.told("r", "1", "north") is None and shelves.told("r", "2", "north") == b"{}"


def test_a_store_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be used"):
        opened(str(tmp_path / "no" / "folder.sqlite"))
    with pytest.raises(UserError, match="cannot be used"):
        Hearsay(tmp_path / "no" / "folder.sqlite")


def test_what_was_heard_is_kept_once_with_the_place(tmp_path: Path) -> None:
    heard = Hearsay(tmp_path / "heard.sqlite")
    page = [("indicator--1", "v", "2.1", b"{}")]
    assert heard.keep("north", "c", page, Progress(None, "n", "t")) == 1
    assert heard.keep("north", "c", page, Progress("t")) == 0
    assert heard.progress("north", "c") == Progress("t") and heard.progress("north", "d") == Progress()
    assert [each.id for each in heard.since()] == ["indicator--1"] and heard.since(heard.since()[-1].number) == []
