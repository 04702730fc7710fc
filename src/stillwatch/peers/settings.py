"""Whom to hear and whom to tell, a TOML file of blocks that a person writes.

    [[me]]
    key = "south.key"                    # what signs the requests
    certificate = "south.pem"            # what is shown in TLS
    certificate_key = "south-tls.key"
    store = "heard.sqlite"               # what was heard, and how far
    name = "south"                       # one's own name in the directory; only for sharing
    outgoing = "outgoing.sqlite"         # what was said to whom
    names_key = "names.key"              # the key under which ids are made

    [[peer]]
    name = "north"
    url = "https://sharing.north.example:6443"
    root = "exchange"
    collections = ["91a7b528-80eb-42ed-a74d-c6fbd5a26116"] # left out: all that may be read
    authority = "north-server.pem"       # the certificate, or authority, that the server must show; left out: the system's authorities

    [[collection]]                       # who reads a collection that is shared into; whoever is not named is not counted on
    peer = "north"
    id = "91a7b528-80eb-42ed-a74d-c6fbd5a26116"
    readers = ["west"]

Paths are relative to the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from stillwatch.errors import UserError
from stillwatch.store.blocks import Block, is_text, is_texts, read

KINDS = {
    "me": ("key", "certificate", "certificate_key", "store", "name", "outgoing", "names_key"), "peer": ("name", "url", "root", "collections", "authority", "user"),
    "collection": ("peer", "id", "readers"),
}  # fmt: skip
"Kind of block -> the words in it."


@dataclass(frozen=True)
class Me:
    """Who asks."""

    store: Path
    key: Path | None = None
    certificate: Path | None = None
    certificate_key: Path | None = None
    name: str = ""
    "One's own name in the directory; empty where it is not said."
    outgoing: Path = Path("outgoing.sqlite")
    names_key: Path = Path("names.key")


@dataclass(frozen=True)
class Peer:
    """One server to ask."""

    name: str
    url: str
    root: str
    collections: tuple[str, ...] = ()
    "Empty: all that may be read."
    authority: Path | None = None
    user: str | None = None
    "Name of a user of HTTP Basic, for a server of another make; the password stands in STILLWATCH_PASSWORD."


def load(path: Path) -> tuple[Me, dict[str, Peer]]:
    """Who asks, and the peers by name. Raises: UserError with line and column for what cannot be used."""
    blocks, folder = read(path, "the file of peers", KINDS), path.parent
    if len(blocks["me"]) != 1:
        raise UserError("one [[me]] block is needed", str(path), "write [[me]] with key and store")
    mine = blocks["me"][0]
    key, certificate, certificate_key = (_file(mine, word, folder) for word in ("key", "certificate", "certificate_key"))
    me = Me(
        folder / str(mine.get("store", is_text, '"heard.sqlite"')), key, certificate, certificate_key, str(mine.row.get("name", "")),
        folder / str(mine.row.get("outgoing", "outgoing.sqlite")), folder / str(mine.row.get("names_key", "names.key")),
    )  # fmt: skip
    if (me.certificate is None) != (me.certificate_key is None):
        raise mine.wrong("certificate", "certificate and certificate_key go together", "name both files")
    peers: dict[str, Peer] = {}
    for block in blocks["peer"]:
        made = _peer(block, folder)
        if made.name in peers:
            raise block.wrong("name", f'two peers are called "{made.name}"', "give each a name of its own")
        peers[made.name] = made
    return me, peers


def chosen(peers: Mapping[str, Peer], name: str, path: Path) -> Peer:
    """The peer of a name. Raises: UserError where the file names none. `path`: the file."""
    if name not in peers:
        raise UserError(f'no peer is called "{name}"', str(path), f"known: {', '.join(peers)}" if peers else "write a [[peer]] block")
    return peers[name]


def target(named: str, path: Path) -> tuple[str, str, frozenset[str]]:
    """(peer, collection, who else reads it, the peer that keeps it among them) of PEER/COLLECTION. Raises: UserError where that is not said, or nobody reads it."""
    me, peers = load(path)
    peer, _, collection = named.partition("/")
    if peer not in peers:
        raise UserError(f'no peer is called "{peer}"', named, f"write PEER/COLLECTION; peers: {', '.join(peers)}")
    told = readers(path).get((peer, collection))
    if told is None:
        raise UserError("who reads this collection is not said", named, f"write a [[collection]] block with peer, id and readers into {path}")
    everybody = frozenset((*told, peer)) - {me.name}
    if not everybody:
        raise UserError("nobody reads this collection", named, "an empty list means nobody")
    return peer, collection, everybody


def readers(path: Path) -> dict[tuple[str, str], tuple[str, ...]]:
    """(peer, collection) -> who reads it, as the file says. Raises: UserError."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for block in read(path, "the file of peers", KINDS)["collection"]:
        at = str(block.get("peer", is_text, '"north"')), str(block.get("id", is_text, '"91a7b528-80eb-42ed-a74d-c6fbd5a26116"'))
        if at in found:
            raise block.wrong("id", "two blocks are of one collection", "write one")
        found[at] = tuple(block.get("readers", is_texts, '["west"]'))
    return found


def _peer(block: Block, folder: Path) -> Peer:
    url = str(block.get("url", is_text, '"https://sharing.example:6443"')).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query:
        raise block.wrong("url", "url is not what it must be", 'write url = "https://sharing.example:6443"')
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise block.wrong("url", "what is shared does not go unencrypted", "write https://")
    names = block.get("collections", is_texts, '["91a7b528-80eb-42ed-a74d-c6fbd5a26116"]') if "collections" in block.row else []
    user = str(block.get("user", is_text, '"analyst"')) if "user" in block.row else None
    return Peer(
        str(block.get("name", is_text, '"north"')), url, str(block.get("root", is_text, '"exchange"')), tuple(names), _file(block, "authority", folder), user
    )


def _file(block: Block, word: str, folder: Path) -> Path | None:
    return folder / str(block.get(word, is_text, f'"{word}"')) if word in block.row else None
