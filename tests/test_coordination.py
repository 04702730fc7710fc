"""Cases across members, corrections that reach everyone, sightings in bands, quiet periods."""

from __future__ import annotations

import dataclasses
import inspect
import random
from typing import Any

import pytest

from stillwatch.errors import StillwatchError
from stillwatch.exchange import coordination
from stillwatch.exchange.coordination import cases, quiet, reach, seen
from stillwatch.exchange.coordination.reach import Delivered, due, undone
from stillwatch.exchange.stix import words
from stillwatch.exchange.stix.moments import DAY
from stillwatch.exchange.stix.words import Shared
from stillwatch.exchange.stix.writing import named, revised, revoked

AT = 1_767_225_600_000_000


def head(kind: str, who: str, what: str, **more: Any) -> dict[str, Any]:
    return {"id": named(kind, who.encode(), what), "created": AT, "modified": AT, "source": named("identity", who.encode()), "expires": AT + 90 * DAY} | more


def case(who: str, what: str = "case", **more: Any) -> words.Case:
    return words.Case(**head("campaign", who, what), name=f"{who} {what}", **more)


def link(who: str, one: Shared, kind: str, other: Shared) -> words.Link:
    return words.Link(**head("relationship", who, f"{one.id}{kind}{other.id}"), origin=one.id, kind=kind, target=other.id)


def sighting(who: str, of: Shared, what: str = "1", **more: Any) -> words.Sighting:
    return words.Sighting(**head("sighting", who, of.id + what), of=of.id, **more)


def pool(who: str) -> words.Infrastructure:
    return words.Infrastructure(**head("infrastructure", who, "pool"), name="pool")


# Cases


def test_what_both_sides_say_or_our_own_matching_shows_is_one_case() -> None:
    ours, theirs, third = case("a"), case("b"), case("c")
    both = [link("a", ours, "duplicate-of", theirs), link("b", theirs, "duplicate-of", ours)]
    found = cases.grouped([ours, theirs, third, *both], {(theirs.id, third.id)}, AT)
    assert [set(each.cases) for each in found.cases] == [{ours.id, theirs.id, third.id}]
    assert found.cases[0].matched == (tuple(sorted((theirs.id, third.id))),) and found.cases[0].agreed == (tuple(sorted((ours.id, theirs.id))),)
    assert not found.claims


def test_one_side_alone_joins_nothing_and_is_told() -> None:
    ours, theirs = case("a"), case("b")
    for liar in ("b", "c"):
        found = cases.grouped([ours, theirs, link(liar, ours, "duplicate-of", theirs)], (), AT)
        assert [len(each.cases) for each in found.cases] == [1, 1]
        assert [claim.by for claim in found.claims] == [named("identity", liar.encode())]


def test_a_shared_range_joins_no_cases() -> None:
    ours, theirs, gateway = case("a"), case("b"), pool("a")
    found = cases.grouped([ours, theirs, gateway, link("a", ours, "uses", gateway), link("b", theirs, "uses", gateway)], (), AT)
    assert [len(each.cases) for each in found.cases] == [1, 1]


def test_a_withdrawn_or_expired_side_takes_the_case_apart() -> None:
    ours, theirs = case("a"), case("b")
    matched = {(ours.id, theirs.id)}
    assert len(cases.grouped([ours, theirs], matched, AT).cases) == 1
    assert [each.cases for each in cases.grouped([ours, theirs, revoked(theirs, AT + DAY)], matched, AT + DAY).cases] == [(ours.id,)]
    assert cases.grouped([ours, theirs], matched, AT + 90 * DAY).cases == ()


def test_only_a_cases_own_source_says_what_belongs_to_it() -> None:
    ours, mine, foreign = case("a"), pool("a"), pool("b")
    found = cases.grouped([ours, mine, foreign, link("a", ours, "uses", mine), link("b", ours, "uses", foreign)], (), AT)
    assert mine.id in found.cases[0].objects and foreign.id not in found.cases[0].objects


def test_the_order_of_hearing_changes_nothing() -> None:
    all_ = [case(who, str(number)) for who in "abc" for number in range(4)]
    rng = random.Random(5)
    pairs = {(one.id, other.id) for one, other in (rng.sample(all_, 2) for _ in range(6))}
    first = cases.grouped(all_, pairs, AT)
    # The slow twin: parts merged until nothing merges.
    parts = [{each.id} for each in all_]
    for one, other in pairs:
        touched = [part for part in parts if one in part or other in part]
        parts = [part for part in parts if part not in touched] + [set().union(*touched)]
    assert {frozenset(each.cases) for each in first.cases} == {frozenset(part) for part in parts}
    for _ in range(5):
        rng.shuffle(all_)
        assert cases.grouped(all_, pairs, AT) == first


def test_nothing_counts_voices_or_blocks() -> None:
    for module in (cases, reach, seen, quiet):
        for name, what in inspect.getmembers(module, lambda each: inspect.isclass(each) or inspect.isfunction(each)):
            if what.__module__.startswith(coordination.__name__):
                said = {name.lower(), *(each.name for each in dataclasses.fields(what))} if dataclasses.is_dataclass(what) else {name.lower()}
                assert not [
                    word for word in said for bad in ("vote", "block", "ban", "quorum", "majority", "consensus", "members", "enforce") if bad in word.split("_")
                ]


# Reach


def delivered(recipient: str, *records: Shared) -> list[Delivered]:
    return [Delivered(recipient, each.id, each.modified, each.revoked) for each in records]


def test_a_revocation_reaches_everyone_who_received_the_original_and_nobody_else() -> None:
    said, other = case("a"), case("a", "other")
    gone = revoked(said, AT + DAY)
    got = [*delivered("b", said), *delivered("c", said, other), *delivered("d", other)]
    found = due([said, gone, other], got, {"b", "c", "d"}, AT + DAY)
    assert [(each.recipient, each.record) for each in found] == [("b", gone), ("c", gone)]
    assert due([said, gone, other], [*got, *delivered("b", gone), *delivered("c", gone)], {"b", "c", "d"}, AT + DAY) == ()


def test_a_delivery_that_was_cut_off_is_due_again() -> None:
    said = case("a")
    better = revised(said, AT + DAY, name="corrected")
    got = [*delivered("b", said), *delivered("c", said)]
    assert [each.recipient for each in due([said, better], [*got, *delivered("b", better)], {"b", "c"}, AT + DAY)] == ["c"]


def test_a_member_that_is_no_longer_allowed_gets_the_withdrawal_of_what_it_holds_and_no_new_word() -> None:
    said = case("a")
    better = revised(said, AT + DAY, name="new words", description="more new words")
    for versions in ([said, better], [said, better, revoked(better, AT + 2 * DAY)]):
        (found,) = due(versions, delivered("b", said), {"c"}, AT + 3 * DAY)
        assert found.record.revoked and found.record.modified > better.modified
        assert dataclasses.replace(found.record, revoked=False, modified=said.modified) == said
        later = revised(better, AT + 5 * DAY, name="newer still")
        assert due([*versions, later], [*delivered("b", said), *delivered("b", found.record)], {"b", "c"}, AT + 6 * DAY) == ()
    with pytest.raises(StillwatchError, match="pass every version"):
        due([better], delivered("b", said), set(), AT + DAY)


def test_a_dispute_reaches_who_holds_what_it_is_about() -> None:
    said = case("b")
    doubt = words.Opinion(**head("opinion", "a", "1"), about=(said.id,), opinion="disagree")
    got = [*delivered("c", said), *delivered("d", case("a", "other"))]
    assert [(each.recipient, each.record) for each in due([doubt], got, {"c", "d"}, AT)] == [("c", doubt)]
    assert due([doubt], got, set(), AT) == () and due([doubt, revoked(doubt, AT + DAY)], got, {"c", "d"}, AT) == ()


def test_a_revoked_record_stays_revoked_whatever_is_dated_later() -> None:
    said = case("a")
    gone = revoked(said, AT + DAY)
    for versions in ([said, gone, revised(said, AT + 2 * DAY)], [revised(said, AT + 2 * DAY), gone, said]):
        assert reach.latest(versions)[said.id] == gone


def test_what_points_to_something_withdrawn_is_withdrawn_or_shortened() -> None:
    theirs, ours = case("b"), case("a")
    sight = sighting("a", theirs, band=(10, 20))
    same = link("a", ours, "duplicate-of", theirs)
    group = words.Grouping(**head("grouping", "a", "g"), objects=(ours.id, theirs.id, sight.id, same.id))
    note = words.Note(**head("note", "a", "n"), about=(sight.id,), content="x")
    apart = words.Note(**head("note", "a", "m"), about=(ours.id,), content="x")
    found = undone({theirs.id}, [ours, sight, same, group, note, apart], AT + DAY)
    by = {each.id: each for each in found.records}
    assert {id_ for id_, each in by.items() if each.revoked} == {sight.id, same.id, note.id}
    assert by[group.id].objects == (ours.id,) and set(by) == {sight.id, same.id, note.id, group.id}  # type: ignore[attr-defined]
    assert found.by[note.id] == (sight.id,) and set(found.by[group.id]) == {theirs.id, sight.id, same.id}
    assert all(each.modified >= AT + DAY for each in found.records)
    assert undone({theirs.id}, [*(each for each in (ours, sight, same, group, note, apart)), *found.records], AT + 2 * DAY).records == ()


# Sightings


def test_bands_are_bounds_of_the_sum() -> None:
    of = case("a")
    (found,) = seen.together([sighting("b", of, band=(10, 20), first_seen=AT + DAY, last_seen=AT + DAY), sighting("c", of, band=(20, 50), first_seen=AT)], AT)
    assert found == seen.Seen(of.id, AT, AT + DAY, (30, 69), False)
    rng = random.Random(2)
    sums = {rng.randrange(10, 20) + rng.randrange(20, 50) for _ in range(5000)}
    assert (min(sums), max(sums) + 1) == found.band, "exactly what two counts in these bands can add up to"


def test_nobody_is_counted_twice() -> None:
    of = case("a")
    first, again = sighting("b", of, band=(10, 20)), sighting("b", of, "2", band=(50, 100))
    assert seen.together([first, dataclasses.replace(again, modified=AT + DAY)], AT)[0].band == (50, 100)
    assert seen.together([first, first], AT)[0].band == (10, 20)
    nameless = dataclasses.replace(sighting("c", of, band=(10, 20)), source=None)
    gone = [sighting("d", of, band=(10, 20)), revoked(sighting("d", of, band=(10, 20)), AT + DAY)]
    assert seen.together([first, nameless, *gone], AT)[0].band == (10, 20)
    assert seen.together([first], AT + 90 * DAY) == ()


def test_who_tells_no_band_makes_the_sum_a_lower_bound() -> None:
    of = case("a")
    assert seen.together([sighting("b", of, band=(10, 20)), sighting("c", of)], AT)[0] == seen.Seen(of.id, None, None, (10, 20), True)
    assert seen.together([sighting("c", of)], AT)[0].band is None


# Quiet periods


def test_a_quiet_period_holds_the_case_and_what_gives_it_away_and_ends_by_itself() -> None:
    hidden, open_, gateway = case("a"), case("a", "open"), pool("a")
    technique = words.Technique(**head("attack-pattern", "a", "t"), name="t", atlas="AML.T0024")
    indicator = words.Indicator(**head("indicator", "a", "i"), name="i", description="d", pattern="p", language="stix", valid_from=AT)
    given = [
        hidden, open_, gateway, technique, indicator, sighting("a", hidden), link("a", hidden, "uses", gateway), link("a", hidden, "uses", technique),
        link("a", indicator, "indicates", gateway), link("a", open_, "uses", technique),
    ]  # fmt: skip
    period = quiet.quiet({hidden.id}, AT, 10, "counsel")
    found = quiet.told(given, [period], (), AT)
    assert [each.id for each in found.now] == [open_.id, technique.id, given[-1].id]
    assert {each.until for each in found.held} == {AT + 10 * DAY} and len(found.held) == 7
    for moment in (AT - 1, AT + 10 * DAY):
        assert quiet.told(given, [period], (), moment).held == ()


def test_corrections_are_never_held_back_and_tell_nothing_new() -> None:
    hidden, gateway = case("a"), pool("a")
    period = [quiet.quiet({hidden.id}, AT, 10, "counsel")]
    gone = revoked(hidden, AT + DAY)
    assert quiet.told([gone], period, {hidden.id}, AT + DAY).now == (gone,)
    doubt = words.Opinion(**head("opinion", "a", "1"), about=(hidden.id,), opinion="disagree")
    assert quiet.told([doubt], period, {hidden.id}, AT).now == (doubt,) and quiet.told([doubt], period, (), AT).now == ()
    more = words.Grouping(**head("grouping", "a", "g"), objects=(hidden.id, gateway.id))
    assert quiet.told([more, gateway], period, {hidden.id, more.id}, AT).now == (), "a new version that names what nobody knows of waits"
    assert quiet.told([more, gateway], period, {hidden.id, more.id, gateway.id}, AT).held == ()


@pytest.mark.parametrize(("about", "days", "by"), [((), 5, "x"), (("a",), 5, " "), (("a",), 0, "x"), (("a",), quiet.LONGEST + 1, "x")])
def test_no_endless_quiet(about: tuple[str, ...], days: int, by: str) -> None:
    with pytest.raises(StillwatchError):
        quiet.quiet(about, AT, days, by)
