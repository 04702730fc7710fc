"""Signed envelopes through collections: packs, their withdrawals and calibrations for many, inquiries and answers for one member alone.

An envelope travels as a STIX artifact, whole, so that its signature holds at the other end; a pack's rules stand beside it as indicators that any TAXII client can read.
What comes is written to files as it was signed, and nothing more: `pack import` and `trace` take it from there, with all of their checks.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid5

import orjson

from stillwatch import noting
from stillwatch.errors import UserError
from stillwatch.exchange import envelope
from stillwatch.exchange.calibration import statement
from stillwatch.exchange.stix import words, writing
from stillwatch.exchange.stix.moments import DAY
from stillwatch.exchange.stix.writing import OBSERVABLE
from stillwatch.files import publish
from stillwatch.noting import Said
from stillwatch.peers import posting
from stillwatch.peers import settings as peers
from stillwatch.store import directories
from stillwatch.store.shared.heard import Hearsay

KINDS = {envelope.PACK: "pack", envelope.WITHDRAWAL: "withdrawal", envelope.INQUIRY: "inquiry", envelope.ANSWER: "answer", envelope.CALIBRATION: "calibration"}
"Payload type -> what it is called in a file's name."

ALONE = frozenset((envelope.INQUIRY, envelope.ANSWER))
"What is for one member: a collection that anybody else reads does not get it."

MIME = "application/json"
"Media type of an artifact: an envelope is JSON, and names its own payload type. (Strict STIX wants a type that is registered.)"

LASTS = 365
"Days that a pack's indicators stand."


def deliver(settings: Path, file: Path, to: str, *, ledger: Path | None = None) -> dict[str, Any]:
    """Post an envelope to a collection, PEER/ID. Who reads that is told by [[collection]] blocks of the settings.

    Returns: kind, sha256, readers, added, failures. Raises: UserError where it is no envelope, the readers are not told, or somebody would read it for whom it is not; Unanswered.
    """
    me, _ = peers.load(settings)
    raw = directories.read(file)
    kind = _kind(raw, str(file))
    peer, collection, everybody = peers.target(to, settings)
    others = sorted(everybody)
    if kind in ALONE and len(others) > 1:
        raise UserError(f"is for one member, and {len(others)} would read it: {', '.join(others)}", to, "choose a collection that only one other member reads")
    if kind == envelope.CALIBRATION and (strangers := statement.for_all(statement.heard(envelope.kept(raw, str(file)), str(file)), others)):
        raise UserError(f"is not for {', '.join(strangers)}, who would read it", to, "choose another collection, or make it for them as well")
    told = posting.post(settings, peer, collection, [orjson.dumps(each) for each in (*_indicators(raw, kind), artifact(raw))])
    noting.noted(ledger, me.key, [Said("correction" if kind == envelope.WITHDRAWAL else "share", raw, peer, KINDS[kind])])
    return {"kind": KINDS[kind], "sha256": hashlib.sha256(raw).hexdigest(), "readers": others, "added": told["added"], "failures": told["failures"]}


def collect(settings: Path, into: Path) -> dict[str, Any]:
    """Write every envelope that was heard to a file of its own, KIND-DIGEST.json, once. Nothing is believed yet: their signatures are checked by whoever takes them in.

    Returns: `new` files in the order in which they came, `known` how many were there, `not_read`: (peer, id, why).
    """
    me, _ = peers.load(settings)
    into.mkdir(parents=True, exist_ok=True)
    store = Hearsay(me.store)
    told: dict[str, Any] = {"new": [], "known": 0, "not_read": []}
    try:
        for row in store.every():
            if not row.id.startswith("artifact--"):
                continue
            try:
                raw, kind = _opened(orjson.loads(row.body))
            except UserError as error:
                told["not_read"].append([row.peer, row.id, error.what])
                continue
            path = into / f"{KINDS[kind]}-{hashlib.sha256(raw).hexdigest()[:16]}.json"
            if path.exists():
                told["known"] += 1
                continue
            with publish(path) as part:
                part.chmod(0o600)
                part.write_bytes(raw)
            told["new"].append({"file": str(path), "kind": KINDS[kind], "peer": row.peer})
    finally:
        store.close()
    return told


def artifact(raw: bytes) -> dict[str, Any]:
    """An envelope as a STIX 2.1 artifact: the same bytes have the same id.

    >>> artifact(b"{}")["payload_bin"]
    'e30='
    """
    about = {"hashes": {"SHA-256": hashlib.sha256(raw).hexdigest()}, "payload_bin": base64.b64encode(raw).decode()}
    return {
        "type": "artifact",
        "spec_version": "2.1",
        "id": f"artifact--{uuid5(OBSERVABLE, orjson.dumps(about, option=orjson.OPT_SORT_KEYS).decode())}",
        "mime_type": MIME,
        **about,
    }


def _opened(made: Mapping[str, Any]) -> tuple[bytes, str]:
    """(envelope, payload type) of an artifact. Raises: UserError where it holds none of ours."""
    try:
        raw = base64.b64decode(str(made["payload_bin"]), validate=True)
    except (KeyError, ValueError) as error:
        raise UserError("holds no bytes", str(made.get("id")), "ask its sender") from error
    kind = _kind(raw, str(made.get("id")))
    if made.get("mime_type") != MIME:
        raise UserError("says that it is something else", str(made.get("id")), "ask its sender")
    return raw, kind


def _kind(raw: bytes, where: str) -> str:
    """The payload type that an envelope names; nothing of it is believed."""
    try:
        told = json.loads(raw)
        kind = told["payloadType"] if len(raw) <= envelope.LARGEST else None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(
            "is no signed envelope (DSSE)", where, "name what `pack build`, `pack withdraw`, `inquire`, `trace` or `calibration build` wrote"
        ) from error
    if kind not in KINDS:
        raise UserError("is an envelope around something else", where, f"one of {', '.join(KINDS.values())} can be delivered")
    return str(kind)


def _indicators(raw: bytes, kind: str) -> tuple[dict[str, Any], ...]:
    """A pack's rules for whoever reads Sigma: a copy to look at, which the envelope's signature does not cover."""
    if kind != envelope.PACK:
        return ()
    told = envelope.kept(raw, "pack")
    at = time.time_ns() // 1_000_000 * 1000
    maker = words.Member(id=writing.named("identity", b"pack", str(told["id"])), created=at, modified=at, source=None, name=f"maker of pack {told['id']}")
    maker = words.Member(id=maker.id, created=at, modified=at, source=maker.id, name=maker.name)
    rules = [
        words.Indicator(
            id=writing.named("indicator", b"pack", str(told["id"]), str(told["version"]), str(number)), created=at, modified=at, source=maker.id, tlp=told.get("tlp"),
            name=f"{told['name']} {told['version']}, rule {number}", description=str(told.get("about") or told["name"]), pattern=rule if isinstance(rule, str) else json.dumps(rule),
            language="sigma", valid_from=at, kinds=("anomalous-activity",), expires=at + LASTS * DAY, pack_sha256=hashlib.sha256(raw).hexdigest(),
        )
        for number, rule in enumerate(told["rules"], 1)
    ]  # fmt: skip
    return writing.write([maker, *rules]).objects
