"""Laws that every detector obeys, and its own cases."""

from __future__ import annotations

import pytest

from stillwatch.detectors.declare import Detector, Fires, Silent, every_detector, evidence
from stillwatch.features.declare import every_feature

DETECTORS = every_detector()
EACH = pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS)
CASES = [
    pytest.param(detector, case, id=f"{detector.name}-{i}-{type(case).__name__}") for detector in DETECTORS.values() for i, case in enumerate(detector.cases)
]


@pytest.mark.parametrize(("detector", "case"), CASES)
def test_case(detector: Detector, case: Fires | Silent) -> None:
    said = evidence(detector, case.values, case.ranges)
    assert (said is not None and said.fires) == isinstance(case, Fires)


@EACH
def test_laws(detector: Detector) -> None:
    assert {type(case) for case in detector.cases} == {Fires, Silent}, "cases of both sides"
    assert any(isinstance(case, Silent) and case.values for case in detector.cases), "an innocent look-alike"
    assert set(detector.reads) <= set(every_feature()), "reads only declared features"
    assert detector.value in detector.reads
    assert detector.factor in {"volume", "concentration", "coordination", "timeline"}
    assert detector.atlas.startswith("AML.T")
    assert detector.why and detector.lookalike and detector.blind_spot


@EACH
def test_silent_when_an_input_is_unknown(detector: Detector) -> None:
    case = next(case for case in detector.cases if isinstance(case, Fires))
    for name in detector.reads:
        assert evidence(detector, {**case.values, name: None}, case.ranges) is None


@EACH
def test_reads_only_what_it_declares(detector: Detector) -> None:
    case = next(case for case in detector.cases if isinstance(case, Fires))
    noisy = {**dict.fromkeys(every_feature(), 0.123), **case.values}
    assert evidence(detector, noisy, case.ranges) == evidence(detector, case.values, case.ranges)
