"""Signatures over HTTP requests (RFC 9421, Ed25519) with the digest of their content (RFC 9530), and the memory that refuses a request twice.

Signed are the method, the whole target URI as the receiver is named in its own settings (so a request to one member is none to another), and,
where there is content, its digest and its type. A signature counts once, and only close to the moment that it names.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from stillwatch.errors import UserError
from stillwatch.exchange.members.directory import Directory
from stillwatch.exchange.members.envelope import Refused, key_id, raw

TAG = "stillwatch-exchange"
"What the signatures are for: one made for something else does not count here."

WINDOW = 120_000_000
"Microseconds around the moment that a signature names within which it counts."

AHEAD = 2_000_000
"Microseconds that a signature may be dated ahead: no more, or one that was used before a restart would count again after it."

MOST_NONCES = 100_000
"So many signatures of one key are remembered at most; when they are used up, no more of it are accepted until the oldest end. Fails closed, for that key alone."

_ALWAYS = ("@method", "@target-uri")
_CONTENT = ("content-digest", "content-type")


@dataclass
class Message:
    """A request as it is signed and checked."""

    method: str
    url: str
    "The whole target URI, encoded, as the receiver is named in its own settings."
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Nonces:
    """Which signatures were used. Safe to use from several threads."""

    since: int
    "The first moment (microseconds, a whole second) from which signatures count: what was signed before may have been used, and nobody remembers."
    window: int = WINDOW
    _used: dict[str, dict[str, int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def use(self, key: str, nonce: str, created: int, now: int) -> None:
        """Use a signature's nonce. Raises: Refused where it was used, is too old or too new, or too many are remembered."""
        if now - created > self.window or created > now + AHEAD or created < self.since:
            raise Refused("a signature too far from now", "created", "set the clock, and sign again")
        with self._lock:
            used = self._used.setdefault(key, {})
            if nonce in used:
                raise Refused("a signature that was used before", "nonce", "sign each request with a nonce of its own")
            if len(used) >= MOST_NONCES:
                # One that is out of the window is refused for that, and need not be remembered.
                used = self._used[key] = {each: at for each, at in used.items() if at >= now - self.window}
                if len(used) >= MOST_NONCES:
                    raise Refused("too many signatures at once", "nonce", "try again later")
            used[nonce] = created


def sign(message: Message, key: Ed25519PrivateKey, now: int, nonce: str) -> None:
    """Sign a request in place: its headers get Signature, Signature-Input and, where there is content, Content-Digest.

    `now`: microseconds since 1970; `nonce`: 16 random bytes or more as text, never used before.
    """
    signer = _library().HTTPMessageSigner(signature_algorithm=_algorithm(), key_resolver=_Keys({key_id(raw(key)): key}))
    signer.sign(
        message, key_id=key_id(raw(key)), created=_Moment(now), nonce=nonce, tag=TAG, label="stillwatch",
        covered_component_ids=(*_ALWAYS, *(_CONTENT if message.body else ())), body=message.body or None,
    )  # fmt: skip


def signer_of(message: Message, directory: Directory, nonces: Nonces, now: int) -> str:
    """The member who signed a request. Raises: Refused where nobody did, the signature is not good, or it was used before."""
    library = _library()
    resolver = _Members(directory, now)
    verifier = _verifier()(signature_algorithm=_algorithm(), key_resolver=resolver)
    required = (*_ALWAYS, *(_CONTENT if message.body else ()))
    try:
        found = verifier.verify(message, max_age=None, expect_tag=TAG, require_components=required, body=message.body or None)
    # What the parser of structured fields raises on a malformed header is not one family.
    except (library.HTTPMessageSignaturesException, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise Refused("a signature that is not good", "Signature", "sign the request with a key that the directory names") from error
    said = found[0].parameters if len(found) == 1 else {}
    name, nonce, created = said.get("keyid"), said.get("nonce"), said.get("created")
    member = resolver.names.get(name) if isinstance(name, str) else None
    if member is None or not isinstance(nonce, str) or not 16 <= len(nonce) <= 128 or type(created) is not int:
        raise Refused("a signature without key, nonce or moment", "Signature-Input", "write keyid, nonce (16 to 128 characters) and created")
    expires = said.get("expires")
    if type(expires) is int and expires * 1_000_000 < now:
        raise Refused("a signature that has expired", "expires", "sign again")
    nonces.use(str(name), nonce, created * 1_000_000, now)
    return member


@dataclass(frozen=True)
class _Moment:
    """A moment as the library reads one, without a clock in this room."""

    micros: int

    def timestamp(self) -> int:
        return self.micros // 1_000_000


class _Keys:
    """Private keys by name, as the library asks for them."""

    def __init__(self, keys: Mapping[str, Ed25519PrivateKey]) -> None:
        self._keys = keys

    def resolve_private_key(self, name: str) -> Ed25519PrivateKey:
        return self._keys[name]


class _Members:
    """Public keys that count now, as the library asks for them."""

    def __init__(self, directory: Directory, now: int) -> None:
        self._directory, self._now = directory, now
        self.names: dict[str, str] = {}
        "Name of a key that was asked for -> its member."

    def resolve_public_key(self, name: str) -> Ed25519PublicKey | None:
        found = self._directory.who_signs(name, self._now)
        if found is None:
            return None
        self.names[name] = found[0]
        return Ed25519PublicKey.from_public_bytes(found[1])


def _library() -> Any:
    try:
        return import_module("http_message_signatures")
    except ImportError as error:
        raise UserError("signatures need a package that is not installed", "http-message-signatures", "pip install stillwatch[exchange]") from error


def _algorithm() -> Any:
    return _library().algorithms.ED25519


@cache
def _verifier() -> Any:
    """The library's verifier without its own look at the clock: the moment is passed in here, and checked with the nonce."""

    def unclocked(self: Any, sig_input: Any, max_age: Any = None) -> None:
        return None

    return type("Verifier", (_library().HTTPMessageVerifier,), {"validate_created_and_expires": unclocked})
