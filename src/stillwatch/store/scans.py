"""Result folders that appear whole or not at all.

A result is written in a hidden folder beside its place and moved there by one rename when it is complete; an earlier
result is exchanged in the same instant. The hidden folder is locked by whoever writes it: a folder that is not locked
is left from a run that died, and the next run into the same parent clears it away. Its name and its marker say
nothing of what is in it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from stillwatch.errors import UserError
from stillwatch.files import locked, same

MARKER = ".stillwatch"
"File that says that a folder was made here, and what it is."

_PREFIX, _STAGE, _OLD = ".stillwatch-", ".partial", ".earlier"
_RENAME_EXCHANGE = 2
_TRIES, _WAIT = 10, 0.05
_FOLDER = os.O_RDONLY | os.O_DIRECTORY


def is_scan(directory: Path, marker: str | None = None) -> bool:
    """Whether a folder is a result that was published here: of any kind, or of the kind `marker`."""
    try:
        kind = (directory / MARKER).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return False
    return marker is None or kind == marker


@contextlib.contextmanager
def publish(directory: Path, marker: str) -> Iterator[Path]:
    """A folder to write a result of the kind `marker` into; it becomes `directory` when the block ends well.

    An earlier result of the same kind is replaced whole. Raises UserError before any work when `directory` is anything
    else that is not empty, cannot be made, or is being written by somebody else.
    """
    target = Path(os.path.realpath(directory))
    named = str(directory)
    _allowed(target, marker, named)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _recover(target)
        _sweep(target.parent)
        stage, lock = _staged(target, named)
    except OSError as error:
        raise UserError(f"cannot write here ({error.strerror})", named, "name another folder with --out") from error
    try:
        (stage / MARKER).write_text(marker + "\n", "utf-8")
        yield stage
        _synced(stage)
        _allowed(target, marker, named)
        _appear(stage, target, named)
    finally:
        # Still there only when the work failed: once published, the locked folder is the result itself.
        if same(stage, lock):
            _removed(stage)
        os.close(lock)


def check(directory: Path, marker: str) -> None:
    """Refuse a folder that `publish` would refuse, before any work. Raises: UserError."""
    _allowed(Path(os.path.realpath(directory)), marker, str(directory))


def _allowed(target: Path, marker: str, named: str) -> None:
    if not os.path.lexists(target):
        return
    if not target.is_dir():
        raise UserError("is a file", named, "name a folder that does not exist yet")
    if is_scan(target, marker) or not any(target.iterdir()):
        return
    raise UserError(
        "the folder is not empty and is no earlier result of this command",
        named,
        "name a new folder, or empty this one yourself",
    )


def _hidden(target: Path, suffix: str) -> Path:
    digest = hashlib.blake2b(os.fsencode(target.name), digest_size=8).hexdigest()
    return target.parent / f"{_PREFIX}{digest}{suffix}"


def _staged(target: Path, named: str) -> tuple[Path, int]:
    """The empty hidden folder of a place, locked by this process."""
    stage = _hidden(target, _STAGE)
    # Another run that clears away dead stages may hold this one for a moment.
    for _ in range(_TRIES):
        with contextlib.suppress(FileExistsError):
            stage.mkdir()
        lock = locked(stage, _FOLDER)
        if lock is None:
            time.sleep(_WAIT)
            continue
        for entry in os.scandir(stage):
            _gone(Path(entry.path))
        return stage, lock
    raise UserError("another run is writing this folder", named, "wait for it, or name another folder")


def _appear(stage: Path, target: Path, named: str) -> None:
    """The stage becomes the target; an earlier result is moved out of the way in the same instant, then deleted."""
    if not is_scan(target):
        try:
            os.rename(stage, target)  # also over an empty folder
        except OSError as error:
            raise UserError(f"could not be put in place ({error.strerror})", named, "name another folder") from error
        _fsync(target.parent)
        return
    # Locked before it lands where stages lie: nobody takes it for a dead run's stage while it is deleted.
    earlier = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(earlier, fcntl.LOCK_EX)
        aside = stage
        if not _exchanged(stage, target):
            aside = _hidden(target, _OLD)
            os.rename(target, aside)
            os.rename(stage, target)
        _fsync(target.parent)
        _removed(aside)
    finally:
        os.close(earlier)


def _exchanged(one: Path, other: Path) -> bool:
    """Both names change places in one instant; False where the system or the file system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    here = -100  # AT_FDCWD
    if call(here, os.fsencode(one), here, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM):
        return False
    raise OSError(code, os.strerror(code), str(other))


def _recover(target: Path) -> None:
    """Puts an earlier result back in its place when a run without atomic exchange died between its two renames."""
    earlier = _hidden(target, _OLD)
    if not earlier.exists():
        return
    if not os.path.lexists(target) and is_scan(earlier):
        os.rename(earlier, target)
    else:
        _removed(earlier)


def _sweep(parent: Path) -> None:
    """Clears away the stages of dead runs, whatever place they were meant for."""
    for stage in sorted(parent.glob(f"{_PREFIX}*{_STAGE}")):
        lock = locked(stage, _FOLDER) if stage.is_dir() and not stage.is_symlink() else None
        if lock is not None:
            try:
                _removed(stage)
            finally:
                os.close(lock)


def _removed(folder: Path) -> None:
    """Deletes a folder; its marker becomes invalid first, so that half of a result never counts as one."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(folder / MARKER)
    shutil.rmtree(folder, ignore_errors=True)


def _gone(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _synced(folder: Path) -> None:
    for where, _, names in os.walk(folder):
        for name in names:
            _fsync(Path(where) / name)
        _fsync(Path(where))


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
