"""Encrypted reasoning issued to one organisation and replayed by another."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Ranges, Seen, Silent, Values

LEAST = 3
"Digests from which it fires: one or two may be a conversation that somebody moved."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires from LEAST digests on; the reference plays no part, because no innocent organisation does it at all."""
    count = values["replays"]
    return Seen(count, count >= LEAST, f"{count:.0f} pieces of encrypted reasoning were issued to one organisation and replayed by another")


DETECTOR = Detector(
    name="reasoning replay",
    reads=("replays",),
    value="replays",
    unit="digests",
    look=look,
    factor="coordination",
    atlas="AML.T0024.002",
    speaks_of_purpose=True,
    why="Reasoning that comes back in a stranger's request was carried there to be decoded: the strongest tripwire there is.",
    lookalike="a conversation carried on under a second account of one organisation or payer (not counted), a single moved conversation",
    blind_spot="logs without digests of reasoning; answers whose reasoning is read but never replayed",
    cases=(
        Fires({"replays": 40.0}, {}),
        Silent({"replays": 1.0}, {}, "one conversation that somebody moved to a new account"),
        Silent({}, {}, "a log without digests"),
        Fires({"replays": 3.0}, {}),
        Silent({"replays": 2.0}, {}, "two conversations that somebody moved to a new account"),
    ),
)
