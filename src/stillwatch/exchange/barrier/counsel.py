"""What counsel sees: everything that left or was refused, and nothing that could be changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from stillwatch.exchange.barrier.policy import Policy
from stillwatch.exchange.stix.words import Loss


@dataclass(frozen=True, slots=True)
class Shown:
    """One share as counsel sees it."""

    at: int
    "When."
    recipients: tuple[str, ...]
    "To whom."
    purpose: str
    "What for."
    sha256: str
    "Digest of the bytes that left; of none where nothing did."
    content: bytes
    "Those bytes."
    refused: tuple[Loss, ...]
    "What stayed, and why."


@dataclass(frozen=True, slots=True)
class View:
    """All shares, in order. A tuple of frozen records: there is nothing here to write to."""

    shares: tuple[Shown, ...]

    def to(self, recipient: str) -> tuple[Shown, ...]:
        """What one member received."""
        return tuple(each for each in self.shares if recipient in each.recipients and each.content)

    def losses(self) -> tuple[Loss, ...]:
        """The loss report over all shares."""
        return tuple(loss for each in self.shares for loss in each.refused)


def view(shares: Iterable[Shown]) -> View:
    """Counsel's view of some shares."""
    return View(tuple(sorted(shares, key=lambda each: each.at)))


def stop(policy: Policy) -> Policy:
    """The kill switch: the same policy, under which nothing leaves. There is no function that turns it off: a person writes a new policy."""
    return replace(policy, stopped=True)
