"""The directory of members as a file, the root keys that are trusted to sign it, and what was seen of it, so that an older one is refused.

DIRECTORY.seen, beside the directory, holds the version and digest of the newest one accepted. Who deletes it can roll back; it belongs to who runs the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key, load_pem_public_key

from stillwatch.errors import UserError
from stillwatch.exchange.members.directory import Directory, Seen, opened
from stillwatch.exchange.members.envelope import Refused, raw
from stillwatch.files import publish

SEEN = ".seen"
"End of the name of the file that tells what was seen of a directory."


def load(path: Path, roots: Sequence[Path], now: int) -> Directory:
    """The directory in a file; from then on, older ones are refused. `now`: microseconds since 1970. Raises: UserError."""
    trusted = [raw(public_key(each)) for each in roots]
    beside = path.with_name(path.name + SEEN)
    seen = _seen(beside)
    try:
        directory, newest = opened(read(path), trusted, now, seen)
    except Refused as error:
        raise UserError(error.what, str(path), error.attempt) from error
    if newest != seen:
        with publish(beside) as part:
            part.write_bytes(orjson.dumps({"version": newest.version, "digest": newest.digest}))
    return directory


def read(path: Path) -> bytes:
    """The bytes of a file. Raises: UserError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", str(path), "check the path and its permissions") from error


def _seen(path: Path) -> Seen | None:
    if not path.exists():
        return None
    try:
        row = orjson.loads(read(path))
        return Seen(int(row["version"]), str(row["digest"]))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        # Going on without it would accept a directory that was rolled back.
        raise UserError(
            "what was seen of the directory cannot be read", str(path), "bring it back from a copy; delete it only if the directory is known to be the newest"
        ) from error


def public_key(path: Path) -> Ed25519PublicKey:
    """An Ed25519 public key from a PEM file. Raises: UserError."""
    try:
        key = load_pem_public_key(read(path))
    except ValueError as error:
        raise UserError("not a public key", str(path), "name a PEM file of an Ed25519 public key") from error
    if not isinstance(key, Ed25519PublicKey):
        raise UserError("a key of another kind", str(path), "name a PEM file of an Ed25519 public key")
    return key


def private_key(path: Path) -> Ed25519PrivateKey:
    """An Ed25519 private key from a PEM file without a pass phrase. Raises: UserError."""
    try:
        key = load_pem_private_key(read(path), None)
    except (ValueError, TypeError) as error:
        raise UserError("not a private key without a pass phrase", str(path), "name a PEM file of an Ed25519 private key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UserError("a key of another kind", str(path), "name a PEM file of an Ed25519 private key")
    return key


def write_pair(path: Path) -> Path:
    """Make a key: the private half to `path`, readable by its owner alone, the public half to `path`.pub. Returns the latter. Raises: UserError where one is there."""
    beside = path.with_name(path.name + ".pub")
    for each in (path, beside):
        if each.exists():
            raise UserError("is there already", str(each), "name another file")
    key = Ed25519PrivateKey.generate()
    with publish(path) as part:
        part.chmod(0o600)
        part.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with publish(beside) as part:
        part.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return beside
