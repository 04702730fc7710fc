"""Passwords of HTTP Basic, salted and stretched (scrypt): for ordinary TAXII clients, where an API root allows it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os

_COST = {"n": 1 << 14, "r": 8, "p": 1}


def stretched(password: str) -> str:
    """What stands in the settings for a password."""
    salt = os.urandom(16)
    return f"scrypt${salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, **_COST).hex()}"


class Users:
    """Who may come with a password. What was right once is remembered as a keyed hash, so that not every request takes the stretching."""

    def __init__(self, users: dict[str, str]) -> None:
        self._users, self._secret = users, os.urandom(32)
        self._right: dict[bytes, str] = {}

    def known(self, authorization: str) -> str | None:
        """The name of a user by an Authorization header; None where name or password is wrong."""
        digest = hmac.digest(self._secret, authorization.encode("utf-8", "surrogateescape"), "sha256")
        if digest in self._right:
            return self._right[digest]
        kind, _, said = authorization.partition(" ")
        try:
            name, colon, password = base64.b64decode(said.strip(), validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return None
        if kind.lower() != "basic" or not colon:
            return None
        # A name that nobody has takes as long as one that somebody has.
        _, salt, wanted = self._users.get(name, f"scrypt${'00' * 16}${'00' * 64}").split("$")
        try:
            right = hmac.compare_digest(hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), **_COST), bytes.fromhex(wanted))
        except ValueError:
            return None
        if not right or name not in self._users:
            return None
        self._right[digest] = name
        return name
