"""Accounts that use many times what others of their plan do."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Range, Ranges, Seen, Silent, Values

TIMES = 8.0
"Times the usual of the plan from which it is too small for its use; busy customers reach three to five."

LEAST_ACCOUNTS = 5
"Accounts from which their median is not one heavy user."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when the median account's daily use is many times that of others with its plan.

    The reference's range is of single organisations, among which heavy users are common; a median over many accounts is steadier, so it plays no part.
    """
    times, accounts = values["plan_use"], values["accounts"]
    text = f"the median account uses {times:.1f} times as much in a day as others with the same plan ({accounts:.0f} accounts)"
    return Seen(times, times >= TIMES and accounts >= LEAST_ACCOUNTS, text)


DETECTOR = Detector(
    name="small plan",
    reads=("plan_use", "accounts"),
    value="plan_use",
    unit="times the usual",
    look=look,
    factor="volume",
    atlas="AML.T0021",
    speaks_of_purpose=False,
    why="Many cheap accounts at the edge of what they may use do the work of one that would have to name itself.",
    lookalike="a firm whose purchasing is slow (enterprise volume on a small plan), hobbyists with a long job: it never decides",
    blind_spot="low rates on many accounts; plans that everybody uses to the full; logs without plans or token counts",
    cases=(
        Fires({"plan_use": 20.0, "accounts": 60.0}, {"plan_use": Range(0.1, 15.0)}),
        Silent({"plan_use": 20.0, "accounts": 2.0}, {"plan_use": Range(0.1, 15.0)}, "one firm at enterprise volume whose procurement is slow"),
        Silent({"plan_use": 2.5, "accounts": 60.0}, {"plan_use": Range(0.1, 15.0)}, "busy customers of one framework"),
        Fires({"plan_use": 8.5, "accounts": 5.0}, {"plan_use": Range(0.1, 15.0)}),
        Silent({"plan_use": 20.0, "accounts": 4.0}, {"plan_use": Range(0.1, 15.0)}, "four hobbyists, each with a long job"),
        Silent({"plan_use": 7.5, "accounts": 60.0}, {"plan_use": Range(0.1, 15.0)}, "very busy customers of one framework"),
    ),
)
