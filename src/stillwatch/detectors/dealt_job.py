"""One job dealt out over accounts: no overlap, and hands that could be exchanged."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Ranges, Seen, Silent, Values

MOST_SHARED = 0.2
"A job list that is dealt out overlaps by .0 to .2, a public list that all work through by .7 to 1."

INTERCHANGEABLE = 0.25
"How much the slots are each member's own business, as a share of the usual: 0 for interchangeable hands, with room for sampling."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when the jobs hardly overlap and the members are interchangeable."""
    shared, own = values["shared_slots"], values["own_business"]
    text = f"{shared:.0%} of a member's jobs are found at another member, and the slots are as much a member's own business as {max(own, 0.0):.0%} of its usual traffic"
    return Seen(own, shared <= MOST_SHARED and own <= INTERCHANGEABLE, text)


DETECTOR = Detector(
    name="dealt job",
    reads=("shared_slots", "own_business"),
    value="own_business",
    unit="share of the usual",
    look=look,
    factor="coordination",
    atlas="AML.T0021",
    speaks_of_purpose=False,
    why="A job list divided over accounts covers much, repeats nothing, and gives every account the same mixture.",
    lookalike="public suites and exercises (they overlap), apps, frameworks and viral prompts (each user has a business of its own)",
    blind_spot="jobs dealt out by topic, and duplicates put in on purpose",
    cases=(
        Fires({"shared_slots": 0.02, "own_business": 0.05}, {}),
        Silent({"shared_slots": 0.9, "own_business": 0.05}, {}, "an evaluation suite that several organisations run"),
        Silent({"shared_slots": 0.02, "own_business": 0.9}, {}, "a fleet on one framework, each in its own repository"),
        Fires({"shared_slots": 0.18, "own_business": 0.22}, {}),
        Silent({"shared_slots": 0.23, "own_business": 0.05}, {}, "an exercise of which each class chooses its part"),
        Silent({"shared_slots": 0.02, "own_business": 0.3}, {}, "branches of one trade, whose customers differ little"),
    ),
)
