"""The query of a request: filters, page size and cursor. The cursor holds a place and the filters' digest, so the server remembers nothing."""

from __future__ import annotations

import base64
import binascii
import hashlib

import orjson

from stillwatch.doors.taxii.messages import Fault
from stillwatch.store.shared.declare import SPECS, Place, Wanted, moment

_MOST_VALUES = 500
"So many values of one filter are taken."


def asked(query: tuple[tuple[str, str], ...], allowed: frozenset[str], usual: tuple[str, ...] = ("last",)) -> Wanted:
    """What a query asks for. `allowed`: the match fields of this endpoint; `usual`: the versions meant where none are named. Raises: Fault 400."""
    once = _once(query)
    for name in once:
        if name.startswith("match[") and name[6:-1] not in allowed:
            raise _wrong("A match field that this endpoint does not know.")
    after = None
    if "added_after" in once:
        after = _moment(once["added_after"])
    versions: list[str | int] = []
    for each in _values(once, "version"):
        versions.append(each if each in ("first", "last", "all") else _moment(each))
    specs = _values(once, "spec_version")
    # A version of STIX that is not kept matches nothing; the empty text is no version.
    return Wanted(
        after, _values(once, "id"), _values(once, "type"), ("all",) if "all" in versions else tuple(versions) or usual,
        tuple(each for each in specs if each in SPECS) or (("",) if specs else ()),
    )  # fmt: skip


def _once(query: tuple[tuple[str, str], ...]) -> dict[str, str]:
    once: dict[str, str] = {}
    for name, value in query:
        if name in once:
            raise _wrong("A parameter is there twice.")
        once[name] = value
    return once


def _values(once: dict[str, str], field: str) -> tuple[str, ...]:
    if f"match[{field}]" not in once:
        return ()
    values = tuple(dict.fromkeys(once[f"match[{field}]"].split(",")))
    if not all(values) or len(values) > _MOST_VALUES or any("\0" in each or not each.isprintable() for each in values):
        raise _wrong("A match field without values, or with too many.")
    return values


def _moment(text: str) -> int:
    found = moment(text)
    if found is None:
        raise _wrong("A timestamp that is not one of TAXII (2026-01-31T12:00:00.000000Z).")
    return found


def page_size(query: tuple[tuple[str, str], ...], most: int) -> int:
    """How many objects are asked for, at most as many as the server gives. Raises: Fault 400."""
    said = _once(query).get("limit")
    if said is None:
        return most
    if not (said.isascii() and said.isdigit()) or not said.strip("0"):
        raise _wrong("A limit that is not a whole number above 0.")
    return min(most, int(said)) if len(said) < 10 else most


def cursor(place: Place, wanted: Wanted, where: str) -> str:
    """The `next` of a page that ended at a place. `where`: the endpoint; a cursor of another one, or of other filters, is refused."""
    row = [place.added, place.id, place.version, place.spec, _digest(wanted, where)]
    return base64.urlsafe_b64encode(orjson.dumps(row)).decode().rstrip("=")


def place(query: tuple[tuple[str, str], ...], wanted: Wanted, where: str) -> Place | None:
    """Where the page asked for begins; None: at the beginning. Raises: Fault 400."""
    said = _once(query).get("next")
    if said is None:
        return None
    try:
        added, name, version, spec, digest = orjson.loads(base64.b64decode(said + "=" * (-len(said) % 4), b"-_", validate=True))
    except (binascii.Error, orjson.JSONDecodeError, ValueError, TypeError) as error:
        raise _wrong("A cursor that this server did not give.") from error
    if digest != _digest(wanted, where):
        raise _wrong("A cursor of another query: the filters must stay as they were.")
    whole = all(type(each) is int and abs(each) < 2**62 for each in (added, version))
    if not whole or not all(isinstance(each, str) and "\0" not in each for each in (name, spec)):
        raise _wrong("A cursor that this server did not give.")
    return Place(added, name, version, spec)


def _digest(wanted: Wanted, where: str) -> str:
    parts = [wanted.added_after, sorted(wanted.ids), sorted(wanted.types), sorted(map(str, wanted.versions)), sorted(wanted.specs), where]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:16]


def _wrong(description: str) -> Fault:
    return Fault(400, "ProcessingError", description)
