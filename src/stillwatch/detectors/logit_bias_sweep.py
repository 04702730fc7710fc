"""One question asked again and again, each time under another bias on single tokens."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Range, Ranges, Seen, Silent, Values

MOST_OF = 0.3
"Share of calls from which sweeping is what the group does."

NEVER_USUAL = 0.9
"Share that is not usual, however varied the reference is."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when it is a habit and lies above the reference."""
    share = values["bias_sweep"]
    usual = ranges["bias_sweep"].high if "bias_sweep" in ranges else 0.0
    return Seen(
        share,
        share >= max(MOST_OF, min(usual, NEVER_USUAL)),
        f"{share:.0%} of the core calls ask a question that comes five times or more with a bias on single tokens",
    )


DETECTOR = Detector(
    name="logit-bias sweep",
    reads=("bias_sweep",),
    value="bias_sweep",
    unit="share of calls",
    look=look,
    factor="concentration",
    atlas="AML.T0024.002",
    speaks_of_purpose=False,
    why="A bias that is moved from token to token reads off the probabilities of the whole vocabulary, and from enough of them a layer of the model "
    "(Carlini et al., Stealing part of a production language model, 2024).",
    lookalike="classifiers that allow only yes and no: they bias every call, but each asks about something else; research on calibration: it never decides",
    blind_spot="prompts changed by a letter for each try, sweeps by log-probabilities alone, and logs that do not keep the parameter",
    cases=(
        Fires({"bias_sweep": 0.9}, {"bias_sweep": Range(0.0, 0.0)}),
        Silent({"bias_sweep": 0.02}, {"bias_sweep": Range(0.0, 0.0)}, "a classifier that biases yes and no, and now and then sees the same text again"),
        Silent({"bias_sweep": 0.5}, {"bias_sweep": Range(0.0, 0.8)}, "a log in which drift monitors with a bias are common"),
        Fires({"bias_sweep": 0.32}, {"bias_sweep": Range(0.0, 0.0)}),
        Fires({"bias_sweep": 0.95}, {"bias_sweep": Range(0.0, 1.0)}),
        Silent({"bias_sweep": 0.28}, {"bias_sweep": Range(0.0, 0.0)}, "research on calibration, among other work"),
        Silent({"bias_sweep": 0.85}, {"bias_sweep": Range(0.0, 1.0)}, "a log in which some customers only measure calibration"),
    ),
)
