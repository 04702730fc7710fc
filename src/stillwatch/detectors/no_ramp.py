"""New accounts that run at full rate from their first day."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Range, Ranges, Seen, Silent, Values

MOST_OF = 0.7
"Share of the new accounts; where use goes up and down by chance alone, about half start as high as they go on."

MANY_NEW = 0.3
"Share of the accounts that are new, from which their start says something of the group."

NEVER_USUAL = 0.9
"Share that is not usual, however varied the reference is."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when many of the accounts are new and most of those never grew."""
    at_once, new = values["no_ramp"], values["new_accounts"]
    usual = ranges["no_ramp"].high if "no_ramp" in ranges else 0.0
    text = f"{new:.0%} of the accounts registered while the log ran, and {at_once:.0%} of those that stayed had their full rate on the first day"
    return Seen(at_once, new >= MANY_NEW and at_once >= max(MOST_OF, min(usual, NEVER_USUAL)), text)


DETECTOR = Detector(
    name="no ramp",
    reads=("no_ramp", "new_accounts"),
    value="no_ramp",
    unit="share of new accounts",
    look=look,
    factor="volume",
    atlas="AML.T0021",
    speaks_of_purpose=False,
    why="People try a service before they rely on it; an account made for a job has its job on the first day.",
    lookalike="a migration from another provider, a class that starts together, a launch: their accounts start at full rate too, so it never decides",
    blind_spot="accounts bought or left to age before use, and rates raised slowly on purpose; logs shorter than three days",
    cases=(
        Fires({"no_ramp": 0.95, "new_accounts": 0.8}, {"no_ramp": Range(0.0, 0.7)}),
        Silent({"no_ramp": 0.4, "new_accounts": 0.8}, {"no_ramp": Range(0.0, 0.7)}, "a launch whose new customers grow into their use"),
        Silent({"no_ramp": 0.95, "new_accounts": 0.05}, {"no_ramp": Range(0.0, 0.7)}, "a framework's old users with one customer who migrated"),
        Fires({"no_ramp": 0.73, "new_accounts": 0.33}, {"no_ramp": Range(0.0, 0.6)}),
        Fires({"no_ramp": 0.95, "new_accounts": 0.8}, {"no_ramp": Range(0.0, 1.0)}),
        Silent({"no_ramp": 0.65, "new_accounts": 0.8}, {"no_ramp": Range(0.0, 0.6)}, "new customers of whom most know the service from elsewhere"),
        Silent({"no_ramp": 0.95, "new_accounts": 0.27}, {"no_ramp": Range(0.0, 0.7)}, "a framework to which one firm's customers migrated"),
        Silent({"no_ramp": 0.85, "new_accounts": 0.8}, {"no_ramp": Range(0.0, 1.0)}, "a log in which migrations are common"),
    ),
)
