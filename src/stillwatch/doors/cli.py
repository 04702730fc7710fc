"""The command line: words in, one call of the flow, words out. Exit 0 done, 2 the user's mistake or wish to stop, 1 our fault.

Longer than most files because the options of every command that reads logs are declared here, beside one another; what a command does stands elsewhere.
"""

from __future__ import annotations

import difflib
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from click.shell_completion import get_completion_class

from stillwatch import __version__
from stillwatch.doors import exchanging, joined, matching, packs, pooled, rungs, shared, traced, words
from stillwatch.doors.progress import Progress
from stillwatch.doors.stopping import as_interrupt
from stillwatch.errors import StillwatchError, UserError

# numba and pyarrow take half a second to import: what needs them is imported inside the commands, so that help is quick.

with_key = click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Hashing key; made on first use, but where earlier scans are named. Default: in the user's configuration folder.",
)
with_unit = click.option(
    "--unit", type=click.Choice(["account", "key", "end_user"]), default="account", show_default=True,
    help="What is linked. end_user: those behind a reseller's or gateway's accounts.",
)  # fmt: skip
with_known = click.option(
    "--known", type=click.Path(path_type=Path), metavar="FILE",
    help="Declared programmes, benign infrastructure and earlier verdicts (TOML), each with a reason and a last day: cases are annotated, no verdict changes.",
)  # fmt: skip
as_json = click.option("--json", "json_", is_flag=True, help="Print one JSON object instead of words.")


class _Guarded(click.Group):
    """Every error is one line and an exit code, whoever raised it."""

    def main(self, *args: Any, **rest: Any) -> Any:
        """Run, and turn what goes wrong into advice."""
        in_json = "--json" in (args[0] if args and args[0] is not None else sys.argv[1:])
        try:
            with as_interrupt():
                code = super().main(*args, **{"prog_name": "stillwatch", **rest, "standalone_mode": False})
        except click.exceptions.Exit as done:
            code = done.exit_code
        except click.ClickException as error:
            code = _fail(_usage(error), in_json, 2)
        except UserError as error:
            code = _fail(error, in_json, 2)
        except StillwatchError as error:
            code = _fail(error, in_json, 1)
        except (KeyboardInterrupt, click.exceptions.Abort):
            # The three codes are all there are: whoever stopped it was the user.
            exec("")  # where code made from a text was interrupted, Python notes to end by a signal whatever is caught; running another forgets it
            code = _fail(UserError("stopped before the end; nothing is half-written", "", "run it again"), in_json, 2)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        except OSError as error:
            # A full disk, a folder without permission: the machine's state, named by the system's own words.
            code = _fail(UserError(error.strerror or "cannot be used", str(error.filename or ""), "check the path and its permissions"), in_json, 2)
        except Exception as error:  # the door is where an unforeseen error becomes one line
            if os.environ.get("STILLWATCH_TRACEBACK") == "1":
                raise
            what = f"unexpected {type(error).__name__}"
            code = _fail(StillwatchError(what, "", "set STILLWATCH_TRACEBACK=1 and report what it shows"), in_json, 1)
        sys.exit(code if isinstance(code, int) else 0)


def _usage(error: click.ClickException) -> UserError:
    """A usage error of click as one line with a suggestion."""
    if isinstance(error, click.NoSuchOption):
        near = difflib.get_close_matches(error.option_name, error.possibilities or [], 1)
        return UserError(f"no such option: {error.option_name}", "", f"did you mean {near[0]}?" if near else "see --help")
    context = getattr(error, "ctx", None)
    where = "" if context is None or context.parent is None else context.info_name or ""
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and isinstance(context, click.Context) and isinstance(context.command, click.Group):
        return UserError("no command is named", where, f"one of {', '.join(context.command.list_commands(context))}; see --help")
    message = error.format_message().split(". Did you mean")[0].rstrip(".").replace("\n", " ")
    attempt = "see --help"
    if isinstance(context, click.Context) and isinstance(context.command, click.Group) and "No such command" in message:
        near = difflib.get_close_matches(message.split("'")[1], context.command.list_commands(context), 1)
        attempt = f"did you mean {near[0]}?" if near else f"commands: {', '.join(context.command.list_commands(context))}"
    return UserError(message[0].lower() + message[1:], where, attempt)


def _fail(error: StillwatchError, in_json: bool, code: int) -> int:
    if in_json:
        click.echo(json.dumps({"error": {"what": error.what, "where": error.where, "try": error.attempt}}))
    else:
        click.echo(f"stillwatch: {error}", err=True)
    return code


def _notice(told: Mapping[str, Any]) -> None:
    """Say on stderr what of the log was not read whole, for whoever reads only the summary would miss it."""
    for line in words.noticed(told):
        click.echo(f"stillwatch: {line}", err=True)


def _run(work: Callable[[Progress], Any], json_: bool) -> Any:
    progress = Progress(quiet=json_)
    try:
        return work(progress)
    finally:
        progress.close()


@click.group(cls=_Guarded, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stillwatch", message="%(prog)s %(version)s")
def main() -> None:
    """Finds adversarial distillation of language models in API logs."""


for command in (packs.pack, pooled.calibration, traced.inquire, traced.trace):
    main.add_command(command)


@main.command()
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Where the results appear, whole or not at all.")
@click.option("--history", multiple=True, metavar="DIR", help="Earlier scan, or log, of the same provider as reference; may be repeated.")
@click.option(
    "--onto", type=click.Path(path_type=Path), metavar="DIR", help="Earlier scan to go on with: the result is that of one scan over its log and this one."
)
@click.option("--map", "mapping", type=click.Path(path_type=Path), metavar="FILE", help="Column names of a log in no known format.")
@click.option("--prices", type=click.Path(path_type=Path), metavar="FILE", help="List prices of models, to value what was taken. Default: the program's own.")
@click.option(
    "--context", type=click.Path(path_type=Path), metavar="FILE", help="Dated releases, bans and payment changes (TOML), to look for what answers them."
)
@with_known
@with_unit
@with_key
@click.option(
    "--engine", type=click.Choice(["local", "spark"]), default="local", show_default=True,
    help="Where it runs: this machine, or Apache Spark (SPARK_MASTER, spark-defaults.conf or spark-submit say where).",
)  # fmt: skip
@click.option(
    "--packs", type=click.Path(path_type=Path), metavar="DIR", help="Detector packs of others (`stillwatch pack`) to run in shadow: told, never counted."
)
@click.option(
    "--calibration", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
    help="What another member told of its innocents (`stillwatch calibration`), to rank signals among them too: told, never counted; may be repeated.",
)  # fmt: skip
@click.option(
    "--trust", multiple=True, type=click.Path(path_type=Path), metavar="FILE", help="Public key that may have signed these, or the signed directory of members; may be repeated."
)  # fmt: skip
@packs.with_roots
@click.option("--work", metavar="URL", help="Folder for what Spark puts down between its jobs; all executors reach it. Default: beside DIR.")
@click.option("--pseudonymous", is_flag=True, help="Leave keyed hashes in the results instead of the log's own account ids.")
@as_json
def scan(logs: tuple[str, ...], out: Path, json_: bool, **options: Any) -> None:
    """Read logs (files, folders, globs, and what lies elsewhere) and write the campaigns found in them to DIR.

    A LOG may also be a URL: object stores (s3://, gs://, az://), Delta and Iceberg tables, queries to databases (the manual's page of places).
    Formats are found by themselves (the manual lists them); plain, gzip or zstd. Any other flat log: --map. Marks that
    `stillwatch marks` wrote are read as well.
    """
    from stillwatch import flow
    from stillwatch.doors.report import page

    summary = _run(
        lambda progress: flow.watch(logs, out, progress=progress, render=page.render, **options),
        json_,
    )
    if json_:
        click.echo(json.dumps(summary))
        return
    _notice(summary)
    written = Path(os.path.realpath(out)) / "campaigns.jsonl"  # where the scan put it, whatever `..` stands in the name
    campaigns = [json.loads(line) for line in written.read_text(encoding="utf-8").splitlines()]
    click.echo(words.scanned(summary, campaigns, out))


@main.command()
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Results and where the stream stands; named again, it goes on.")
@click.option("--history", multiple=True, metavar="DIR", help="Earlier scan, or log, of the same provider as reference; may be repeated.")
@click.option("--map", "mapping", type=click.Path(path_type=Path), metavar="FILE", help="Column names of a log in no known format.")
@click.option("--every", type=click.FloatRange(0.1), default=10.0, show_default=True, metavar="SECONDS", help="Look for something new so often.")
@click.option("--until-idle", type=click.FloatRange(0), metavar="SECONDS", help="End when nothing new has come for so long.")
@click.option("--once", is_flag=True, help="End when what is there now is read.")
@with_known
@with_unit
@with_key
@click.option("--pseudonymous", is_flag=True, help="Leave keyed hashes in the results instead of the log's own account ids.")
@click.option("--json", "json_", is_flag=True, help="Print JSON Lines instead of words: each alert as it is raised, the summary last.")
def follow(logs: tuple[str, ...], out: Path, until_idle: float | None, once: bool, json_: bool, **options: Any) -> None:
    """Scan logs as they come: folders and globs are watched for new files, and DIR is at every moment the result of a scan.

    A campaign that crosses is an alert once, in DIR/alerts.jsonl, with evidence that holds however often one looks. Files are complete
    when they appear; plain JSON Lines may grow. Stopped at any moment (Ctrl-C, SIGTERM, kill), it goes on where it was with the same DIR.
    """
    from stillwatch import flow
    from stillwatch.doors.report import page
    from stillwatch.doors.stopping import Stopping

    if once and until_idle is not None:
        raise UserError("one of the two ends it", "--once and --until-idle", "leave one out")

    def heard(line: dict[str, Any]) -> None:
        click.echo(json.dumps(line) if json_ else words.heard(line))

    with Stopping() as stopping:
        summary = _run(
            lambda progress: flow.follow(
                logs, out, once=once, until_idle=until_idle, stopped=stopping, heard=heard, progress=progress, render=page.render, **options
            ),
            json_,
        )
    click.echo(json.dumps(summary) if json_ else words.followed(summary, out))


@main.command()
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="MARKS",
    help="The file of marks to write (Parquet). Of what is there, only earlier marks are replaced.",
)
@click.option("--map", "mapping", type=click.Path(path_type=Path), metavar="FILE", help="Column names of a log in no known format.")
@with_unit
@with_key
@as_json
def marks(logs: tuple[str, ...], out: Path, json_: bool, **options: Any) -> None:
    """Write the marks of logs, without a word of their text, to a file that `scan` reads.

    For logs whose text may not leave where it lies. Scanned under the same key, marks give exactly what the logs give.
    """
    from stillwatch import flow

    made = _run(lambda progress: flow.marks(logs, out, progress=progress, **options), json_)
    if not json_:
        _notice(made)
    click.echo(json.dumps(made) if json_ else words.marked(made))


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("account", metavar="ACCOUNT")
@click.option("--for-account", is_flag=True, help="What the account's holder may see: nobody else's accounts, no signs, and how to object.")
@click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="Hashing key of the scan. Default: in the user's configuration folder.")
@as_json
def explain(folder: Path, account: str, for_account: bool, key: Path | None, json_: bool) -> None:
    """Say why an account is in, nearly in or not in a campaign of the scan in DIR, and what would turn the answer.

    ACCOUNT is the log's own id (the key's, or account/user, where --unit says so), or the keyed hash that a scan with
    --pseudonymous shows. The log is not needed.
    """
    from stillwatch.account import story
    from stillwatch.doors import explained

    told = story(folder, account, key, for_account)
    click.echo(json.dumps(told) if json_ else explained.for_account(told) if for_account else explained.explained(told))


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--seal", metavar="SEAL", help="The seal that the scan printed, if it was written down elsewhere: then not even who holds the key can exchange marks."
)
@click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="Hashing key of the scan. Default: in the user's configuration folder.")
@as_json
def verify(folder: Path, seal: str | None, key: Path | None, json_: bool) -> None:
    """Make every figure of the cases in DIR again from the kept states, without the log, and compare.

    Exit code 0: all is as the scan wrote it. 1: something was changed, and what differs is printed. 2: nothing can be verified (no scan, another key).
    """
    from stillwatch import flow
    from stillwatch.doors.report import page

    told = _run(lambda progress: flow.verify(folder, key=key, seal=seal, progress=progress, render=page.render), json_)
    click.echo(json.dumps(told) if json_ else words.verified(told, folder))
    if not told["verified"]:
        raise click.exceptions.Exit(1)


@main.command()
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Keep what is measured, planting by planting; named again, it goes on there.")
@click.option("--history", multiple=True, metavar="DIR", help="Earlier scan, or log, of the same provider as reference; may be repeated.")
@click.option("--map", "mapping", type=click.Path(path_type=Path), metavar="FILE", help="Column names of a log in no known format.")
@click.option(
    "--tradecraft",
    "tradecrafts",
    multiple=True,
    metavar="ID",
    help="A documented campaign, such as A-JUN (the manual's page of the drill); may be repeated. Default: all.",
)
@click.option(
    "--calls-each", "rates", multiple=True, type=click.IntRange(1), metavar="N", help="Calls an account, on average; may be repeated. Default: 4 and 32."
)
@click.option(
    "--power", type=click.FloatRange(0.5, 0.99), default=0.95, show_default=True, metavar="SHARE", help="Share of such campaigns that would be found."
)
@click.option(
    "--held", type=click.FloatRange(0, 1), default=0.0, show_default=True, metavar="SHARE",
    help="Call a campaign found only when its alerts and reviews hold this share of its accounts. 0: any.",
)  # fmt: skip
@click.option("--plantings", type=click.IntRange(5, 1000), default=30, show_default=True, metavar="N", help="Fresh plantings that confirm a limit.")
@click.option("--seed", type=int, default=1, show_default=True, metavar="N", help="Seed of all plantings; the same seed and key give the same limits.")
@with_unit
@with_key
@as_json
def limits(logs: tuple[str, ...], json_: bool, **options: Any) -> None:
    """Say the smallest campaign of each tradecraft that LOG would have shown.

    Campaigns of every documented tradecraft are planted, one at a time, into a copy of the log's marks, which is examined as by `scan`; LOG is not changed.
    The limit is the smallest size at which fresh plantings are found with the power asked for. It holds for those tradecrafts only.
    """
    from stillwatch import flow
    from stillwatch.doors import limited

    def beforehand(told: dict[str, Any]) -> None:
        if not json_:
            click.echo(f"stillwatch: {limited.expected(**told)}", err=True)

    told = _run(lambda progress: flow.limits(logs, beforehand=beforehand, progress=progress, render=limited.limited, **options), json_)
    if not json_:
        _notice(told)
    click.echo(json.dumps(told) if json_ else limited.limited(told))


@main.command()
@click.argument("scenario")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="LOG",
    help="The log to write: .parquet, .jsonl, .jsonl.gz or .csv. Of what is there, only an earlier drill's log is replaced.",
)
@click.option("--into", metavar="LOG", help="Plant the campaigns into this log instead of made innocents: file, folder or glob, in any format that scan reads.")
@click.option("--map", "mapping", type=click.Path(path_type=Path), metavar="FILE", help="Column names of the --into log, if it is in no known format.")
@click.option("--history-out", type=click.Path(path_type=Path), metavar="LOG", help="Write the log's history here as well, for `scan --history`.")
@click.option("--corpora", type=click.Path(path_type=Path), metavar="DIR", help="Draw texts from this folder of corpora instead of the built-in one.")
@click.option("--seed", type=int, help="Seed; the same seed gives the same log.")
@click.option("--calls", type=click.IntRange(1), help="Calls to make.")
@click.option(
    "--share", type=click.FloatRange(0.001, 0.6), metavar="SHARE",
    help="Share of all calls that the campaigns make together, 0.6 to 0.001; each makes 80 to 16,000 or so, and what share that came to is told.",
)  # fmt: skip
@rungs.ladder
@click.option("--seen-before", type=click.FloatRange(0, 0.95), metavar="SHARE", help="Share of innocent calls from people who stand in the history too.")
@click.option("--hide-identity", is_flag=True, help="Take away what shows that innocent accounts belong together: organisation, mail, payer, address.")
@click.option("--benign", multiple=True, metavar="CLASS=WEIGHT", help="Weight of a benign class, 0 to leave it out, such as 'viral prompt=0.2'; repeatable.")
@as_json
def drill(scenario: str, out: Path, json_: bool, seen_before: float | None, hide_identity: bool, benign: tuple[str, ...], **options: Any) -> None:
    """Make a log with documented campaigns planted into benign traffic, or into a log of your own, and the truth beside it.

    SCENARIO is a campaign's id (such as A-JUN), a built-in name (such as mixed) or a TOML file; the manual lists and
    describes them. The truth is LOG.truth.parquet (LOG without its ending): call_id, account, organisation, campaign, class. The options of the ladder
    are applied to all of the scenario's campaigns. The ladder's last rung, watching answers for countermeasures, has no meaning
    in a log without any, so there is no option for it.
    """
    from stillwatch import flow

    ladder = rungs.chosen(options)
    innocents = {name: value for name, value in (("seen_before", seen_before), ("show_identity", False if hide_identity else None)) if value is not None}
    planted = _run(
        lambda progress: flow.rehearse(scenario, out, ladder=ladder, weights=rungs.weights(benign), innocents=innocents, progress=progress, **options), json_
    )
    if not json_:
        _notice(planted)
    click.echo(json.dumps(planted) if json_ else words.drilled(planted))


@main.command()
@click.option("--out", default=Path("out/demo"), type=click.Path(path_type=Path), metavar="DIR", show_default=True, help="Where the demo's files go.")
@as_json
def demo(out: Path, json_: bool) -> None:
    """The main job on a log made on the spot: innocents of many kinds, three planted campaigns."""
    from stillwatch.doors import demo as door

    summary = _run(lambda progress: door.run(out, progress), json_)
    if json_:
        click.echo(json.dumps(summary))
        return
    click.echo(words.drilled(summary["planted"]))
    campaigns = [json.loads(line) for line in (out / "scan" / "campaigns.jsonl").read_text(encoding="utf-8").splitlines()]
    click.echo(words.scanned(summary, campaigns, out / "scan"))
    click.echo(words.compared(summary["compared"]))
    click.echo(words.next_steps(out / "scan", door.key_in(out), campaigns[0]["accounts"][0]))


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@as_json
def completion(shell: str, json_: bool) -> None:
    """Print the completion script for a shell; source it from the shell's start-up file."""
    kind = get_completion_class(shell)
    assert kind is not None  # the choice above lists only shells that click knows
    source = kind(main, {}, "stillwatch", "_STILLWATCH_COMPLETE").source()
    click.echo(json.dumps({"shell": shell, "script": source}) if json_ else source)


for _command in (
    exchanging.serve,
    exchanging.hear,
    exchanging.members,
    shared.share,
    shared.correct,
    shared.heard,
    shared.quiet,
    shared.same,
    shared.counsel,
    shared.deliver,
    shared.collect,
    joined.joint,
    matching.match,
    matching.identifiers,
):
    main.add_command(_command)
