"""Files that appear whole or not at all, and the names of what lies beside a log.

A file is written under a hidden name beside its place and moved there by one rename when it is complete. The hidden file is locked by whoever
writes it: one that is not locked is left from a run that died, and the next run that writes into the same folder clears it away. Its name says
nothing of what is in it. Folders of results: store.scans.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from stillwatch.errors import UserError

TRUTH = ".truth.parquet"
"End of the name of the truth that a drill writes beside its log: in folders and globs it is passed over."

REJECTED = ".rejected.jsonl"
"End of the name of the file that tells which records could not be used, beside what was made of the others: passed over as well."

_PREFIX, _PART = ".stillwatch-", ".part"
_TRIES, _WAIT = 10, 0.05


def written(path: Path, what: str) -> str:
    """The text of a file that a person wrote. `what`: what it is called in an error. Raises: UserError when it cannot be read."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "not UTF-8 text"
        raise UserError(f"{what} cannot be read ({reason})", str(path), "check the path") from error


def rejected_path(out: Path) -> Path:
    """Where the records that could not be used in making a file are told: OUT.rejected.jsonl."""
    return out.with_name(out.name + REJECTED)


@contextlib.contextmanager
def publish(path: Path, outdated: Sequence[Path] = ()) -> Iterator[Path]:
    """A hidden file to write; it becomes `path`, in the place of any earlier one, when the block ends well.

    `outdated`: files that tell of the earlier one. They go in the moment before it does, so that whoever is killed in between leaves no file beside
    another that it does not tell of. Raises: UserError when somebody else is writing it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    part, lock = _begun(path)
    try:
        yield part
        os.fsync(lock)
        for earlier in outdated:
            earlier.unlink(missing_ok=True)
        os.replace(part, path)
    finally:
        # Still there only when the work failed: once published, the locked file is the result itself.
        if same(part, lock):
            part.unlink()
        os.close(lock)


def _begun(path: Path) -> tuple[Path, int]:
    """The empty hidden file of a place, locked by this process."""
    digest = hashlib.blake2b(os.fsencode(path.name), digest_size=8).hexdigest()
    part = path.with_name(f"{_PREFIX}{digest}{_PART}")
    # Another run that clears away dead files may hold this one for a moment.
    for _ in range(_TRIES):
        lock = locked(part, os.O_RDWR | os.O_CREAT)
        if lock is not None:
            os.truncate(lock, 0)
            return part, lock
        time.sleep(_WAIT)
    raise UserError("another run is writing this file", str(path), "wait for it, or name another file")


def _sweep(folder: Path) -> None:
    """Clears away the hidden files of dead runs, whatever place they were meant for."""
    for part in sorted(folder.glob(f"{_PREFIX}*{_PART}")):
        lock = locked(part, os.O_RDWR) if part.is_file() and not part.is_symlink() else None
        if lock is not None:
            part.unlink(missing_ok=True)
            os.close(lock)


def locked(path: Path, how: int) -> int | None:
    """A lock on a file or folder that is opened `how`; None when somebody holds it or it is no longer there."""
    try:
        lock = os.open(path, how | os.O_NOFOLLOW, 0o666)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    # Between opening and locking it may have been published or cleared away by its owner.
    if same(path, lock):
        return lock
    os.close(lock)
    return None


def same(path: Path, lock: int) -> bool:
    """Whether what lies at a path is what is open."""
    try:
        there, held = os.stat(path, follow_symlinks=False), os.fstat(lock)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)
