"""Options of `drill` that change what is planted: every rung of the adaptive ladder, and what stands beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict, TypeVar, cast

import click

Command = TypeVar("Command", bound=Callable[..., Any])

FLAGS = {
    "paraphrase": "Ladder: paraphrased templates. Wordings are written anew for every account.",
    "shuffle": "Ladder: slot shuffling. The pieces of a wording stand in another order in every call.",
    "jitter": "Ladder: jittered, human-shaped timing. Accounts keep a person's hours and pauses; nothing is released in step.",
    "headers": "Ladder: header randomisation. Client, header set and TLS fingerprint are drawn anew for every conversation.",
    "end_users": "Ladder: `user` metadata rewritten. The end user that a call names is drawn anew for every conversation.",
    "hand_over": "Ladder: account hand-over after bans. A second pool takes over where the first ends.",
    "from_users": "Ladder: prompts drawn from real users instead of a job list. Relays do so anyway.",
    "low_rate": "Ladder: low rate. Four calls an account, on as many accounts as that takes.",
    "spread": "Ladder: spread across clouds, gateways and providers. Accounts come over every path; for other providers give a smaller --share.",
    "by_topic": "The job list is dealt by topic: an account sees few.",
    "no_digests": "The log holds no digests of the campaigns' encrypted reasoning.",
    "before_history": "The campaigns are older than the log's history, with the same wordings and accounts; --history-out then holds them too.",
}
"Option (with underscores) -> its help."


class Ladder(TypedDict, total=False):
    """The same from Python; what is left out stays as the scenario has it."""

    infrastructure: bool | None
    cover: float | None
    duplicates: float | None
    paraphrase: bool
    shuffle: bool
    jitter: bool
    headers: bool
    end_users: bool
    hand_over: bool
    from_users: bool
    low_rate: bool
    spread: bool
    by_topic: bool
    no_digests: bool
    before_history: bool


def ladder(command: Command) -> Command:
    """Put the options on a command. They arrive as keyword arguments; what was not given is None or False."""
    for name, text in reversed(FLAGS.items()):
        command = click.option(f"--{name.replace('_', '-')}", is_flag=True, help=text)(command)
    command = click.option(
        "--duplicates", type=click.FloatRange(0, 0.95), metavar="SHARE", help="Share of jobs that another account was given before, 0 to 0.95."
    )(command)
    command = click.option(
        "--cover", type=click.FloatRange(0, 0.95), metavar="SHARE",
        help="Ladder: cover traffic. Share of the campaign accounts' calls that are ordinary use, 0 to 0.95.",
    )(command)  # fmt: skip
    return click.option(
        "--infrastructure/--no-infrastructure", default=None,
        help="Accounts share cards, offices and clients, or (ladder) each has a proxy, card and browser of its own. Default: as disclosed.",
    )(command)  # fmt: skip


def chosen(options: dict[str, Any]) -> dict[str, Any]:
    """Those that were given, taken out of a command's options."""
    return given(cast(Ladder, {name: options.pop(name) for name in Ladder.__annotations__}))


def given(ladder: Ladder) -> dict[str, Any]:
    """Those that change something: a flag that is False is one that was not given. Raises: TypeError for one that is not there."""
    if unknown := set(ladder) - set(Ladder.__annotations__):
        raise TypeError(f"drill() has no argument {', '.join(sorted(unknown))}")
    return {name: value for name, value in ladder.items() if value is not None and (value is not False or name == "infrastructure")}


def weights(told: tuple[str, ...]) -> dict[str, float]:
    """CLASS=WEIGHT, taken apart. Raises: BadParameter."""
    found = {}
    for each in told:
        name, _, weight = each.rpartition("=")
        try:
            found[name] = float(weight)
        except ValueError:
            name = ""
        if not name:
            raise click.BadParameter(f"{each!r} is not CLASS=WEIGHT", param_hint="--benign")
    return found
