"""What a member's server answers besides TAXII: one desk for each first word of a path, such as /match/.

Whoever comes to a desk shows certificate and signature, both of one member of the directory, whatever the settings of API roots are. A desk gets a member's
name and plain bytes, and answers with plain bytes or raises a Fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
