"""Sigma rules and correlations (SigmaHQ specification 2.1) over rows of numbers, as far as packs use them; whatever else a rule says is refused, not guessed.

Taken from Sigma: selections as mappings (all fields) and lists of mappings (any), the modifiers lt, lte, gt, gte and none (equal), conditions with and, or, not,
brackets, `1 of NAME*`, `all of NAME*`, `1 of them`; correlations event_count, value_count and temporal with group-by and timespan. What is unknown stays
unknown through a condition (Kleene's three values), and a rule whose answer is unknown does not hit: `not` of something unseen is no sign.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from stillwatch.errors import UserError

PLACEHOLDER = r"%[A-Za-z][A-Za-z0-9_]*%"
"What stands for a threshold."

COMPARE: dict[str, Callable[[float, float], bool]] = {
    "": lambda value, bound: value == bound,
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
}
"Modifier -> comparison."

LOGSOURCE = {"product": "stillwatch", "category": "cluster"}
"The only log source of a pack's rules."

SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
"Units of a timespan, in seconds."

RULE_WORDS = frozenset({
    "title", "id", "name", "status", "description", "license", "references", "author", "date", "modified", "tags", "logsource", "detection", "fields",
    "falsepositives", "level", "related", "taxonomy", "scope",
})  # fmt: skip
"Words of a rule."

CORRELATION_WORDS = (RULE_WORDS | {"correlation", "generate"}) - {"logsource", "detection"}
"Words of a correlation."

Row = Mapping[str, float | None]
Numbers = Mapping[str, float]
Test = Callable[[Row, Numbers], bool | None]


@dataclass(frozen=True)
class Rule:
    """A rule on one row."""

    id: str
    "UUID."
    title: str
    "What it sees."
    reads: frozenset[str]
    "Fields it looks at."
    test: Test
    "True, False, or None where an unknown field decides."

    def hits(self, row: Row, numbers: Numbers) -> bool:
        """Whether it is surely so."""
        return self.test(row, numbers) is True


@dataclass(frozen=True)
class Correlation:
    """A rule on several rows that other rules hit."""

    id: str
    "UUID."
    title: str
    "What it sees."
    of: tuple[str, ...]
    "Ids of rules."
    kind: str
    "event_count, value_count or temporal."
    by: tuple[str, ...]
    "Fields that must be equal; rows that lack one are passed over."
    span: float
    "Seconds between the first row and the last."
    field: str | None
    "value_count: whose distinct values are counted."
    bounds: tuple[tuple[str, float], ...]
    "Comparisons that the count must satisfy, all of them."

    def hits(self, rows: Sequence[tuple[Row, frozenset[str]]]) -> bool:
        """Whether any window of rows satisfies it. `rows`: with the ids of the rules that hit each; a row without `ts` is passed over."""
        groups: dict[tuple[float, ...], list[tuple[float, Row, frozenset[str]]]] = {}
        for row, hit in rows:
            key, ts = [row.get(name) for name in self.by], row.get("ts")
            mine = hit & set(self.of)
            if mine and ts is not None and None not in key:
                groups.setdefault(tuple(float(each) for each in key if each is not None), []).append((ts, row, mine))
        return any(self._within(sorted(group, key=lambda each: each[0])) for group in groups.values())

    def _within(self, rows: list[tuple[float, Row, frozenset[str]]]) -> bool:
        for at, (begin, _, _) in enumerate(rows):
            window = [each for each in rows[at:] if each[0] - begin <= self.span]
            if self.kind == "temporal":
                if set().union(*(hit for _, _, hit in window)) >= set(self.of):
                    return True
                continue
            values = {row.get(self.field) for _, row, _ in window} - {None} if self.kind == "value_count" and self.field else set()
            count = len(values) if self.kind == "value_count" else len(window)
            if all(COMPARE[how](count, bound) for how, bound in self.bounds):
                return True
        return False


def compiled(rules: Sequence[Any], fields: frozenset[str], thresholds: frozenset[str], where: str) -> tuple[Rule | Correlation, ...]:
    """Rules ready to run, in order. Raises: UserError naming the rule, for whatever this does not do exactly as Sigma says."""
    made: list[Rule | Correlation] = []
    names: dict[str, str] = {}
    for number, each in enumerate(rules, 1):
        spot = f"{where}: rule {number}"
        if not isinstance(each, dict) or not isinstance(each.get("title"), str):
            raise UserError("is no Sigma rule", spot, "a rule is a mapping with title, id, logsource and detection")
        if not isinstance(each.get("id"), str) or each["id"] in names:
            raise UserError(f"'{each['title']}' has no id of its own", spot, "give it a UUID")
        correlates = "correlation" in each
        if unknown := sorted(set(each) - (CORRELATION_WORDS if correlates else RULE_WORDS)):
            raise UserError(f"'{each['title']}' has a word that is not supported: {unknown[0]}", spot, "packs take a part of Sigma; see docs/exchange/packs.md")
        made.append(_correlation(each, names, fields, spot) if correlates else _rule(each, fields, thresholds, spot))
        names[each["id"]] = each["id"]
        if isinstance(each.get("name"), str):
            names[each["name"]] = each["id"]
    return tuple(made)


def _rule(rule: Mapping[str, Any], fields: frozenset[str], thresholds: frozenset[str], spot: str) -> Rule:
    if rule.get("logsource") != LOGSOURCE:
        raise UserError(f"'{rule['title']}' looks at another log source", spot, "a pack's rules have product: stillwatch, category: cluster")
    detection = rule.get("detection")
    if not isinstance(detection, dict) or not isinstance(detection.get("condition"), str):
        raise UserError(f"'{rule['title']}' has no condition", spot, "write detection with selections and one condition")
    reads: set[str] = set()
    selections = {str(name): _selection(each, fields, thresholds, reads, f"{spot}, {name}") for name, each in detection.items() if name != "condition"}
    return Rule(rule["id"], rule["title"], frozenset(reads), _condition(detection["condition"], selections, spot))


def _selection(given: Any, fields: frozenset[str], thresholds: frozenset[str], reads: set[str], spot: str) -> Test:
    if isinstance(given, list) and given:
        parts = [_selection(each, fields, thresholds, reads, spot) for each in given]
        return lambda row, numbers: _any([part(row, numbers) for part in parts])
    if not isinstance(given, dict) or not given:
        raise UserError("a selection is no mapping of fields", spot, "write field|lte: number")
    tests = [_field(str(name), value, fields, thresholds, reads, spot) for name, value in given.items()]
    return lambda row, numbers: _all([test(row, numbers) for test in tests])


def _field(name: str, value: Any, fields: frozenset[str], thresholds: frozenset[str], reads: set[str], spot: str) -> Test:
    field, *modifiers = name.split("|")
    how = modifiers[0] if modifiers else ""
    if len(modifiers) > 1 or how not in COMPARE:
        raise UserError(f"the modifier {'|'.join(modifiers)} is not supported", spot, "use lt, lte, gt, gte or none")
    if field not in fields:
        raise UserError(f"{field} is none of the pack's features", spot, "add it to features")
    reads.add(field)
    compare = COMPARE[how]
    if isinstance(value, str) and re.fullmatch(PLACEHOLDER, value):
        threshold = value.strip("%")
        if threshold not in thresholds:
            raise UserError(f"there is no threshold {threshold}", spot, "add it to thresholds")
        return lambda row, numbers: None if (seen := row.get(field)) is None else compare(seen, numbers[threshold])
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{name} is compared with no number", spot, "write a number, or '%threshold%'")
    bound = float(value)
    return lambda row, numbers: None if (seen := row.get(field)) is None else compare(seen, bound)


def _all(answers: Sequence[bool | None]) -> bool | None:
    return False if False in answers else None if None in answers else True


def _any(answers: Sequence[bool | None]) -> bool | None:
    return True if True in answers else None if None in answers else False


def _condition(text: str, selections: Mapping[str, Test], spot: str) -> Test:
    """A condition by recursive descent: or < and < not < (brackets, N of PATTERN, a name)."""
    tokens: list[str] = re.findall(r"\(|\)|[^\s()]+", text)
    at = 0

    def wrong(what: str) -> UserError:
        return UserError(f"the condition '{text}' {what}", spot, f"selections: {', '.join(selections) or 'none'}")

    def word() -> str | None:
        return tokens[at].lower() if at < len(tokens) else None

    def take() -> str:
        nonlocal at
        if at >= len(tokens):
            raise wrong("ends too early")
        at += 1
        return tokens[at - 1]

    def joined(inner: Callable[[], Test], by: str, how: Callable[[Sequence[bool | None]], bool | None]) -> Test:
        parts = [inner()]
        while word() == by:
            take()
            parts.append(inner())
        return parts[0] if len(parts) == 1 else lambda row, numbers: how([part(row, numbers) for part in parts])

    def either() -> Test:
        return joined(both, "or", _any)

    def both() -> Test:
        return joined(negated, "and", _all)

    def negated() -> Test:
        if word() != "not":
            return atom()
        take()
        inner = negated()
        return lambda row, numbers: None if (answer := inner(row, numbers)) is None else not answer

    def atom() -> Test:
        token = take()
        if token == "(":
            inner = either()
            if take() != ")":
                raise wrong("has a bracket that does not close")
            return inner
        if token.lower() in ("1", "any", "all") and word() == "of":
            take()
            pattern = take()
            mine = [
                test
                for name, test in selections.items()
                if fnmatchcase(name, "*" if pattern == "them" else pattern) and not (pattern == "them" and name.startswith("_"))
            ]
            if not mine:
                raise wrong(f"names no selection by {pattern}")
            how = _all if token.lower() == "all" else _any
            return lambda row, numbers: how([test(row, numbers) for test in mine])
        if token not in selections:
            raise wrong(f"names no selection: {token}")
        return selections[token]

    made = either()
    if at != len(tokens):
        raise wrong(f"goes on after its end: {tokens[at]}")
    return made


def _correlation(rule: Mapping[str, Any], names: Mapping[str, str], fields: frozenset[str], spot: str) -> Correlation:
    told = rule["correlation"]
    wanted = "a correlation has type, rules, timespan, condition and maybe group-by"
    if not isinstance(told, dict) or set(told) - {"type", "rules", "group-by", "timespan", "condition"}:
        raise UserError(f"'{rule['title']}' is no correlation", spot, wanted)
    kind, of = told.get("type"), told.get("rules")
    span = re.fullmatch(r"(\d+)([smhd])", str(told.get("timespan")))
    if kind not in ("event_count", "value_count", "temporal") or not isinstance(of, list) or not of or span is None:
        raise UserError(f"'{rule['title']}' is no correlation that is supported", spot, f"{wanted}; type is event_count, value_count or temporal")
    if missing := [each for each in of if each not in names]:
        raise UserError(
            f"'{rule['title']}' correlates a rule that does not stand before it: {missing[0]}", spot, "name rules by name or id, and put them first"
        )
    condition = told.get("condition", {"gte": 1} if kind == "temporal" else None)
    if not isinstance(condition, dict):
        raise UserError(f"'{rule['title']}' has no condition", spot, wanted)
    field = condition.get("field")
    bounds = tuple(("" if how == "eq" else str(how), bound) for how, bound in condition.items() if how != "field")
    by = told.get("group-by", [])
    bad = [each for each in (*by, *([field] if field is not None else [])) if each not in fields]
    if bad or not bounds or any(how not in COMPARE or isinstance(bound, bool) or not isinstance(bound, int | float) for how, bound in bounds):
        raise UserError(
            f"'{rule['title']}' cannot count so{f' ({bad[0]} is no feature of the pack)' if bad else ''}", spot, "condition is a mapping such as gte: 3"
        )
    if (kind == "value_count") != (field is not None):
        raise UserError(f"'{rule['title']}' must name the field whose values are counted, and no other kind may", spot, "condition: {field: NAME, gte: 3}")
    return Correlation(
        rule["id"], rule["title"], tuple(dict.fromkeys(names[each] for each in of)), kind, tuple(by), int(span[1]) * SPANS[span[2]], field, bounds
    )
