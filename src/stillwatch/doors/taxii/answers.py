"""The endpoints of TAXII 2.1: a request in, an answer out, whatever serves HTTP."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from stillwatch.doors.taxii import adding, filters
from stillwatch.doors.taxii.admission import Admission, Caller, Pace
from stillwatch.doors.taxii.desks import PROOFS, Desk
from stillwatch.doors.taxii.messages import TAXII, Answer, Fault, Request, said
from stillwatch.doors.taxii.settings import Collection, Root, Settings
from stillwatch.store.shared.declare import Kept, Status, Wanted, Written, written
from stillwatch.store.shared.shelves import Shelves

_LOG = logging.getLogger("stillwatch.taxii")
_DAY = 86_400_000_000
_MOST_PAGE = 33_554_432
"A page ends with the object that reaches so many bytes."

OF_OBJECTS, OF_OBJECT, OF_VERSIONS = frozenset(("id", "type", "version", "spec_version")), frozenset(("version", "spec_version")), frozenset(("spec_version",))
"Match fields by endpoint."

Parts = tuple[str, ...]


class Taxii:
    """A server's answers. Safe to call from several threads.

    `check`: what is wrong with an object, for collections that validate strictly; `desks`: what else is answered, by first word of the path; `clock`:
    microseconds since 1970.
    """

    def __init__(
        self,
        settings: Settings,
        shelves: Shelves,
        admission: Admission,
        check: adding.Check = adding.well_formed,
        desks: Mapping[str, Desk] | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._settings, self._shelves, self._admission, self._check, self._clock = settings, shelves, admission, check, clock
        self._desks = dict(desks or {})
        self._pace, self._strangers = Pace(settings.rate), Pace(max(10.0, settings.rate / 10))

    def answer(self, request: Request) -> Answer:
        """The answer to a request; what goes wrong here is told in the log, never to who asks."""
        try:
            return self._answer(request)
        except Fault as fault:
            return fault.answer()
        except Exception:  # the door is where an unforeseen error becomes one answer
            _LOG.exception("a request could not be answered")
            return Fault(500, "Internal Server Error", "The server could not answer; its operator finds why in its log.").answer()

    def _answer(self, request: Request) -> Answer:
        try:
            caller = self._admission.who(request, self._clock())
        except Fault:
            self._strangers.take(request.address)
            raise
        self._pace.take(caller.name)
        if not request.path.endswith("/"):
            request = Request(request.method, request.target, request.path + "/", *_rest(request))
        parts = tuple(request.path.split("/")[1:-1])
        if parts == ("taxii2",):
            return self._read(request, lambda: said(self._discovery(caller)))
        desk = self._desks.get(parts[0]) if parts else None
        if desk is not None:
            if not caller.proofs >= PROOFS:
                raise Fault(401, "Unauthorized", "A certificate and a signature are wanted here.")
            return desk(caller.name, request, parts[1:])
        root = self._settings.roots.get(parts[0]) if parts else None
        if root is None or not caller.enters(root):
            # Who may not enter is not told that there is something; but who could enter with more is told to show it.
            raise _not_found() if root is None else Fault(401, "Unauthorized", "This API root wants another proof of who asks.")
        return self._in_root(request, caller, root, parts[1:])

    def _discovery(self, caller: Caller) -> dict[str, Any]:
        roots = [f"{self._settings.announce}/{each.path}/" for each in self._settings.roots.values() if caller.enters(each)]
        return {**self._settings.discovery, "api_roots": roots}

    def _in_root(self, request: Request, caller: Caller, root: Root, parts: Parts) -> Answer:
        if not parts:
            return self._read(request, lambda: said(self._about(root)))
        if parts[0] == "status" and len(parts) == 2:
            return self._read(request, lambda: self._told(root, caller, parts[1]))
        if parts[0] != "collections":
            raise _not_found()
        if len(parts) == 1:
            return self._read(request, lambda: said(self._collections(root, caller)))
        collection = self._settings.collections.get((root.path, parts[1]))
        reads = collection is not None and caller.name in collection.readers
        writes = collection is not None and caller.name in collection.writers
        if collection is None or not (reads or writes or collection.listed):
            raise _not_found()
        if not reads and not writes:
            raise _forbidden()
        return self._in_collection(request, caller, collection, parts[2:], reads, writes)

    def _in_collection(self, request: Request, caller: Caller, collection: Collection, parts: Parts, reads: bool, writes: bool) -> Answer:
        match parts:
            case ():
                return self._read(request, lambda: said(_described(collection, caller)))
            case ("objects",) if request.method == "POST":
                _may(writes)
                return self._add(request, caller, collection)
            case ("objects", name) if request.method == "DELETE":
                _may(reads and writes)
                return self._delete(request, collection, name)
            case ("objects",):
                _may(reads)
                return self._read(request, lambda: self._page(request, collection, "objects", _objects), "GET, POST")
            case ("manifest",):
                _may(reads)
                return self._read(request, lambda: self._page(request, collection, "manifest", _manifest))
            case ("objects", name):
                _may(reads)
                return self._read(request, lambda: self._page(request, collection, "object", _objects, name), "GET, DELETE")
            case ("objects", name, "versions"):
                _may(reads)
                return self._read(request, lambda: self._page(request, collection, "versions", _versions, name))
        raise _not_found()

    def _read(self, request: Request, answer: Callable[[], Answer], allowed: str = "GET") -> Answer:
        if request.method != "GET":
            raise Fault(405, "Method Not Allowed", "This endpoint does not take this method.", Allow=allowed)
        _acceptable(request)
        return answer()

    def _about(self, root: Root) -> dict[str, Any]:
        about = {"title": root.title, "versions": [TAXII], "max_content_length": self._settings.body}
        return about | ({"description": root.description} if root.description is not None else {})

    def _told(self, root: Root, caller: Caller, name: str) -> Answer:
        body = self._shelves.told(root.path, name, caller.name) if name.isprintable() else None
        if body is None:
            raise _not_found()
        return Answer(200, body)

    def _collections(self, root: Root, caller: Caller) -> dict[str, Any]:
        of_root = {each.id: each for (path, _), each in self._settings.collections.items() if path == root.path}
        told = [_described(each, caller) for each in of_root.values() if each.listed or caller.name in each.readers | each.writers]
        return {"collections": told} if told else {}

    def _page(self, request: Request, collection: Collection, kind: str, body: Callable[[list[Kept], str | None], bytes], name: str | None = None) -> Answer:
        usual = ("all",) if kind == "versions" else ("last",)
        allowed = OF_VERSIONS if kind == "versions" else OF_OBJECTS if name is None else OF_OBJECT
        wanted = filters.asked(request.query, allowed, usual)
        if name is not None:
            wanted = Wanted(wanted.added_after, (name,), (), wanted.versions, wanted.specs)
        limit, where = filters.page_size(request.query, self._settings.page), f"{collection.root}/{collection.id}/{kind}"
        after = filters.place(request.query, wanted, where)
        if name is not None and not (name.isprintable() and self._shelves.has(collection.root, collection.id, name)):
            raise _not_found()
        found, more = self._shelves.page(
            collection.root, collection.id, wanted, after=after, limit=limit, most_bytes=_MOST_PAGE, bodies=kind in ("objects", "object")
        )
        if not found:
            return Answer(200, b"{}")
        headers = {"X-TAXII-Date-Added-First": written(found[0].added), "X-TAXII-Date-Added-Last": written(found[-1].added)}
        return Answer(200, body(found, filters.cursor(found[-1].place, wanted, where) if more else None), headers)

    def _add(self, request: Request, caller: Caller, collection: Collection) -> Answer:
        kind = (request.header("content-type") or "").replace(" ", "").lower()
        if kind not in (TAXII, "application/taxii+json"):
            raise Fault(415, "Unsupported Media Type", f"Content must be {TAXII}.")
        _acceptable(request)
        now = self._clock()
        good, bad = adding.sorted_out(adding.objects_in(request.body), collection, self._check)
        days, said = self._settings.status_days, list[bytes]()

        def status(kept: Written) -> Status:
            told = adding.status(now, good, kept.versions, bad)
            said.append(orjson.dumps(told))
            return Status(told["id"], caller.name, said[-1], now, now - days * _DAY if days else None)

        self._shelves.add(collection.root, collection.id, good, now, status)
        return Answer(202, said[-1])

    def _delete(self, request: Request, collection: Collection, name: str) -> Answer:
        _acceptable(request)
        wanted = filters.asked(request.query, OF_OBJECT)
        if not name.isprintable() or not self._shelves.delete(collection.root, collection.id, Wanted(None, (name,), (), wanted.versions, wanted.specs)):
            raise _not_found()
        return Answer(200)


def _rest(request: Request) -> tuple[Any, ...]:
    return request.query, request.headers, request.body, request.certificate, request.address


def _described(collection: Collection, caller: Caller) -> dict[str, Any]:
    told: dict[str, Any] = {"id": collection.id, "title": collection.title}
    told |= {word: value for word, value in (("description", collection.description), ("alias", collection.alias)) if value is not None}
    may = {"can_read": caller.name in collection.readers, "can_write": caller.name in collection.writers}
    return told | may | {"media_types": list(collection.media_types)}


def _objects(found: list[Kept], following: str | None) -> bytes:
    return b'%s,"objects":[%s]}' % (_opening(following), b",".join([each.body for each in found]))


def _manifest(found: list[Kept], following: str | None) -> bytes:
    rows = [
        {"id": each.id, "date_added": written(each.added), "version": each.said, "media_type": f"application/stix+json;version={each.spec}"} for each in found
    ]
    return b'%s,"objects":%s}' % (_opening(following), orjson.dumps(rows))


def _versions(found: list[Kept], following: str | None) -> bytes:
    return b'%s,"versions":%s}' % (_opening(following), orjson.dumps([each.said for each in found]))


def _opening(following: str | None) -> bytes:
    return b'{"more":false' if following is None else b'{"more":true,"next":"%s"' % following.encode()


def _acceptable(request: Request) -> None:
    """Raises: Fault 406 where the answer's type is not among those that are taken."""
    accept = request.header("accept")
    if accept is None or not accept.strip():
        return
    for each in accept.replace(" ", "").lower().split(","):
        kind, *parameters = each.split(";")
        refused = any(parameter in ("q=0", "q=0.0", "q=0.00", "q=0.000") for parameter in parameters)
        version = next((parameter for parameter in parameters if parameter.startswith("version=")), None)
        if not refused and (kind in ("*/*", "application/*") or (kind == "application/taxii+json" and version in (None, "version=2.1"))):
            return
    raise Fault(406, "Not Acceptable", f"Answers are {TAXII}.")


def _may(right: bool) -> None:
    if not right:
        raise _forbidden()


def _not_found() -> Fault:
    return Fault(404, "Not Found", "There is nothing here, or nothing that this member may see.")


def _forbidden() -> Fault:
    return Fault(403, "Forbidden", "This member may not do this here.")
