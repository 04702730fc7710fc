"""A campaign of 25,000 accounts as a scan would tell it, made from marks: for the tests of what must stay small."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch import results
from stillwatch.campaigns import discovered, judge, left_out, picture, tell, weigh
from stillwatch.records import MARKS, Campaign, Cluster, Evidence
from stillwatch.sketch import lexicon
from stillwatch.traffic import Ints, Traffic

ACCOUNTS, CALLS, DAYS, CARDS = 25_000, 6, 45, 5_000
"Accounts, calls of each, days, payment instruments."

MODELS = ("orion-5", "orion-5-mini", "orion-5-pro", "orion-5.5", "orion-4", "orion-4-mini", "lyra-2", "lyra-2-mini")
START, DAY = 1_767_225_600_000_000, 86_400_000_000


def _mixed(count: int, seed: int) -> Ints:
    """Numbers without order, the same in every run."""
    mixed = (np.arange(count, dtype=np.uint64) + np.uint64(seed << 32)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    return (mixed ^ (mixed >> np.uint64(27))).view(np.int64)


def traffic(accounts: int = ACCOUNTS) -> Traffic:
    """A case's calls: a new model from the middle on, work in the same hours of the day, a second pool for the last third."""
    calls = accounts * CALLS
    number = np.repeat(np.arange(accounts), CALLS)
    chance = _mixed(calls, 1).view(np.uint64) % np.uint64(2**32) / 2.0**32
    late = number % 3 == 0
    day = np.where(late, DAYS * (0.66 + 0.34 * chance), DAYS * 0.7 * chance)
    ts = START + (day.astype(np.int64) * DAY) + (_mixed(calls, 2).view(np.uint64) % np.uint64(DAY // 3)).astype(np.int64)
    model = np.array([0, 0, 0, 1, 2, 4, 5, 6, 7])[_mixed(calls, 3).view(np.uint64) % np.uint64(9)]
    model = np.where((ts > START + 22 * DAY) & (_mixed(calls, 4) > 0), 3, model)
    account = _mixed(accounts, 5)[number]
    columns: dict[str, Any] = {
        "call": _mixed(calls, 6), "ts": ts, "account": account, "org": account, "org_known": np.zeros(calls, np.bool_),
        "model": np.array(MODELS)[model], "capability": model % 3, "script": np.zeros(calls, np.int64), "output_tokens": np.full(calls, 900),
        "input_tokens": np.full(calls, 300), "payment": number % CARDS, "prompt": _mixed(calls, 7),
    }  # fmt: skip
    arrays = [pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(calls, field.type) for field in MARKS]
    return Traffic(pa.table(arrays, schema=MARKS).sort_by([("account", "ascending"), ("ts", "ascending"), ("call", "ascending")]))


def case(seen: Traffic, pieces: int = 30) -> list[judge.Judged]:
    """One cluster of all accounts with `pieces` pieces of template, judged."""
    accounts = len(seen.accounts)
    users = np.arange(accounts)
    family = np.repeat(np.arange(pieces), 4)
    cluster = Cluster(
        name=7, accounts=users, calls=np.arange(seen.calls), strangers=accounts, family=family, now=np.full(len(family), accounts), before=np.zeros(len(family), np.int64),
        carriers=np.full(len(family), accounts), share=np.full(len(family), 0.4), named=np.full(len(family), accounts),
        share_named=np.full(len(family), 0.4), replaying=0, carried=np.stack([(users * 7919 + users // (p + 1)) % (p + 1) == 0 for p in range(pieces)], axis=1),
        ties=(("payment", CARDS, accounts, 900.0),), wordings=np.arange(len(family)) * 12_345_678_901, uses=np.arange(pieces)[::-1] * 1000,
    )  # fmt: skip
    (weighed,) = weigh.weigh([cluster], 1000.0)
    said = [Evidence("grading", 0.9, "share of calls", 0.0, 0.4, None, True, "concentration", "AML.T0024.002", "90% of the core calls grade")]
    return [judge.judge(weighed, {"shared_slots": 0.02, "own_business": 0.0, "all_traffic": 0.3}, said, frozenset({"grading"}))]


def campaign(accounts: int = ACCOUNTS) -> Campaign:
    """The campaign, told with everything that a scan tells."""
    seen = traffic(accounts)
    cards = np.unique(np.stack([seen.account, seen.column("payment").to_numpy()]), axis=1)
    made = case(seen)
    speaking = frozenset({"grading"})
    again = left_out.again([made[0].weighed.cluster], 1000.0, made, speaking, 0)
    _, field = discovered.settled([made[0].weighed], [lambda each: made[0].verdict])
    return tell.tell(
        made, seen, {"capabilities": lexicon.CAPABILITIES, "scripts": lexicon.SCRIPTS},
        draw=partial(picture.draw, traffic=seen, edges={"payment": (cards[0], cards[1])}, releases=picture.appearances(seen)),
        leave_out=partial(left_out.left_out, made, without=again, speaking=speaking, field=field),
    )  # fmt: skip


def line(told: Campaign) -> dict[str, Any]:
    """As campaigns.jsonl has it, with ids as long as a provider's."""
    return results.line(told, {account: f"acct_{account & (2**64 - 1):016x}" for account in told.accounts})
