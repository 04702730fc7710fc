"""The map from keyed hashes back to the log's own account ids, sealed beside the key and opened only by a door.

AES-256-GCM under a key that is derived from the hashing key; the scan's id is bound to the seal, so that one scan's
names cannot be passed off as another's.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from stillwatch.errors import UserError
from stillwatch.store.keys import default_path

_MAGIC = b"stillwatch names 1\n"
_NONCE = 12
_TRAVELS = b"stillwatch name 1"


def place(key_path: Path | None, scan_id: str) -> Path:
    """The file that holds a scan's sealed names: in `names`, beside the key."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", scan_id):
        raise ValueError("a scan's id is letters, digits, - and _")
    return (key_path if key_path is not None else default_path()).parent / "names" / f"{scan_id}.sealed"


def seal(
    key_path: Path | None,
    key: bytes,
    scan_id: str,
    hashes: Sequence[int] | npt.NDArray[np.int64],
    names: Iterable[str] | pa.Array,
) -> Path:
    """Keeps which hash is which account, mode 600, and returns the file; an earlier seal of the scan is replaced whole.

    Raises UserError when it cannot be written.
    """
    path = place(key_path, scan_id)
    held = names if isinstance(names, (pa.Array, pa.ChunkedArray)) else pa.array(list(names), pa.string())
    table = pa.table({"hash": pa.array(np.asarray(hashes, np.int64)), "name": held})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    nonce = secrets.token_bytes(_NONCE)
    sealed = AESGCM(_derived(key)).encrypt(nonce, zlib.compress(sink.getvalue(), 1), _bound(scan_id))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".{secrets.token_hex(8)}")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(_MAGIC + nonce + sealed)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise UserError(f"the names cannot be kept ({error.strerror})", str(path.parent), "name another --key FILE") from error
    finally:
        beside.unlink(missing_ok=True)
    return path


def open(key_path: Path | None, key: bytes, scan_id: str) -> dict[int, str]:
    """Keyed hash -> the log's own account id.

    Raises UserError when there is no seal, or the key is not the one that made it.
    """
    path = place(key_path, scan_id)
    try:
        raw = path.read_bytes()
    except OSError as error:
        what = f"the names of this scan are not here ({error.strerror})"
        raise UserError(what, str(path), "use the --key FILE of the scan, or --pseudonymous") from error
    try:
        if not raw.startswith(_MAGIC):
            raise InvalidTag
        body = raw[len(_MAGIC) :]
        plain = zlib.decompress(AESGCM(_derived(key)).decrypt(body[:_NONCE], body[_NONCE:], _bound(scan_id)))
    except (InvalidTag, ValueError) as error:
        raise UserError("another key sealed these names, or they were changed", str(path), "use the --key FILE of the scan") from error
    table = pa.ipc.open_stream(plain).read_all()
    return dict(zip(table["hash"].to_pylist(), table["name"].to_pylist(), strict=True))


def wrapping(key: bytes) -> Callable[[str], bytes]:
    """What seals one name at a time, for a name that travels: `unwrapped` opens it."""
    cipher = AESGCM(_derived(key))

    def wrap(name: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        return nonce + cipher.encrypt(nonce, name.encode("utf-8", "surrogatepass"), _TRAVELS)

    return wrap


def unwrapped(key: bytes, body: bytes) -> str:
    """The name that `wrapping` sealed."""
    return AESGCM(_derived(key)).decrypt(body[:_NONCE], body[_NONCE:], _TRAVELS).decode("utf-8", "surrogatepass")


def _derived(key: bytes) -> bytes:
    return hashlib.blake2b(b"names", key=key, digest_size=32).digest()


def _bound(scan_id: str) -> bytes:
    return _MAGIC + scan_id.encode()
