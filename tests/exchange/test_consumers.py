"""Products that read STIX read what we publish: MISP's importer, OpenCTI's splitter, the pattern matcher. What they drop is named here, and in docs/exchange/stix.md."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from exchange.corpus import records
from stillwatch.exchange.barrier.preparing import Prepared, prepare
from stillwatch.exchange.stix import words
from stillwatch.exchange.stix.kinds import PREFIX
from stillwatch.exchange.stix.writing import bundle, write
from test_barrier_points import AT, CAMPAIGN, KEY, OPEN

WHY = "needs stillwatch[exchange-tests]"
RANGES = ("192.0.2.0/24", "2001:db8::/48")


def _prepared() -> Prepared:
    """What a scan's campaign becomes, with ranges that a person named."""
    return prepare([CAMPAIGN], OPEN, KEY, AT, networks={CAMPAIGN["campaign"]: RANGES})


def _seen(address: str) -> dict[str, Any]:
    """An observation of one address, as a product has it."""
    id_, place = "observed-data--8bb24b3c-d712-40e7-87d2-364f3195ddc8", "ipv4-addr--363165a3-c284-5f12-98a3-2d774869b19b"
    times = {"created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z"}
    observed = {"first_observed": "2026-01-01T00:00:00Z", "last_observed": "2026-01-01T00:00:00Z", "number_observed": 1, "object_refs": [place]}
    return {
        "type": "bundle", "id": "bundle--8bb24b3c-d712-40e7-87d2-364f3195ddc8",
        "objects": [
            {"type": "observed-data", "spec_version": "2.1", "id": id_, **times, **observed},
            {"type": "ipv4-addr", "spec_version": "2.1", "id": place, "value": address},
        ],
    }  # fmt: skip


def test_the_matcher_matches_our_indicators() -> None:
    matcher = pytest.importorskip("stix2matcher.matcher", reason=WHY)
    patterns = [each.pattern for each in _prepared().records if isinstance(each, words.Indicator)]
    assert len(patterns) == 2
    (pattern,) = [each for each in patterns if "ipv4" in each]
    assert matcher.match(pattern, [_seen("192.0.2.77")], stix_version="2.1")
    assert not matcher.match(pattern, [_seen("198.51.100.1")], stix_version="2.1")


@pytest.mark.parametrize("made", ["prepared", "every kind"])
def test_opencti_splits_without_losing_an_object(made: str) -> None:
    """It follows references: one that leads back to its own object would never end."""
    splitter = pytest.importorskip("pycti", reason=WHY).OpenCTIStix2Splitter
    content = _prepared().content if made == "prepared" else bundle(write(records(random.Random(0))).objects)
    split = splitter().split_bundle(content.decode())
    ids = {each["id"] for part in split for each in orjson.loads(part)["objects"]}
    assert {each["id"] for each in orjson.loads(content)["objects"]} == ids


def _event(content: bytes) -> tuple[dict[str, Any], set[str]]:
    """What MISP's importer makes of a bundle, and what it says it cannot read."""
    misp, stix2 = pytest.importorskip("misp_stix_converter", reason=WHY), pytest.importorskip("stix2", reason=WHY)
    parser = misp.ExternalSTIX2toMISPParser()
    parser.load_stix_bundle(stix2.parse(content, allow_custom=True, version="2.1"))
    parser.parse_stix_bundle(single_event=True)
    return orjson.loads(parser.misp_event.to_json()), {said for each in parser.errors.values() for said in each}


def test_misp_imports_what_must_be_understood() -> None:
    prepared = _prepared()
    told, errors = _event(prepared.content)
    assert {each["value"] for each in told["Attribute"]} == set(RANGES)
    # One grouping is one event, and its facts are the event's tags: extensions are dropped there, labels are not.
    tags = {tag["name"] for tag in told["Tag"]}
    assert {"tlp:amber+strict", f"{PREFIX}purpose=detection"} <= tags and any(tag.startswith(f"{PREFIX}expires=2026-") for tag in tags)
    comments = " ".join(each["comment"] for each in told["Attribute"])
    assert all(each.id in comments for each in prepared.records if isinstance(each, words.Indicator))
    names = {cluster["value"] for galaxy in told["Galaxy"] for cluster in galaxy["GalaxyCluster"]}
    assert {each.name for each in prepared.records if isinstance(each, words.Case | words.Technique)} <= names
    # What MISP itself has no place for; when that changes, the manual has to.
    assert {said.rpartition(" ")[2] for said in errors} == {"infrastructure", "note"}


def test_misp_marks_every_range_where_there_are_several_cases() -> None:
    """Then no event stands for one grouping, and each range carries the marking itself."""
    both = prepare([CAMPAIGN, CAMPAIGN | {"campaign": "another"}], OPEN, KEY, AT, networks={CAMPAIGN["campaign"]: RANGES})
    told, _ = _event(both.content)
    assert {each["value"]: [tag["name"] for tag in each.get("Tag", [])] for each in told["Attribute"]} == dict.fromkeys(RANGES, ["tlp:amber+strict"])


def test_misp_keeps_the_pattern_of_a_lone_indicator() -> None:
    """Where no address goes with it, the pattern is an object of its own."""
    (indicator,) = [each for each in _prepared().records if isinstance(each, words.Indicator) and "ipv4" in each.pattern]
    told, _ = _event(bundle(write([indicator]).objects))
    assert indicator.pattern in orjson.dumps(told).decode()
