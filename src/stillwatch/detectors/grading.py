"""Grades against a rubric asked for, and given: the model as somebody's reward model."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Range, Ranges, Seen, Silent, Values

MOST_OF = 0.3
"Share of core calls from which asking is the group's habit and not an accident."

NEVER_USUAL = 0.9
"Share that is not usual, however varied the reference is."

A_THIRD = 1 / 3
"Share of the answers that must give what was asked for: a refused harvest takes nothing."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when a habit of asking lies above the reference and at least a third of the answers give a grade."""
    asked, delivered = values["grading_asked"], values["grading_delivered"]
    usual = ranges["grading_asked"].high if "grading_asked" in ranges else 0.0
    text = f"{asked:.0%} of the core calls ask for a grade against a rubric, and {delivered:.0%} of those answers give one"
    return Seen(asked, asked >= max(MOST_OF, min(usual, NEVER_USUAL)) and delivered >= A_THIRD, text)


DETECTOR = Detector(
    name="grading",
    reads=("grading_asked", "grading_delivered"),
    value="grading_asked",
    unit="share of calls",
    look=look,
    factor="concentration",
    atlas="AML.T0024.002",
    speaks_of_purpose=True,
    why="Grades of answers are what a student model is rewarded with; thousands of them in one wording are a reward model borrowed.",
    lookalike="a model as judge of one's own product, homework that is graded, safety evaluators: they ask as well, so this grades purpose and never decides",
    blind_spot="comparisons and preferences asked for without a rubric's words, or in a language outside the lexicon",
    cases=(
        Fires({"grading_asked": 0.8, "grading_delivered": 0.95}, {"grading_asked": Range(0.0, 0.2)}),
        Silent({"grading_asked": 0.1, "grading_delivered": 0.95}, {"grading_asked": Range(0.0, 0.2)}, "a product that has a judge check one answer in ten"),
        Silent({"grading_asked": 0.8, "grading_delivered": 0.1}, {"grading_asked": Range(0.0, 0.2)}, "asked but refused"),
        Silent({"grading_asked": 0.5, "grading_delivered": 0.9}, {"grading_asked": Range(0.0, 0.7)}, "a log in which judging is common"),
        Fires({"grading_asked": 0.32, "grading_delivered": 0.36}, {"grading_asked": Range(0.0, 0.2)}),
        Fires({"grading_asked": 0.92, "grading_delivered": 0.95}, {"grading_asked": Range(0.0, 1.0)}),
        Silent({"grading_asked": 0.28, "grading_delivered": 0.95}, {"grading_asked": Range(0.0, 0.2)}, "a product that has a judge check one answer in four"),
        Silent({"grading_asked": 0.8, "grading_delivered": 0.3}, {"grading_asked": Range(0.0, 0.2)}, "a judge that mostly answers in prose"),
        Silent({"grading_asked": 0.85, "grading_delivered": 0.95}, {"grading_asked": Range(0.0, 1.0)}, "a log in which some customers do nothing but judge"),
    ),
)
