"""One set of accounts falls silent as another takes over the same wordings."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Ranges, Seen, Silent, Values

HALF = 0.5
"Share of accounts in one change of hands; accounts that come and go evenly reach about .2."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when half of the accounts or more leave and take over at one moment."""
    share = values["handover"]
    return Seen(share, share >= HALF, f"at one moment accounts change hands: {share:.0%} of them fall silent or take over within the same tenth of the time")


DETECTOR = Detector(
    name="pool handover",
    reads=("handover",),
    value="handover",
    unit="share of accounts",
    look=look,
    factor="timeline",
    atlas="AML.T0021",
    speaks_of_purpose=False,
    why="When a pool is banned, the job is not: a second pool goes on with the same wordings.",
    lookalike="shifts and terms: a second class with the same exercise, a firm that renews all its keys on one day; it never decides",
    blind_spot="accounts replaced one by one, and accounts of fewer than two core calls; a second pool with new wordings is another cluster",
    cases=(
        Fires({"handover": 0.85}, {}),
        Silent({"handover": 0.18}, {}, "customers of a framework who come and go"),
        Silent({"handover": 0.3}, {}, "two classes with one exercise that overlap by some weeks"),
        Fires({"handover": 0.55}, {}),
        Silent({"handover": 0.45}, {}, "a course whose second term begins as most of the first leave"),
    ),
)
