"""What a detector is: a pattern in a cluster's columns, declared in one file and found by walking the package."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stillwatch.evidence.tails import Rank
from stillwatch.records import Evidence

Values = Mapping[str, float]
"Feature -> value; a detector is asked only where all that it reads is known."


@dataclass(frozen=True)
class Range:
    """Where the reference organisations lie."""

    low: float
    "5th percentile."
    high: float
    "95th percentile."


Ranges = Mapping[str, Range]
"Feature -> range of the reference; a feature that compares members has none."


@dataclass(frozen=True)
class Seen:
    """What a detector saw."""

    value: float
    "The measured value."
    fires: bool
    "Whether it lies beyond what is benign."
    text: str
    "One sentence with the figures."


@dataclass(frozen=True)
class Fires:
    """A case in which the detector must fire."""

    values: Values
    "Features."
    ranges: Ranges
    "Reference."


@dataclass(frozen=True)
class Silent:
    """A case in which it must not; `why` names the innocent look-alike or the missing input."""

    values: Values
    "Features."
    ranges: Ranges
    "Reference."
    why: str
    "Who this is."


@dataclass(frozen=True)
class Detector:
    """One pattern. It grades and explains; verdicts need the e-values of strangers or replays."""

    name: str
    "The pattern it sees."
    reads: tuple[str, ...]
    "Features it needs; with one unknown it says nothing."
    value: str
    "The feature shown as its value."
    unit: str
    "Unit of the value."
    look: Callable[[Values, Ranges], Seen]
    "The judgement, pure."
    factor: str
    "Purpose factor: volume, concentration, coordination or timeline."
    atlas: str
    "MITRE ATLAS technique."
    speaks_of_purpose: bool
    "Whether firing says something about why (and not only about coordination)."
    why: str
    "What it sees and why that matters."
    lookalike: str
    "Who looks the same without guilt."
    blind_spot: str
    "What it cannot see."
    cases: tuple[Fires | Silent, ...]
    "Both sides."


def every_detector(package: str = "stillwatch.detectors") -> dict[str, Detector]:
    """All detectors of a package by name: each module under it may declare one as `DETECTOR`."""
    folder = importlib.import_module(package)
    found: dict[str, Detector] = {}
    for module in pkgutil.iter_modules(folder.__path__, package + "."):
        detector = getattr(importlib.import_module(module.name), "DETECTOR", None)
        if detector is not None:
            found[detector.name] = detector
    return dict(sorted(found.items()))


def evidence(
    detector: Detector, values: Mapping[str, float | None], ranges: Ranges, ranked: Callable[[str, float], Rank | None] = lambda feature, value: None
) -> Evidence | None:
    """What the detector says of one cluster; None when an input is unknown. `ranked`: where a value of a feature stands among innocents."""
    known = {name: value for name in detector.reads if (value := values.get(name)) is not None}
    if len(known) < len(detector.reads):
        return None
    seen = detector.look(known, ranges)
    span, stands = ranges.get(detector.value), ranked(detector.value, seen.value)
    return Evidence(
        detector.name, seen.value, detector.unit, span.low if span else None, span.high if span else None, None, seen.fires, detector.factor, detector.atlas, seen.text,
        *((None, None) if stands is None else (float(f"{stands.p:.3e}"), float(f"{stands.p_floor:.3e}"))),
    )  # fmt: skip
