"""What a case says: of whom each sentence is true, and an inference for each detector."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import large_case
from stillwatch.campaigns import tell
from stillwatch.detectors.declare import every_detector

ACCOUNTS = 400


def test_users_of_a_template_are_counted_without_those_who_are_in_the_case_by_replays_alone() -> None:
    seen = large_case.traffic(ACCOUNTS)
    (one,) = large_case.case(seen)
    carried = one.weighed.cluster.carried & (np.arange(ACCOUNTS) < 40)[:, None]
    few = replace(one, weighed=replace(one.weighed, cluster=replace(one.weighed.cluster, carried=carried)))
    template = tell._ties([few])[0]
    assert template["accounts"] == 40 and template["text"].startswith("40 accounts use 30 pieces of template (120 marks)")
    strangers = tell._conditions([few], seen.owners)["strangers"]
    assert strangers["strangers"] <= 40 and strangers["text"].startswith(f"{strangers['strangers']} unrelated organisations use")
    nobody = replace(one, weighed=replace(one.weighed, cluster=replace(one.weighed.cluster, carried=np.zeros_like(carried))))
    assert [tie["kind"] for tie in tell._ties([nobody])] == []


def test_every_detector_has_an_inference_of_its_own() -> None:
    assert set(tell.INFERENCES) == set(every_detector())
    assert len(set(tell.INFERENCES.values())) == len(tell.INFERENCES)


def test_only_what_fires_is_inferred() -> None:
    seen = large_case.traffic(ACCOUNTS)
    (one,) = large_case.case(seen)
    silent = replace(one.evidence[0], fires=False)
    told = tell._factors([one], 0, 10, 5, 5, 1.0)
    assert told["concentration"]["inferred"] == [tell.INFERENCES["grading"]]
    assert tell._factors([replace(one, evidence=[silent])], 0, 10, 5, 5, 1.0)["concentration"]["inferred"] == []
