"""Calibration between members: the tails of statistics among one's innocents for others, and theirs beside one's own. It makes a small provider's ranks as fine as the coalition's, and shows no organisation.

What is told passes the policy of the barrier; what is heard is checked to the letter, counts once per member, and decides nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch import packing
from stillwatch.errors import UserError
from stillwatch.evidence.pooled import Innocents, Member, Pool
from stillwatch.examination import LEAST_CALLS, of_organisations, shown_alone
from stillwatch.exchange import envelope
from stillwatch.exchange.barrier import policy
from stillwatch.exchange.calibration import statement
from stillwatch.files import publish

VOLUMES = frozenset({"plan_use"})
"Statistics that would tell of volumes: they stay."


def statistics() -> list[str]:
    """What may be told: what detectors show of one organisation, but for volumes."""
    return sorted(set(shown_alone()) - VOLUMES)


def build(scans: Sequence[Path], policy_file: Path, sign_with: Path, out: Path, *, key: Path | None = None) -> dict[str, Any]:
    """Tails of one's own innocents, signed, in a file for `deliver`. Organisations in alerts and reviews of those scans are no innocents.

    Args: own scans' folders; the policy that must allow it; the signing key; the file; the hashing key of those scans.
    Returns: what it tells, as signed, with `out` and `organisations` (how many there are, which stays here). Raises: UserError.
    """
    tables = [_innocent(table, scan) for table, scan in zip(packing.organisations_of(scans, key), scans, strict=True)]
    rules = policy.parse(packing.bytes_of(policy_file).decode(errors="replace"), str(policy_file))
    versions = {name: each.digest for name, each in packing.definitions().items()}
    told = statement.compose(of_organisations(_together(tables), statistics()), versions, rules, time.time_ns() // 1000, str(policy_file))
    raw = envelope.signed(told, envelope.CALIBRATION, packing.signer_of(sign_with))
    with publish(out) as part:
        part.write_bytes(raw)
    return {**told, "out": str(out), "organisations": sum(each.num_rows for each in tables)}


def _innocent(organisations: pa.Table, scan: Path) -> pa.Table:
    """Organisations with enough calls that no alert or review of the scan names. Raises: UserError where the scan does not say whom it named."""
    if "named" not in organisations.column_names:
        raise UserError("does not say which organisations its cases name", str(scan), "scan that log again with this version")
    return organisations.filter(pc.and_(pc.greater_equal(organisations["calls"], LEAST_CALLS), pc.invert(organisations["named"])))


def _together(tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables, promote_options="default")


def heard(files: Sequence[Path], trusted: Sequence[Path], roots: Sequence[Path], day: str) -> Pool:
    """What members told, each once: of several statements of one member the newest.

    Args: files as `collect` wrote them; keys, or a directory of members that `roots` may sign; today (YYYY-MM-DD). Raises: UserError where one is of nobody who is trusted, or not of the
    format; what has expired is left out, and said.
    """
    if not files:
        if trusted or roots:
            raise UserError(
                "nothing is to be trusted: no calibration of others is named", str([*trusted, *roots][0]), "name what they told with --calibration FILE"
            )
        return Pool()
    signers = packing.signers_of(trusted, roots)
    versions = {name: each.digest for name, each in packing.definitions().items()}
    left_out, newest = list[tuple[str, str]](), dict[str, tuple[str, Path, statement.Statement]]()
    for file in sorted(files):
        raw = packing.bytes_of(file)
        _, said, keyid = envelope.opened(raw, (envelope.CALIBRATION,), {name: key for name, (_, key) in signers.items()}, str(file))
        told, member = statement.heard(said, str(file)), signers[keyid][0]
        if told.expires <= day:
            left_out.append((str(file), f"expired on {told.expires}"))
        elif told.made > day:
            left_out.append((str(file), f"is dated {told.made}, which is to come"))
        elif member in newest and newest[member][0] >= told.made:
            left_out.append((str(file), f"{member} told another, not older"))
        else:
            if member in newest:
                left_out.append((str(newest[member][1]), f"{member} told a newer one"))
            newest[member] = told.made, file, told
    members = [_member(name, told, versions) for name, (_, _, told) in sorted(newest.items())]
    return Pool(tuple(members), tuple(left_out))


def _member(name: str, told: statement.Statement, versions: Mapping[str, str]) -> Member:
    same = {statistic: tail for statistic, (version, tail) in told.tails.items() if versions.get(statistic) == version}
    return Member(name, told.made, told.expires, same, tuple(sorted(set(told.tails) - set(same))))


def shown(files: Sequence[Path], trusted: Sequence[Path], roots: Sequence[Path], scans: Sequence[Path] = (), key: Path | None = None) -> dict[str, Any]:
    """What members told, and where one of them is unlike all others. `scans`: own ones, to compare with. Returns: members, left_out, unlike. Raises: UserError."""
    pool = heard(files, trusted, roots, datetime.now(UTC).date().isoformat())
    own = of_organisations(_together(packing.organisations_of(scans, key)), statistics()) if scans else None
    return Innocents(own, pool).told()
