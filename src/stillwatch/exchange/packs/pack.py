"""What a pack is: Sigma rules over named features, ranges for their thresholds, cases, and how its false positives were measured. No code, no customer.

A pack travels as one JSON object (`told`, `heard`), signed as it is (packs.envelope). Its rules are ordinary Sigma rules and correlations whose log source
is `product: stillwatch, category: cluster`: their fields are features of a cluster, and a value `'%name%'` stands for a threshold that each member sets on
its own traffic, within the range that the pack allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stillwatch.errors import UserError, nearest
from stillwatch.exchange.packs.sigma import PLACEHOLDER, Correlation, Rule, compiled

FORMAT = "stillwatch-pack/1"
"Version of what travels."

SIDES = ("at most", "at least")
"Which side of a threshold fires."

BESIDE = frozenset({"accounts", "organisations", "calls", "ts"})
"Fields of a row that are no features: sizes of the cluster, and its first moment in seconds."

MOST_RULES, MOST_CASES = 200, 1000
"What a pack may hold, at most: whoever imports one runs all of it."

WORDS = ("format", "id", "name", "version", "licence", "about", "atlas", "tlp", "iep", "features", "thresholds", "false_positives", "rules", "cases")
"Words of a pack, all of them needed."

TLP = ("clear", "green", "amber", "amber+strict", "red")
"Traffic Light Protocol 2.0 (FIRST)."

Version = tuple[int, int, int]


@dataclass(frozen=True)
class Definition:
    """What a member calls a feature."""

    unit: str
    "Its unit."
    digest: str
    "Digest of its definition: two members with the same mean the same."
    compares: bool
    "Whether it compares a cluster's members, so that one organisation has no value."


@dataclass(frozen=True)
class Threshold:
    """A number that each member sets for itself, within limits."""

    feature: str
    "What it bounds."
    low: float
    "Least value allowed."
    high: float
    "Largest value allowed."
    start: float
    "Where it stands until a member has calibrated it."
    side: str
    "Which side fires: at most, at least."

    @property
    def strictest(self) -> float:
        """The value allowed that fires least often."""
        return self.low if self.side == "at most" else self.high


@dataclass(frozen=True)
class Case:
    """Synthetic rows, and which rules must hit on them."""

    name: str
    "Who this is: a campaign's doing, or an innocent look-alike."
    rows: tuple[Mapping[str, Any], ...]
    "Features of clusters."
    hits: frozenset[str]
    "Ids of the rules that must hit; all others must not."


@dataclass(frozen=True)
class Pack:
    """A pack that was read."""

    id: str
    "UUID; the same for all versions."
    name: str
    "A few words."
    version: Version
    "Semantic version."
    about: str
    "What it sees."
    features: Mapping[str, Mapping[str, str]]
    "Feature -> its unit and the digest of its definition, where it was made."
    thresholds: Mapping[str, Threshold]
    "By name."
    rules: tuple[Rule | Correlation, ...]
    "What it looks for; correlations name rules that stand before them."
    cases: tuple[Case, ...]
    "Both sides."
    told: Mapping[str, Any]
    "The whole object as it travels."

    @property
    def numbers(self) -> dict[str, float]:
        """Where thresholds stand that nobody calibrated."""
        return {name: each.start for name, each in self.thresholds.items()}


def version_of(text: str) -> Version:
    """A semantic version (MAJOR.MINOR.PATCH, semver.org). Raises: ValueError.

    >>> version_of("1.12.0") > version_of("1.9.3")
    True
    """
    found = re.fullmatch(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})", text)
    if found is None:
        raise ValueError(text)
    major, minor, patch = (int(each) for each in found.groups())
    return major, minor, patch


def heard(told: Any, where: str, known: Mapping[str, Definition] | None = None) -> Pack:
    """A pack from what travelled. `where`: its file, for errors; `known`: the features of whoever reads it (None: whatever the pack says).

    Raises: UserError for what is no pack, or cannot be used here.
    """
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise UserError(f"is no pack of the format {FORMAT}", where, "a pack is made by `stillwatch pack build`")
    for word in (*WORDS, *told):
        if word not in told:
            raise UserError(f"the pack has no {word}", where, f"a pack has {', '.join(WORDS)}")
        if word not in WORDS:
            near = nearest(word, WORDS)
            raise UserError(f"unknown word {word} in the pack", where, f"did you mean {near}?" if near else f"known: {', '.join(WORDS)}")
    _shapes(told, where)
    features = {str(name): dict(each) for name, each in told["features"].items()}
    for name, each in features.items():
        _known(name, each, known, where)
    thresholds = {str(name): _threshold(str(name), each, features, where) for name, each in told["thresholds"].items()}
    fields = frozenset(features) | BESIDE
    rules = compiled(told["rules"], fields, frozenset(thresholds), where)
    return Pack(
        id=told["id"], name=told["name"], version=version_of(told["version"]), about=told["about"], features=features, thresholds=thresholds, rules=rules,
        cases=tuple(_case(each, fields, rules, where) for each in told["cases"]), told=told,
    )  # fmt: skip


def _shapes(told: Mapping[str, Any], where: str) -> None:
    wanted: list[tuple[str, Callable[[Any], bool], str]] = [
        ("id", lambda value: isinstance(value, str) and bool(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value)), "a UUID in small letters"),
        ("version", lambda value: isinstance(value, str) and _is_version(value), "a semantic version such as 1.0.0"),
        ("tlp", lambda value: value in TLP, f"one of {', '.join(TLP)}"),
        ("atlas", lambda value: _texts(value) and all(re.fullmatch(r"AML\.T\d{4}(\.\d{3})?", each) for each in value), "a list of ATLAS techniques such as AML.T0024"),
        ("rules", lambda value: isinstance(value, list) and 0 < len(value) <= MOST_RULES, f"a list of 1 to {MOST_RULES} Sigma rules"),
        ("cases", lambda value: isinstance(value, list) and len(value) <= MOST_CASES, f"a list of at most {MOST_CASES} cases"),
        *((word, lambda value: isinstance(value, str) and bool(value.strip()), "a text") for word in ("name", "licence", "about")),
        *((word, lambda value: isinstance(value, dict), "a mapping") for word in ("iep", "thresholds", "false_positives")),
        ("features", lambda value: isinstance(value, dict) and all(isinstance(each, dict) and {"unit", "definition"} <= set(each) for each in value.values()), "a mapping of features, each with unit and definition"),
    ]  # fmt: skip
    for word, fits, shape in wanted:
        if not fits(told[word]):
            raise UserError(f"{word} of the pack is not {shape}", where, "mend it and build the pack again")
    claim = told["false_positives"]
    if not {"how", "hits", "of"} <= set(claim) or not all(isinstance(claim[word], int) for word in ("hits", "of")) or not 0 <= claim["hits"] <= claim["of"]:
        raise UserError("false_positives does not say how they were measured", where, "write how (a text), hits and of (whole numbers)")


def _is_version(text: str) -> bool:
    try:
        return bool(version_of(text))
    except ValueError:
        return False


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _known(name: str, each: Mapping[str, Any], known: Mapping[str, Definition] | None, where: str) -> None:
    if known is None:
        return
    if name not in known:
        near = nearest(name, known)
        raise UserError(
            f"the pack reads a feature that is not known here: {name}", where, f"the nearest is {near}" if near else "a newer Stillwatch may know it"
        )
    if each["definition"] != known[name].digest:
        raise UserError(f"the feature {name} is defined differently where the pack was made", where, "ask for the pack in a version for this Stillwatch")


def _threshold(name: str, row: Any, features: Mapping[str, Any], where: str) -> Threshold:
    try:
        made = Threshold(str(row["feature"]), float(row["low"]), float(row["high"]), float(row["start"]), str(row["side"]))
    except (TypeError, KeyError, ValueError) as error:
        raise UserError(f"the threshold {name} is not whole", where, "give it feature, low, high, start and side") from error
    if not re.fullmatch(PLACEHOLDER, f"%{name}%"):
        raise UserError(f"the threshold {name} has no plain name", where, "use letters, digits and _")
    if made.feature not in features:
        raise UserError(f"the threshold {name} bounds {made.feature}, which is none of the pack's features", where, "add it to features")
    if not made.low <= made.start <= made.high or made.side not in SIDES:
        raise UserError(f"the threshold {name} makes no sense", where, "low <= start <= high, and side is 'at most' or 'at least'")
    return made


def _case(row: Any, fields: frozenset[str], rules: Sequence[Rule | Correlation], where: str) -> Case:
    if not isinstance(row, dict) or not isinstance(row.get("name"), str) or not isinstance(row.get("rows"), list) or not _texts(row.get("hits")):
        raise UserError("a case is not whole", where, "give it name, rows (a list of mappings) and hits (a list of ids of rules)")
    for each in row["rows"]:
        bad = sorted(set(each) - fields) if isinstance(each, dict) else ["not a mapping"]
        if bad or not all(isinstance(value, int | float | None) for value in each.values()):
            raise UserError(
                f"a row of the case '{row['name']}' cannot be read ({', '.join(bad) or 'values are numbers'})", where, "name the pack's features only"
            )
    ids = {rule.id for rule in rules}
    if unknown := sorted(set(row["hits"]) - ids):
        raise UserError(f"the case '{row['name']}' expects a rule that is not there: {unknown[0]}", where, "name ids of the pack's rules")
    return Case(row["name"], tuple(row["rows"]), frozenset(row["hits"]))
