"""What the standard and the conformance suites ask of a TAXII 2.1 server, answered without HTTP; over HTTP: test_taxii_served.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

pytest.importorskip("http_message_signatures")

from exchange_case import OPEN, SECRET, SHARED, Asked, Exchange, indicator  # noqa: E402
from stillwatch.doors.taxii import settings as reading  # noqa: E402
from stillwatch.doors.taxii.admission import Pace  # noqa: E402
from stillwatch.doors.taxii.messages import TAXII, Answer, Fault, Request  # noqa: E402
from stillwatch.errors import UserError  # noqa: E402

OBJECTS = f"/exchange/collections/{SHARED}/objects/"
MANIFEST = f"/exchange/collections/{SHARED}/manifest/"


@pytest.fixture
def asked(exchange: Exchange) -> Asked:
    return Asked(exchange, exchange.settings(1, more="page = 5"))


def read(answer: Answer) -> Any:
    assert answer.status in (200, 202), answer
    return orjson.loads(answer.body)


def add(asked: Asked, *objects: dict[str, Any], who: str = "north", path: str = OBJECTS) -> Any:
    return read(asked(who, "POST", path, body=json.dumps({"objects": objects}).encode()))


def ids(answer: Answer) -> list[int]:
    return [int(each["id"][-12:]) for each in read(answer).get("objects", [])]


def test_discovery_roots_and_collections_say_what_may_be_done(asked: Asked) -> None:
    assert read(asked("south", "GET", "/taxii2/")) == {"title": "Stillwatch", "api_roots": ["https://localhost:1/exchange/"]}
    assert read(asked("south", "GET", "/exchange/")) == {"title": "Shared", "versions": [TAXII], "max_content_length": 16_777_216}
    rights = {each["id"]: (each["can_read"], each["can_write"]) for each in read(asked("south", "GET", "/exchange/collections/"))["collections"]}
    assert rights == {SHARED: (True, True), OPEN: (False, False)}
    assert set(rights) | {SECRET} == {each["id"] for each in read(asked("north", "GET", "/exchange/collections/"))["collections"]}
    assert read(asked("south", "GET", f"/exchange/collections/{SHARED}/"))["id"] == SHARED
    assert read(asked("south", "GET", "/exchange/collections")), "a slash that is left out is no other place"


def test_a_collection_without_readers_is_read_by_nobody(asked: Asked) -> None:
    for who in ("north", "south", "west"):
        for rest in ("", "objects/", "manifest/", "objects/indicator--1/", "objects/indicator--1/versions/"):
            assert asked(who, "GET", f"/exchange/collections/{OPEN}/{rest}").status == 403
        assert asked(who, "POST", f"/exchange/collections/{OPEN}/objects/", body=b'{"objects":[]}').status == 403


def test_another_members_collection_looks_like_none(asked: Asked) -> None:
    add(asked, indicator(1, name="a secret"), path=f"/exchange/collections/{SECRET}/objects/")
    for rest in ("", "objects/", "manifest/", f"objects/{indicator(1)['id']}/"):
        assert asked("south", "GET", f"/exchange/collections/{SECRET}/{rest}") == asked("south", "GET", f"/exchange/collections/{SECRET[:-1]}0/{rest}")
    assert asked("south", "POST", f"/exchange/collections/{SECRET}/objects/", body=b"{}").status == 404
    assert read(asked("west", "GET", "/exchange/collections/"))["collections"][0]["id"] == OPEN


def test_pages_are_walked_by_a_cursor_that_the_server_does_not_keep(asked: Asked, exchange: Exchange) -> None:
    add(asked, *(indicator(number) for number in range(1, 13)))
    found, query = [], {"limit": "9"}
    while True:
        answer = asked("south", "GET", OBJECTS, query)
        page = read(answer)
        assert len(page["objects"]) <= 5
        found += ids(answer)
        if not page["more"]:
            break
        query = {**query, "next": page["next"]}
        asked = Asked(exchange, exchange.settings(1, more="page = 5"))  # the server starts anew in between
    assert found == list(range(1, 13))


def test_the_headers_say_the_first_and_last_moment_of_a_page(asked: Asked) -> None:
    add(asked, *(indicator(number) for number in range(3)))
    for path in (OBJECTS, MANIFEST, f"{OBJECTS}{indicator(0)['id']}/", f"{OBJECTS}{indicator(0)['id']}/versions/"):
        answer = asked("south", "GET", path)
        first = read(asked("south", "GET", MANIFEST))["objects"][0]["date_added"]
        assert answer.headers["X-TAXII-Date-Added-First"] == first and len(first) == len("2014-05-08T09:00:00.000000Z")
    last = asked("south", "GET", OBJECTS).headers["X-TAXII-Date-Added-Last"]
    for path in (OBJECTS, f"{OBJECTS}{indicator(0)['id']}/", f"{OBJECTS}{indicator(0)['id']}/versions/"):
        nothing = asked("south", "GET", path, {"added_after": last})
        assert (nothing.status, nothing.body, nothing.headers) == (200, b"{}", {})


def test_versions_are_chosen_by_every_filter(asked: Asked) -> None:
    days = [f"2026-01-0{day}T00:00:00.000Z" for day in (1, 2, 3)]
    add(asked, *(indicator(1, day) for day in days), indicator(2, days[0]))
    old = {**indicator(1, days[2]), "spec_version": "2.0"}
    assert add(asked, old)["failure_count"] == 1, "a strict collection takes the STIX versions that it names"

    def said(**match: str) -> list[str]:
        found = read(asked("south", "GET", OBJECTS, {f"match[{name}]": value for name, value in match.items()}))
        return [each["modified"] for each in found.get("objects", [])]

    assert said() == said(version="last") == [days[2], days[0]]
    assert said(version="first") == [days[0], days[0]]
    assert said(version="all") == [*days, days[0]]
    assert said(version=f"{days[1]},last") == [days[1], days[2], days[0]]
    assert said(version="2026-01-02T00:00:00Z") == [days[1]], "a moment, however it is written"
    assert said(type="indicator,malware", id=indicator(2)["id"]) == [days[0]]
    assert said(type="malware") == said(id="indicator--unknown") == said(spec_version="2.0") == said(spec_version="9") == []
    assert said(spec_version="2.0,2.1") == said()
    versions = read(asked("south", "GET", f"{OBJECTS}{indicator(1)['id']}/versions/"))
    assert versions == {"more": False, "versions": days}
    two = read(asked("south", "GET", f"{OBJECTS}{indicator(1)['id']}/versions/", {"limit": "2"}))
    assert two["more"] and two["versions"] == days[:2]


def test_deleting_takes_the_versions_that_the_filters_name(asked: Asked) -> None:
    days = [f"2026-01-0{day}T00:00:00.000Z" for day in (1, 2, 3)]
    add(asked, *(indicator(1, day) for day in days))
    path = f"{OBJECTS}{indicator(1)['id']}/"
    assert asked("south", "DELETE", path, {"match[version]": "first"}).status == 200
    assert read(asked("south", "GET", path + "versions/"))["versions"] == days[1:]
    assert asked("south", "DELETE", path, {"match[version]": "all"}).status == 200
    for again in (asked("south", "GET", path), asked("south", "GET", path + "versions/"), asked("south", "DELETE", path)):
        assert again.status == 404


def test_an_addition_is_settled_when_it_is_answered(asked: Asked) -> None:
    bad = {**indicator(2), "modified": "yesterday"}
    status = add(asked, indicator(1), bad, indicator(1))
    assert (status["status"], status["total_count"], status["success_count"], status["failure_count"], status["pending_count"]) == ("complete", 3, 2, 1, 0)
    assert status["failures"] == [{"id": bad["id"], "version": "yesterday", "message": "modified or created is no timestamp"}]
    assert read(asked("north", "GET", f"/exchange/status/{status['id']}/")) == status
    assert asked("south", "GET", f"/exchange/status/{status['id']}/").status == 404, "it is told to whoever asked for it"
    assert "failures" not in add(asked, indicator(1))
    assert ids(asked("south", "GET", OBJECTS)) == [1]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"id": "indicator--not-a-uuid"}, "id and type"),
        ({"type": "malware"}, "id and type"),
        ({"type": 3}, "id and type"),
        ({"spec_version": "3.0"}, "version of STIX"),
        ({"created": 3, "modified": 3}, "timestamp"),
        ({"modified": "2025-01-01T00:00:00Z"}, "modified before created"),
        ({"x": "y" * 1_100_000}, "bytes"),
    ],
)
def test_what_cannot_be_kept_is_told_with_the_reason(asked: Asked, change: dict[str, Any], why: str) -> None:
    status = add(asked, {**indicator(1), **change})
    assert status["success_count"] == 0 and why in status["failures"][0]["message"]
    assert read(asked("north", "GET", OBJECTS)) == {}


def test_the_check_of_a_strict_collection_is_passed_in(exchange: Exchange) -> None:
    strict = Asked(exchange, exchange.settings(1), check=lambda each: ["name is too nice"] if each["name"] == "nice" else [])
    status = add(strict, indicator(1, name="nice"), indicator(2))
    assert status["failures"][0]["message"] == "name is too nice" and status["success_count"] == 1
    lenient = exchange.folder / "lenient.toml"
    lenient.write_text(exchange.settings(1, store="other.sqlite").read_text().replace("writers", 'validation = "lenient"\nwriters'))
    assert add(Asked(exchange, lenient, check=lambda each: ["never"]), {**indicator(1), "spec_version": "2.0"})["success_count"] == 1


def test_objects_come_back_without_loss(asked: Asked) -> None:
    whole = indicator(1, big=2**53 + 1, huge=2**80, small=1.5e-300, text="ü\u2028\x7f", nested={"a": [None, True, {"b": []}]}, zero=-0.0)
    add(asked, whole)
    assert json.loads(asked("south", "GET", OBJECTS).body)["objects"] == [whole]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"objects":{}}',
        b'{"objects":[3]}',
        b'{"objects":[{}]}',
        b'{"objects":[]}',
        b'{"type":"indicator"}',
        b"\xff",
        b"[" * 5000,
        b'{"objects":[NaN]}',
    ],
)
def test_what_is_no_envelope_is_unprocessable(asked: Asked, body: bytes) -> None:
    answer = asked("north", "POST", OBJECTS, body=body, headers={"Content-Type": TAXII})
    told = orjson.loads(answer.body)
    assert answer.status == 422 and told["title"] == "ProcessingError" and told["http_status"] == "422"
    assert "While processing supplied content, an error occurred" in told["description"]


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "-20"}, {"limit": "x"}, {"limit": "²"}, {"added_after": "now"}, {"next": "x"}, {"next": "W10"}, {"match[version]": "yesterday"}, {"match[id]": ""}, {"match[colour]": "red"}, {"match[type]": "a\x00"}],
)  # fmt: skip
def test_a_query_that_says_nothing_is_a_bad_request(asked: Asked, query: dict[str, str]) -> None:
    assert asked("south", "GET", OBJECTS, query).status == 400


def test_a_cursor_belongs_to_its_query(asked: Asked) -> None:
    add(asked, *(indicator(number) for number in range(3)))
    following = read(asked("south", "GET", OBJECTS, {"limit": "1"}))["next"]
    assert ids(asked("south", "GET", OBJECTS, {"limit": "2", "next": following})) == [1, 2], "another page size is no other query"
    assert asked("south", "GET", OBJECTS, {"next": following, "match[version]": "all"}).status == 400
    assert asked("south", "GET", MANIFEST, {"next": following}).status == 400


@pytest.mark.parametrize(
    ("accept", "status"),
    [(TAXII, 200), ("application/taxii+json", 200), ("*/*", 200), ("application/*;q=0.1", 200), ("text/html, application/taxii+json; version=2.1;q=.5", 200), ("", 200),
     ("application/taxii+json;version=2.0", 406), ("application/json", 406), ("application/taxii+json;q=0", 406)],
)  # fmt: skip
def test_content_is_negotiated(asked: Asked, accept: str, status: int) -> None:
    assert asked("south", "GET", "/exchange/", headers={"Accept": accept}).status == status


@pytest.mark.parametrize(
    ("kind", "status"), [(TAXII, 202), ("application/taxii+json", 202), ("application/json", 415), ("application/taxii+json;version=2.0", 415)]
)
def test_only_taxii_is_taken(asked: Asked, kind: str, status: int) -> None:
    assert asked("north", "POST", OBJECTS, body=json.dumps({"objects": [indicator(1)]}).encode(), headers={"Content-Type": kind}).status == status


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("PUT", OBJECTS, "GET, POST"), ("POST", MANIFEST, "GET"), ("DELETE", "/taxii2/", "GET"), ("POST", OBJECTS + "indicator--1/", "GET, DELETE")],
)
def test_another_method_is_told_which_ones_there_are(asked: Asked, method: str, path: str, allowed: str) -> None:
    answer = asked("north", method, path)
    assert answer.status == 405 and answer.headers["Allow"] == allowed


@pytest.mark.parametrize(
    "path",
    ["/", "/other/", "/exchange/other/", "/exchange/status/", f"{MANIFEST}indicator--1/", f"{OBJECTS}a/versions/b/", "/exchange/collections/24042009/", "//"],
)
def test_what_is_not_there_is_not_found(asked: Asked, path: str) -> None:
    assert asked("north", "GET", path).status == 404
    assert asked(None, "GET", path).status == 401, "who is nobody learns not even that"


def test_who_is_nobody_gets_nothing(asked: Asked) -> None:
    for who, shown in ((None, None), (None, "south"), ("south", None), ("south", "north")):
        assert asked(who, "GET", OBJECTS, certificate=shown).status == 401, "certificate and signature, both, and of one member"
    good = asked.request("south", "GET", OBJECTS)
    stranger = Request("GET", good.target, good.path, (), good.headers, b"", b"a certificate that nobody has")
    assert asked.taxii.answer(stranger).status == 401
    assert asked.taxii.answer(good).status == 200


def test_a_request_counts_once_and_only_as_it_was_signed(asked: Asked) -> None:
    add(asked, indicator(1))
    first = asked.request("south", "GET", OBJECTS, {"limit": "1"})
    assert asked.taxii.answer(first).status == 200 and asked.taxii.answer(first).status == 401, "a replay"
    body = json.dumps({"objects": [indicator(2)]}).encode()

    def changed(**how: Any) -> int:
        whole = asked.request("south", "POST", OBJECTS, body=body)
        values = {name: getattr(whole, name) for name in ("method", "target", "path", "query", "headers", "body", "certificate", "address")}
        return asked.taxii.answer(Request(**{**values, **how})).status

    assert changed() == 202
    assert changed(body=body.replace(b"203", b"204")) == 401
    assert changed(method="DELETE") == 401
    assert changed(target=OBJECTS + "?limit=2") == 401
    late = asked.request("south", "GET", OBJECTS)
    asked.now += 121_000_000
    assert asked.taxii.answer(late).status == 401
    unsigned = [("Signature", "stillwatch=:AAAA:"), ("Signature-Input", "stillwatch=()")]
    assert changed(headers=tuple(unsigned)) == 401
    assert read(asked("south", "GET", OBJECTS))["objects"] == [indicator(1), indicator(2)]


def test_what_was_signed_before_the_server_began_does_not_count(asked: Asked) -> None:
    request = asked.request("south", "GET", OBJECTS)
    asked.nonces.since = asked.now + 1_000_000
    assert asked.taxii.answer(request).status == 401


def test_the_pace_is_limited_member_by_member() -> None:
    now = [0.0]
    pace = Pace(1.0, lambda: now[0])
    pace.take("north")
    pace.take("north")
    with pytest.raises(Fault) as told:
        pace.take("north")
    assert told.value.status == 429 and told.value.headers["Retry-After"] == "1"
    pace.take("south")
    now[0] = 1.0
    pace.take("north")


def test_basic_is_a_setting_of_an_api_root(exchange: Exchange) -> None:
    from stillwatch.doors.taxii.passwords import stretched

    more = f'[[user]]\nname = "south"\npassword = "{stretched("Password0")}"'
    with pytest.raises(UserError, match="there is no user"):
        reading.load(exchange.settings(1, proof='["basic"]'))
    authorization = {"Authorization": "Basic c291dGg6UGFzc3dvcmQw"}
    open_ = Asked(exchange, exchange.settings(1, proof='["basic"]', more=more))
    assert open_(None, "GET", "/exchange/", headers=authorization).status == 200
    assert open_(None, "GET", "/exchange/", headers={"Authorization": "Basic c291dGg6UGFzc3dvcmQx"}).status == 401
    assert open_(None, "GET", "/exchange/", headers={"Authorization": "Basic ÿ"}).status == 401
    off = Asked(exchange, exchange.settings(1, more=more))
    assert off(None, "GET", "/exchange/", headers=authorization).status == 401, "off by default"
    assert read(off(None, "GET", "/taxii2/", headers=authorization))["api_roots"] == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("readers", "reader", 'unknown word "reader"'),
        ('root = "exchange"', 'root = "elsewhere"', "there is no API root"),
        ("127.0.0.1", "0.0.0.0", "only this machine"),
        ('certificate = "server.pem"\nkey = "server.key"', "", "certificates only to a server that has one"),
        ('directory = "members.json"\n', "", "by a directory"),
        ('proof = ["certificate", "signature"]', 'proof = ["basic", "signature"]', "basic stands alone"),
        ('proof = ["certificate", "signature"]', 'proof = ["certificat"]', "proof is not what it must be"),
        (SECRET, SHARED, "two collections"),
    ],
)
def test_settings_that_cannot_be_used_are_told_with_their_place(exchange: Exchange, old: str, new: str, told: str) -> None:
    path = exchange.settings(1)
    text = path.read_text()
    assert old in text
    if "0.0.0.0" in new or not new:
        text = text.replace('certificate = "server.pem"\nkey = "server.key"', "")
    path.write_text(text.replace(old, new) if old in text else text)
    with pytest.raises(UserError, match=told) as error:
        reading.load(path)
    assert "serve.toml:" in error.value.where


def test_a_fault_of_ours_is_told_to_nobody_outside(asked: Asked, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the password is Password0")

    monkeypatch.setattr(asked.shelves, "page", broken)
    answer = asked("south", "GET", OBJECTS)
    assert answer.status == 500 and b"Password0" not in answer.body and "Password0" in caplog.text


def test_settings_stand_beside_their_file(exchange: Exchange) -> None:
    made = reading.load(exchange.settings(1))
    assert Path(made.store).parent == exchange.folder and made.directory == exchange.folder / "members.json"


def test_numbers_that_nothing_holds_and_half_characters_are_refused_and_told() -> None:
    from stillwatch.doors.taxii.adding import objects_in, sorted_out
    from stillwatch.doors.taxii.messages import Fault
    from stillwatch.doors.taxii.settings import Collection

    with pytest.raises(Fault):
        objects_in(b'{"objects": [{"id": "x", "a": 1e400, "b": 1234567890123456789}]}')
    (found,) = objects_in(b'{"objects": [{"id": "x", "b": 123456789012345678901234567890}]}')
    assert found["b"] == 123456789012345678901234567890
    objects = objects_in(b'{"objects": [{"id": "\\ud800", "type": "tool", "b": 1234567890123456789}]}')
    _, bad = sorted_out(objects, Collection.__new__(Collection), lambda each: [])
    assert bad[0]["id"] == "?" and json.dumps(bad).isascii()
