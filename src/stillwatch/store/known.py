"""Reading the `--known FILE`: declared programmes, benign infrastructure and earlier verdicts, each with a reason and a last day.

A TOML file of blocks, each an entry::

    [[programme]]                            # work that somebody declared
    name = "spring evaluation round"         # told in results as it is written, and so is the reason
    reason = "agreement of 2026-01, benchmark of maths answers"
    expires = 2026-12-31                     # the last day, UTC, on which it is in force
    organisations = ["org-17", "lab.example"] # as the log has them: an organisation, or a mail domain that stands for one
    accounts = ["acct-17", "acct-18"]        # the log's own ids (with --unit: of what is linked)

    [[infrastructure]]                       # what many share without being one
    name = "campus gateway"
    reason = "one exit for all students, confirmed by its operator"
    expires = 2026-09-30
    addresses = ["203.0.113.7", "198.51.100.0/24"] # networks: /24 and wider to /16 of IPv4, /48 and wider to /40 of IPv6
    keys = ["key-of-the-gateway"]            # API keys

    [[verdict]]                              # what a person decided earlier
    name = "case 12"
    reason = "looked at on 2026-02-03: a class and its exercise"
    expires = 2026-06-30
    says = "benign"                          # or "campaign"
    campaigns = ["6e100d4224f4898c"]         # ids of campaigns; accounts, organisations, keys and addresses as well

Every block needs name, reason, expires, and at least one list of what it names. Names are hashed under the scan's key as they are read.
An entry in force annotates the cases that it covers; it changes no verdict, and nothing is left out. One that says benign of an alert is
told as a conflict. One that has expired annotates nothing and is told as expired.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import date, datetime
from pathlib import Path

from stillwatch.campaigns.known import BENIGN, CAMPAIGN, Entry, Known
from stillwatch.errors import UserError, nearest
from stillwatch.intake import mark
from stillwatch.store.blocks import Block, is_text, is_texts, read

NAMES = ("accounts", "organisations", "keys", "addresses")
"Lists of what an entry can name."

KINDS: dict[str, tuple[str, ...]] = {
    "programme": ("name", "reason", "expires", *NAMES),
    "infrastructure": ("name", "reason", "expires", *NAMES),
    "verdict": ("name", "reason", "expires", "says", "campaigns", *NAMES),
}
"Kind of block -> the words in it."

SAYS = (BENIGN, CAMPAIGN)
"What an earlier verdict can be."

PREFIXES = {4: (16, 24), 6: (40, 48)}
"Version of IP -> the widest network that can be named, and the network that marks keep of each address."

_LISTED = '["one", "another"]'


def load(path: Path, key: bytes, day: str) -> Known:
    """The entries in a file; what they name becomes keyed hashes at once. `day`: that of the scan, YYYY-MM-DD.

    Raises: UserError with line and column for what cannot be used.
    """
    made: dict[str, Entry] = {}
    for block in (each for blocks in read(path, "what is known", KINDS).values() for each in blocks):
        entry = _entry(block, key)
        if entry.name in made:
            raise block.wrong("name", f'two entries are called "{entry.name}"', "give each a name of its own")
        made[entry.name] = entry
    return Known(tuple(made[name] for name in sorted(made)), day)


def _entry(block: Block, key: bytes) -> Entry:
    says = BENIGN
    if block.kind == "verdict":
        says = block.get("says", is_text, f'"{BENIGN}" or "{CAMPAIGN}"')
        if says not in SAYS:
            close = nearest(says, SAYS)
            raise block.wrong("says", f'unknown verdict "{says}"', f'did you mean "{close}"?' if close else f"known: {', '.join(SAYS)}")
    listed = {word: block.get(word, is_texts, _LISTED) for word in (*NAMES, "campaigns") if word in block.row}
    if not listed:
        words = [word for word in KINDS[block.kind] if word in (*NAMES, "campaigns")]
        raise UserError("names nothing", f"{block.file}:{block.line}:1", f"add one of {', '.join(words)} = {_LISTED}")
    campaigns = listed.pop("campaigns", [])
    if not all(re.fullmatch(r"[0-9a-f]{16}", each) for each in campaigns):
        raise block.wrong("campaigns", "not every one is the id of a campaign", "write ids as campaigns.jsonl has them, 16 hex digits each")
    hashes = {word: _hashed(block, word, names, key) for word, names in listed.items()}
    return Entry(
        name=_line(block, "name"),
        kind=block.kind,
        says=says,
        reason=_line(block, "reason"),
        expires=_expires(block),
        hashes=tuple((word, tuple(sorted(set(hashes[word])))) for word in NAMES if word in hashes),
        campaigns=tuple(sorted(set(campaigns))),
    )


def _line(block: Block, word: str) -> str:
    """A text as one line without anything that moves a cursor: it is printed."""
    given: str = block.get(word, is_text, '"a few words"')
    return " ".join("".join(each if each.isprintable() else " " for each in given).split())


def _expires(block: Block) -> str:
    given = block.get("expires", lambda value: isinstance(value, date | str), "2026-12-31")
    try:
        if isinstance(given, datetime):
            raise ValueError
        return (date.fromisoformat(given) if isinstance(given, str) else given).isoformat()
    except ValueError as error:
        raise block.wrong("expires", "expires is no day", "write expires = 2026-12-31, the last day on which it is in force") from error


def _hashed(block: Block, word: str, names: list[str], key: bytes) -> list[int]:
    if word == "accounts":
        return mark.account_hashes(names, key)
    if word == "organisations":
        return mark.organisation_hashes(names, key)
    if word == "keys":
        return mark.key_hashes(names, key)
    texts: list[str] = []
    for name in names:
        texts += _addressed(block, name)
    return mark.address_hashes(texts, key)


def _addressed(block: Block, name: str) -> list[str]:
    """An address as it is, a network as all the networks in it that marks keep."""
    if "/" not in name:
        return [name]
    try:
        network = ipaddress.ip_network(name.strip())
        widest, kept = PREFIXES[network.version]
        if widest <= network.prefixlen <= kept:
            return [str(each) for each in network.subnets(new_prefix=kept)]
    except ValueError:
        pass
    raise block.wrong("addresses", f'"{name}" is no network that can be looked for', "write an address, or a network of /16 to /24 (IPv4) or /40 to /48 (IPv6)")
