"""The settings of a server, a TOML file of blocks that a person writes.

    [[server]]
    listen = "0.0.0.0:6443"
    url = "https://sharing.north.example:6443"   # how others name it; signatures cover it
    store = "shared.sqlite"                      # or postgresql://user@host/database
    certificate = "server.pem"                   # without it only an address of this machine can be listened at
    key = "server.key"
    directory = "members.json"                   # the signed directory of members
    roots = ["root.pub"]                         # the root keys that may sign it
    title = "North's exchange"

    [[root]]                                     # an API root
    path = "exchange"
    title = "Shared between members"
    proof = ["certificate", "signature"]         # all of them; or ["basic"], for ordinary TAXII clients

    [[collection]]
    root = "exchange"
    id = "91a7b528-80eb-42ed-a74d-c6fbd5a26116"
    title = "Indicators"
    readers = ["south"]                          # names of members; none: nobody
    writers = ["north"]
    validation = "strict"                        # or "lenient", or "stix": whatever OASIS's validator would complain of in its strict mode is refused

    [[match]]                                    # private matching of one type of identifier
    type = "payment"
    me = "north"                                 # this member's name in the directory
    items = "payments.txt"                       # `stillwatch identifiers` writes it
    peers = ["south"]                            # none: nobody
    secret = "matching.secret"                   # made on first use; the book of matchings lies beside it
    epoch = "day"
    reveal_from = 100                            # left out: how many are common is told, and never which
    out = "matched"                              # where what was revealed is written

    [[joint]]                                    # sessions of joint evidence that this server convenes, and takes no part in
    name = "weekly"
    members = ["south", "west", "east"]
    epoch = "week"                               # or "day", "month": one session each
    minutes = 60                                 # how long it waits for who has not come
    patience = 300                               # seconds that a member may be silent before the others go on without it

    [[user]]                                     # only for roots with basic
    name = "analyst"
    password = "scrypt$..."                      # what `stillwatch members password` prints

Paths are relative to the file. Whoever is not named as a reader reads nothing, and is not told that the collection is there unless it says listed = true.
"""

from __future__ import annotations

import re
from collections.abc import Collection as Some
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stillwatch.doors.taxii.desks import EPOCHS, NAMES, Joint, Match
from stillwatch.errors import UserError
from stillwatch.exchange.joint.coalition import LEAST, MOST
from stillwatch.store.blocks import Block, is_text, read
from stillwatch.store.matching import TYPES

PROOFS = ("certificate", "signature", "basic")
"How one can prove who one is."

KINDS = {
    "server": (
        "listen", "url", "store", "certificate", "key", "directory", "roots", "title", "description", "contact", "default", "announce", "page", "body", "rate",
        "status_days", "ledger", "sign_with",
    ),
    "root": ("path", "title", "description", "proof"),
    "collection": ("root", "id", "title", "description", "alias", "readers", "writers", "validation", "listed", "media_types"),
    "match": ("type", "me", "items", "peers", "secret", "epoch", "reveal_from", "least", "fewest", "most", "budget", "out"),
    "joint": ("name", "members", "epoch", "minutes", "patience"),
    "user": ("name", "password"),
}  # fmt: skip
"Kind of block -> the words in it."

_MATCH_NUMBERS = {
    "least": (10, 10, 1_000_000),
    "fewest": (1_000, 1_000, 1_000_000),
    "most": (1_000_000, 1_000, 5_000_000),
    "budget": (200_000, 1_000, 100_000_000),
}
"Numbers of a match block: usual, least, most."

STIX = "application/stix+json;version=2.1"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_PATH = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)


@dataclass(frozen=True)
class Root:
    """An API root."""

    path: str
    title: str
    description: str | None
    proof: frozenset[str]
    "All of these must be shown."


@dataclass(frozen=True)
class Collection:
    """A collection of an API root."""

    root: str
    id: str
    title: str
    description: str | None
    alias: str | None
    readers: frozenset[str]
    "Names; empty: nobody reads."
    writers: frozenset[str]
    strict: bool
    listed: bool
    "Whether those who may neither read nor write are told that it is there."
    media_types: tuple[str, ...]
    exact: bool = False
    "Whether objects are checked as OASIS's validator does in its strict mode."


@dataclass(frozen=True)
class Settings:
    """All of them."""

    host: str
    port: int
    url: str
    "Without a slash at its end."
    store: str
    certificate: Path | None
    key: Path | None
    directory: Path | None
    roots_of_trust: tuple[Path, ...]
    discovery: dict[str, str]
    announce: str
    "What stands before an API root's path in discovery."
    roots: dict[str, Root] = field(default_factory=dict)
    collections: dict[tuple[str, str], Collection] = field(default_factory=dict)
    "(API root's path, id or alias) -> collection."
    users: dict[str, str] = field(default_factory=dict)
    "Name -> password, salted and stretched."
    page: int = 1000
    "Objects on a page at most."
    body: int = 16_777_216
    "Bytes of a request at most."
    rate: float = 100.0
    "Requests a second of one member, in the long run."
    status_days: int = 30
    "How long what became of an addition can be asked; 0: for ever."
    ledger: Path | None = None
    "Folder of the ledger in which desks note what happens."
    sign_with: Path | None = None
    "The key that signs it."
    match: tuple[Match, ...] = ()
    "What peers may match."
    joint: tuple[Joint, ...] = ()
    "Sessions that are convened here."


def load(path: Path) -> Settings:
    """The settings in a file. Raises: UserError with line and column for what cannot be used."""
    blocks = read(path, "the settings of a server", KINDS)
    if len(blocks["server"]) != 1:
        raise UserError("one [[server]] block is needed", str(path), "write [[server]] with listen, url and store")
    roots = {each.path: each for each in map(_root, blocks["root"])}
    users = {str(each.get("name", is_text, '"analyst"')): _password(each) for each in blocks["user"]}
    collections: dict[tuple[str, str], Collection] = {}
    for block in blocks["collection"]:
        made = _collection(block, roots)
        for name in filter(None, (made.id, made.alias)):
            if (made.root, name) in collections:
                raise block.wrong("id", "two collections of one API root have this id or alias", "give each its own")
            collections[made.root, name] = made
    settings = _server(blocks["server"][0], path.parent, roots, collections, users)
    joint = tuple(map(_joint, blocks["joint"]))
    if len({each.name for each in joint}) < len(joint):
        raise blocks["joint"][-1].wrong("name", "two sessions have one name", "give each its own")
    match = tuple(_match(each, path.parent) for each in blocks["match"])
    if len({each.type for each in match}) < len(match):
        raise blocks["match"][-1].wrong("type", "two blocks match one type", "write one block a type")
    return replace(settings, joint=joint, match=match)


def _server(block: Block, folder: Path, roots: dict[str, Root], collections: dict[tuple[str, str], Collection], users: dict[str, str]) -> Settings:
    host, _, port = str(block.get("listen", _is_listen, '"127.0.0.1:6443"')).rpartition(":")
    url = str(block.get("url", _is_url, '"https://sharing.example:6443"')).rstrip("/")
    store = str(block.get("store", is_text, '"shared.sqlite"'))
    certificate, key, directory = (_file(block, word, folder) for word in ("certificate", "key", "directory"))
    trust = tuple(folder / each for each in _names(block, "roots", '["root.pub"]'))
    if (certificate is None) != (key is None):
        raise block.wrong("certificate", "certificate and key go together", "name both files")
    if certificate is None and host not in ("127.0.0.1", "::1", "[::1]", "localhost"):
        raise block.wrong("listen", "without a certificate only this machine can be served", 'write certificate and key, or listen = "127.0.0.1:6443"')
    wanted = {proof for root in roots.values() for proof in root.proof}
    if wanted & {"certificate", "signature"} and (directory is None or not trust):
        raise block.wrong("directory", "members prove who they are by a directory", "write directory and roots")
    if "certificate" in wanted and certificate is None:
        raise block.wrong("certificate", "members can show certificates only to a server that has one", "write certificate and key")
    if "basic" in wanted and not users:
        raise block.wrong("listen", "an API root takes passwords, and there is no user", "write a [[user]] block")
    discovery: dict[str, str] = {
        word: str(block.get(word, is_text, f'"{word}"')) for word in ("title", "description", "contact", "default") if word in block.row
    }
    return Settings(
        host.strip("[]"), int(port), url, store if "://" in store else str(folder / store), certificate, key, directory, trust,
        {"title": "Stillwatch"} | discovery, str(block.row.get("announce", url)).rstrip("/"), roots, collections, users,
        page=_whole(block, "page", 1000, 1, 100_000), body=_whole(block, "body", 16_777_216, 1024, 1 << 30),
        rate=float(_whole(block, "rate", 100, 1, 1_000_000)), status_days=_whole(block, "status_days", 30, 0, 100_000),
        ledger=_file(block, "ledger", folder), sign_with=_file(block, "sign_with", folder),
    )  # fmt: skip


def _match(block: Block, folder: Path) -> Match:
    kind = str(block.get("type", lambda value: value in TYPES, f"one of {', '.join(TYPES)}"))
    epoch = str(block.row.get("epoch", "day"))
    if epoch not in EPOCHS:
        raise block.wrong("epoch", "epoch is not what it must be", f"write one of {', '.join(EPOCHS)}")
    numbers = {name: _whole(block, name, *range_) for name, range_ in _MATCH_NUMBERS.items()}
    if block.row.get("me") in _names(block, "peers", '["south"]'):
        raise block.wrong("peers", "a member does not match with itself", "leave one's own name out")
    reveal = _whole(block, "reveal_from", 100, numbers["least"], 1_000_000) if "reveal_from" in block.row else None
    return Match(
        kind, str(block.get("me", is_text, '"north"')), folder / str(block.get("items", is_text, '"payments.txt"')), _names(block, "peers", '["south"]'),
        folder / str(block.row.get("secret", "matching.secret")), epoch, reveal, **numbers, out=_file(block, "out", folder),
    )  # fmt: skip


def _joint(block: Block) -> Joint:
    members = _names(block, "members", '["south", "west", "east"]')
    if not LEAST <= len(set(members)) == len(members) <= MOST:
        raise block.wrong("members", f"a coalition has {LEAST} to {MOST} members", 'write members = ["south", "west", "east"]')
    epoch = str(block.row.get("epoch", "week"))
    if epoch not in EPOCHS:
        raise block.wrong("epoch", "epoch is not what it must be", f"write one of {', '.join(EPOCHS)}")
    name = str(block.get("name", lambda value: isinstance(value, str) and bool(_PATH.fullmatch(value)), '"weekly"'))
    return Joint(name, members, epoch, _whole(block, "minutes", 60, 1, 10_080), _whole(block, "patience", 300, 5, 86_400))


def _root(block: Block) -> Root:
    path = str(block.get("path", lambda value: isinstance(value, str) and bool(_PATH.fullmatch(value)) and value not in NAMES, '"exchange"'))
    proof = frozenset(_names(block, "proof", '["certificate", "signature"]', PROOFS)) or frozenset(("certificate", "signature"))
    if "basic" in proof and len(proof) > 1:
        raise block.wrong("proof", "basic stands alone", 'write proof = ["basic"] or proof = ["certificate", "signature"]')
    return Root(path, str(block.get("title", is_text, '"Shared between members"')), _text(block, "description"), proof)


def _collection(block: Block, roots: dict[str, Root]) -> Collection:
    root = str(block.get("root", is_text, '"exchange"'))
    if root not in roots:
        raise block.wrong("root", f'there is no API root "{root}"', f"known: {', '.join(roots)}" if roots else "write a [[root]] block")
    validation = block.row.get("validation", "strict")
    if validation not in ("strict", "lenient", "stix"):
        raise block.wrong("validation", "validation is not what it must be", 'write validation = "strict", "lenient" or "stix"')
    if not isinstance(block.row.get("listed", False), bool):
        raise block.wrong("listed", "listed is not what it must be", "write listed = true or false")
    return Collection(
        root,
        str(block.get("id", lambda value: isinstance(value, str) and bool(_UUID.fullmatch(value)), '"91a7b528-80eb-42ed-a74d-c6fbd5a26116"')),
        str(block.get("title", is_text, '"Indicators"')),
        _text(block, "description"),
        _text(block, "alias"),
        frozenset(_names(block, "readers", '["south"]')),
        frozenset(_names(block, "writers", '["north"]')),
        validation != "lenient",
        bool(block.row.get("listed", False)),
        _names(block, "media_types", f'["{STIX}"]') or (STIX,),
        validation == "stix",
    )


def _password(block: Block) -> str:
    return str(block.get("password", lambda value: isinstance(value, str) and value.startswith("scrypt$") and value.count("$") == 2, '"scrypt$..."'))


def _text(block: Block, word: str) -> str | None:
    return str(block.get(word, is_text, f'"{word}"')) if word in block.row else None


def _file(block: Block, word: str, folder: Path) -> Path | None:
    named = _text(block, word)
    return None if named is None else folder / named


def _names(block: Block, word: str, wanted: str, known: Some[str] | None = None) -> tuple[str, ...]:
    """A list of texts, which may be empty or left out."""
    value = block.row.get(word, [])
    if not isinstance(value, list) or not all(map(is_text, value)) or (known is not None and not set(value) <= set(known)):
        raise block.wrong(word, f"{word} is not what it must be", f"write {word} = {wanted}")
    return tuple(value)


def _whole(block: Block, word: str, usual: int, least: int, most: int) -> int:
    value = block.row.get(word, usual)
    if type(value) is not int or not least <= value <= most:
        raise block.wrong(word, f"{word} is not what it must be", f"write a whole number from {least} to {most}")
    return value


def _is_listen(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\S+:\d{1,5}", value, re.ASCII) is not None and int(value.rpartition(":")[2]) < 65536


def _is_url(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    parts = urlsplit(value)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.path in ("", "/") and not parts.query and not parts.fragment
