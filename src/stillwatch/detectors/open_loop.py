"""Prompts that never take up the answer before them."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Range, Ranges, Seen, Silent, Values

NONE_TAKEN = 0.01
"Share of an answer's words, beyond chance, up to which the next prompt depends on nothing."

SEEN_ELSEWHERE = 0.05
"Share that organisations of the reference reach, without which the log cannot show that anybody takes anything up."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when nothing is taken up though others in the same log do so; without a reference it is silent."""
    share = values["taken_up"]
    elsewhere = ranges["taken_up"].high if "taken_up" in ranges else 0.0
    text = f"beyond chance the next prompt takes up {max(share, 0.0):.1%} of an answer's words; in the reference it is up to {max(elsewhere, 0.0):.1%}"
    return Seen(share, share <= NONE_TAKEN and elsewhere >= SEEN_ELSEWHERE, text)


DETECTOR = Detector(
    name="open loop",
    reads=("taken_up",),
    value="taken_up",
    unit="share of words",
    look=look,
    factor="concentration",
    atlas="AML.T0024.002",
    speaks_of_purpose=False,
    why="A list that was written beforehand is worked off whatever the answers say; people and agents go on from what they got.",
    lookalike="batch classification, backfills of a search index, nightly enrichment: most programs are open loops, so it never decides",
    blind_spot="relays of real users' conversations, and logs in which a prompt holds all earlier turns: those answer the answers",
    cases=(
        Fires({"taken_up": 0.0}, {"taken_up": Range(0.0, 0.3)}),
        Silent({"taken_up": 0.2}, {"taken_up": Range(0.0, 0.3)}, "a fleet of agents, each going on from what its tools said"),
        Silent({"taken_up": 0.0}, {"taken_up": Range(-0.01, 0.02)}, "a log of batch classification, where nobody takes anything up"),
        Silent({"taken_up": 0.0}, {}, "no reference to show that it could be seen"),
        Fires({"taken_up": 0.008}, {"taken_up": Range(0.0, 0.06)}),
        Silent({"taken_up": 0.012}, {"taken_up": Range(0.0, 0.3)}, "a chat in which hardly anybody asks twice"),
        Silent({"taken_up": 0.0}, {"taken_up": Range(0.0, 0.04)}, "a log in which next to nobody takes anything up"),
    ),
)
