"""`stillwatch inquire` and `stillwatch trace`: asking down a resale chain, and answering."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from stillwatch.doors.packs import as_json, signed_with, with_ledger, with_roots
from stillwatch.doors.report.words import count
from stillwatch.errors import UserError

with_map = click.option("--map", "mapping", type=click.Path(path_type=Path), metavar="FILE", help="Column names of a log in no known format.")
with_key = click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="Hashing key. Default: in the user's configuration folder.")


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("campaign", metavar="CAMPAIGN")
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@click.option("--account", "accounts", multiple=True, required=True, metavar="ID", help="An account of the reseller that stands in the case; may be repeated.")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The signed inquiry to write.")
@signed_with
@with_map
@with_key
@click.option(
    "--xarf",
    nargs=3,
    metavar="ORG MAIL SOURCE",
    help="Also FILE.xarf.json for an abuse desk: who reports, where answers go, and the desk's own name for the account.",
)
@as_json
def inquire(
    folder: Path, campaign: str, logs: tuple[str, ...], accounts: tuple[str, ...], json_: bool, xarf: tuple[str, str, str] | None, **options: Any
) -> None:
    """Ask a reseller about a case: whose calls were these?

    The inquiry names the request ids of the account's calls in the case, blinded, and the evidence; no account, no prompt. LOG is the log that was scanned into DIR.
    """
    from stillwatch import tracing

    if xarf is not None and "@" not in xarf[1]:
        raise UserError("is no mail address", xarf[1], "write --xarf 'Our name' abuse@example.com their-account-id")
    told = tracing.inquire(folder, campaign, accounts, logs, desk=None if xarf is None else tracing.Desk(*xarf), **options)
    click.echo(
        json.dumps(told)
        if json_
        else f"{told['out']}: {count(told['calls'], 'call')}, to be answered by {told['expires'][:10]}" + (f"; {told['xarf']}" if told["xarf"] else "")
    )


@click.command()
@click.argument("file", metavar="INQUIRY", type=click.Path(path_type=Path))
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@click.option(
    "--trust",
    "trusted",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Public key of somebody whose inquiries or answers are believed, or the signed directory of members; may be repeated.",
)
@with_roots
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The signed answer to write.")
@signed_with
@click.option("--history", multiple=True, type=click.Path(path_type=Path), metavar="DIR", help="Earlier scan of one's own, as reference; may be repeated.")
@with_map
@click.option("--unit", type=click.Choice(["account", "key", "end_user"]), default="account", show_default=True, help="What a customer is in LOG.")
@with_key
@with_ledger
@click.option("--register", type=click.Path(path_type=Path), metavar="FILE", help="Where what was asked is kept. Default: in the user's configuration folder.")
@click.option("--reseller", "resellers", multiple=True, metavar="ID", help="A customer of one's own who resells; may be repeated.")
@click.option("--onward", type=click.Path(path_type=Path), metavar="DIR", help="Write an inquiry for each of those here, to be sent on.")
@click.option("--heard", multiple=True, type=click.Path(path_type=Path), metavar="FILE", help="An answer of one of those; may be repeated.")
@click.option("--innocent", metavar="REASON", help="A person found these customers innocent: the reason, one of a short list.")
@click.option("--handled", is_flag=True, help="Say that what was found is dealt with.")
@as_json
def trace(file: Path, logs: tuple[str, ...], json_: bool, **options: Any) -> None:
    """Answer a provider's inquiry from one's own log, naming no customer.

    LOG keeps the provider's request ids (upstream_id). The calls are found in it, the customers who made them are tested on one's own evidence, and one of a few words is
    written to FILE, signed: found, innocent, passed on, nothing above a stated limit, cannot tell, not ours, refused. Who they are is printed here and stays here.
    """
    from stillwatch import tracing

    told = tracing.trace(file, logs, **options)
    if json_:
        click.echo(json.dumps(told))
        return
    answer, here = told["answer"], told["here"]
    lines = [f"{told['out']}: {answer['answer']}: {answer['means']}"]
    lines += [f"  because {here['refused']}"] if here["refused"] else []
    lines += [f"  {answer['limit']}"] if answer["limit"] else []
    lines.append(f"stays here: {count(here['calls'], 'call')} of {count(len(here['customers']), 'customer')}")
    lines += [f"  {each['account']}: {each['calls']:,}" for each in here["customers"][:20]]
    lines += [f"to send on: {each['out']} to {each['account']}, {count(each['calls'], 'call')}" for each in here["onward"]]
    click.echo("\n".join(lines))
