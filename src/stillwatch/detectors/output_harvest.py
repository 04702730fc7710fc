"""As much as possible drawn from each request: answers up to the limit, several at once, probabilities."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Range, Ranges, Seen, Silent, Values

MANY_CUT, MANY_ASKED = 0.3, 0.5
"Share of answers that end at their limit, and of calls that ask for more than an answer, from which it is a habit."

NEVER_USUAL = 0.9
"Share that is not usual, however varied the reference is."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when either share is a habit and lies above the reference."""
    cut, asked = values["cut_off"], values["alternatives_asked"]
    usual = {name: min(ranges[name].high, NEVER_USUAL) if name in ranges else 0.0 for name in ("cut_off", "alternatives_asked")}
    fires = cut >= max(MANY_CUT, usual["cut_off"]) or asked >= max(MANY_ASKED, usual["alternatives_asked"])
    text = f"{cut:.0%} of the answers end at their limit, and {asked:.0%} of the calls ask for several answers, probabilities or a bias on single words"
    return Seen(cut, fires, text)


DETECTOR = Detector(
    name="output harvest",
    reads=("cut_off", "alternatives_asked"),
    value="cut_off",
    unit="share of answers",
    look=look,
    factor="concentration",
    atlas="AML.T0024.002",
    speaks_of_purpose=True,
    why="Probabilities and several answers to one question are what a student model learns most from, and no reader has a use for thousands of them.",
    lookalike="research on calibration, classifiers that read one probability, clients with a short limit: they do it too, so it grades purpose and never decides",
    blind_spot="one answer a request of ordinary length, which is what most campaigns took; logs without request parameters",
    cases=(
        Fires({"cut_off": 0.7, "alternatives_asked": 0.0}, {"cut_off": Range(0.0, 0.05), "alternatives_asked": Range(0.0, 1.0)}),
        Fires({"cut_off": 0.0, "alternatives_asked": 0.97}, {"cut_off": Range(0.0, 0.05), "alternatives_asked": Range(0.0, 1.0)}),
        Silent({"cut_off": 0.1, "alternatives_asked": 0.2}, {"cut_off": Range(0.0, 0.05)}, "classifiers that read probabilities, among other customers"),
        Silent({"cut_off": 0.4, "alternatives_asked": 0.0}, {"cut_off": Range(0.0, 0.5)}, "a log in which short limits are common"),
        Fires({"cut_off": 0.32, "alternatives_asked": 0.0}, {"cut_off": Range(0.0, 0.05)}),
        Fires({"cut_off": 0.0, "alternatives_asked": 0.55}, {"cut_off": Range(0.0, 0.05)}),
        Fires({"cut_off": 0.95, "alternatives_asked": 0.0}, {"cut_off": Range(0.0, 1.0)}),
        Silent({"cut_off": 0.28, "alternatives_asked": 0.45}, {}, "classifiers with a short limit, among customers who read probabilities"),
        Silent({"cut_off": 0.85, "alternatives_asked": 0.0}, {"cut_off": Range(0.0, 1.0)}, "a log in which some ask for one word only"),
    ),
)
