"""The desk of a convenor: sessions of joint evidence, one an epoch for each block of the settings."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from stillwatch import joining, noting
from stillwatch.doors.taxii.desks import BYTES, EPOCHS, Joint
from stillwatch.doors.taxii.messages import Answer, Fault, Request
from stillwatch.exchange.joint.convening import Asked, Convened, Noted
from stillwatch.exchange.members.directory import Directory
from stillwatch.ledger.entries import Entry

_KEPT = 4
"Epochs of a block that are remembered."


class JointDesk:
    """Answers /joint/NAME/EPOCH/. The convenor is no member of what it convenes: a block that names it is refused by the settings."""

    def __init__(self, blocks: Sequence[Joint], directory: Callable[[], Directory | None], ledger: Path | None, sign_with: Path | None) -> None:
        self._blocks = {each.name: each for each in blocks}
        self._directory, self._ledger, self._sign_with = directory, ledger, sign_with
        self._held: dict[tuple[str, str], Convened] = {}
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._threads = ThreadPoolExecutor(1, "joint")

    def __call__(self, member: str, request: Request, path: tuple[str, ...]) -> Answer:
        """What a member is answered."""
        block = self._blocks.get(path[0]) if len(path) == 2 else None
        if block is None or member not in block.members or (held := self._session(block, path[1])) is None:
            raise Fault(404, "Not Found", "There is nothing here, or nothing that this member may see.")
        if request.method != "POST":
            raise Fault(405, "Method Not Allowed", "This endpoint does not take this method.", Allow="POST")
        answer = held.answer(member, request.body)
        self._note(held)
        return Answer(200, answer, kind=BYTES)

    def _session(self, block: Joint, epoch: str) -> Convened | None:
        """The sessions of an epoch: of this one, or of one that began before and goes on. None of any other."""
        now = _now()
        with self._lock:
            if (block.name, epoch) in self._held:
                return self._held[block.name, epoch]
            if epoch != datetime.fromtimestamp(now / 1e6, UTC).strftime(EPOCHS[block.epoch]):
                return None
            asked = Asked(f"{block.name} {epoch}", block.members, joining.method(), now + block.minutes * 60_000_000, block.patience * 1_000_000)
            made = self._held[block.name, epoch] = Convened(
                asked, count=joining.Together, start=self._threads.submit, publics=self._publics, chance=secrets.token_bytes, clock=_now
            )
            for name, old in sorted(each for each in self._held if each[0] == block.name)[:-_KEPT]:
                del self._held[name, old]
            return made

    def _publics(self, member: str) -> list[bytes]:
        directory = self._directory()
        return [] if directory is None else directory.keys_of(member, _now())

    def _note(self, held: Convened) -> None:
        """What happened goes into the ledger, where one is kept."""
        if self._ledger is None:
            return
        with self._writing:
            notes: list[Noted] = [held.notes.pop(0) for _ in range(len(held.notes))]
            noting.entered(self._ledger, self._sign_with, [Entry(each.kind, each.digest, each.at, each.member, f"joint: {each.what}") for each in notes])


def _now() -> int:
    return time.time_ns() // 1000
