"""Hearing a peer: everything that was added since the last time, page by page, each object once, with the place kept beside what came."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from stillwatch.errors import StillwatchError
from stillwatch.peers.connection import Connection, Unanswered
from stillwatch.peers.settings import Peer, chosen, load
from stillwatch.store.shared.declare import SPECS, moment
from stillwatch.store.shared.heard import Hearsay, Progress

_EVERY_VERSION = {"match[version]": "all", "match[spec_version]": ",".join(SPECS)}


def hear(settings: Path, only: str | None = None, stopped: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """Ask every peer (or `only` one) once for what is new. A peer that does not answer is told in the summary and keeps nobody else waiting for long.

    Returns: per peer, `new` objects, `collections` and, where something failed, `error`. Raises: UserError for settings that cannot be used.
    """
    me, peers = load(settings)
    asked = peers if only is None else {only: chosen(peers, only, settings)}
    store = Hearsay(me.store)
    told: dict[str, Any] = {}
    try:
        for name, peer in asked.items():
            if stopped():
                break
            connection = Connection(me, peer)
            row = told[name] = {"new": 0, "collections": {}}
            try:
                for collection in peer.collections or _readable(connection):
                    new = row["collections"][collection] = _round(connection, store, peer, collection, stopped)
                    row["new"] += new
            except StillwatchError as error:
                row["error"] = str(error)
            finally:
                connection.close()
    finally:
        store.close()
    return {"peers": told, "new": sum(each["new"] for each in told.values()), "failed": sum("error" in each for each in told.values()), "store": str(me.store)}


def _readable(connection: Connection) -> list[str]:
    found, _ = connection.get("collections")
    return [str(each["id"]) for each in _listed(found, "collections", "its collections") if isinstance(each, dict) and each.get("can_read") is True]


def _listed(page: dict[str, Any], name: str, what: str) -> list[Any]:
    """A list of an answer; none where the word is missing. Raises: Unanswered where something else stands there."""
    found = page.get(name, [])
    if not isinstance(found, list):
        raise Unanswered(f"{what} are no list", "its answer", "tell its operator")
    return found


def _round(connection: Connection, store: Hearsay, peer: Peer, collection: str, stopped: Callable[[], bool]) -> int:
    """Hear one collection to its end; a round that was broken off goes on where it was. Returns how many objects were new."""
    at, new = store.progress(peer.name, collection), 0
    while True:
        query = _EVERY_VERSION | ({"added_after": at.after} if at.after is not None else {}) | ({"next": at.next} if at.next is not None else {})
        try:
            page, headers = connection.get("collections", collection, "objects", **query)
        except Unanswered as error:
            if at.next is None or error.status not in (400, 404):
                raise
            # The peer's cursor does not live any more: the round begins again, and what was heard is known.
            at = Progress(at.after)
            continue
        more, following = page.get("more") is True, page.get("next")
        last = _later(at.last, headers.get("x-taxii-date-added-last"))
        then = Progress(at.after, str(following), last) if more and following is not None else Progress(last or at.after)
        if more and following is None:
            raise Unanswered("it says that there is more, and not where", peer.name, "tell its operator")
        if more and str(following) == at.next:
            raise Unanswered("its pages go in a circle", peer.name, "tell its operator")
        new += store.keep(peer.name, collection, [_read(each, peer.name) for each in _listed(page, "objects", "its objects")], then)
        at = then
        if not more or stopped():
            return new


def _later(one: str | None, other: str | None) -> str | None:
    """The later of two moments; one that is no moment does not count."""
    moments = {each: at for each in (one, other) if each is not None and (at := moment(each)) is not None}
    return max(moments, key=lambda each: moments[each]) if moments else None


def _read(each: Any, peer: str) -> tuple[str, str, str, bytes]:
    if not isinstance(each, dict) or not isinstance(each.get("id"), str):
        raise Unanswered("something that it sent is no object with an id", peer, "tell its operator")
    version = each.get("modified", each.get("created", ""))
    spec = each.get("spec_version", "2.0" if "created" in each else "2.1")
    return each["id"], str(version), str(spec), _bytes(each)


def _bytes(each: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(each)
    except TypeError:  # a whole number of more than 64 bits
        return json.dumps(each, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
