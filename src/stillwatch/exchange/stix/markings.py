"""Markings: TLP 2.0 as OASIS defines it for STIX 2.1, FIRST's IEP 2.0, and the definition of our own extension.

A policy of IEP is a statement marking whose text is the policy, so that products that know no IEP keep it and show it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson

from stillwatch.exchange.stix.moments import parsed, stamp
from stillwatch.exchange.stix.words import Iep

TLP_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
"OASIS's extension that carries TLP 2.0."

TLP_IDS = {
    "clear": "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    "green": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "amber": "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "amber+strict": "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    "red": "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
"TLP 2.0 -> OASIS's marking."

TLP_BY_ID = {marking: tlp for tlp, marking in TLP_IDS.items()}
"The other way round."

EXTENSION = "extension-definition--f7b1ca09-0c5f-4b04-adca-d67166052c43"
"Our property extension."

OURSELVES = "identity--9f216f0b-092d-42eb-8818-f9af579a6782"
"The project, as the maker of the extension."

VERSION = 1
"Of the extension: what it says is readable for good (docs/exchange/stillwatch-extension.schema.json)."

BORN = "2026-11-26T00:00:00.000Z"
"When the extension was made."

IEP_TEXT = "FIRST IEP 2.0: "
"How a statement that is a policy begins."


def tlp(word: str) -> dict[str, Any]:
    """The marking of a word of TLP 2.0, as OASIS publishes it."""
    return {
        "type": "marking-definition", "spec_version": "2.1", "id": TLP_IDS[word], "created": "2022-10-01T00:00:00.000Z", "name": f"TLP:{word.upper()}",
        "extensions": {TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": word}},
    }  # fmt: skip


def iep(policy: Iep) -> dict[str, Any]:
    """The marking of a policy. `iep_of` reads it."""
    told = dataclasses.asdict(policy) | {"iep_version": "2.0", "start": stamp(policy.start), "end": None if policy.end is None else stamp(policy.end)}
    told = {name: value for name, value in told.items() if value is not None}
    return {
        "type": "marking-definition", "spec_version": "2.1", "id": f"marking-definition--{policy.id}", "created": stamp(policy.start),
        "name": f"IEP:{policy.name}", "definition_type": "statement",
        "definition": {"statement": IEP_TEXT + orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode()},
    }  # fmt: skip


def iep_of(marking: dict[str, Any]) -> Iep | None:
    """The policy that a marking is; None when it is none, or not one that is known here."""
    definition = marking.get("definition")
    statement = definition.get("statement") if isinstance(definition, dict) else None
    if not isinstance(statement, str) or not statement.startswith(IEP_TEXT):
        return None
    try:
        told = orjson.loads(statement.removeprefix(IEP_TEXT))
    except orjson.JSONDecodeError:
        return None
    if not isinstance(told, dict) or told.pop("iep_version", None) != "2.0" or not all(isinstance(value, str) for value in told.values()):
        return None
    start, end = parsed(told.pop("start", "")), parsed(told["end"]) if "end" in told else None
    if (
        start is None
        or (end is None and "end" in told)
        or set(told) - {"end"} - {each.name for each in dataclasses.fields(Iep)}
        or not {"id", "name"} <= set(told)
    ):
        return None
    return Iep(start=start, **(told | {"end": end}))


def definition() -> list[dict[str, Any]]:
    """Our extension's definition, and who made it."""
    common = {"spec_version": "2.1", "created": BORN, "modified": BORN}
    return [
        {"type": "identity", "id": OURSELVES, **common, "name": "Stillwatch", "identity_class": "system"},
        {
            "type": "extension-definition", "id": EXTENSION, **common, "created_by_ref": OURSELVES, "name": "stillwatch", "version": f"{VERSION}.0.0",
            "description": "Facts about records of distillation campaigns. Each also stands as a label that begins with stillwatch: ; playbooks and timestamp tokens stand here only.",
            "schema": "docs/exchange/stillwatch-extension.schema.json", "extension_types": ["property-extension"],
        },
    ]  # fmt: skip
