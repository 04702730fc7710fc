"""A syllabus swept: hardly a job twice, and new ones at a steady rate."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Range, Ranges, Seen, Silent, Values

FEW_REPEATS = 0.05
"Share of calls that repeat an earlier job, up to which a list is worked off once."

STEADY = 0.6
"Growth of the group's words from which new fields keep coming; one business with its own words lies about .5."

NEVER_USUAL = 0.9
"Growth that is not usual, however varied the reference is."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when jobs hardly repeat and words grow faster than in the reference."""
    repeats, growth = values["job_repeats"], values["new_words"]
    usual = ranges["new_words"].high if "new_words" in ranges else 0.0
    text = f"{repeats:.0%} of the calls repeat an earlier job, and four times as many calls bring {4**growth:.1f} times as many words"
    return Seen(growth, repeats <= FEW_REPEATS and growth >= max(STEADY, min(usual, NEVER_USUAL)), text)


DETECTOR = Detector(
    name="coverage sweep",
    reads=("job_repeats", "new_words"),
    value="new_words",
    unit="Heaps' exponent",
    look=look,
    factor="concentration",
    atlas="AML.T0024.002",
    speaks_of_purpose=False,
    why="Training data are worth most where nothing repeats: a syllabus is swept from end to end, and dealt out between accounts.",
    lookalike="benchmark suites (once each), general chat of many people, translation of ever new texts: it never decides",
    blind_spot="sweeps of one narrow field, whose words run out; duplicates put in on purpose; fewer than 64 calls",
    cases=(
        Fires({"job_repeats": 0.01, "new_words": 0.92}, {"new_words": Range(0.3, 0.75)}),
        Silent({"job_repeats": 0.6, "new_words": 0.3}, {"new_words": Range(0.3, 0.75)}, "a benchmark suite that many organisations run"),
        Silent({"job_repeats": 0.01, "new_words": 0.5}, {"new_words": Range(0.3, 0.75)}, "an application whose users keep to one business"),
        Fires({"job_repeats": 0.045, "new_words": 0.65}, {"new_words": Range(0.3, 0.6)}),
        Fires({"job_repeats": 0.01, "new_words": 0.92}, {"new_words": Range(0.3, 0.97)}),
        Silent({"job_repeats": 0.06, "new_words": 0.92}, {"new_words": Range(0.3, 0.75)}, "general chat, in which some questions come again"),
        Silent({"job_repeats": 0.01, "new_words": 0.55}, {"new_words": Range(0.3, 0.5)}, "one business with a wide range of goods"),
        Silent({"job_repeats": 0.01, "new_words": 0.8}, {"new_words": Range(0.3, 0.85)}, "a log in which translation of ever new texts is common"),
    ),
)
