"""What a field of text may hold when it is no sentence: a word of a fixed list or a shape. Whatever fits neither is free text by another name.

A playbook (CACAO 2.0) is looked at word by word: names of properties and of types are CACAO's, ids and times have a shape, and all else has to be reviewed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from stillwatch.exchange.stix import vocabulary

_SHAPES = {
    "grade": r"alert|review|watch", "atlas": r"AML\.T[0-9]{4}(?:\.[0-9]{3})?", "sha256": r"[0-9a-f]{64}", "pack_sha256": r"[0-9a-f]{64}", "language": r"stix|sigma",
    "opinion": r"strongly-disagree|disagree|neutral|agree|strongly-agree", "timestamp_token": r"M[A-Za-z0-9+/]{3,16000}={0,2}",
}  # fmt: skip
"Field -> all that it may hold. A timestamp token is DER (its first byte, 0x30, gives the M), base64."

SHAPES = {name: re.compile(shape) for name, shape in _SHAPES.items()}

KINDS = vocabulary.VOCABULARY["infrastructure.infrastructure_types"] | vocabulary.VOCABULARY["indicator.indicator_types"]
CONTEXTS = vocabulary.VOCABULARY["grouping.context"]
RELATED = frozenset(kind for _, kind in vocabulary.RELATED) | frozenset(vocabulary.RELATED_ANYHOW)

LISTS: Mapping[str, frozenset[str]] = {"kinds": frozenset(KINDS), "context": frozenset(CONTEXTS), "kind": RELATED}
"Field -> the words that it may hold."

PROPERTIES = frozenset(
    [
        "type",
        "spec_version",
        "id",
        "name",
        "description",
        "playbook_types",
        "playbook_activities",
        "created_by",
        "created",
        "modified",
        "revoked",
        "valid_from",
        "valid_until",
        "priority",
        "severity",
        "impact",
        "labels",
        "workflow_start",
        "workflow",
        "workflow_exception",
        "on_completion",
        "on_success",
        "on_failure",
        "on_true",
        "on_false",
        "commands",
        "command",
        "agent",
        "agent_definitions",
        "targets",
        "next_steps",
        "condition",
        "external_references",
        "markings",
        "data_marking_definitions",
    ]
)
"CACAO's names of properties that may leave. Variables are not among them: they hold values."

WORDS = frozenset(
    [
        "playbook",
        "cacao-2.0",
        "start",
        "end",
        "action",
        "parallel",
        "if-condition",
        "while-condition",
        "manual",
        "individual",
        "organization",
        "group",
        "sector",
        "notification",
        "detection",
        "investigation",
        "prevention",
        "mitigation",
        "remediation",
        "engagement",
    ]
)
"CACAO's own words for types."

_ID = re.compile(r"[a-z]+(?:-[a-z]+)*--[0-9a-f]{8}-[0-9a-f]{4}-[45][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z")


def fits(name: str, value: str) -> bool:
    """Whether a field may hold a text; true for a field that no form is known of, which the gate looks at otherwise.

    >>> fits("grade", "alert"), fits("grade", "Acme"), fits("kind", "uses")
    (True, False, True)
    """
    if name in LISTS:
        return value in LISTS[name]
    return name not in SHAPES or SHAPES[name].fullmatch(value) is not None


def unread(playbook: Any, reviewed: Callable[[str], bool], where: str = "") -> Iterator[tuple[str, str]]:
    """Places in a playbook with a name or a text that is neither CACAO's own nor reviewed, and why it stays."""
    if isinstance(playbook, Mapping):
        for name, inner in playbook.items():
            if name not in PROPERTIES and not _ID.fullmatch(str(name)) and not reviewed(str(name)):
                yield f"{where}{name}", "no name of CACAO that may leave"
            yield from unread(inner, reviewed, f"{where}{name}.")
    elif isinstance(playbook, list):
        for number, inner in enumerate(playbook):
            yield from unread(inner, reviewed, f"{where}{number}.")
    elif isinstance(playbook, str) and not (playbook in WORDS or _ID.fullmatch(playbook) or _TIME.fullmatch(playbook) or reviewed(playbook)):
        yield where.rstrip("."), "free text that nobody has reviewed"
