"""A cluster of many accounts after one capability."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Range, Ranges, Seen, Silent, Values

NARROW = 0.6
"Share of one capability from which the work is narrow."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when one named capability makes most of the core calls."""
    share = values["top_capability"]
    return Seen(share, share >= NARROW, f"{share:.0%} of the core calls are after one capability")


DETECTOR = Detector(
    name="capability concentration",
    reads=("top_capability",),
    value="top_capability",
    unit="share of calls",
    look=look,
    factor="concentration",
    atlas="AML.T0024.002",
    speaks_of_purpose=True,
    why="A harvest is after something: code, mathematics, tool use, grades.",
    lookalike="every application does one thing; concentration grades purpose and never decides",
    blind_spot="harvests of general chat, and capabilities outside the lexicon",
    cases=(
        Fires({"top_capability": 0.9}, {"top_capability": Range(0.1, 0.8)}),
        Silent({"top_capability": 0.3}, {"top_capability": Range(0.1, 0.8)}, "ordinary mixed use"),
        Fires({"top_capability": 0.65}, {"top_capability": Range(0.1, 0.8)}),
        Silent({"top_capability": 0.55}, {"top_capability": Range(0.1, 0.8)}, "customers of a coding assistant who ask it other things as well"),
    ),
)
