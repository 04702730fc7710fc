"""An official client's name without that client's own telemetry."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Range, Ranges, Seen, Silent, Values

MOST_OF = 0.5
"Share of the calls under an official client's name that its telemetry does not know of."

NEVER_USUAL = 0.95
"Share that is not usual, however varied the reference is."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when most such calls lack it, and more than in the reference."""
    share = values["no_telemetry"]
    usual = ranges["no_telemetry"].high if "no_telemetry" in ranges else 0.0
    text = f"{share:.0%} of the calls that name an official client came without that client's own telemetry"
    return Seen(share, share >= max(MOST_OF, min(usual, NEVER_USUAL)), text)


DETECTOR = Detector(
    name="no telemetry",
    reads=("no_telemetry",),
    value="no_telemetry",
    unit="share of calls",
    look=look,
    factor="coordination",
    atlas="AML.T0008.005",
    speaks_of_purpose=False,
    why="A relay copies a client's headers; the client's own reports come from the program and not from its headers.",
    lookalike="users who switch telemetry off, networks that block it; programs on the plain interface name no official client and do not count: it never decides",
    blind_spot="relays under a name of their own, and telemetry that is forged along with the headers",
    cases=(
        Fires({"no_telemetry": 0.98}, {"no_telemetry": Range(0.0, 0.3)}),
        Silent({"no_telemetry": 0.2}, {"no_telemetry": Range(0.0, 0.3)}, "a firm of which some have switched telemetry off"),
        Silent({}, {}, "programs on the plain interface, which name no official client"),
        Fires({"no_telemetry": 0.55}, {"no_telemetry": Range(0.0, 0.3)}),
        Fires({"no_telemetry": 0.97}, {"no_telemetry": Range(0.0, 1.0)}),
        Silent({"no_telemetry": 0.45}, {"no_telemetry": Range(0.0, 0.3)}, "firms of which every other one blocks it"),
        Silent({"no_telemetry": 0.9}, {"no_telemetry": Range(0.0, 1.0)}, "a log in which some networks block it altogether"),
    ),
)
