"""An envelope that a member posts: each object checked, kept once, and a status that says what became of it."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from stillwatch.doors.taxii.messages import Fault
from stillwatch.doors.taxii.settings import Collection
from stillwatch.exchange.stix import checks
from stillwatch.exchange.stix.numbers import long_digits
from stillwatch.store.shared.declare import SPECS, Shared, moment, written

Check = Callable[[dict[str, Any]], Sequence[str]]
"What is wrong with an object, in sentences; nothing where it is good."

MOST_OBJECT = 1_048_576
"Bytes of one object at most."
_DEEPEST = 50
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,249}--[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


def objects_in(body: bytes) -> list[Any]:
    """The objects of an envelope. Raises: Fault 422."""
    try:
        envelope = orjson.loads(body) if not long_digits(body) else json.loads(body, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise _unusable("it is not JSON") from error
    if not isinstance(envelope, dict) or not isinstance(envelope.get("objects"), list) or not envelope["objects"]:
        raise _unusable("it is not an envelope with objects")
    return list(envelope["objects"])


def _no_number(text: str) -> None:
    raise ValueError(text)


def _finite(text: str) -> float:
    """A number as it stands; one that no float can hold would be kept as nothing."""
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number


def _plain(text: str) -> str:
    """Text that can be sent back: half a surrogate pair is none."""
    return text.encode("utf-8", "replace").decode()


def sorted_out(objects: Sequence[Any], collection: Collection, check: Check) -> tuple[list[Shared], list[dict[str, str]]]:
    """What can be kept, and for each of the rest why not. Raises: Fault 422 where something is no object with an id at all."""
    good: list[Shared] = []
    bad: list[dict[str, str]] = []
    for each in objects:
        if not isinstance(each, dict) or not isinstance(each.get("id"), str) or len(each["id"]) > 300:
            raise _unusable("something in it is no object with an id")
        made, problem = _made(each, collection, check)
        if made is not None:
            good.append(made)
        else:
            version = _version(each)
            bad.append({"id": _plain(each["id"]), "version": _plain(version) if isinstance(version, str) else "", "message": _plain(problem)})
    return good, bad


def _version(each: dict[str, Any]) -> Any:
    return each.get("modified", each.get("created"))


def _made(each: dict[str, Any], collection: Collection, check: Check) -> tuple[Shared | None, str]:
    kind, name, version = each.get("type"), each["id"], _version(each)
    if not isinstance(kind, str) or not _ID.fullmatch(name) or not name.startswith(f"{kind}--"):
        return None, "id and type do not go together"
    spec = each.get("spec_version", "2.0" if "created" in each else "2.1")
    if spec not in SPECS:
        return None, "a version of STIX that is not kept here"
    if version is not None and (not isinstance(version, str) or moment(version) is None):
        return None, "modified or created is no timestamp"
    if _depth(each) > _DEEPEST:
        return None, "nested too deeply"
    if collection.strict:
        if f"application/stix+json;version={spec}" not in collection.media_types:
            return None, "a version of STIX that this collection does not take"
        problems = [*check(each), *(f"{where}: {why}" if where else why for where, why in (checks.problems(each) if collection.exact else ()))]
        if problems:
            return None, "; ".join(problems)[:1000]
    try:
        body = orjson.dumps(each)
    except TypeError:  # a whole number of more than 64 bits
        try:
            body = json.dumps(each, ensure_ascii=False, separators=(",", ":")).encode()
        except UnicodeEncodeError:
            return None, "text that is not Unicode"
    if len(body) > MOST_OBJECT:
        return None, f"more than {MOST_OBJECT} bytes"
    return Shared(name, kind, str(spec), version, body), ""


def _depth(value: Any) -> int:
    """How deeply a value is nested, counted without going deeper than is allowed."""
    depth, level = 0, [value]
    while level and depth <= _DEEPEST:
        level = [each for above in level for each in (above.values() if isinstance(above, dict) else above) if isinstance(each, dict | list)]
        depth += 1
    return depth


def status(asked: int, kept: Sequence[Shared], versions: Sequence[int], bad: Sequence[dict[str, str]]) -> dict[str, Any]:
    """A status resource: what is kept, with the version that it has here, and what is not, with the reason. Nothing is pending: it is settled now."""
    told: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "status": "complete",
        "request_timestamp": written(asked),
        "total_count": len(kept) + len(bad),
        "success_count": len(kept),
        "failure_count": len(bad),
        "pending_count": 0,
    }
    if kept:
        told["successes"] = [{"id": each.id, "version": each.said or written(version)} for each, version in zip(kept, versions, strict=True)]
    return told | ({"failures": list(bad)} if bad else {})


def well_formed(each: dict[str, Any]) -> list[str]:
    """The least that every object of STIX 2.1 has: its version, its type's common properties, and times that are times."""
    problems = []
    if each.get("spec_version") not in (None, "2.1"):
        problems.append("spec_version is not 2.1")
    if "created" in each or "modified" in each:
        problems += [f"{name} is missing" for name in ("spec_version", "created") if name not in each]
        if each.get("type") not in ("marking-definition",) and "modified" not in each:
            problems.append("modified is missing")
    problems += [
        f"{name} is no timestamp" for name in ("created", "modified") if name in each and (not isinstance(each[name], str) or moment(each[name]) is None)
    ]
    if not problems and "modified" in each and str(each["modified"]) and (moment(each["modified"]) or 0) < (moment(each["created"]) or 0):
        problems.append("modified before created")
    return problems


def _unusable(why: str) -> Fault:
    return Fault(422, "ProcessingError", f"While processing supplied content, an error occurred: {why}")
