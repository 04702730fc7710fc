"""Equal load over the accounts of a pool, and no hours of rest."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Range, Ranges, Seen, Silent, Values

EVEN = 2.0
"Variance over mean of the calls per account: 1 is dealing at random, people reach 10 and more."

FEW_IDLE = 3.0
"Idle hours a day at most; a person or an office has eight and more."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when the load is even and the pool hardly rests."""
    uneven, idle = values["unevenness"], values["idle_hours"]
    text = f"calls per account vary {uneven:.1f} times as much as random dealing would make them, with {idle:.0f} idle hours a day"
    return Seen(uneven, uneven <= EVEN and idle <= FEW_IDLE, text)


DETECTOR = Detector(
    name="load balance",
    reads=("unevenness", "idle_hours", "accounts"),
    value="unevenness",
    unit="variance / mean",
    look=look,
    factor="volume",
    atlas="AML.T0040",
    speaks_of_purpose=False,
    why="A pool behind a balancer gives every account the same share, around the clock.",
    lookalike="schedulers and CI (one organisation), classes with one exercise (they sleep); it never decides",
    blind_spot="uneven dealing and human-shaped hours, which cost the attacker little",
    cases=(
        Fires({"unevenness": 0.8, "idle_hours": 0.0, "accounts": 90.0}, {"unevenness": Range(1.0, 80.0)}),
        Silent({"unevenness": 30.0, "idle_hours": 0.0, "accounts": 90.0}, {}, "a fleet of heavy and light users around the globe"),
        Silent({"unevenness": 0.8, "idle_hours": 11.0, "accounts": 30.0}, {}, "a class that does one exercise"),
        Fires({"unevenness": 1.8, "idle_hours": 2.5, "accounts": 90.0}, {"unevenness": Range(1.0, 80.0)}),
        Silent({"unevenness": 2.3, "idle_hours": 0.0, "accounts": 90.0}, {}, "sensors of one make, each on a timer of its own"),
        Silent({"unevenness": 0.8, "idle_hours": 3.5, "accounts": 30.0}, {}, "a class that does one exercise in three time zones"),
    ),
)
