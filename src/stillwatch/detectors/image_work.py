"""A cluster after what the model sees in pictures and on screens."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Range, Ranges, Seen, Silent, Values

MOST_OF = 0.5
"Share of calls with pictures from which seeing is what the group is after."

NEVER_USUAL = 0.95
"Share that is not usual, however varied the reference is."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when most calls have pictures, and more than in the reference."""
    share = values["with_images"]
    usual = ranges["with_images"].high if "with_images" in ranges else 0.0
    return Seen(share, share >= max(MOST_OF, min(usual, NEVER_USUAL)), f"{share:.0%} of the core calls have pictures with them")


DETECTOR = Detector(
    name="image work",
    reads=("with_images",),
    value="with_images",
    unit="share of calls",
    look=look,
    factor="concentration",
    atlas="AML.T0024.002",
    speaks_of_purpose=False,
    why="Vision and the use of computers by their screens were among what campaigns took.",
    lookalike="applications that read receipts, scans or screens: they do nothing else, so it never decides",
    blind_spot="pictures described in words, and logs that do not count them",
    cases=(
        Fires({"with_images": 0.9}, {"with_images": Range(0.0, 0.3)}),
        Silent({"with_images": 0.2}, {"with_images": Range(0.0, 0.3)}, "a chat in which people now and then show a picture"),
        Silent({"with_images": 0.8}, {"with_images": Range(0.0, 1.0)}, "a log in which readers of receipts are common"),
        Fires({"with_images": 0.55}, {"with_images": Range(0.0, 0.3)}),
        Fires({"with_images": 0.97}, {"with_images": Range(0.0, 1.0)}),
        Silent({"with_images": 0.45}, {"with_images": Range(0.0, 0.3)}, "a help desk to which every other customer sends a picture"),
    ),
)
