"""The commands of the exchange's transport: serve, hear, and who takes part."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillwatch.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stillwatch.doors.taxii.desks import Desk
    from stillwatch.doors.taxii.server import Desks
    from stillwatch.doors.taxii.settings import Settings
    from stillwatch.exchange.members.directory import Directory

as_json = click.option("--json", "json_", is_flag=True, help="Print one JSON object instead of words.")
with_file = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("settings", metavar="SETTINGS", type=with_file)
@as_json
def serve(settings: Path, json_: bool) -> None:
    """Serve what is shared, over TAXII 2.1, to the members that SETTINGS (TOML) names.

    Collections, readers and writers, certificates and limits stand in SETTINGS; a collection without readers is read by nobody. It ends at
    Ctrl-C or SIGTERM, and finishes the requests under way. Needs stillwatch[exchange].
    """
    try:
        from stillwatch.doors.taxii import server
    except ImportError as error:
        raise UserError("serving needs a package that is not installed", error.name or "", "pip install stillwatch[exchange]") from error
    from stillwatch.doors.taxii import settings as reading

    def ready(address: str) -> None:
        click.echo(json.dumps({"serves": address}) if json_ else f"serves {address}")

    loaded = reading.load(settings)
    server.serve(loaded, desks=_desks(loaded), ready=ready)
    click.echo(json.dumps({"ended": True}) if json_ else "ended; nothing was left half done")


def _desks(settings: Settings) -> Desks | None:
    """What a server answers besides TAXII: a desk for each kind of block that its settings have."""
    if not settings.joint and not settings.match:
        return None

    def made(directory: Callable[[], Directory]) -> dict[str, Desk]:
        found: dict[str, Desk] = {}
        if settings.match:
            from stillwatch.doors.taxii.matching import MatchDesk

            found["match"] = MatchDesk(settings.match, settings.ledger, settings.sign_with)
        if settings.joint:
            from stillwatch.doors.taxii.joining import JointDesk

            found["joint"] = JointDesk(settings.joint, directory, settings.ledger, settings.sign_with)
        return found

    return made


@click.group()
def members() -> None:
    """Who takes part: keys, and the signed directory of members."""


@members.command()
@click.argument("file", metavar="FILE", type=with_file)
@as_json
def key(file: Path, json_: bool) -> None:
    """Make an Ed25519 key: the private half in FILE, readable by you alone, the public half in FILE.pub.

    A member signs its requests with one; the root's signs directories, and is best kept on a machine without a network.
    """
    from stillwatch.store import directories

    beside = directories.write_pair(file)
    click.echo(json.dumps({"private": str(file), "public": str(beside)}) if json_ else f"{file} (keep it secret) and {beside}")


@members.command()
@click.argument("file", metavar="FILE", type=with_file)
@click.option("--root", required=True, type=with_file, metavar="KEY", help="The root's private key.")
@click.option("--out", required=True, type=with_file, metavar="DIRECTORY", help="The directory to write; the version of the one there goes up by one.")
@as_json
def sign(file: Path, root: Path, out: Path, json_: bool) -> None:
    """Sign the directory of members that FILE (TOML) describes: joining, new keys, expulsion, expiry.

    Servers and members refuse a directory that is older than the newest they saw, or that has expired.
    """
    from stillwatch.store import members as listed

    made = listed.sign(file, root, out, time.time_ns() // 1000)
    said = f"version {made['version']}: {len(made['members'])} members, {len(made['expelled'])} expelled, until {made['expires']}; {out}"
    click.echo(json.dumps(made) if json_ else said)


@members.command()
@as_json
def password(json_: bool) -> None:
    """Print what stands in a server's settings for a password, for API roots that take one. The password is asked for, or read from a pipe."""
    from stillwatch.doors.taxii.passwords import stretched

    said = click.prompt("Password", hide_input=True, confirmation_prompt=True) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if not said:
        raise UserError("no password was given", "", "type one, or write it into the pipe")
    click.echo(json.dumps({"password": stretched(said)}) if json_ else stretched(said))


@click.command()
@click.argument("settings", metavar="SETTINGS", type=with_file)
@click.option("--peer", "only", metavar="NAME", help="Ask only this peer. Default: all that SETTINGS names.")
@click.option("--every", type=click.FloatRange(1), metavar="SECONDS", help="Ask again and again, so often. Default: once.")
@as_json
def hear(settings: Path, only: str | None, every: float | None, json_: bool) -> None:
    """Fetch what peers have shared since the last time, over TAXII 2.1, into the store that SETTINGS (TOML) names.

    Each object comes once. Stopped at any moment (Ctrl-C, SIGTERM, kill), it goes on where it was. Needs stillwatch[exchange].
    """
    from stillwatch import flow
    from stillwatch.doors.stopping import Stopping

    with Stopping() as stopping:
        while True:
            told = flow.hear(settings, only=only, stopped=stopping)
            click.echo(json.dumps(told) if json_ else "\n".join(_told(told)))
            end = time.monotonic() + (every or 0.0)
            while not stopping() and time.monotonic() < end:
                time.sleep(min(0.2, max(0.0, end - time.monotonic())))
            if every is None or stopping():
                break
    if every is None and told["failed"]:
        raise UserError(f"{told['failed']} of {len(told['peers'])} peers could not be heard", str(settings), "see what they said; the others' objects are kept")


def _told(told: dict[str, Any]) -> list[str]:
    return [f"{name}: {row['new']} new{'; ' + row['error'] if 'error' in row else ''}" for name, row in told["peers"].items()]
