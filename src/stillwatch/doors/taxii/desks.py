"""What a member's server answers besides TAXII: one desk for each first word of a path, such as /match/.

Whoever comes to a desk shows certificate and signature, both of one member of the directory, whatever the settings of API roots are. A desk gets a member's
name and plain bytes, and answers with plain bytes or raises a Fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stillwatch.doors.taxii.messages import Answer, Request

BYTES = "application/octet-stream"
"Media type of what comes to a desk and of what it answers, unless it says otherwise."

NAMES = frozenset(("taxii2", "match", "joint"))
"First words of paths that no API root may have."

PROOFS = frozenset(("certificate", "signature"))
"What is shown at every desk."

Desk = Callable[[str, Request, tuple[str, ...]], Answer]
"(name of the member who asks, request, path behind the desk's word) -> answer. Called from several threads. Raises: Fault."

EPOCHS = {"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
"Length of an epoch -> how it is named."


@dataclass(frozen=True)
class Joint:
    """A block of the settings: a session of joint evidence an epoch."""

    name: str
    members: tuple[str, ...]
    "Who may take part; nobody besides."
    epoch: str
    "One of EPOCHS."
    minutes: int
    "How long a session waits for members that have not come."
    patience: int = 300
    "Seconds that a member may be silent in a session before the others go on without it."


@dataclass(frozen=True)
class Match:
    """A block of the settings: one type of identifier that peers may match."""

    type: str
    "Type of the identifiers."
    me: str
    "The server's own name in the directory."
    items: Path
    "The file of one's own, one a line."
    peers: tuple[str, ...]
    "Who may match; nobody besides."
    secret: Path
    "What keys follow from; the book of matchings lies beside it."
    epoch: str
    "One of EPOCHS."
    reveal_from: int | None
    "From how many common items on they are revealed; None: never."
    least: int
    fewest: int
    most: int
    budget: int
    out: Path | None
    "Folder in which what was revealed is written."
