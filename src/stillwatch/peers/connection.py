"""A connection to one peer's TAXII server: TLS with this member's certificate, every request signed."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import secrets
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson

from stillwatch.errors import StillwatchError, UserError
from stillwatch.exchange.members.signatures import Message, sign
from stillwatch.exchange.stix.numbers import long_digits
from stillwatch.peers.settings import Me, Peer
from stillwatch.store import directories

TAXII = "application/taxii+json;version=2.1"
BYTES = "application/octet-stream"
_WAIT = 60.0
_MOST = 268_435_456
"Bytes of an answer at most: a peer cannot fill this member's memory."
_TRIES = 3


class Unanswered(StillwatchError):
    """A peer that did not answer, or with an error. `status`: its HTTP status; None where it said nothing."""

    def __init__(self, what: str, where: str, attempt: str, status: int | None = None) -> None:
        super().__init__(what, where, attempt)
        self.status = status


class Connection:
    """Requests to one peer, over one connection that is opened again when it breaks."""

    def __init__(self, me: Me, peer: Peer, wait: float = _WAIT) -> None:
        """`wait`: seconds that the peer may take for an answer."""
        self._peer, self._parts, self._wait = peer, urlsplit(peer.url), wait
        self._key = directories.private_key(me.key) if me.key is not None else None
        self._context = _context(me, peer.authority) if self._parts.scheme == "https" else None
        self._password = os.environ.get("STILLWATCH_PASSWORD", "")
        self._open: http.client.HTTPConnection | None = None

    def get(self, *path: str, **query: str) -> tuple[dict[str, Any], dict[str, str]]:
        """The answer's object and headers (small letters). Raises: Unanswered."""
        return self._ask("GET", path, query, b"")

    def post(self, body: bytes, *path: str) -> dict[str, Any]:
        """The answer's object to something that is added. Raises: Unanswered."""
        return self._ask("POST", path, {}, body)[0]

    def hand(self, body: bytes, *path: str) -> bytes:
        """What a desk of the peer answers (`doors/taxii/desks.py`): bytes there, bytes back. Raises: Unanswered.

        A request that may have arrived is not sent again: at a desk the second one is not the first.
        """
        target, where = "".join(f"/{quote(each, safe='')}" for each in path) + "/", f"{self._peer.name} ({self._peer.url})"
        try:
            status, _, answer = self._send("POST", target, body, BYTES)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unanswered(f"no answer ({_said(error)})", where, "check the peer's address and both certificates, and try again") from error
        if status != 200:
            _object(status, answer, where)
            raise Unanswered(f"it answers {status}", where, "ask the peer", status)
        return answer

    def close(self) -> None:
        """Let the connection go."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _ask(self, method: str, path: tuple[str, ...], query: dict[str, str], body: bytes) -> tuple[dict[str, Any], dict[str, str]]:
        target = "".join(f"/{quote(each, safe='')}" for each in (self._peer.root, *path)) + "/"
        if query:
            target += "?" + urlencode(query)
        where = f"{self._peer.name} ({self._peer.url})"
        for left in reversed(range(_TRIES)):
            try:
                status, headers, answer = self._send(method, target, body)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                # Adding twice is adding once, so a request that may have arrived can be sent again, signed anew.
                if left == 0 or isinstance(error, ssl.SSLError):
                    raise Unanswered(f"no answer ({_said(error)})", where, "check the peer's address and both certificates, and try again") from error
                continue
            if status == 429 and left:
                time.sleep(min(30.0, float(headers["retry-after"]) if re.fullmatch(r"[0-9]{1,4}", headers.get("retry-after", "")) else 1.0))
                continue
            return _object(status, answer, where), headers
        raise AssertionError("the last try returns or raises")

    def _send(self, method: str, target: str, body: bytes, kind: str = TAXII) -> tuple[int, dict[str, str], bytes]:
        message = Message(method, self._peer.url + target, {"Accept": kind}, body)
        if body:
            message.headers["Content-Type"] = kind
        if self._key is not None:
            sign(message, self._key, time.time_ns() // 1000, secrets.token_urlsafe(18))
        if self._peer.user is not None:
            message.headers["Authorization"] = "Basic " + base64.b64encode(f"{self._peer.user}:{self._password}".encode()).decode()
        if self._open is None:
            host, port = self._parts.hostname or "", self._parts.port
            self._open = (
                http.client.HTTPSConnection(host, port, timeout=self._wait, context=self._context)
                if self._context is not None
                else http.client.HTTPConnection(host, port, timeout=self._wait)
            )
        self._open.request(method, target, body or None, message.headers)
        came = self._open.getresponse()
        answer = came.read(_MOST + 1)
        if len(answer) > _MOST:
            raise http.client.HTTPException(f"more than {_MOST} bytes")
        return came.status, {name.lower(): value for name, value in came.getheaders()}, answer


def _context(me: Me, authority: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        if authority is not None:
            # Only what is named: no other authority can speak for this peer.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(authority)
            context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        if me.certificate is not None:
            context.load_cert_chain(me.certificate, me.certificate_key)
    except (OSError, ssl.SSLError) as error:
        raise UserError(
            "a certificate or its key cannot be used", str(authority or me.certificate), "name PEM files that are there and belong together"
        ) from error
    return context


def _said(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _object(status: int, answer: bytes, where: str) -> dict[str, Any]:
    try:
        found = {} if not answer else json.loads(answer) if long_digits(answer) else orjson.loads(answer)
    except (ValueError, RecursionError):
        found = None
    if status in (200, 202) and isinstance(found, dict):
        return found
    told = str(found.get("description") or found.get("title") or "") if isinstance(found, dict) else ""
    what = f"it answers {status}" + (f": {told[:200]}" if told else "")
    hints = {401: "check key, certificate and clock, and that the directory names them", 403: "ask the peer for the right", 404: "check root and collection"}
    raise Unanswered(what if status not in (200, 202) else "its answer is not what TAXII says", where, hints.get(status, "try again, or ask the peer"), status)
