"""Checks of what lies inside a STIX object: references to elsewhere, granular markings, extensions, digests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stillwatch.exchange.stix.vocabulary import EXTENSIONS

IDENTIFIER = re.compile(r"[a-z][a-z0-9-]+[a-z0-9]--[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-5][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}")
"A STIX identifier."

NAME = re.compile(r"^([a-z][a-z0-9_]{2,249})|id$")
BINARY = re.compile(r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$")
SELECTOR = re.compile(r"([a-z0-9_-]{3,249}(\.(\[\d+\]|[a-z0-9_-]{1,250}))*|id)")
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]*")
EXTENSION = re.compile(r"extension-definition--[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-5][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}")
DIGESTS = {
    "MD5": r"[a-fA-F0-9]{32}", "SHA-1": r"[a-fA-F0-9]{40}", "SHA-256": r"[a-fA-F0-9]{64}", "SHA-512": r"[a-fA-F0-9]{128}", "SHA3-256": r"[a-fA-F0-9]{64}",
    "SHA3-512": r"[a-fA-F0-9]{128}", "SSDEEP": r"[a-zA-Z0-9/+:.]{1,128}", "TLSH": r"[a-zA-Z0-9]{70}",
}  # fmt: skip
"Digest -> its form."

CVE, CAPEC = re.compile(r"CVE-\d{4}-(0\d{3}|[1-9]\d{3,})"), re.compile(r"CAPEC-\d+")


def hidden(content: Mapping[str, Any]) -> str | None:
    """What is wrong with properties whose names are free; None when nothing is."""
    for name, value in content.items():
        if not NAME.search(name):
            return f"no name of a property: {name[:40]}"
        if value is None or value == []:
            return f"{name[:40]} is empty"
        if name.endswith("_bin") and not (isinstance(value, str) and BINARY.search(value)):
            return f"{name[:40]} is not base64"
        if name.endswith("_hex") and not (isinstance(value, str) and re.search(r"^([a-fA-F0-9]{2})+$", value)):
            return f"{name[:40]} is not hexadecimal"
    return None


def extensions(value: Any) -> str | None:
    """Extensions by the id of their definition."""
    if not isinstance(value, dict) or not value:
        return "no extensions"
    for name, content in value.items():
        if not EXTENSION.fullmatch(name):
            return "not named by a definition's identifier"
        if not isinstance(content, dict) or content.get("extension_type") not in EXTENSIONS:
            return "no extension_type that STIX knows"
        wrong = hidden(content)
        if wrong:
            return wrong
    return None


def external(value: Any) -> str | None:
    """A reference to another source. An address goes with a digest."""
    if not isinstance(value, dict) or not isinstance(value.get("source_name"), str):
        return "no source_name"
    if not all(isinstance(value.get(name, ""), str) for name in ("description", "url", "external_id")):
        return "no text"
    source, id_ = value["source_name"], value.get("external_id")
    for name, form in (("cve", CVE), ("capec", CAPEC)):
        if (source == name) != bool(id_ is not None and form.fullmatch(id_)):
            return f"{name} goes with its identifiers"
    if not {"external_id", "description", "url"} & set(value):
        return "says nothing of the source"
    if "url" in value and not URL.fullmatch(value["url"]):
        return "no address"
    if "url" in value and "hashes" not in value:
        return "an address without a digest"
    return digests(value["hashes"]) if "hashes" in value else None


def digests(value: Any) -> str | None:
    """Digests by algorithm."""
    if not isinstance(value, dict) or not value:
        return "no digests"
    good = all(name in DIGESTS and isinstance(given, str) and re.fullmatch(DIGESTS[name], given) for name, given in value.items())
    return None if good else "no digest of its algorithm"


def granular(value: Any) -> str | None:
    """A marking of parts of an object."""
    if not isinstance(value, dict) or not {"selectors", "marking_ref"} <= set(value):
        return "no granular marking"
    selectors, mark = value["selectors"], value["marking_ref"]
    if not isinstance(selectors, list) or not selectors or not all(isinstance(each, str) and SELECTOR.fullmatch(each) for each in selectors):
        return "no selectors"
    if not isinstance(mark, str) or not mark.startswith("marking-definition--") or not IDENTIFIER.fullmatch(mark):
        return "names no marking"
    return None if isinstance(value.get("lang", ""), str) else "no language"
