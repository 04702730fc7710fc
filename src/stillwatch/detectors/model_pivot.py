"""A group that moves to a new model within a day of its release."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Range, Ranges, Seen, Silent, Values

HALF = 0.4
"Share of the day's calls that go to the new model; in one disclosed campaign it was nearly half."

AHEAD = 2.0
"Times the share of all calls in the log: when everybody moves, moving says nothing."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when nearly half of the calls moved, and twice as many as of everybody's.

    The reference's range is of single organisations, of which some move whole; what everybody does is in the second figure.
    """
    moved, lead = values["model_pivot"], values["pivot_lead"]
    text = f"within a day of a new model {moved:.0%} of the group's calls went to it, {lead:.1f} times the share of all calls in the log"
    return Seen(moved, moved >= HALF and lead >= AHEAD, text)


DETECTOR = Detector(
    name="model pivot",
    reads=("model_pivot", "pivot_lead"),
    value="model_pivot",
    unit="share of calls",
    look=look,
    factor="timeline",
    atlas="AML.T0040",
    speaks_of_purpose=False,
    why="Whoever copies a model wants the newest at once; an application is tested before it moves.",
    lookalike="release-day benchmarks, enthusiasts, a gateway that changes its default: it never decides",
    blind_spot="a log with no release in it, groups that began after it, and moves made a week later on purpose",
    cases=(
        Fires({"model_pivot": 0.48, "pivot_lead": 4.0}, {"model_pivot": Range(0.0, 1.0)}),
        Silent({"model_pivot": 0.5, "pivot_lead": 1.1}, {"model_pivot": Range(0.0, 1.0)}, "a release to which everybody moves, benchmarks first"),
        Silent({"model_pivot": 0.1, "pivot_lead": 3.0}, {"model_pivot": Range(0.0, 1.0)}, "customers who try the new model on a few calls"),
        Fires({"model_pivot": 0.42, "pivot_lead": 2.2}, {"model_pivot": Range(0.0, 1.0)}),
        Silent({"model_pivot": 0.5, "pivot_lead": 1.8}, {"model_pivot": Range(0.0, 1.0)}, "enthusiasts, a little before everybody else"),
        Silent({"model_pivot": 0.37, "pivot_lead": 4.0}, {"model_pivot": Range(0.0, 1.0)}, "a gateway of which one route in three changed its default"),
    ),
)
