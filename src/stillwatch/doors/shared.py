"""`stillwatch share`, `correct`, `heard` and `counsel`: what leaves, what is taken back, what came, and what counsel sees of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from stillwatch.doors.report.words import count

with_path = click.Path(path_type=Path)
OPINIONS = ("strongly-disagree", "disagree", "neutral", "agree", "strongly-agree")
with_policy = click.option("--policy", "policy_file", required=True, type=with_path, metavar="FILE", help="What may leave, to whom and how coarse (TOML).")
with_ledger = click.option("--ledger", type=with_path, metavar="DIR", help="Note what left in one's ledger, signed with the key that PEERS names.")
as_json = click.option("--json", "json_", is_flag=True, help="Print one JSON object instead of words.")


@click.command()
@click.argument("settings", metavar="PEERS", type=with_path)
@click.argument("result", metavar="[RESULT]", required=False, type=with_path)
@with_policy
@click.option("--to", multiple=True, metavar="PEER/COLLECTION", help="Where it goes; PEERS says who reads that. May be repeated.")
@click.option("--networks", type=with_path, metavar="FILE", help="Ranges of addresses by campaign (JSON), where a person names them.")
@click.option("--send", is_flag=True, help="Send it. Without this it is only shown.")
@click.option("--expect", metavar="SHA256", help="Send exactly what was shown under this digest.")
@with_ledger
@as_json
def share(settings: Path, result: Path | None, json_: bool, **options: Any) -> None:
    """Show what of the cases of the scan in RESULT would leave under a policy: exactly the bytes, to whom, and what stays. With --send, send it.

    Everybody who reads a collection must be a recipient of the policy. Accounts, payments, prompts, volumes and decisions never leave. Needs stillwatch[exchange].
    """
    from stillwatch import sharing

    told = sharing.share(settings, result, **options)
    if json_:
        click.echo(json.dumps(told))
        return
    lines = [f"to: {', '.join(told['recipients']) or 'nobody'}", f"sha256: {told['sha256']}"]
    lines += [f"stays: {what}{' ' + where if where else ''}: {why}" for what, where, why in told["refused"]]
    lines += [f"sent to {each['peer']}/{each['collection']}, read by {', '.join(each['readers'])}: {count(each['added'], 'object')}" for each in told["sent"]]
    lines += [] if told["sent"] else ["----", told["content"] or "nothing may leave"]
    click.echo("\n".join(lines))


@click.command()
@click.argument("settings", metavar="PEERS", type=with_path)
@click.argument("id_", metavar="[ID]", required=False)
@with_policy
@click.option("--revoke", is_flag=True, help="Take a record of one's own back, and whatever says nothing without it.")
@click.option("--opinion", type=click.Choice(OPINIONS), help="Say what one thinks of a record, one's own or another's.")
@click.option("--to", multiple=True, metavar="PEER/COLLECTION", help="Where an opinion about somebody else's record is told. May be repeated.")
@click.option("--send", is_flag=True, help="Bring it to everybody who has the original. Without this it is only shown.")
@with_ledger
@as_json
def correct(settings: Path, id_: str | None, json_: bool, **options: Any) -> None:
    """Take back or dispute what was told, and bring it to everybody who received the original; without ID, what is owed to them already.

    Whoever the policy names no longer gets the withdrawal and no new word.
    """
    from stillwatch import sharing

    told = sharing.correct(settings, id_=id_, **options)
    if json_:
        click.echo(json.dumps(told))
        return
    lines = [f"owed to {recipient}: {'the withdrawal of ' if gone else ''}{record}" for recipient, record, gone in told["due"]] or ["nobody is owed anything"]
    lines += [f"sent to {each['peer']}/{each['collection']}, read by {', '.join(each['readers'])}: {count(each['added'], 'object')}" for each in told["sent"]]
    lines += [f"waits until {until[:10]}, a quiet period: {record}" for record, until in told["waits"]]
    lines += [] if told["sent"] or not told["content"] else ["----", told["content"].rstrip()]
    click.echo("\n".join(lines))


@click.command()
@click.argument("settings", metavar="PEERS", type=with_path)
@as_json
def heard(settings: Path, json_: bool) -> None:
    """Show what peers told that still holds, case by case, what was withdrawn or has expired, and what could not be read. It decides nothing."""
    from stillwatch import sharing

    told = sharing.heard(settings)
    if json_:
        click.echo(json.dumps(told))
        return
    lines = [f"{count(len(told['cases']), 'case')}; {len(told['forget'])} to forget; {len(told['not_read'])} could not be read"]
    for each in told["cases"]:
        for row in each["records"]:
            accounts = "" if row["accounts"] is None else f", {row['accounts'][0]:,} to {row['accounts'][1] - 1:,} accounts"
            lines.append(f"  {row['grade'] or 'no grade':<7} {row['name']}{accounts}, until {(row['expires'] or '?')[:10]}, TLP:{row['tlp']}  {row['id']}")
        lines += [
            f"    one case, by {'our own matching' if word == 'matched' else 'the word of both'}: {one} {other}"
            for word in ("matched", "agreed")
            for one, other in each[word]
        ]
    lines += [f"  claim of one side: {one} and {other} are one, says {by}" for one, other, by in told["claims"]]
    lines += [f"  opinion: {opinion} about {', '.join(about)}" for about, opinion, _ in told["opinions"]]
    lines += [f"  forget {what}: {why}" for what, why in told["forget"]]
    lines += [f"  not read, from {peer}: {what} {where}: {why}" for peer, what, where, why in told["not_read"][:20]]
    click.echo("\n".join(lines))


@click.command()
@click.argument("settings", metavar="PEERS", type=with_path)
@click.argument("about", metavar="[CASE]...", nargs=-1)
@click.option("--days", type=int, metavar="DAYS", help="How long, 1 to 30. It ends by itself.")
@click.option("--by", metavar="NAME", help="Who decides it. Stays here.")
@click.option("--end", is_flag=True, help="End it now.")
@as_json
def quiet(settings: Path, about: tuple[str, ...], json_: bool, **options: Any) -> None:
    """Tell nothing new of a case for a while, so that an investigation is not given away; without CASE, list what is kept quiet.

    `share` holds back the case and what would give it away. Withdrawals and corrections of what was told go on. It binds no other member.
    """
    from stillwatch import coordinating

    told = coordinating.hush(settings, about, **options)
    if json_:
        click.echo(json.dumps(told))
        return
    lines = [f"until {each['until'][:16]}, decided by {each['by']}: {', '.join(each['about'])}" for each in told["periods"]] or ["nothing is kept quiet"]
    click.echo("\n".join([*([f"{count(told['ended'], 'quiet period')} ended"] if told["ended"] else []), *lines]))


@click.command()
@click.argument("settings", metavar="PEERS", type=with_path)
@click.argument("one", metavar="CASE")
@click.argument("other", metavar="CASE")
@click.option("--common", type=with_path, metavar="FILE", help="What `match --out` wrote: identifiers of both cases, ten at least.")
@click.option("--undo", is_flag=True, help="Take it back.")
@as_json
def same(settings: Path, one: str, other: str, json_: bool, **options: Any) -> None:
    """Hold two cases for one, because one's own private matching found common identifiers of theirs. `heard` shows them together; nobody else is told."""
    from stillwatch import coordinating

    told = coordinating.same(settings, one, other, **options)
    if json_:
        click.echo(json.dumps(told))
        return
    click.echo(
        f"{' and '.join(told['pair'])}: " + ("no longer held for one" if told["common"] is None else f"one case, {count(told['common'], 'common identifier')}")
    )


@click.command()
@click.argument("settings", metavar="PEERS", type=with_path)
@as_json
def counsel(settings: Path, json_: bool) -> None:
    """Show everything that left, to whom and under which digest, and what stayed: read only. Nothing leaves while the policy says stopped = true."""
    from stillwatch import sharing

    rows: list[dict[str, Any]] = [
        {
            "at": each.at,
            "recipients": list(each.recipients),
            "purpose": each.purpose,
            "sha256": each.sha256,
            "bytes": len(each.content),
            "stayed": len(each.refused),
        }
        for each in sharing.left(settings)
    ]
    if json_:
        click.echo(json.dumps({"shares": rows}))
        return
    click.echo(
        "\n".join(
            f"{each['sha256'][:16]}  {each['bytes']:,} bytes to {', '.join(each['recipients'])} for {each['purpose']}; {each['stayed']} stayed" for each in rows
        )
        or "nothing has left"
    )


@click.command()
@click.argument("settings", metavar="PEERS", type=with_path)
@click.argument("file", metavar="FILE", type=with_path)
@click.option("--to", required=True, metavar="PEER/COLLECTION", help="Where it goes; PEERS says who reads that.")
@with_ledger
@as_json
def deliver(settings: Path, file: Path, json_: bool, **options: Any) -> None:
    """Post a signed pack, the withdrawal of one, an inquiry or an answer to a collection.

    Inquiries and answers go only where one other member reads.
    """
    from stillwatch import delivering

    told = delivering.deliver(settings, file, **options)
    click.echo(json.dumps(told) if json_ else f"{told['kind']} to {', '.join(told['readers'])}: {count(told['added'], 'object')}, sha256 {told['sha256']}")


@click.command()
@click.argument("settings", metavar="PEERS", type=with_path)
@click.option("--into", required=True, type=with_path, metavar="DIR", help="Where each is written, as it was signed.")
@as_json
def collect(settings: Path, into: Path, json_: bool) -> None:
    """Write the signed packs, withdrawals, inquiries and answers that were heard to files, for `pack import` and `trace`. Nothing of them is believed yet."""
    from stillwatch import delivering

    told = delivering.collect(settings, into)
    if json_:
        click.echo(json.dumps(told))
        return
    lines = [f"{each['kind']} from {each['peer']}: {each['file']}" for each in told["new"]] or ["nothing new"]
    click.echo("\n".join([*lines, *(f"not read, from {peer}: {what}: {why}" for peer, what, why in told["not_read"])]))
