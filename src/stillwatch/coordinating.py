"""Decisions of one's own about cases of the exchange: to keep quiet for a while, and which cases one's own matching found to be one. They bind nobody else and are told to nobody."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stillwatch.errors import StillwatchError, UserError, nearest
from stillwatch.exchange.coordination import quiet
from stillwatch.exchange.stix import moments
from stillwatch.peers import settings as peers
from stillwatch.store import directories
from stillwatch.store.matching import HEAD
from stillwatch.store.outgoing import Outgoing
from stillwatch.store.shared.heard import Hearsay

LEAST_COMMON = 10
"Common identifiers from which two cases may be called one: fewer may be a shared customer."

CASES = ("campaign--", "intrusion-set--")
"How the id of a case begins."


def hush(settings: Path, about: Sequence[str], *, days: int | None = None, by: str | None = None, end: bool = False) -> dict[str, Any]:
    """Keep quiet about cases for a while: `share` holds them back, and what would give them away. Withdrawals and corrections go on.

    Args: the file of peers; ids of cases, none to list; days (1 to 30) and who decides; `end`: end it now. Returns: `periods` that hold (about, until, by), `ended`. Raises: UserError.
    """
    me, _ = peers.load(settings)
    at, ended = time.time_ns() // 1000, 0
    with Outgoing(me.outgoing) as held:
        if end:
            ended = held.unhush(about, at)
            if not ended:
                raise UserError("no quiet period that holds is about this", ", ".join(about) or "no case named", "`stillwatch quiet PEERS` lists them")
        elif about:
            if days is None or by is None:
                raise UserError("how long, and who decides?", ", ".join(about), "give --days and --by")
            for each in about:
                if not each.startswith(CASES):
                    raise UserError("is no case", each, "name it as `stillwatch share` shows it, campaign--...")
            try:
                held.hush(quiet.quiet(about, at, days, by))
            except StillwatchError as error:
                raise UserError(error.what, ", ".join(about), error.attempt) from error
        periods = [each for each in held.quiets() if each.end > at]
    return {"periods": [{"about": sorted(each.about), "until": moments.stamp(each.end), "by": each.by} for each in periods], "ended": ended}


def same(settings: Path, one: str, other: str, *, common: Path | None = None, undo: bool = False) -> dict[str, Any]:
    """Hold two cases for one, because one's own private matching found common identifiers of theirs; `heard` shows them as one from then on.

    Args: the file of peers; two cases, heard or one's own; the file that `match --out` wrote; `undo`: take it back. Returns: `pair`, `common` (how many; None with undo). Raises: UserError.
    """
    me, _ = peers.load(settings)
    store = Hearsay(me.store)
    try:
        known = {row.id for row in store.every()}
    finally:
        store.close()
    with Outgoing(me.outgoing) as held:
        known |= {str(each.get("id")) for each in held.said()}
        if undo:
            if not held.unmatch(one, other):
                raise UserError("these two were not held for one", f"{one} {other}", "`stillwatch heard` shows which are")
            return {"pair": sorted((one, other)), "common": None}
        for each in (one, other):
            if each not in known or not each.startswith(CASES):
                close = nearest(each, known)
                raise UserError("is no case that was heard or told", each, f"did you mean {close}?" if close else "`stillwatch heard` shows them")
        if one == other:
            raise UserError("are one already", one, "name two cases")
        if common is None:
            raise UserError("what did the matching find?", f"{one} {other}", "name the file that `match --out` wrote with --common")
        raw = directories.read(common)
        items = {line for line in raw.split(b"\n") if line and not line.startswith(HEAD.encode())}
        if len(items) < LEAST_COMMON:
            raise UserError(f"holds {len(items)} common identifiers; {LEAST_COMMON} are needed", str(common), "fewer may be one customer of both")
        held.match(one, other, len(items), hashlib.sha256(raw).hexdigest(), time.time_ns() // 1000)
    return {"pair": sorted((one, other)), "common": len(items)}
