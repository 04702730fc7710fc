"""Keys used from many addresses, or by many clients, on one day."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Range, Ranges, Seen, Silent, Values

MANY = 4.0
"Addresses (or user agents) of one key on one day: home, office, phone and a way between are four."

NEVER_USUAL = 12.0
"So many a day are not usual for a median key, however many heavy users the reference has."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when the median key changes its address, or its client, more than the reference does."""
    addresses, agents = values["addresses_per_key"], values["agents_per_key"]
    usual = {name: min(ranges[name].high, NEVER_USUAL) if name in ranges else 0.0 for name in ("addresses_per_key", "agents_per_key")}
    fires = addresses > max(MANY, usual["addresses_per_key"]) or agents > max(MANY, usual["agents_per_key"])
    return Seen(addresses, fires, f"on a day the median key is used from {addresses:.1f} addresses and with {agents:.1f} user agents")


DETECTOR = Detector(
    name="many addresses",
    reads=("addresses_per_key", "agents_per_key"),
    value="addresses_per_key",
    unit="addresses a day",
    look=look,
    factor="coordination",
    atlas="AML.T0008.005",
    speaks_of_purpose=False,
    why="Rotating proxies give each request another address, and pools lend one key to many clients.",
    lookalike="a key shared by a team, review bots on rented machines, travellers and phones on a carrier's network: it never decides",
    blind_spot="one proxy, one client and one card for each account, which is what careful pools buy",
    cases=(
        Fires({"addresses_per_key": 18.0, "agents_per_key": 1.0}, {"addresses_per_key": Range(1.0, 7.5), "agents_per_key": Range(1.0, 2.0)}),
        Fires({"addresses_per_key": 2.0, "agents_per_key": 9.0}, {"addresses_per_key": Range(1.0, 7.5), "agents_per_key": Range(1.0, 2.0)}),
        Silent({"addresses_per_key": 3.5, "agents_per_key": 2.0}, {"addresses_per_key": Range(1.0, 3.0)}, "travellers with a laptop and a phone"),
        Silent({"addresses_per_key": 6.0, "agents_per_key": 1.0}, {"addresses_per_key": Range(1.0, 7.5)}, "a log in which teams share their keys"),
        Fires({"addresses_per_key": 4.5, "agents_per_key": 1.0}, {"addresses_per_key": Range(1.0, 3.0), "agents_per_key": Range(1.0, 2.0)}),
        Fires({"addresses_per_key": 13.0, "agents_per_key": 1.0}, {"addresses_per_key": Range(1.0, 40.0), "agents_per_key": Range(1.0, 2.0)}),
        Silent(
            {"addresses_per_key": 11.0, "agents_per_key": 1.0},
            {"addresses_per_key": Range(1.0, 40.0)},
            "a log in which phones on a carrier's network are common",
        ),
    ),
)
