"""Reasoning asked for in writing, and delivered."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Range, Ranges, Seen, Silent, Values

MOST_OF = 0.3
"Share of core calls from which asking is the group's habit and not an accident."

NEVER_USUAL = 0.9
"Share that is not usual, however varied the reference is."

A_THIRD = 1 / 3
"Share of the answers that must give what was asked for: a refused harvest takes nothing."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when a habit of asking lies above the reference and at least a third of the answers deliver."""
    asked, delivered = values["reasoning_asked"], values["reasoning_delivered"]
    usual = ranges["reasoning_asked"].high if "reasoning_asked" in ranges else 0.0
    fires = asked >= max(MOST_OF, min(usual, NEVER_USUAL)) and delivered >= A_THIRD
    text = f"{asked:.0%} of the core calls ask for written-out reasoning, and {delivered:.0%} of those answers give it"
    return Seen(asked, fires, text)


DETECTOR = Detector(
    name="reasoning elicitation",
    reads=("reasoning_asked", "reasoning_delivered"),
    value="reasoning_asked",
    unit="share of calls",
    look=look,
    factor="concentration",
    atlas="AML.T0024.002",
    speaks_of_purpose=True,
    why="Written-out reasoning is what a student model is trained on; one request for it means nothing, a cluster's habit does.",
    lookalike="audit trails, explainability, tutoring: they ask as well, so this grades purpose and never decides",
    blind_spot="reasoning asked for by paraphrase or in a language outside the lexicon; hidden reasoning that is never asked for",
    cases=(
        Fires({"reasoning_asked": 0.9, "reasoning_delivered": 0.8}, {"reasoning_asked": Range(0.0, 0.4)}),
        Silent({"reasoning_asked": 0.2, "reasoning_delivered": 0.9}, {"reasoning_asked": Range(0.0, 0.4)}, "a tutor who asks now and then"),
        Silent({"reasoning_asked": 0.9, "reasoning_delivered": 0.0}, {"reasoning_asked": Range(0.0, 0.4)}, "asked but refused"),
        Fires({"reasoning_asked": 0.32, "reasoning_delivered": 0.36}, {"reasoning_asked": Range(0.0, 0.2)}),
        Fires({"reasoning_asked": 0.95, "reasoning_delivered": 0.8}, {"reasoning_asked": Range(0.0, 1.0)}),
        Silent({"reasoning_asked": 0.28, "reasoning_delivered": 0.9}, {"reasoning_asked": Range(0.0, 0.2)}, "a tutor who asks at every fourth exercise"),
        Silent({"reasoning_asked": 0.9, "reasoning_delivered": 0.3}, {"reasoning_asked": Range(0.0, 0.4)}, "audit trails that mostly get a summary"),
        Silent({"reasoning_asked": 0.85, "reasoning_delivered": 0.8}, {"reasoning_asked": Range(0.0, 1.0)}, "a log in which audit trails are common"),
    ),
)
