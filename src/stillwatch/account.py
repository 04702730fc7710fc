"""One account's story, from what a scan kept: no log, no engine, no compiled kernel, so that it answers at once."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from stillwatch.campaigns.explain import explain, tied
from stillwatch.campaigns.rule import of_clusters
from stillwatch.errors import UserError
from stillwatch.sketch.siphash import hash_one
from stillwatch.store import keys, names
from stillwatch.store.memberships import Memberships

HEX = re.compile(r"[0-9a-f]{16}")
"A keyed hash as results show it."

LISTS = ("accounts", "known", "signals")
"What is read of a case here, besides its id."

LIKE = 5_000
"Names among which a misspelt one is looked for, at most."

COMMON = ("wording", "reasoning carried between accounts", "payment", "registration", "network and client", "times")
"What every scan looks at, whoever is asked about: told to any holder alike."

SAID = {
    "in": "This account is named in a case. A person reviews a case before anything is done that cannot be undone.",
    "not in": "This account is named in no case.",
}
APPEAL = (
    "If this is your own organisation's work, tell your provider what it is and under which programme; name the period above. A person who did not make the case "
    "weighs your answer with the other innocent explanations. You may ask for that at any time, and again when something has changed."
)

SHARES = ((0.9, "nearly all"), (0.6, "most"), (0.4, "about half"), (0.1, "some"), (0.0, "a few"))
"Share of the account's calls, from where on, in words: exact counts would tell which calls were noticed."


def story(folder: Path, account: str, key: Path | None = None, for_account: bool = False) -> dict[str, Any]:
    """Why an account is in, nearly in or not in a campaign of a scan.

    Args: the scan's folder; the log's own account id, or the keyed hash that a pseudonymous scan shows; the key's file; whether the account's
    holder is to read it (`redacted`).
    Raises: UserError when the folder is no scan, the account is not in it, or another key made it.
    """
    held = Memberships(folder)
    account = account.encode("utf-8", "replace").decode()  # no log has a name that is not UTF-8
    number = _number(folder, held, account, key, for_account)
    told = {"account": account, **_told(folder, held, number)}
    return redacted(told) if for_account else told


def _number(folder: Path, held: Memberships, account: str, key: Path | None, for_account: bool) -> int:
    """The keyed hash of an account of the scan, however it was named."""
    secret = keys.load(key)
    fits = secret is not None and keys.fingerprint(secret) == held.fingerprint
    asked = [hash_one(account, secret, "account")] if secret is not None and fits else []
    if HEX.fullmatch(account):
        asked.append(int(account, 16) - (2**64 if int(account, 16) >= 2**63 else 0))
    for each in asked:
        if held.of("accounts", each):
            return each
    if not fits:
        lack = "was made with another hashing key" if secret is not None else "the hashing key of this scan is not here"
        raise UserError(lack, str(folder), "pass the key of that scan with --key, or name the account's keyed hash")
    # Whoever reads the redacted view may not learn another account's name from a misspelling.
    near = None if for_account else _near(folder, account, key, secret)
    attempt = f"did you mean {_plain(near)}?" if near else "name an account as the log has it"
    raise UserError(f"no such account: {_plain(account[:80])}", str(folder), attempt)


def _plain(name: str) -> str:
    """A name that cannot move the cursor of whoever reads it: some are chosen by strangers."""
    return "".join(each if each.isprintable() else "?" for each in name)


def _near(folder: Path, account: str, key: Path | None, secret: bytes | None) -> str | None:
    """The account of the scan whose name is most like this one."""
    known: Iterable[str] = (name for campaign in _campaigns(folder) for name in campaign["accounts"])
    scan = _scan(folder)
    if scan and secret is not None:
        # Where the sealed names were moved away, those of the campaigns remain.
        with contextlib.suppress(UserError, ValueError):
            known = names.open(key, secret, scan).values()
    like = sorted({name for name in known if abs(len(name) - len(account)) <= 2}, key=lambda name: (-_shared(name, account), name))
    return next(iter(difflib.get_close_matches(account, like[:LIKE], 1)), None)


def _shared(one: str, other: str) -> int:
    """Characters that two names have in common at the same place from either end."""
    return max(sum(a == b for a, b in zip(one, other, strict=False)), sum(a == b for a, b in zip(one[::-1], other[::-1], strict=False)))


def _scan(folder: Path) -> str | None:
    """The scan's id, by which its names are sealed; None where the summary does not tell it any more."""
    try:
        told = orjson.loads((folder / "summary.json").read_bytes())
    except (OSError, ValueError):
        return None
    return told.get("scan") if isinstance(told, dict) and isinstance(told.get("scan"), str) else None


def _campaigns(folder: Path) -> list[dict[str, Any]]:
    """The cases as the scan wrote them. Raises: UserError where they are damaged."""
    path = folder / "campaigns.jsonl"
    try:
        lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
        if not all(isinstance(line, dict) and "campaign" in line and all(isinstance(line.get(name), list) for name in LISTS) for line in lines):
            raise ValueError
        return lines
    except (OSError, ValueError) as error:
        raise UserError("the cases cannot be read: the result was changed", str(path), "see with `stillwatch verify` what differs, or scan again") from error


def _told(folder: Path, held: Memberships, account: int) -> dict[str, Any]:
    """The explanation of an account that the scan knows: answer, clusters, ties, signals, change."""
    (row,) = held.of("accounts", account)
    touches, ends, ties = (held.of(name, account) for name in ("touches", "ends", "ties"))
    clusters = held.all("clusters")
    touches = of_clusters(touches, held.all("kin"), clusters)
    told = explain(row, clusters, touches, ends, held.all("models"))
    asked = told["campaigns"] or [each["campaign"] for each in told["cases"]]
    ties = [each for each in ties if each["tie"] != "replay"]
    families = held.among("families", "cluster", {each["cluster"] for each in told["clusters"]})
    innocents = clusters[0]["outside_all"] if clusters else held.count("accounts")
    told["ties"] = tied(told["clusters"], touches, families, ties, held.among("holders", "key", {each["key"] for each in ties}), innocents)
    cases = _campaigns(folder)
    covering = {(each["campaign"], each["entry"]) for each in held.of("known", account)}
    told["known"] = [
        {"campaign": line["campaign"], "covers_account": None if each["share"] is None else (line["campaign"], each["entry"]) in covering, **each}
        for line in cases if line["campaign"] in told["campaigns"]
        for each in line["known"]
    ]  # fmt: skip
    own = {(each["campaign"], each["signal"]): each["value"] for each in held.of("own", account)}
    told["signals"] = [
        {"campaign": line["campaign"], "own": own.get((line["campaign"], signal["name"]))}
        | {name: signal.get(name) for name in ("name", "value", "unit", "benign_low", "benign_high", "p", "p_floor", "fires", "text")}
        for line in cases if line["campaign"] in asked
        for signal in line["signals"]
    ]  # fmt: skip
    return told


def redacted(told: dict[str, Any]) -> dict[str, Any]:
    """What the account's holder may see: the finding about them and how to answer it.

    Nobody else's account (a campaign's id is made of one), and nothing that helps to pass unseen next time: no counts, no thresholds, no signal, and
    no difference between nearly in and not in.
    """
    inside = told["answer"] == "in"
    share = max((each["calls"] for each in told["cases"] if each["in"]), default=0) / max(1, told["calls"])
    return {
        "account": told["account"], "answer": "in" if inside else "not in", "text": SAID["in" if inside else "not in"], "calls": told["calls"],
        "first_ts": told["first_ts"], "last_ts": told["last_ts"], "share_considered": next(word for least, word in SHARES if share >= least) if inside else None,
        "looked_at": list(COMMON), "appeal": APPEAL,
    }  # fmt: skip
