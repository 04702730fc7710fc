"""`stillwatch pack`: detection methods of others, tried in shadow, and one's own for others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from stillwatch.doors.report.words import count

as_json = click.option("--json", "json_", is_flag=True, help="Print one JSON object instead of words.")
with_packs = click.option("--packs", type=click.Path(path_type=Path), metavar="DIR", help="Where packs lie. Default: in the user's configuration folder.")
signed_with = click.option("--sign-with", required=True, type=click.Path(path_type=Path), metavar="FILE", help="Signing key, of `pack key` or `members key`.")
with_ledger = click.option(
    "--ledger", type=click.Path(path_type=Path), metavar="DIR", help="Ledger in which it is noted, by its digest alone (docs/exchange/ledger.md)."
)
with_roots = click.option(
    "--root", "roots", multiple=True, type=click.Path(path_type=Path), metavar="FILE", help="Root key that may sign a directory of members; may be repeated."
)
with_history = click.option(
    "--history", multiple=True, type=click.Path(path_type=Path), metavar="DIR",
    help="Earlier scan of one's own traffic on which thresholds are set, within the pack's range; may be repeated.",
)  # fmt: skip
with_key = click.option(
    "--key", type=click.Path(path_type=Path), metavar="FILE", help="Hashing key of those scans. Default: in the user's configuration folder."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def pack() -> None:
    """Share detection methods as signed packs, and try those of others in shadow.

    A pack holds Sigma rules over named features, ranges for their thresholds, and cases of both sides; no code and no customer. Taken in, it is run beside
    every scan that names its folder (`scan --packs`), and what it would have said is told. It decides nothing.
    """


@pack.command()
@click.argument("out", metavar="FILE", type=click.Path(path_type=Path))
@as_json
def key(out: Path, json_: bool) -> None:
    """Make a signing key in FILE, and FILE.pub for those who are to trust it."""
    from stillwatch import packing

    told = packing.key(out)
    click.echo(json.dumps(told) if json_ else f"{told['key']}: keep it; {told['public']}: give it to those who are to trust it, by a way of its own")


@pack.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The signed pack to write.")
@signed_with
@as_json
def build(folder: Path, out: Path, sign_with: Path, json_: bool) -> None:
    """Check and sign the pack in DIR (pack.yaml, and Sigma rules in rules/*.yml)."""
    from stillwatch import packing

    told = packing.build(folder, sign_with, out)
    click.echo(json.dumps(told) if json_ else f"{_named(told)}: {out}, {told['bytes']:,} bytes, TLP:{told['tlp'].upper()}")


@pack.command("import")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--trust", multiple=True, required=True, type=click.Path(path_type=Path), metavar="FILE",
    help="Public key of a maker who is trusted, or the signed directory of members; may be repeated.",
)  # fmt: skip
@with_roots
@with_packs
@with_history
@with_key
@with_ledger
@click.option("--sign-with", type=click.Path(path_type=Path), metavar="FILE", help="Signing key of the ledger.")
@as_json
def take_in(
    file: Path,
    trust: tuple[Path, ...],
    roots: tuple[Path, ...],
    packs: Path | None,
    history: tuple[Path, ...],
    key: Path | None,
    ledger: Path | None,
    sign_with: Path | None,
    json_: bool,
) -> None:
    """Take in a signed pack, or the withdrawal of one.

    Its signature, its features and their definitions are checked and its cases are run; then it runs in shadow wherever `scan --packs` names it.
    """
    from stillwatch import packing

    told = packing.take_in(file, trust, packs, history, key, roots=roots, ledger=ledger, sign_with=sign_with)
    click.echo(json.dumps(told) if json_ else _standing(told))


@pack.command("list")
@with_packs
@as_json
def listed(packs: Path | None, json_: bool) -> None:
    """Say which packs were taken in and how they stand."""
    from stillwatch import packing

    told = packing.listed(packs)
    click.echo(json.dumps(told) if json_ else "\n".join(_standing(each) for each in told) or "no packs")


@pack.command()
@click.argument("name", metavar="ID")
@with_packs
@with_history
@with_key
@as_json
def calibrate(name: str, packs: Path | None, history: tuple[Path, ...], key: Path | None, json_: bool) -> None:
    """Set the thresholds of the pack ID on one's own traffic (ID: its beginning is enough)."""
    from stillwatch import packing

    told = packing.calibrate(name, packs, history, key)
    click.echo(json.dumps(told) if json_ else _standing(told))


@pack.command()
@click.argument("name", metavar="ID")
@click.option("--version", "version", required=True, metavar="X.Y.Z", help="The last version that is withdrawn; earlier ones go with it.")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for those who have it.")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The signed withdrawal to write; whoever has the pack imports it.")
@signed_with
@as_json
def withdraw(name: str, version: str, reason: str, out: Path, sign_with: Path, json_: bool) -> None:
    """Write a signed withdrawal of the pack ID (the whole id)."""
    from stillwatch import packing

    told = packing.withdraw(name, version, reason, sign_with, out)
    click.echo(json.dumps(told) if json_ else f"{out}: withdraws {name} up to {version}")


@pack.command()
@click.argument("name", metavar="ID")
@click.option("--backend", required=True, metavar="NAME", help="splunk or elasticsearch (each a package of its own, which an error names).")
@with_packs
@as_json
def convert(name: str, backend: str, packs: Path | None, json_: bool) -> None:
    """Say the rules of the pack ID in the words of a SIEM, with the thresholds that stand here."""
    from stillwatch import packing

    told = packing.converted(name, packs, backend)
    click.echo(json.dumps(told) if json_ else "\n".join(f"# {each['title']}\n{each['query']}" for each in told["queries"]))


def _named(told: dict[str, Any]) -> str:
    rules = f", {count(len(told['rules']), 'rule')}" if "rules" in told else ""
    return f"{told.get('name', told['id'])} {told['version']}{rules}"


def _standing(told: dict[str, Any]) -> str:
    lines = [f"{told['id']}  {told['mode']}  {_named(told)}" + (f": {told['withdrawn']}" if told["withdrawn"] else "")]
    thresholds = told["set_on"].get("thresholds", {})
    for name, value in sorted(told["numbers"].items()):
        how = thresholds.get(name)
        lines.append(f"  {name} = {value:.4g} ({'as the pack has it' if how is None or not how['calibrated'] else 'set here: ' + how['why']})")
    return "\n".join(lines)
