"""Marks: hashes that join what belongs together and nothing else, and no text beyond."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from stillwatch.calls import SCHEMA
from stillwatch.intake.freemail import FREE, free
from stillwatch.intake.mark import accounts, mark
from stillwatch.records import MARKS

KEY = bytes(range(32))


def marks(*calls: dict[str, Any], key: bytes = KEY) -> list[dict[str, Any]]:
    rows = [{"call_id": f"c{at}", "ts": 1_750_000_000_000_000, "account": f"a{at}", "model": "m", **call} for at, call in enumerate(calls)]
    made = mark(pa.RecordBatch.from_pylist(rows, schema=SCHEMA), key)
    assert made.schema == MARKS
    made.validate(full=True)
    return list(made.to_pylist())


def test_what_is_unknown_stays_unknown() -> None:
    (one,) = marks({})
    known = {name for name, value in one.items() if value is not None}
    assert known == {"call", "ts", "account", "org", "org_known", "model"}


def test_numbers_and_declared_words_are_carried() -> None:
    given = {
        "program": "research",
        "path": "native",
        "plan": "pro",
        "signup_ts": 1_700_000_000_000_000,
        "client_seen": False,
    }
    given |= {"turns": 3, "tools": 2, "input_tokens": 10, "output_tokens": 20, "reasoning_tokens": 0}
    (one,) = marks(given)
    assert {name: one[name] for name in given} == given


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"org": "x"}, {"org": "x", "email_domain": "y.com"}, True),
        ({"email_domain": "firm.org"}, {"email_domain": " Firm.ORG. "}, True),
        ({"email_domain": "firm.org"}, {"email_domain": "other.org"}, False),
        ({"email_domain": "gmail.com"}, {"email_domain": "gmail.com"}, False),
        ({"email_domain": "eu.mailinator.com"}, {"email_domain": "eu.mailinator.com"}, False),
        ({"email_domain": "localhost"}, {"email_domain": "localhost"}, False),
        ({"org": "firm.org"}, {"email_domain": "firm.org"}, False),
        ({"org": "a1"}, {}, False),
        ({}, {}, False),
    ],
)
def test_organisations(one: dict[str, str], other: dict[str, str], same: bool) -> None:
    first, second = marks(one, other)
    assert (first["org"] == second["org"]) is same


def test_whether_an_organisation_is_known() -> None:
    told = marks({"org": "x"}, {"email_domain": "firm.org"}, {"email_domain": "gmail.com"}, {"email_domain": "a7f3c0"}, {})
    assert [each["org_known"] for each in told] == [True, True, False, False, False]
    assert all(each["org"] == each["account"] for each in told if not each["org_known"])


@pytest.mark.parametrize(
    ("one", "other", "same_ip", "same_net"),
    [
        ("192.0.2.1", "192.0.2.200", False, True),
        ("192.0.2.1", "192.0.3.1", False, False),
        ("192.0.2.1", "::ffff:192.0.2.1", True, True),
        ("2001:db8:1:2::1", "2001:0DB8:0001:ffff::2", False, True),
        ("2001:db8:1::1", "2001:db8:2::1", False, False),
        ("2001:db8::1", "2001:DB8:0:0:0:0:0:1", True, True),
    ],
)
def test_networks(one: str, other: str, same_ip: bool, same_net: bool) -> None:
    first, second = marks({"ip": one}, {"ip": other})
    assert (first["ip"] == second["ip"], first["net"] == second["net"]) == (same_ip, same_net)


def test_a_pseudonym_of_an_address_has_no_network() -> None:
    (one,) = marks({"ip": "6f1c2a"})
    assert one["ip"] is not None and one["net"] is None


def test_reasoning_issued_and_replayed_meets() -> None:
    first, second = marks({"reasoning_out": "r1"}, {"reasoning_in": ["r0", "r1"]})
    assert first["reasoning_out"] == second["reasoning_in"][1] != second["reasoning_in"][0]


def test_the_same_text_in_two_columns_does_not_meet() -> None:
    names = ["session", "end_user", "key", "user_agent", "headers", "payment", "ip", "reasoning_out"]
    (one,) = marks({**dict.fromkeys(names, "same"), "account": "same", "call_id": "same", "org": "same"})
    hashes = [one[name] for name in (*names, "account", "call", "org")]
    assert len(set(hashes)) == len(hashes)


def test_another_key_gives_other_hashes() -> None:
    assert not set(marks({"key": "k"})[0].values()) & {marks({"key": "k"}, key=bytes(32))[0][name] for name in ("key", "account", "call")}


def test_accounts_are_the_ones_that_marks_name() -> None:
    rows = [{"call_id": str(at), "ts": 1_750_000_000_000_000, "account": f"a{at % 2}", "model": "m"} for at in range(5)]
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    hashes, names = accounts(batch, KEY)
    back = dict(zip(hashes.tolist(), names.to_pylist(), strict=True))
    assert [back[each] for each in mark(batch, KEY).column("account").to_pylist()] == [row["account"] for row in rows]
    assert len(back) == 2


def test_no_text_goes_on() -> None:
    words = {"system": "zqsystem word", "prompt": "zqprompt word", "response": "zqresponse word"}
    rows = marks({**words, "user_agent": "zqagent", "key": "zqkey", "account": "zqaccount", "email_domain": "zq.org"})
    assert "zq" not in str(rows)
    assert rows[0]["prompt"] is not None and rows[0]["response_tokens"] == 2


def test_an_empty_batch_and_a_slice() -> None:
    assert mark(pa.RecordBatch.from_pylist([], schema=SCHEMA), KEY).num_rows == 0
    call = {"ts": 1_750_000_000_000_000, "model": "m"}
    rows = [
        {
            **call,
            "call_id": str(at),
            "account": str(at),
            "reasoning_in": [str(at)],
            "ip": f"192.0.{at}.1",
            "prompt": "me " * at,
        }
        for at in range(9)
    ]
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    assert mark(batch.slice(3, 4), KEY).equals(mark(batch, KEY).slice(3, 4))


def test_the_list_of_free_mail_is_clean() -> None:
    assert all(each == each.strip().lower() and "." in each for each in FREE)
    assert free("gmail.com") and not free("com") and not free("notgmail.com")
