"""One account's story, from what a scan kept: no log, no engine, so that it answers at once."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from stillwatch.campaigns.explain import explain
from stillwatch.errors import UserError
from stillwatch.sketch.identifiers import hash_strings
from stillwatch.store import keys, memberships

HEX = re.compile(r"[0-9a-f]{16}")


def story(folder: Path, account: str, key: Path | None = None) -> dict[str, Any]:
    """Why an account is in, nearly in or not in a campaign of a scan.

    Args: the scan's folder, the log's own account id (or the keyed hash that a pseudonymous scan shows), the key's file.
    Raises: UserError when the folder is no scan or the account is not in it.
    """
    secret = keys.load_or_create(key) if key is not None or keys.default_path().exists() else None
    if secret is None and not HEX.fullmatch(account):
        raise UserError("the key of that scan is not here", str(keys.default_path()), "pass it with --key")
    held = memberships.read(folder, None if secret is None else keys.fingerprint(secret))
    return tell(folder, held, *_found(folder, held, account, secret))


def _found(folder: Path, held: dict[str, pa.Table], account: str, secret: bytes | None) -> tuple[str, dict[str, Any]]:
    candidates = [] if secret is None else [int(hash_strings(pa.array([account]), secret, "account")[0])]
    if HEX.fullmatch(account):
        number = int(account, 16)
        candidates.append(number - 2**64 if number >= 2**63 else number)
    for candidate in candidates:
        rows = memberships.of(held, "accounts", "account", candidate)
        if rows:
            return account, rows[0]
    known = {name for campaign in _campaigns(folder) for name in campaign["accounts"]}
    near = difflib.get_close_matches(account, known, 1)
    raise UserError(f"no such account in this scan: {account}", str(folder), f'did you mean "{near[0]}"?' if near else "name an account id as the log has it")


def _campaigns(folder: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (folder / "campaigns.jsonl").read_bytes().splitlines()]


def tell(folder: Path, held: dict[str, pa.Table], name: str, row: dict[str, Any]) -> dict[str, Any]:
    """The story of an account that the scan knows, by its row of the accounts."""
    account = row["account"]
    touches = memberships.of(held, "touches", "account", account)
    ends = memberships.of(held, "ends", "account", account)
    clusters = held["clusters"].to_pylist()
    touched = {each["cluster"] for each in (*touches, *ends)}
    asked = [each for each in clusters if not touched or each["cluster"] in touched]
    models = {} if any(touched) and ends else {each["cluster"]: _typical(held, each["cluster"]) for each in asked[:40]}
    told = explain(row, clusters, touches, ends, memberships.of(held, "ties", "account", account), models)
    lines = {campaign["campaign"]: campaign for campaign in _campaigns(folder)}
    for each in told["clusters"]:
        each["families_of"] = [
            {**family, "prompts": len({t["prompt"] for t in touches if (t["cluster"], t["family"]) == (each["cluster"], family["family"])})}
            for family in memberships.of(held, "families", "cluster", each["cluster"])
        ]
    told["signals"] = {
        each: [{name: signal[name] for name in ("name", "value", "unit", "benign_low", "benign_high", "fires", "text")} for signal in lines[each]["signals"]]
        for each in told["campaigns"] if each in lines
    }  # fmt: skip
    return {"account": name, **told}


def _typical(held: dict[str, pa.Table], cluster: int) -> list[dict[str, Any]]:
    """The touches of the account that touches a cluster most: how its members use the wording."""
    rows = memberships.of(held, "touches", "cluster", cluster)
    by_account: dict[int, list[dict[str, Any]]] = {}
    for each in rows:
        by_account.setdefault(each["account"], []).append(each)
    return max(by_account.values(), key=lambda mine: (len({(r["family"], r["prompt"]) for r in mine}), -mine[0]["account"]), default=[])


def redacted(told: dict[str, Any]) -> dict[str, Any]:
    """What the account's holder may see: the finding about them, nobody else's accounts, and no recipe for passing unseen."""
    kinds = sorted({row["tie"] for row in told["ties"]}) + (["wording"] if told["clusters"] else [])
    said = {
        "in": "This account is named in a case that a person reviews before anything that cannot be undone.",
        "nearly": "This account is named in no case.",
        "not in": "This account is named in no case.",
    }
    mine = [
        {"calls_considered": each["calls"], "share_of_your_calls": round(each["calls"] / max(1, told["calls"]), 4)}
        for each in told["clusters"] if each["in"]
    ]  # fmt: skip
    return {
        "account": told["account"], "answer": "in" if told["answer"] == "in" else "not in", "calls": told["calls"], "first_ts": told["first_ts"],
        "last_ts": told["last_ts"], "text": said[told["answer"]], "considered": mine if told["answer"] == "in" else [],
        "kinds_of_signs": kinds if told["answer"] == "in" else [],
        "appeal": "If this is your own organisation's work, say what it is and under which programme; other explanations are weighed as well.",
    }  # fmt: skip
