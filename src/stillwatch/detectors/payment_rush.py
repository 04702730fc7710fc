"""Accounts that appear, or change card or plan, within a day of a change of payment."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Ranges, Seen, Silent, Values

MOST_OF = 0.4
"Share of the group's accounts from which the change moved the group and not some of its users."

AHEAD = 2.0
"Times the share among all accounts: when everybody must move, moving says nothing."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when many of the accounts react at once, and twice as many as among all accounts of the log."""
    share, lead = values["payment_move"], values["payment_lead"]
    text = f"within a day of a change of payment {share:.0%} of the group's accounts first appeared or moved to another card or plan, {lead:.1f} times the share among all accounts"
    return Seen(share, share >= MOST_OF and lead >= AHEAD, text)


DETECTOR = Detector(
    name="payment rush",
    reads=("payment_move", "payment_lead"),
    value="payment_move",
    unit="share of accounts",
    look=look,
    factor="timeline",
    atlas="AML.T0021",
    speaks_of_purpose=False,
    why="Who runs hundreds of accounts buys cards and plans for all of them at once when a way to pay is closed.",
    lookalike="customers who must all pay from a day on, and a firm that renews its card: the first is what everybody does, the second is one organisation; it never decides",
    blind_spot="changes that nobody told (--context), accounts moved over weeks, and pools that were paid for all along",
    cases=(
        Fires({"payment_move": 0.8, "payment_lead": 6.0}, {}),
        Silent({"payment_move": 0.7, "payment_lead": 1.1}, {}, "a free tier that ends for all, so that everybody moves"),
        Silent({"payment_move": 0.1, "payment_lead": 3.0}, {}, "customers of whom a few renew a card on that day"),
        Fires({"payment_move": 0.43, "payment_lead": 2.2}, {}),
        Silent({"payment_move": 0.7, "payment_lead": 1.8}, {}, "customers of one country, where a way to pay ends for most"),
        Silent({"payment_move": 0.37, "payment_lead": 6.0}, {}, "customers of whom a third paid by what is closed"),
    ),
)
