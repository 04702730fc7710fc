"""Adding to a peer's collection: envelopes that the peer can take, and their statuses followed to the end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from stillwatch.peers.connection import Connection, Unanswered
from stillwatch.peers.settings import chosen, load

_MOST_OBJECTS = 1000
_MOST_BYTES = 8_388_608
_PATIENCE = 300.0
"Seconds that a status may stay pending."


def post(settings: Path, peer: str, collection: str, objects: Sequence[bytes]) -> dict[str, Any]:
    """Add objects (STIX as JSON) to a peer's collection, as they are. What is there already stays and counts as added, so it can be run again.

    Returns: `added`, and `failures` with the peer's reasons. Raises: UserError for settings that cannot be used, Unanswered for a peer that does not answer.
    """
    me, peers = load(settings)
    connection = Connection(me, chosen(peers, peer, settings))
    added, failures = 0, list[Any]()
    try:
        about, _ = connection.get()
        most = about.get("max_content_length")
        for envelope in envelopes(objects, min(_MOST_BYTES, most) if isinstance(most, int) else _MOST_BYTES):
            status = _settled(connection, connection.post(envelope, "collections", collection, "objects"), peer)
            added += int(status.get("success_count", 0))
            failures += status.get("failures", [])
    finally:
        connection.close()
    return {"peer": peer, "collection": collection, "added": added, "failures": failures}


def envelopes(objects: Sequence[bytes], most_bytes: int) -> Iterator[bytes]:
    """Envelopes of at most so many bytes; one object alone may be larger, and is for the peer to refuse.

    >>> list(envelopes([b"{}", b"{}"], 18))
    [b'{"objects":[{}]}', b'{"objects":[{}]}']
    """
    part: list[bytes] = []
    size = 0
    for each in objects:
        if part and (len(part) == _MOST_OBJECTS or size + len(each) + 1 > most_bytes - len(b'{"objects":[]}')):
            yield b'{"objects":[%s]}' % b",".join(part)
            part, size = [], 0
        part.append(each)
        size += len(each) + 1
    if part:
        yield b'{"objects":[%s]}' % b",".join(part)


def _settled(connection: Connection, status: dict[str, Any], peer: str) -> dict[str, Any]:
    """A status when nothing of it is pending any more."""
    end, wait = time.monotonic() + _PATIENCE, 0.2
    while status.get("status") == "pending":
        if time.monotonic() > end:
            raise Unanswered("what was added stays pending", peer, "ask the peer; adding again does no harm")
        time.sleep(wait)
        wait = min(10.0, wait * 2)
        status, _ = connection.get("status", str(status.get("id")))
    return status
