"""Accounts that never rest."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Range, Ranges, Seen, Silent, Values

MOST_OF = 0.5
"Share of the accounts without rest, from which not resting is the group's way."

LEAST_ACCOUNTS = 5
"Accounts of the group, below which it may be one job."

NEVER_USUAL = 0.95
"Share that is not usual, however varied the reference is."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when half of the accounts that call enough never rest, and more than in the reference."""
    share, accounts = values["sleepless"], values["accounts"]
    usual = ranges["sleepless"].high if "sleepless" in ranges else 0.0
    text = f"{share:.0%} of the accounts with enough calls have at most three idle hours in the day ({accounts:.0f} accounts)"
    return Seen(share, share >= max(MOST_OF, min(usual, NEVER_USUAL)) and accounts >= LEAST_ACCOUNTS, text)


DETECTOR = Detector(
    name="round the clock",
    reads=("sleepless", "accounts"),
    value="sleepless",
    unit="share of accounts",
    look=look,
    factor="volume",
    atlas="AML.T0040",
    speaks_of_purpose=False,
    why="People and offices rest; accounts that a list is worked off with do not.",
    lookalike="monitors, review bots and other services of one organisation, of which a log has many: it never decides",
    blind_spot="accounts that keep a person's hours on purpose, low rates, and logs shorter than two days",
    cases=(
        Fires({"sleepless": 0.9, "accounts": 40.0}, {"sleepless": Range(0.0, 0.5)}),
        Silent({"sleepless": 0.1, "accounts": 40.0}, {"sleepless": Range(0.0, 0.5)}, "customers around the globe, each with nights of its own"),
        Silent({"sleepless": 1.0, "accounts": 2.0}, {"sleepless": Range(0.0, 0.5)}, "one firm's review bots"),
        Silent({"sleepless": 0.9, "accounts": 40.0}, {"sleepless": Range(0.0, 1.0)}, "a log in which services that run all day are common"),
        Fires({"sleepless": 0.55, "accounts": 5.0}, {"sleepless": Range(0.0, 0.5)}),
        Fires({"sleepless": 0.97, "accounts": 40.0}, {"sleepless": Range(0.0, 1.0)}),
        Silent({"sleepless": 0.45, "accounts": 40.0}, {"sleepless": Range(0.0, 0.4)}, "customers of whom fewer than half run a service"),
        Silent({"sleepless": 0.9, "accounts": 4.0}, {"sleepless": Range(0.0, 0.5)}, "four monitors of one firm"),
    ),
)
