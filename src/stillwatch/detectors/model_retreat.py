"""Refused calls that are made again with an older model."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Range, Ranges, Seen, Silent, Values

MOST_OF = 0.3
"Share of refusals from which falling back is the group's way."

NEVER_USUAL = 0.9
"Share that is not usual, however varied the reference is."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when falling back lies above the reference."""
    share = values["model_retreat"]
    usual = ranges["model_retreat"].high if "model_retreat" in ranges else 0.0
    text = f"after {share:.0%} of the refused calls the account went on with another model that is no newer"
    return Seen(share, share >= max(MOST_OF, min(usual, NEVER_USUAL)), text)


DETECTOR = Detector(
    name="model retreat",
    reads=("model_retreat",),
    value="model_retreat",
    unit="share of refusals",
    look=look,
    factor="timeline",
    atlas="AML.T0040",
    speaks_of_purpose=False,
    why="An older model is guarded less; a campaign that is stopped at the new one goes back to it.",
    lookalike="fallback routers at a rate limit, and savings: they fall back without being stopped for what they ask, so it never decides",
    blind_spot="refusals written into an answer with status 200; retreats hours later, or by another account (see path failover)",
    cases=(
        Fires({"model_retreat": 0.7}, {"model_retreat": Range(0.0, 0.2)}),
        Silent({"model_retreat": 0.1}, {"model_retreat": Range(0.0, 0.2)}, "users who sometimes pick another model after an error"),
        Silent({"model_retreat": 0.5}, {"model_retreat": Range(0.0, 0.6)}, "a log in which fallback routers are common"),
        Fires({"model_retreat": 0.32}, {"model_retreat": Range(0.0, 0.2)}),
        Fires({"model_retreat": 0.95}, {"model_retreat": Range(0.0, 1.0)}),
        Silent({"model_retreat": 0.28}, {"model_retreat": Range(0.0, 0.2)}, "customers of whom one in four has a fallback router"),
        Silent({"model_retreat": 0.85}, {"model_retreat": Range(0.0, 1.0)}, "a log in which some fall back after every refusal"),
    ),
)
