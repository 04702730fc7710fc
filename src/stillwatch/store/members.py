"""The file from which a root signs the next directory: a TOML file that a person writes, offline.

    [[directory]]
    expires = 2027-01-31          # the last day, UTC

    [[member]]
    name = "north"                # a pseudonym will do
    certificates = ["north.pem"]  # what it shows in TLS
    keys = ["north.pub"]          # what it signs with, as long as the directory counts

    [[key]]                       # or with days: two of them overlap while a member changes its key
    member = "north"
    file = "north-2027.pub"
    since = 2026-12-01
    until = 2027-12-31

    [[expelled]]
    name = "west"                 # never comes back under this name

Paths are relative to the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from stillwatch.errors import UserError
from stillwatch.exchange.members.directory import Directory, Key, Member, opened, signed
from stillwatch.exchange.members.envelope import Refused, raw
from stillwatch.files import publish
from stillwatch.store import directories
from stillwatch.store.blocks import Block, is_text, is_texts, read
from stillwatch.store.shared.declare import written

KINDS: dict[str, Sequence[str]] = {
    "directory": ("expires",),
    "member": ("name", "certificates", "keys"),
    "key": ("member", "file", "since", "until"),
    "expelled": ("name",),
}
"Kind of block -> the words in it."

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def sign(path: Path, root: Path, out: Path, now: int) -> dict[str, Any]:
    """Sign the next directory of members to `out`. Its version is one more than that of the directory there.

    Who was in the earlier directory and is not in the file counts as expelled, and must be named so: nobody is forgotten by a slip.
    Raises: UserError.
    """
    blocks = read(path, "the file of members", KINDS)
    if len(blocks["directory"]) != 1:
        raise UserError("one [[directory]] block is needed", str(path), "write [[directory]] with expires = 2027-01-31")
    key = directories.private_key(root)
    expires = _day(blocks["directory"][0], "expires", None, last=True)
    earlier = opened(directories.read(out), [raw(key)], -(1 << 62))[0] if out.exists() else None
    expelled = tuple(str(each.get("name", is_text, '"west"')) for each in blocks["expelled"])
    members = tuple(_member(each, blocks["key"], path.parent, now, expires) for each in blocks["member"])
    if earlier is not None:
        gone = {each.name for each in earlier.members} - {each.name for each in members} - set(expelled)
        back = set(earlier.expelled) - set(expelled)
        if gone or back:
            raise UserError(f"{min(gone | back)} was there and is neither a member nor expelled", str(path), "write a [[member]] or an [[expelled]] block")
    try:
        directory = Directory((earlier.version if earlier else 0) + 1, now, expires, members, expelled)
    except Refused as error:
        raise UserError(error.what, f"{path}: {error.where}", error.attempt) from error
    with publish(out) as part:
        part.write_bytes(signed(directory, key))
    return {"version": directory.version, "members": [each.name for each in members], "expelled": list(expelled), "expires": written(expires), "out": str(out)}


def _member(block: Block, keys: Sequence[Block], folder: Path, now: int, expires: int) -> Member:
    name = str(block.get("name", is_text, '"north"'))
    plain = block.get("keys", is_texts, '["north.pub"]') if "keys" in block.row else []
    made = [Key(raw(directories.public_key(folder / each)), 0, expires) for each in plain]
    for each in keys:
        if each.get("member", is_text, '"north"') == name:
            public = raw(directories.public_key(folder / str(each.get("file", is_text, '"north.pub"'))))
            made.append(Key(public, _day(each, "since", now), _day(each, "until", expires, last=True)))
    shown = block.get("certificates", is_texts, '["north.pem"]') if "certificates" in block.row else []
    return Member(name, tuple(made), tuple(_certificate(folder / each) for each in shown))


def _certificate(path: Path) -> bytes:
    try:
        return x509.load_pem_x509_certificate(directories.read(path)).public_bytes(Encoding.DER)
    except ValueError as error:
        raise UserError("not a certificate", str(path), "name a PEM file") from error


def _day(block: Block, word: str, usual: int | None, *, last: bool = False) -> int:
    """A day's beginning, or with `last` its end, in microseconds."""
    if word not in block.row and usual is not None:
        return usual
    day: date = block.get(word, lambda value: isinstance(value, date) and not isinstance(value, datetime), "2027-01-31")
    return (datetime.combine(day, time(), UTC) - _EPOCH) // timedelta(microseconds=1) + (86_400_000_000 if last else 0)
