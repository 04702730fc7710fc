"""`stillwatch calibration`: how rare values are among one's innocents, for other members, and what they told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from stillwatch.doors.packs import as_json, signed_with, with_key, with_roots
from stillwatch.doors.report.words import count

FILES = click.Path(path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def calibration() -> None:
    """Tell other members how rare values are among one's innocents, and rank one's cases among theirs.

    A small provider knows few organisations and can call nothing rare. Members tell the ends of distributions, at fixed edges, nobody below a minimum, sizes in bands. What is heard
    grades the signals of a case (`scan --calibration`) and decides nothing.
    """


@calibration.command()
@click.argument("scans", nargs=-1, required=True, metavar="DIR...", type=FILES)
@click.option("--policy", "policy_file", required=True, type=FILES, metavar="FILE", help="What may leave: its records must name calibration.")
@click.option("--out", required=True, type=FILES, metavar="FILE", help="The signed statement to write; `stillwatch deliver` posts it.")
@signed_with
@with_key
@as_json
def build(scans: tuple[Path, ...], policy_file: Path, out: Path, sign_with: Path, key: Path | None, json_: bool) -> None:
    """Write the tails of one's own innocents: organisations of these scans that no alert or review names."""
    from stillwatch import pooling

    told = pooling.build(scans, policy_file, sign_with, out, key=key)
    if json_:
        click.echo(json.dumps(told))
        return
    click.echo(f"{out}: for {', '.join(told['recipients'])}, until {told['expires']}; of {count(told['organisations'], 'organisation')}, which is not told")
    for name, each in told["statistics"].items():
        ends = [
            f"{side} {rows[-1][0]:g}: {rows[-1][1]:.2%} at most" for side, rows in (("from", each["above_at_most"]), ("up to", each["below_at_most"])) if rows
        ]
        click.echo(f"  {name} (of {each['of_at_least']:,} at least): {'; '.join(ends) or 'nothing but its body'}")


@calibration.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=FILES)
@click.option(
    "--trust", multiple=True, required=True, type=FILES, metavar="FILE", help="Public key of a member, or the signed directory of members; may be repeated."
)
@with_roots
@click.option("--scan", "scans", multiple=True, type=FILES, metavar="DIR", help="Own scan to compare with; may be repeated.")
@with_key
@as_json
def show(files: tuple[Path, ...], trust: tuple[Path, ...], roots: tuple[Path, ...], scans: tuple[Path, ...], key: Path | None, json_: bool) -> None:
    """Say what members told, and where one of them is unlike all others: a lie, other traffic, or another way of counting. A reason to ask."""
    from stillwatch import pooling

    told = pooling.shown(files, trust, roots, scans, key)
    click.echo(json.dumps(told) if json_ else "\n".join(said(told)))


def said(told: Mapping[str, Any] | None) -> list[str]:
    """What counted, in lines."""
    if told is None:
        return []
    lines = []
    for each in told["members"]:
        other = f"; defined in another way and left out: {', '.join(each['other_version'])}" if each["other_version"] else ""
        lines.append(
            f"calibration of {each['member']} ({each['made']}): {count(each['statistics'], 'statistic')} of {each['organisations_at_least']:,} organisations{other}"
        )
    lines += [f"calibration left out: {file}: {why}" for file, why in told["left_out"]]
    named = sorted({member for member, _, _ in told["unlike"]})
    for member in named:
        where = [f"{statistic} at {edge:g}" for each, statistic, edge in told["unlike"] if each == member]
        lines.append(f"unlike all others, ask {member}: {', '.join(where)}")
    if len(told["members"]) == 1:
        lines.append("one other member changes no rank: two are needed")
    return lines
