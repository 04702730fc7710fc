"""`stillwatch match` and `stillwatch identifiers`: how many identifiers two members share, and, if both agree, which."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from stillwatch.doors.report.words import count

with_path = click.Path(path_type=Path)
TYPES = ("payment", "domain", "organisation", "account")
with_type = click.option("--type", "kind", required=True, type=click.Choice(TYPES), help="Type of the identifiers.")
as_json = click.option("--json", "json_", is_flag=True, help="Print one JSON object instead of words.")


@click.command()
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@with_type
@click.option("--out", required=True, type=with_path, metavar="FILE", help="The file to write, readable by you alone.")
@click.option("--map", "mapping", type=with_path, metavar="FILE", help="Column names of a log in no known format.")
@click.option("--cases", type=with_path, metavar="RESULT", help="Only what accounts in the cases of this scan show, for `match --cases`.")
@as_json
def identifiers(logs: tuple[str, ...], kind: str, out: Path, mapping: Path | None, cases: Path | None, json_: bool) -> None:
    """Write the identifiers of one type that logs show to FILE, normalised, for private matching. FILE stays at home: nothing of it is sent as it is."""
    from stillwatch import matched

    told = matched.identifiers(logs, kind, out, mapping, cases)
    click.echo(json.dumps(told) if json_ else f"{out}: {count(told['items'], 'identifier')} of type {kind}; keep it secret")


@click.command()
@click.argument("settings", metavar="PEERS", type=with_path)
@click.argument("peer", metavar="PEER")
@with_type
@click.option("--items", required=True, type=with_path, metavar="FILE", help="One's own identifiers, one a line; at least 1,000.")
@click.option("--me", required=True, metavar="NAME", help="One's own name in the directory of members.")
@click.option("--epoch", metavar="EPOCH", help="The epoch, as the peer's settings have it. Default: today's date, UTC.")
@click.option("--secret", required=True, type=with_path, metavar="FILE", help="What keys follow from, made on first use; the book of matchings lies beside it.")
@click.option(
    "--reveal-from", type=click.IntRange(10), metavar="N", help="Reveal which are common when there are N at least and the peer agrees. Default: never."
)
@click.option("--out", type=with_path, metavar="FILE", help="Where common identifiers are written, if they are revealed.")
@click.option("--cases", type=with_path, metavar="FILE", help="Of what is revealed, tell how many stand in FILE (`identifiers --cases`). It is sent to nobody.")
@click.option("--most", type=click.IntRange(1_000, 5_000_000), default=1_000_000, show_default=True, metavar="N", help="Items that a side may have at most.")
@click.option(
    "--budget",
    type=click.IntRange(1_000, 100_000_000),
    default=200_000,
    show_default=True,
    metavar="N",
    help="Evaluations that the peer may ask for in the epoch: twice its set.",
)
@click.option("--ledger", type=with_path, metavar="DIR", help="Note what was said in one's ledger, signed with the key that PEERS names.")
@as_json
def match(settings: Path, peer: str, json_: bool, epoch: str | None, **options: Any) -> None:
    """Learn how many identifiers PEER has in common with one's own, in a band; which, only if both agree. Nothing else is shown to either side.

    PEER's server must have a [[match]] block of this type that names us. Needs stillwatch[exchange].
    """
    from stillwatch import matched

    told = matched.match(settings, peer, epoch=epoch or f"{datetime.now(UTC):%Y-%m-%d}", **options)
    if json_:
        click.echo(json.dumps(told))
        return
    band = "fewer than are told" if told["band"] is None else f"{told['band'][0]:,} to {told['band'][1] - 1:,}"
    which = f"; {count(told['common'], 'identifier')} written to {told['out']}" if told["revealed"] else "; which ones was not revealed"
    if told["in_cases"] is not None:
        which += f"; {told['in_cases']:,} of them in cases of one's own"
    click.echo(f"{told['type']}, {told['epoch']}: in common with {peer}: {band}{which}")
