"""Private matching between two members: a real server with its desk, a real client, and dishonest messages at the desk."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

for package in ("rbcl", "voprf", "http_message_signatures"):
    pytest.importorskip(package)

from exchange_case import Exchange, free_port, served, write_key  # noqa: E402
from stillwatch import matched  # noqa: E402
from stillwatch.calls import SCHEMA  # noqa: E402
from stillwatch.doors.taxii.desks import Match  # noqa: E402
from stillwatch.doors.taxii.matching import MatchDesk  # noqa: E402
from stillwatch.doors.taxii.messages import Answer, Fault, Request  # noqa: E402
from stillwatch.errors import UserError  # noqa: E402
from stillwatch.exchange.matching.book import Book  # noqa: E402
from stillwatch.exchange.matching.refusals import Refused  # noqa: E402
from stillwatch.exchange.matching.session import Own, Policy, Session  # noqa: E402
from stillwatch.exchange.matching.wire import Terms  # noqa: E402
from stillwatch.exchange.matching.work import Here  # noqa: E402
from stillwatch.store import matching as kept  # noqa: E402

TODAY = f"{datetime.now(UTC):%Y-%m-%d}"
NORTH = [f"card-{number}" for number in range(1_050)]
SOUTH = [f"card-{number}" for number in range(900, 1_950)]


def block(folder: Path, **changed: Any) -> Match:
    items = folder / "north.txt"
    kept.write_items(items, "payment", [each.encode() for each in NORTH])
    usual: dict[str, Any] = {
        "type": "payment", "me": "north", "items": items, "peers": ("south",), "secret": folder / "north.secret", "epoch": "day", "reveal_from": 100, "least": 10,
        "fewest": 1_000, "most": 100_000, "budget": 200_000, "out": folder / "matched",
    }  # fmt: skip
    return Match(**{**usual, **changed})


class Peer:
    """South's side, message by message, at a desk without HTTP."""

    def __init__(self, desk: MatchDesk, items: list[str] = SOUTH, seed: int = 1, who: str = "south") -> None:
        self.desk, self.who, self.sent, self.got = desk, who, list[bytes](), list[bytes]()
        own = Own(Terms("south", "north", "payment", TODAY), [each.encode() for each in items], random.Random(seed).randbytes(32))
        self.session = Session(
            own, policy=Policy(reveal_from=100), book=Book(), work=Here(), chance=random.Random(seed + 1).randbytes, clock=lambda: time.time_ns() // 1000
        )

    def say(self, message: bytes) -> bytes:
        self.sent.append(message)
        answer = self.desk(self.who, request(message), ("payment", TODAY))
        self.got.append(answer.body)
        return answer.body

    def play(self, steps: int = 9) -> None:
        message: bytes | None = self.session.open()
        for _ in range(steps):
            if not message:
                break
            answer = self.say(message)
            message = self.session.receive(answer) if answer else None


def request(body: bytes) -> Request:
    return Request("POST", "/match/payment/", "/match/payment/", body=body)


@pytest.fixture
def desk(tmp_path: Path) -> MatchDesk:
    write_key(tmp_path / "north-sign")
    return MatchDesk([block(tmp_path)], tmp_path / "ledger", tmp_path / "north-sign")


def noted(folder: Path) -> list[tuple[str, str]]:
    return [(row["kind"], row["what"]) for row in map(json.loads, (folder / "ledger" / "entries.jsonl").read_text().splitlines())]


def test_both_sides_learn_what_is_common_and_no_more(desk: MatchDesk, tmp_path: Path) -> None:
    peer = Peer(desk)
    peer.play()
    common = {each.encode() for each in NORTH} & {each.encode() for each in SOUTH}
    assert peer.session.outcome is not None and peer.session.outcome.common == common and peer.session.outcome.size == (100, 200)
    assert set(kept.read_items(tmp_path / "matched" / f"south-payment-{TODAY}.txt", "payment")) == common
    flat = b"".join([*peer.sent, *peer.got])
    assert not any(each.encode() in flat for each in (*NORTH, *SOUTH))
    assert ("match", "done") in noted(tmp_path) or all(kind == "match" for kind, _ in noted(tmp_path))
    with pytest.raises(Refused, match="closed|over"):
        Peer(desk, seed=9).play()  # another secret, the same set and epoch: one matching an epoch
    assert ("refusal", "repeated set") in noted(tmp_path) or ("refusal", "changed set") in noted(tmp_path)


def test_who_is_not_named_finds_nothing(desk: MatchDesk) -> None:
    for who, path in (("west", ("payment", TODAY)), ("south", ("domain", TODAY)), ("south", ("payment", "2001-01-01")), ("south", ("payment",))):
        with pytest.raises(Fault) as fault:
            desk(who, request(b"x"), path)
        assert fault.value.status == 404
    with pytest.raises(Fault) as fault:
        desk("south", Request("GET", "/match/payment/", "/match/payment/"), ("payment", TODAY))
    assert fault.value.status == 405


def test_a_killed_server_has_spent_the_budget_and_goes_on_with_its_book(tmp_path: Path) -> None:
    write_key(tmp_path / "north-sign")
    first = MatchDesk([block(tmp_path)], None, None)
    peer = Peer(first)
    peer.play(steps=2)
    held = Book.from_bytes((tmp_path / "north.secret.book").read_bytes())
    page = next(iter(held.pages.values()))
    assert page.spent == 2_000 and page.root is not None
    first._end()  # what the system does for a process that was killed
    second = MatchDesk([block(tmp_path, budget=3_000)], None, None)
    again = Peer(second)
    again.session = Session(
        peer.session._own, policy=Policy(reveal_from=100), book=Book(), work=Here(), chance=random.Random(77).randbytes, clock=lambda: time.time_ns() // 1000
    )  # fmt: skip
    with pytest.raises(Refused):
        again.play()
    assert next(iter(Book.from_bytes((tmp_path / "north.secret.book").read_bytes()).pages.values())).spent == 2_000, "refused before one is made"


def test_a_replayed_message_and_another_set_are_refused(desk: MatchDesk, tmp_path: Path) -> None:
    peer = Peer(desk)
    peer.play(steps=2)
    peer.say(peer.sent[0])
    assert ("refusal", "order") in noted(tmp_path)
    with pytest.raises(Refused):
        Peer(desk, SOUTH[:-1], seed=5).play()
    assert ("refusal", "changed set") in noted(tmp_path)


def test_two_at_once_wait_for_one_another(desk: MatchDesk, tmp_path: Path) -> None:
    desk._blocks["payment"] = block(tmp_path, peers=("south", "west"))
    Peer(desk).play(steps=1)
    with pytest.raises(Fault) as fault:
        desk("west", request(b"x"), ("payment", TODAY))
    assert fault.value.status == 503
    with pytest.raises(UserError, match="another matching"), kept.BookFile(tmp_path / "north.secret.book"):
        pass


def test_damaged_messages_at_every_step_are_refused_and_show_nothing(desk: MatchDesk, tmp_path: Path) -> None:
    r = random.Random(3)
    desk._blocks["payment"] = block(tmp_path, budget=100_000_000)
    for step in range(5):
        for seed in range(4):
            (tmp_path / "north.secret.book").unlink(missing_ok=True)
            peer = Peer(desk)
            if step:
                peer.play(steps=step)
            message = bytearray(peer.sent[-1] if peer.sent else peer.session.open())
            for _ in range(r.randrange(1, 4)):
                at = r.randrange(len(message))
                if seed % 2:
                    message[at : at + r.randrange(1, 5)] = r.randbytes(r.randrange(5))
                else:
                    del message[at : at + r.randrange(1, 40)]
            answer = desk("south", request(bytes(message)), ("payment", TODAY))
            assert isinstance(answer, Answer) and answer.status == 200
            assert not any(each.encode() in answer.body for each in NORTH)
            desk._end()
    for size in (0, 1, 7, 72, 4096):
        assert len(desk("south", request(r.randbytes(size)), ("payment", TODAY)).body) < 200


def test_over_the_wire(exchange: Exchange, tmp_path: Path) -> None:
    port = free_port()
    kept.write_items(tmp_path / "n.txt", "payment", [each.encode() for each in NORTH])
    kept.write_items(tmp_path / "s.txt", "payment", [each.encode() for each in SOUTH])
    settings = exchange.settings(port)
    settings.write_text(
        settings.read_text() + '[[match]]\ntype = "payment"\nme = "north"\nitems = "n.txt"\npeers = ["south"]\nreveal_from = 100\nout = "found"\n'
    )

    def run(who: str, *more: str) -> subprocess.CompletedProcess[str]:
        words = [
            "match",
            str(exchange.peers(port, who)),
            "north",
            "--type",
            "payment",
            "--items",
            str(tmp_path / "s.txt"),
            "--me",
            who,
            "--secret",
            str(tmp_path / f"{who}.secret"),
            "--json",
        ]
        return subprocess.run([sys.executable, "-m", "stillwatch", *words, *more], capture_output=True, text=True, timeout=120)

    with served(settings):
        assert run("west").returncode != 0
        kept.write_items(tmp_path / "suspects.txt", "payment", [b"card-899", b"card-900", b"card-901", b"card-5000"])
        told = run("south", "--reveal-from", "50", "--out", str(tmp_path / "common.txt"), "--cases", str(tmp_path / "suspects.txt"))
        assert told.returncode == 0, told.stdout + told.stderr
        said = json.loads(told.stdout)
        assert (said["band"], said["revealed"], said["common"], said["in_cases"]) == ([100, 200], True, 150, 2)
        assert (tmp_path / "common.txt").stat().st_mode & 0o077 == 0
        again = run("south")
        assert again.returncode != 0 and "refused" in again.stdout
    assert len(kept.read_items(tmp_path / "found" / f"south-payment-{TODAY}.txt", "payment")) == 150


def test_identifiers_of_cases_stay_at_home_and_are_counted(tmp_path: Path) -> None:
    rows = [
        {"call_id": f"c{number}", "ts": 1_790_000_000_000_000 + number, "account": f"a{number % 30}", "model": "m", "payment": f" CARD-{number % 30} "}
        for number in range(60)
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), tmp_path / "log.parquet")
    result = tmp_path / "result"
    result.mkdir()
    with pytest.raises(UserError, match="no folder that a scan wrote"):
        matched.identifiers([str(tmp_path / "log.parquet")], "payment", tmp_path / "out.txt", cases=result)
    (result / ".stillwatch").write_text("scan\n")
    pq.write_table(pa.table({"account": ["a1", "a2", "gone"]}), result / "accounts.parquet")
    told = matched.identifiers([str(tmp_path / "log.parquet")], "payment", tmp_path / "all.txt")
    assert told["items"] == 30 and (tmp_path / "all.txt").stat().st_mode & 0o077 == 0
    assert matched.identifiers([str(tmp_path / "log.parquet")], "payment", tmp_path / "few.txt", cases=result)["items"] == 2
    assert set(kept.read_items(tmp_path / "few.txt", "payment")) == {b"CARD-1", b"CARD-2"}
    pq.write_table(pa.table({"account": ["hash"]}), result / "accounts.parquet")
    with pytest.raises(UserError, match="no payment instruments of accounts in the cases"):
        matched.identifiers([str(tmp_path / "log.parquet")], "payment", tmp_path / "none.txt", cases=result)
    assert not (tmp_path / "none.txt").exists()
