"""One client on all accounts that never changes, or changes everywhere at once."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Ranges, Seen, Silent, Values

FROZEN = 0.9
"Share of accounts whose client stands still or moves in lockstep; among unrelated users some update on their own every day."

SAME = 0.5
"Share of accounts with one and the same client, from which its standing still is one decision and not many."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when most accounts have one client and nearly none ever changed it alone."""
    frozen, same = values["frozen_client"], values["same_client"]
    text = f"{same:.0%} of the accounts use one and the same client, and {frozen:.0%} never changed theirs or did so in the same hours as others"
    return Seen(frozen, frozen >= FROZEN and same >= SAME, text)


DETECTOR = Detector(
    name="frozen client",
    reads=("frozen_client", "same_client"),
    value="frozen_client",
    unit="share of accounts",
    look=look,
    factor="coordination",
    atlas="AML.T0008.005",
    speaks_of_purpose=False,
    why="Behind a relay every account shows the relay's client: frozen and stale, until it is replaced for all in one hour.",
    lookalike="one firm's managed machines, a classroom's image, a framework pinned to one version: it never decides",
    blind_spot="header randomisation, and a client for each account; logs in which hardly any account is seen for two days",
    cases=(
        Fires({"frozen_client": 1.0, "same_client": 0.97}, {}),
        Silent({"frozen_client": 1.0, "same_client": 0.15}, {}, "a short log in which nobody happened to update"),
        Silent({"frozen_client": 0.6, "same_client": 0.8}, {}, "users of one popular framework who update when they like"),
        Fires({"frozen_client": 0.92, "same_client": 0.55}, {}),
        Silent({"frozen_client": 1.0, "same_client": 0.45}, {}, "two popular clients, of which neither had a new version"),
        Silent({"frozen_client": 0.85, "same_client": 0.97}, {}, "users of one client of whom a few updated on their own"),
    ),
)
