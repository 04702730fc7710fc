"""Requests and answers of TAXII 2.1 as plain values: what lies between HTTP and the rules."""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

TAXII = "application/taxii+json;version=2.1"
"The media type of every answer."


@dataclass(frozen=True)
class Request:
    """A request as it came."""

    method: str
    target: str
    "Path and query as they were sent, encoded: what a signature covers."
    path: str
    "Decoded."
    query: tuple[tuple[str, str], ...] = ()
    "Decoded, in order."
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    certificate: bytes | None = None
    "What the other side showed in TLS, DER; None where it showed none."
    address: str = ""
    "Where it came from: only so that guessing is slowed down."

    def header(self, name: str) -> str | None:
        """The values of a header, joined; None where it was not sent."""
        found = [value for key, value in self.headers if key.lower() == name]
        return ", ".join(found) if found else None


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    "Besides Content-Type and Content-Length."
    kind: str = TAXII
    "Media type of the body."


class Fault(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, title: str, description: str, **headers: str) -> None:
        super().__init__(title)
        self.status, self.title, self.description = status, title, description
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(self) -> Answer:
        """The error message of TAXII 2.1 (section 3.6.1). Nothing that was asked stands in it."""
        body = {"title": self.title, "description": self.description, "http_status": str(self.status)}
        return Answer(self.status, orjson.dumps(body), self.headers)


def said(value: object, status: int = 200) -> Answer:
    """An answer that is serialised now."""
    return Answer(status, orjson.dumps(value))
