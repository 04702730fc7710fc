"""A member's ledger on disk: one entry a line, only ever appended to, and the last checkpoint beside it.

    entries.jsonl    the entries, each as the tree hashes it, and a newline
    checkpoint       the last checkpoint: a signed note, with the witnesses' lines

A kill in the middle of writing leaves half a line at the end, which is cut off when the ledger is opened. Anything else that is not as it was written is an
error: the entries must have the root of the checkpoint at its size. Whoever holds the log's key can make both anew; that is what witnesses are for.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from stillwatch import merkle
from stillwatch.errors import StillwatchError, UserError
from stillwatch.files import publish
from stillwatch.ledger import checkpoints
from stillwatch.ledger.checkpoints import Checkpoint
from stillwatch.ledger.entries import Entry
from stillwatch.ledger.notes import Signer, read

ENTRIES, CHECKPOINT = "entries.jsonl", "checkpoint"


class Ledger:
    """The ledger of one folder, held by one process at a time. To be closed, or used in a `with`."""

    def __init__(self, folder: Path, signer: Signer) -> None:
        """Opens or begins a ledger whose log has the signer's name. Raises: StillwatchError when it was rewritten, UserError when another process holds it."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._signer = folder, signer
        self._file = (folder / ENTRIES).open("ab+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise UserError("another process writes this ledger", str(folder), "end it, or wait") from error
        try:
            self._tree = merkle.Tree(merkle.leaf(each) for each in self._whole())
            self._check()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._tree)

    @property
    def tree(self) -> merkle.Tree:
        """The tree of the entries: roots and proofs."""
        return self._tree

    def close(self) -> None:
        """Lets go of the folder."""
        self._file.close()

    def append(self, entries: Iterable[Entry]) -> range:
        """Adds entries, on disk before this returns; their indexes. Either all of them are there, or after a kill the first ones, each whole."""
        written = [each.to_bytes() for each in entries]
        self._file.write(b"".join(each + b"\n" for each in written))
        self._file.flush()
        os.fsync(self._file.fileno())
        first = len(self._tree)
        for each in written:
            self._tree.append(merkle.leaf(each))
        return range(first, len(self._tree))

    def entry(self, index: int) -> Entry:
        """One entry. Raises: IndexError."""
        self._file.seek(0)
        for at, line in enumerate(self._file):
            if at == index:
                return Entry.from_bytes(line.removesuffix(b"\n"))
        raise IndexError(f"no entry {index} among {len(self)}")

    def sign(self) -> bytes:
        """Makes, keeps and returns the checkpoint of all entries."""
        note = Checkpoint(self._signer.name, len(self._tree), self._tree.root()).sign(self._signer)
        return self._keep(note)

    def cosigned(self, lines: str) -> bytes:
        """Keeps witnesses' signature lines below the last checkpoint. Raises: UserError when there is none, BadNote for lines that are none."""
        note = self.checkpoint()
        if note is None:
            raise UserError("there is no checkpoint yet", str(self._folder))
        joined = checkpoints.joined(note, lines)
        checkpoints.opened(joined, self._signer.verifier())
        return self._keep(joined)

    def checkpoint(self) -> bytes | None:
        """The last checkpoint; None before the first."""
        path = self._folder / CHECKPOINT
        return path.read_bytes() if path.exists() else None

    def _keep(self, note: bytes) -> bytes:
        with publish(self._folder / CHECKPOINT) as part:
            part.write_bytes(note)
        return note

    def _whole(self) -> list[bytes]:
        """All entries, half a line at the end cut off. Raises: StillwatchError for a line that is no entry."""
        self._file.seek(0)
        data = self._file.read()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            self._file.truncate(whole)
        lines = data[:whole].split(b"\n")[:-1]
        for number, line in enumerate(lines, 1):
            try:
                Entry.from_bytes(line)
            except StillwatchError as error:
                raise StillwatchError(f"line {number} is not as it was written", str(self._folder / ENTRIES), "restore it from a copy") from error
        return lines

    def _check(self) -> None:
        note = self.checkpoint()
        if note is None:
            return
        known = self._signer.verifier()
        found = read(note, [known])
        kept = Checkpoint.from_text(found.text)
        if known not in found.signed or kept.origin != known.name:
            raise StillwatchError("the checkpoint is not signed by this log", str(self._folder), "open it with the log's own key")
        if kept.size > len(self._tree):
            what = f"{kept.size - len(self._tree)} entries of the last checkpoint are missing"
            raise StillwatchError(what, str(self._folder), "the ledger was cut: restore it from a copy")
        if self._tree.root(kept.size) != kept.root:
            raise StillwatchError("the entries are not those of the last checkpoint", str(self._folder), "the ledger was rewritten: restore it from a copy")
