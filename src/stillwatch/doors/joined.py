"""`stillwatch joint`: taking part in a session of joint evidence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from stillwatch.doors.progress import Progress
from stillwatch.doors.report.words import count

with_path = click.Path(path_type=Path)


@click.command()
@click.argument("settings", metavar="PEERS", type=with_path)
@click.argument("convenor", metavar="CONVENOR")
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@click.option(
    "--history", multiple=True, required=True, metavar="LOG", help="Earlier log of one's own, or marks of it; a scan's folder is not enough. May be repeated."
)
@click.option("--session", "name", required=True, metavar="NAME", help="The session's name at the convenor.")
@click.option("--epoch", required=True, metavar="EPOCH", help="The epoch, as the convenor names it: 2026-11-26, 2026-W48 or 2026-11.")
@click.option("--me", required=True, metavar="NAME", help="One's own name in the directory.")
@click.option("--directory", required=True, type=with_path, metavar="FILE", help="The signed directory of members.")
@click.option("--root", "roots", multiple=True, required=True, type=with_path, metavar="FILE", help="Root key that may sign it; may be repeated.")
@click.option(
    "--key", required=True, type=with_path, metavar="FILE", help="The coalition's hashing key of this epoch: the same file at all members, and nowhere else."
)
@click.option("--out", required=True, type=with_path, metavar="DIR", help="Where what was found appears, whole or not at all.")
@click.option("--map", "mapping", type=with_path, metavar="FILE", help="Column names of a log in no known format.")
@click.option("--patience", type=click.FloatRange(1), default=3600.0, show_default=True, metavar="SECONDS", help="End without a result after so long.")
@click.option("--ledger", type=with_path, metavar="DIR", help="Note what was said in one's ledger, signed with the key that PEERS names.")
@click.option("--json", "json_", is_flag=True, help="Print one JSON object instead of words.")
def joint(settings: Path, convenor: str, logs: tuple[str, ...], json_: bool, **options: Any) -> None:
    """Look for campaigns together with other members, none of whom sees another's accounts, prompts, counts or decisions.

    CONVENOR is a peer of PEERS (TOML) that holds no log of this coalition. What of one's own log is in a joint alert or review is written to DIR. Needs
    stillwatch[exchange].
    """
    from stillwatch import joined

    progress = Progress(quiet=json_)
    try:
        told = joined.take_part(settings, convenor, logs, progress=progress, **options)
    finally:
        progress.close()
    if json_:
        click.echo(json.dumps(told))
        return
    lines = [f"session of {count(told['members'], 'member')}: {count(len(told['findings']), 'cluster')} of one's own in joint alerts or reviews"]
    lines += [
        f"  {each['verdict']}{' (rests on one member)' if each['rests_on_one'] else ''}: {count(len(each['accounts']), 'account')}" for each in told["findings"]
    ]
    click.echo("\n".join([*lines, f"written: {told['out']}"]))
