"""Desks: what a member's server answers besides TAXII, and to whom."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("http_message_signatures")

from exchange_case import Asked, Exchange  # noqa: E402
from stillwatch.doors.taxii import settings as reading  # noqa: E402
from stillwatch.doors.taxii.desks import BYTES  # noqa: E402
from stillwatch.doors.taxii.messages import Answer, Fault, Request  # noqa: E402
from stillwatch.doors.taxii.server import serve  # noqa: E402
from stillwatch.errors import UserError  # noqa: E402


def echo(member: str, request: Request, path: tuple[str, ...]) -> Answer:
    if path == ("broken",):
        raise ValueError("broken")
    if path == ("refused",):
        raise Fault(403, "Forbidden", "No.")
    return Answer(200, f"{member} {'/'.join(path)} ".encode() + request.body, kind=BYTES)


def test_a_desk_gets_the_members_name_and_the_bytes(exchange: Exchange) -> None:
    asked = Asked(exchange, exchange.settings(1), desks={"match": echo})
    answer = asked("south", "POST", "/match/payment/2026/", body=b"\0\xff")
    assert (answer.status, answer.body, answer.kind) == (200, b"south payment/2026 \0\xff", BYTES)
    assert asked("south", "POST", "/match/refused/", body=b"x").status == 403
    assert asked("south", "POST", "/match/broken/", body=b"x").status == 500
    assert asked("south", "POST", "/joint/", body=b"x").status == 404, "a desk that this server has not"


def test_half_of_the_proof_is_none(exchange: Exchange) -> None:
    asked = Asked(exchange, exchange.settings(1, proof='["signature"]'), desks={"match": echo})
    assert asked("south", "GET", "/exchange/", certificate=None).status == 200, "enough for this API root"
    assert asked("south", "POST", "/match/", body=b"x", certificate=None).status == 401
    assert asked(None, "POST", "/match/", body=b"x", certificate="south").status == 401


def test_an_api_root_cannot_take_a_desks_word(exchange: Exchange) -> None:
    path = exchange.settings(1)
    path.write_text(path.read_text().replace('path = "exchange"', 'path = "match"').replace('root = "exchange"', 'root = "match"'))
    with pytest.raises(UserError, match="path"):
        reading.load(path)


def test_desks_want_tls_and_a_directory(exchange: Exchange, tmp_path: Path) -> None:
    settings = reading.load(exchange.settings(1, proof='["signature"]', tls=False))
    with pytest.raises(UserError, match="TLS"):
        serve(settings, desks=lambda directory: {"match": echo})
