"""Products that read STIX read what we publish: MISP's importer, OpenCTI's splitter, the pattern matcher."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest
from exchange.corpus import AT, records

from stillwatch.exchange.stix import words
from stillwatch.exchange.stix.kinds import PREFIX
from stillwatch.exchange.stix.writing import bundle, write

WHY = "needs stillwatch[exchange-tests]"


def _published(seed: int = 0) -> tuple[list[Any], bytes]:
    given = records(random.Random(seed))
    return given, bundle(write(given).objects)


def test_the_matcher_matches_our_indicators() -> None:
    matcher = pytest.importorskip("stix2matcher.matcher", reason=WHY)
    given, _ = _published()
    (pattern,) = [each.pattern for each in given if isinstance(each, words.Indicator) and each.language == "stix"]
    inside, outside = (
        {
            "type": "bundle", "id": "bundle--8bb24b3c-d712-40e7-87d2-364f3195ddc8",
            "objects": [
                {"type": "observed-data", "spec_version": "2.1", "id": "observed-data--8bb24b3c-d712-40e7-87d2-364f3195ddc8", "created": "2026-01-01T00:00:00.000Z",
                 "modified": "2026-01-01T00:00:00.000Z", "first_observed": "2026-01-01T00:00:00Z", "last_observed": "2026-01-01T00:00:00Z", "number_observed": 1,
                 "object_refs": ["ipv4-addr--363165a3-c284-5f12-98a3-2d774869b19b"]},
                {"type": "ipv4-addr", "spec_version": "2.1", "id": "ipv4-addr--363165a3-c284-5f12-98a3-2d774869b19b", "value": address},
            ],
        }
        for address in ("192.0.2.77", "198.51.100.1")
    )  # fmt: skip
    assert matcher.match(pattern, [inside], stix_version="2.1")
    assert not matcher.match(pattern, [outside], stix_version="2.1")


def test_opencti_splits_without_losing_an_object() -> None:
    splitter = pytest.importorskip("pycti", reason=WHY).OpenCTIStix2Splitter
    given, content = _published()
    split = splitter().split_bundle(content.decode())
    parts = next(part for part in (split if isinstance(split, tuple) else (split,)) if isinstance(part, list))
    ids = {each["id"] for part in parts for each in orjson.loads(part)["objects"]}
    assert {each.id for each in given} <= ids


def test_misp_imports_what_must_be_understood() -> None:
    misp = pytest.importorskip("misp_stix_converter", reason=WHY)
    stix2 = pytest.importorskip("stix2", reason=WHY)
    given, content = _published(3)
    parser = misp.ExternalSTIX2toMISPParser()
    parser.load_stix_bundle(stix2.parse(content, allow_custom=True, version="2.1"))
    parser.parse_stix_bundle(single_event=True)
    told = parser.misp_event.to_json()
    (indicator,) = [each for each in given if isinstance(each, words.Indicator) and each.language == "stix"]
    assert "192.0.2.0/24" in told and indicator.id.partition("--")[2] in told
    # TLP as a tag, expiry and purpose as labels of the indicator: extensions are dropped there.
    assert f"tlp:{indicator.tlp}" in told.lower()
    assert indicator.purpose is None or f"{PREFIX}purpose={indicator.purpose}" in told
    assert AT
