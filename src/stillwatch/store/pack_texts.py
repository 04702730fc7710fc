"""A pack as its maker writes it: a folder with pack.yaml, and Sigma rules in rules/*.yml; read so that every mistake is told with file, line and column.

pack.yaml::

    id: 8f4f2f9e-6a0b-4a52-9f8e-2f3f6c1a7d10   # a UUID, the same for all versions
    name: a job dealt among graders
    version: 1.0.0                             # semantic version
    licence: CC-BY-4.0
    about: One list of grading jobs, dealt over accounts that share nothing else.
    atlas: [AML.T0024.002]
    tlp: amber
    iep: {id: ..., name: ..., version: "2.0"}  # FIRST IEP 2.0
    features: [own_business, shared_slots]     # what the rules read
    thresholds:
      most_own: {feature: own_business, low: 0.1, high: 0.35, start: 0.25, side: at most}
    false_positives: {how: on 4,100 clusters of six weeks, hits: 3, of: 4100}
    cases:
      - {name: a dealt list, rows: [{shared_slots: 0.02, own_business: 0.05}], hits: [<id of a rule>]}
      - {name: a public list, rows: [{shared_slots: 0.9, own_business: 0.05}], hits: []}
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from stillwatch.errors import UserError, nearest
from stillwatch.exchange.packs.pack import FORMAT, WORDS, Definition
from stillwatch.files import written

LARGEST = 1_000_000
"Characters of a file, at most."


def read(folder: Path, known: Mapping[str, Definition]) -> dict[str, Any]:
    """The pack in a folder as it will travel, with the definitions of the features that it names. Raises: UserError."""
    path = folder / "pack.yaml"
    told = _yaml(path)
    if not isinstance(told, dict):
        raise UserError("is no pack", str(path), "write id, name, version and what else the manual's page of packs lists")
    names = told.get("features")
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise UserError("features is no list of names", str(path), "write features: [own_business, shared_slots]")
    for name in names:
        if name not in known:
            near = nearest(name, known)
            raise UserError(f"there is no feature {name}", str(path), f"did you mean {near}?" if near else "the manual's page of signals lists them")
    told["features"] = {name: {"unit": known[name].unit, "definition": known[name].digest} for name in names}
    rules = [_yaml(each) for each in sorted((folder / "rules").glob("*.y*ml"))]
    if not rules:
        raise UserError("holds no Sigma rule", str(folder / "rules"), "put each rule into a file of its own, *.yml; they are taken in order of their names")
    told = {"format": FORMAT, **told, "rules": rules}
    for word in told:
        if word not in WORDS:
            near = nearest(str(word), WORDS)
            raise UserError(f"unknown word {word}", str(path), f"did you mean {near}?" if near else f"known: {', '.join(WORDS)}")
    return told


def _yaml(path: Path) -> Any:
    """A file of plain YAML: no anchors (a few lines could stand for millions), no tags, no key twice."""
    try:
        yaml = import_module("yaml")
    except ImportError as error:
        raise UserError("packs are written in YAML, which is not installed", str(path), "pip install 'stillwatch[exchange]'") from error

    text = written(path, "the pack")
    if len(text) > LARGEST:
        raise UserError("is too long for a pack", str(path), f"{LARGEST:,} characters at most")

    class Plain(yaml.SafeLoader):  # type: ignore[misc, name-defined]
        """Safe, and strict about keys."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            """Refuses anchors and aliases."""
            event = self.peek_event()
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise yaml.MarkedYAMLError(problem="anchors and aliases are not read", problem_mark=event.start_mark)
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            """Refuses a key that stands twice."""
            seen = set()
            for key, _ in node.value:
                if key.value in seen:
                    raise yaml.MarkedYAMLError(problem=f"{key.value} stands twice", problem_mark=key.start_mark)
                seen.add(key.value)
            return super().construct_mapping(node, deep)

        def construct_yaml_timestamp(self, node: Any) -> Any:
            """A date stays the text that was written."""
            return self.construct_scalar(node)

    Plain.add_constructor("tag:yaml.org,2002:timestamp", Plain.construct_yaml_timestamp)
    try:
        return yaml.load(text, Loader=Plain)  # noqa: S506  (a subclass of SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise UserError(f"is no YAML that a pack can be ({error.problem})", where, "mend it") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UserError("is no YAML", str(path), "mend it") from error
