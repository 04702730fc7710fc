"""Whatever is sent: never a server error, and never a byte of another member's data."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("http_message_signatures")

from exchange_case import OPEN, SECRET, SHARED, Asked, Exchange, indicator  # noqa: E402
from stillwatch.doors.taxii.messages import TAXII, Request  # noqa: E402

CANARY = "7d1f0c-canary"
LOOSE = settings(max_examples=int(os.environ.get("STILLWATCH_FUZZ", "100")), deadline=None, suppress_health_check=list(HealthCheck))

NAMES = st.sampled_from(
    ["exchange", "taxii2", "collections", "status", "objects", "manifest", "versions", SHARED, SECRET, OPEN, indicator(1)["id"], "..", "", "%2e", "\x00", "é"]
)
PATHS = st.lists(NAMES | st.text(max_size=8), max_size=7).map(lambda parts: "/" + "/".join(parts) + "/")
FIELDS = st.sampled_from(["limit", "next", "added_after", "match[id]", "match[type]", "match[version]", "match[spec_version]", "match[", "x"])
VALUES = st.sampled_from(
    ["1", "0", "all", "first,last", "2.0,2.1", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z", indicator(1)["id"], "indicator"]
) | st.text(max_size=12)
JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | st.just(indicator(2)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["objects", "id", "type", "modified", "created", "spec_version", "x"]) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=12,
)
OBJECT = st.builds(
    lambda change: {**indicator(3), **change},
    st.dictionaries(
        st.sampled_from(["id", "type", "modified", "created", "spec_version", "extra"]), st.text(max_size=10) | st.none() | st.integers() | JSON, max_size=3
    ),
)
BODIES = (
    st.binary(max_size=60)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.lists(OBJECT, max_size=3).map(lambda each: json.dumps({"objects": each}).encode())
)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    exchange = Exchange(folder)
    made = Asked(exchange, exchange.settings(1, more="page = 2\nbody = 65536"))
    made.taxii._strangers._rate = 1e9  # nobody is slowed down here
    secret = json.dumps({"objects": [indicator(1, name=CANARY, description=CANARY)]}).encode()
    assert made("north", "POST", f"/exchange/collections/{SECRET}/objects/", body=secret).status == 202
    return made


@LOOSE
@given(
    st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD"]),
    PATHS,
    st.dictionaries(FIELDS, VALUES, max_size=3),
    BODIES,
    st.sampled_from(["south", "west", None]),
)
def test_messages_of_any_form(asked: Asked, method: str, path: str, query: dict[str, str], body: bytes, who: str | None) -> None:
    try:
        request = asked.request(who, method, path, query, body)
    except UnicodeError:
        return
    answer = asked.taxii.answer(request)
    assert answer.status < 500, (answer, request)
    assert CANARY.encode() not in answer.body + repr(answer.headers).encode()
    assert who is not None or answer.status == 401


@LOOSE
@given(
    st.dictionaries(FIELDS, VALUES, max_size=4),
    st.sampled_from(["objects/", "manifest/", f"objects/{indicator(3)['id']}/", f"objects/{indicator(3)['id']}/versions/"]),
)
def test_queries_of_any_form(asked: Asked, query: dict[str, str], rest: str) -> None:
    answer = asked("south", "GET", f"/exchange/collections/{SHARED}/{rest}", query)
    assert answer.status in (200, 400, 404) and CANARY.encode() not in answer.body


@LOOSE
@given(BODIES)
def test_envelopes_of_any_form(asked: Asked, body: bytes) -> None:
    answer = asked("south", "POST", f"/exchange/collections/{SHARED}/objects/", body=body, headers={"Content-Type": TAXII})
    assert answer.status in (202, 422)
    if answer.status == 202:
        status = json.loads(answer.body)
        assert status["total_count"] == status["success_count"] + status["failure_count"]


@LOOSE
@given(
    st.dictionaries(
        st.sampled_from(["Signature", "Signature-Input", "Content-Digest", "Authorization", "Accept", "Content-Type"]),
        st.text(st.characters(max_codepoint=255, blacklist_characters="\r\n"), max_size=60)
        | st.sampled_from(
            [
                'a=("@method" "@target-uri");created=1;keyid="x";tag="stillwatch-exchange"',
                "a=:AAAA:",
                "Basic YTpi",
                'a=();tag="stillwatch-exchange"',
                "sha-256=:AAAA:",
            ]
        ),
        max_size=5,
    ),
    st.sampled_from(["north", "south", None]),
)
def test_headers_of_any_form_prove_nothing(asked: Asked, headers: dict[str, str], shown: str | None) -> None:
    path = f"/exchange/collections/{SECRET}/objects/"
    certificate = asked.exchange.shown[shown] if shown else None
    answer = asked.taxii.answer(Request("GET", path, path, (), tuple(headers.items()), b"", certificate, "127.0.0.1"))
    assert answer.status == 401 and CANARY.encode() not in answer.body
