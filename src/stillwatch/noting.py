"""What was sent, taken in or refused goes into a member's ledger, when it keeps one: a digest, a time, a peer's key, and a word. Never what it was."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from stillwatch.errors import UserError
from stillwatch.ledger.entries import Entry
from stillwatch.ledger.notes import Signer
from stillwatch.store.ledger import Ledger

_ONE = threading.Lock()
"Desks of one server write one ledger, one after the other."

DOWN_THE_CHAIN = "down the chain"
"Member of what is handed to somebody outside the directory."


@dataclass(frozen=True)
class Said:
    """One thing to note."""

    kind: str
    "share, hear, match, correction or refusal."
    raw: bytes
    "What was said, as it travelled."
    member: str
    "Key id of the peer, or DOWN_THE_CHAIN."
    what: str
    "A word: pack, withdrawal, inquiry, answer, or why something was refused."


def noted(ledger: Path | None, sign_with: Path | None, said: Sequence[Said]) -> None:
    """Note things and sign the ledger's new checkpoint. `ledger`: its folder (None: none is kept); `sign_with`: the member's signing key. Raises: UserError, StillwatchError."""
    if ledger is None:
        return
    at = int(datetime.now(UTC).timestamp() * 1e6)
    entered(ledger, sign_with, [Entry(each.kind, hashlib.sha256(each.raw).hexdigest(), at, each.member, each.what) for each in said])


def entered(ledger: Path, sign_with: Path | None, entries: Sequence[Entry]) -> None:
    """Entries that are made already, and the new checkpoint. Raises: UserError, StillwatchError."""
    if entries:
        with _ONE, Ledger(ledger, _signer(sign_with)) as held:
            held.append(entries)
            held.sign()


def _signer(path: Path | None) -> Signer:
    if path is None:
        raise UserError("a ledger is signed, and no key was named", "--ledger", "name the signing key with --sign-with")
    try:
        private = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise UserError("is no signing key", str(path), "`stillwatch pack key` makes one") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise UserError("is a key of another kind", str(path), "ledgers are signed with Ed25519")
    public = hashlib.sha256(private.public_key().public_bytes_raw()).hexdigest()
    return Signer(f"stillwatch/{public[:16]}", private.private_bytes_raw())
