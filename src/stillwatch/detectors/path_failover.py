"""A job that is stopped and comes at once by another account, path or model."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Range, Ranges, Seen, Silent, Values

MOST_OF = 0.3
"Share of stops from which coming another way is arranged."

NEVER_USUAL = 0.9
"Share that is not usual, however varied the reference is."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when it lies above the reference."""
    share = values["failover"]
    usual = ranges["failover"].high if "failover" in ranges else 0.0
    text = f"{share:.0%} of the calls that were stopped (forbidden or rate-limited) came again within the hour by another account, path or model"
    return Seen(share, share >= max(MOST_OF, min(usual, NEVER_USUAL)), text)


DETECTOR = Detector(
    name="path failover",
    reads=("failover",),
    value="failover",
    unit="share of stops",
    look=look,
    factor="coordination",
    atlas="AML.T0008.005",
    speaks_of_purpose=False,
    why="One list behind many accounts and paths goes on elsewhere when one of them is blocked.",
    lookalike="a fallback router of one customer over its own keys and models: it never decides",
    blind_spot="prompts that are worded anew for the second try, paths outside this log, and pauses of more than an hour",
    cases=(
        Fires({"failover": 0.8}, {"failover": Range(0.0, 0.1)}),
        Silent({"failover": 0.05}, {"failover": Range(0.0, 0.1)}, "users who wait and try again"),
        Silent({"failover": 0.6}, {"failover": Range(0.0, 0.7)}, "a log in which fallback routers are common"),
        Fires({"failover": 0.32}, {"failover": Range(0.0, 0.1)}),
        Fires({"failover": 0.95}, {"failover": Range(0.0, 1.0)}),
        Silent({"failover": 0.28}, {"failover": Range(0.0, 0.1)}, "customers of whom one in four has a fallback router"),
        Silent({"failover": 0.85}, {"failover": Range(0.0, 1.0)}, "a log in which some routers have a second way for nearly everything"),
    ),
)
