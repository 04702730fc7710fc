"""The directory of members: who takes part, with which keys and certificates, signed by a root key that is kept offline.

A directory has a version that only grows: an older one, or another one of the same version, is refused by whoever saw the newer. It expires,
so that one who is cut off from new directories trusts nobody rather than somebody who was expelled. Times are microseconds since 1970, UTC.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stillwatch.exchange.members.envelope import Refused, key_id, sealed, unsealed

KIND = "application/vnd.stillwatch.members.v1+json"
"Media type of a directory; its number is the version of its form."

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True)
class Key:
    """A key that a member signs its messages with."""

    public: bytes
    "Ed25519, 32 bytes."
    since: int
    until: int
    "It counts from `since` on and before `until`; two keys may overlap, so that a rotation loses no message."

    @property
    def id(self) -> str:
        """Its name in signatures."""
        return key_id(self.public)


@dataclass(frozen=True)
class Member:
    """One member."""

    name: str
    "Small letters, digits, dot, dash, underscore: a pseudonym will do."
    keys: tuple[Key, ...]
    certificates: tuple[bytes, ...] = ()
    "The certificates that it shows in TLS, DER; each counts by itself, whoever issued it."


@dataclass(frozen=True)
class Directory:
    """All members at one time."""

    version: int
    issued: int
    expires: int
    members: tuple[Member, ...]
    expelled: tuple[str, ...] = ()
    "Names that never come back: who returns takes another."
    _keys: Mapping[str, tuple[str, Key]] = field(init=False, repr=False, compare=False)
    _shown: Mapping[bytes, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        keys: dict[str, tuple[str, Key]] = {}
        shown: dict[bytes, str] = {}
        names: set[str] = set(self.expelled)
        for member in self.members:
            if not _NAME.fullmatch(member.name) or member.name in names:
                raise Refused("a name that is taken, expelled or malformed", member.name, "use another one of small letters, digits, dot and dash")
            names.add(member.name)
            for key in member.keys:
                if key.id in keys or len(key.public) != 32 or key.since >= key.until:
                    raise Refused("a key that another one has, or that never counts", member.name, "make a key of its own")
                keys[key.id] = (member.name, key)
            for certificate in member.certificates:
                digest = hashlib.sha256(certificate).digest()
                if digest in shown:
                    raise Refused("a certificate that is there already", member.name, "make a certificate of its own")
                shown[digest] = member.name
        if self.version < 1 or self.issued >= self.expires:
            raise Refused("a directory that never counts", f"version {self.version}", "check version and expiry")
        object.__setattr__(self, "_keys", keys)
        object.__setattr__(self, "_shown", shown)

    def who_signs(self, name: str, now: int) -> tuple[str, bytes] | None:
        """The member whose key has this name, and the key; None where it is in no member's hands now."""
        found = self._keys.get(name)
        if found is None or not self.counts(now) or not found[1].since <= now < found[1].until:
            return None
        return found[0], found[1].public

    def keys_of(self, member: str, now: int) -> list[bytes]:
        """Public keys that a member signs with now; none where it is no member."""
        mine = [each for each in self.members if each.name == member and self.counts(now)]
        return [key.public for each in mine for key in each.keys if key.since <= now < key.until]

    def who_shows(self, certificate: bytes, now: int) -> str | None:
        """The member whose certificate (DER) this is; None where it is nobody's."""
        return self._shown.get(hashlib.sha256(certificate).digest()) if self.counts(now) else None

    def counts(self, now: int) -> bool:
        """Whether it has not expired."""
        return now < self.expires


def signed(directory: Directory, root: Ed25519PrivateKey) -> bytes:
    """A directory as it is published."""
    members = [
        {
            "name": member.name,
            "keys": [{"public": _text(key.public), "since": key.since, "until": key.until} for key in member.keys],
            "certificates": [_text(each) for each in member.certificates],
        }
        for member in directory.members
    ]
    payload = {
        "version": directory.version, "issued": directory.issued, "expires": directory.expires, "members": members, "expelled": list(directory.expelled),
    }  # fmt: skip
    return sealed(KIND, orjson.dumps(payload), root)


@dataclass(frozen=True)
class Seen:
    """The newest directory that somebody accepted."""

    version: int
    digest: str
    "SHA-256 of its payload: two directories of one version are one too many."


def opened(data: bytes, roots: Collection[bytes], now: int, seen: Seen | None = None) -> tuple[Directory, Seen]:
    """A published directory, checked, and what to remember of it. `roots`: public keys that are trusted to sign one; `seen`: the newest one accepted so far.

    Raises: Refused where no root signed it, it expired, is malformed, or is older than the one seen.
    """
    payload = unsealed(KIND, data, roots)
    directory = _read(payload)
    now_seen = Seen(directory.version, hashlib.sha256(payload).hexdigest())
    if seen is not None and (directory.version < seen.version or (directory.version == seen.version and now_seen != seen)):
        raise Refused(f"version {directory.version} after version {seen.version} was seen: rolled back or forked", KIND, "fetch the newest one")
    if not directory.counts(now):
        raise Refused(f"version {directory.version} has expired", KIND, "fetch a newer one, or have the root sign one")
    return directory, now_seen


def admitted(directory: Directory, member: Member, issued: int, expires: int) -> Directory:
    """The next directory, with one more member."""
    return _next(directory, issued, expires, members=(*directory.members, member))


def rotated(directory: Directory, name: str, key: Key, issued: int, expires: int, *, overlap: int) -> Directory:
    """The next directory, with a new key for a member. The ones it has count for `overlap` microseconds more at most; those that ended go."""
    _known(directory, name)
    end = issued + overlap
    members = tuple(
        replace(
            each,
            keys=(*(replace(old, until=min(old.until, end)) for old in each.keys if old.until > issued and old.since < min(old.until, end)), key),
        )
        if each.name == name
        else each
        for each in directory.members
    )
    return _next(directory, issued, expires, members=members)


def expelled(directory: Directory, name: str, issued: int, expires: int) -> Directory:
    """The next directory, without a member. Its name does not come back."""
    _known(directory, name)
    rest = tuple(each for each in directory.members if each.name != name)
    return _next(directory, issued, expires, members=rest, expelled=(*directory.expelled, name))


def _next(directory: Directory, issued: int, expires: int, **changed: Any) -> Directory:
    return replace(directory, version=directory.version + 1, issued=issued, expires=expires, **changed)


def _known(directory: Directory, name: str) -> None:
    if all(each.name != name for each in directory.members):
        raise Refused("no such member", name, "check the name")


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: Any) -> bytes:
    return base64.b64decode(text, validate=True)


def _read(payload: bytes) -> Directory:
    try:
        row = orjson.loads(payload)
        members = tuple(
            Member(
                str(each["name"]),
                tuple(Key(_bytes(key["public"]), _whole(key["since"]), _whole(key["until"])) for key in each["keys"]),
                tuple(_bytes(certificate) for certificate in each["certificates"]),
            )
            for each in row["members"]
        )
        return Directory(_whole(row["version"]), _whole(row["issued"]), _whole(row["expires"]), members, tuple(map(str, row["expelled"])))
    except (orjson.JSONDecodeError, binascii.Error, KeyError, TypeError, AttributeError, ValueError) as error:
        raise Refused("not a directory of members", KIND, "fetch it again from who published it") from error


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise ValueError(value)
    return value
