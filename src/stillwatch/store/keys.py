"""The hashing key: 32 random bytes in a file of its own, made on first use, readable by its owner only.

Whoever has the key can test whether a given account is meant by a hash; so it never lies in a scan's folder.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import sys
from pathlib import Path

from stillwatch.errors import UserError

SIZE = 32
"Bytes of a key."


def default_path() -> Path:
    """Where the key lies when none is named: `stillwatch/hashing.key` in the user's configuration folder."""
    if sys.platform == "win32":
        room = os.environ.get("APPDATA") or str(Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        room = str(Path.home() / "Library" / "Application Support")
    else:
        room = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(room) / "stillwatch" / "hashing.key"


def load_or_create(path: Path | None, scan: Path | None = None) -> bytes:
    """The key in a file (64 hex digits, or 32 raw bytes), made there when nothing lies there yet.

    `scan`: an earlier scan that is to be read with it: then it must be there, for a new key reads no earlier scan.
    Raises UserError when the file is no key, others may read it, it can neither be read nor made, or is missing beside a scan.
    """
    path = path if path is not None else default_path()
    try:
        if not path.exists():
            if scan is not None:
                raise UserError(
                    f"no hashing key lies there, and {scan} can be read with the key it was made with only", str(path), "name that key with --key FILE"
                )
            _create(path)
        return _load(path)
    except OSError as error:
        what = f"the hashing key can be neither read nor made ({error.strerror})"
        raise UserError(what, str(path), "name another place with --key FILE") from error


def load(path: Path | None) -> bytes | None:
    """The key in a file, None when nothing lies there: for work that must never make one. Raises UserError as `load_or_create` does."""
    path = path if path is not None else default_path()
    try:
        return _load(path) if path.exists() else None
    except OSError as error:
        raise UserError(f"the hashing key cannot be read ({error.strerror})", str(path), "name another place with --key FILE") from error


def _load(path: Path) -> bytes:
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise UserError("the hashing key is not a file", str(path), "name a file with --key FILE")
    # A key that an administrator mounts is his to guard; one's own file must be closed to others.
    if os.name == "posix" and state.st_uid == os.geteuid() and state.st_mode & 0o077:
        raise UserError("others may read the hashing key", str(path), f"close it with chmod 600 {path}")
    raw = path.read_bytes() if state.st_size <= 4 * SIZE else b""
    if len(raw) == SIZE:
        return raw
    try:
        key = bytes.fromhex(raw.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != SIZE:
        raise UserError("not a hashing key (64 hex digits)", str(path), "name the right file, or one that does not exist yet")
    return key


def _create(path: Path) -> None:
    """Writes a new key and links it into its place: of two first runs at once, one wins and both use its key."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_bytes(SIZE).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links
            if not path.exists():
                os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def fingerprint(key: bytes) -> str:
    """16 hex digits that tell keys apart and tell nothing of the key: safe to print and to keep."""
    return hashlib.blake2b(b"fingerprint", key=key, digest_size=8).hexdigest()
