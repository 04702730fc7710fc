"""Our compiled checks against OASIS's stix2-validator in strict mode, object by object, and what we write against it and stix2."""

from __future__ import annotations

import copy
import logging
import random
from typing import Any

import pytest

from exchange.corpus import mutated, objects, records, with_patterns
from stillwatch.exchange.stix.checks import problems
from stillwatch.exchange.stix.reading import read
from stillwatch.exchange.stix.writing import bundle, write

stix2validator = pytest.importorskip("stix2validator", reason="needs stillwatch[exchange-tests]")
stix2 = pytest.importorskip("stix2", reason="needs stillwatch[exchange-tests]")

MUTATIONS = 2000


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def _strict(made: Any) -> bool:
    """The validator's verdict. On some objects it breaks (of an empty pattern it never looks at the first character): those are not good."""
    options = stix2validator.ValidationOptions(strict=True, version="2.1")
    try:
        return bool(stix2validator.validate_parsed_json(copy.deepcopy(made), options).is_valid)
    except Exception:  # whatever it breaks with: it raises its own and Python's errors
        return False


def test_all_we_write_passes_in_strict_mode() -> None:
    for each in objects(11, 6):
        result = stix2validator.validate_parsed_json(copy.deepcopy(each), stix2validator.ValidationOptions(strict=True, version="2.1"))
        assert result.is_valid, (each, result.errors)


def test_verdicts_are_equal_on_the_corpus() -> None:
    good = objects(7, 6)
    rng = random.Random(7)
    corpus = [*good, *with_patterns(good), *(mutated(rng.choice(good), rng) for _ in range(MUTATIONS))]
    ours = [not problems(each) for each in corpus]
    theirs = [_strict(each) for each in corpus]
    assert [(each, problems(each)) for each, one, other in zip(corpus, ours, theirs, strict=True) if one != other] == []
    assert 100 < sum(theirs) < len(corpus) - 1000, "both verdicts are there"


def test_stix2_reads_all_and_loses_nothing() -> None:
    """stix2 writes whole seconds without a fraction where the standard allows it; what is said is the same."""
    given = records(random.Random(4))
    told = stix2.parse(bundle(write(given).objects), allow_custom=True)
    back = read(told.serialize().encode())
    assert back.records == tuple(given) and not back.losses


def test_artifacts_of_envelopes_are_good_for_both_and_damaged_ones_for_neither() -> None:
    from stillwatch.delivering import artifact

    good = artifact(b'{"payload": ""}')
    assert not problems(good) and _strict(good)
    for change in (
        {"payload_bin": "x!"}, {"payload_bin": None}, {"hashes": {"SHA-256": "zz"}}, {"hashes": {}}, {"mime_type": "x"}, {"id": "artifact--1"},
        {"id": "artifact--00000000-0000-4000-8000-000000000001"}, {"decryption_key": "a"},
    ):  # fmt: skip
        made = {name: value for name, value in {**good, **change}.items() if value is not None}
        assert problems(made) and not _strict(made), change
