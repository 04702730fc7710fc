"""A joint session of three members in three processes and a convenor in a fourth: one is killed, one comes late, and what went over the wire is searched."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

for package in ("rbcl", "voprf", "http_message_signatures"):
    pytest.importorskip(package)

sys.path.insert(0, str(Path(__file__).parents[2] / "trials"))

from exchange_case import Exchange  # noqa: E402
from joint_members import Case, Sizes, made, shown, together  # noqa: E402

SMALL = Sizes(own=1_500, pool=2_000, own_before=5_000, pool_before=6_000, share=0.1)


@pytest.fixture
def case(exchange: Exchange) -> Case:
    key = exchange.folder / "coalition.key"
    key.touch(0o600)
    key.write_text("07" * 32 + "\n")
    return made(exchange.folder, "G-FEB", 3, SMALL, None)


def test_one_is_killed_and_one_comes_late(case: Case, exchange: Exchange) -> None:
    told = together(case, exchange, exchange.folder, exchange.folder / "coalition.key", late={"south": 3.0}, killed="west", patience=15)
    assert told["exit"]["north"] == told["exit"]["south"] == 0 and told["exit"]["west"] != 0, told["said"]
    assert told["members"][2] is None and told["members"][0] is not None, "the others ended without it"
    assert not (exchange.folder / "west-joint").exists(), "never half a result"
    notes = [json.loads(line) for line in (exchange.folder / "convenor-ledger" / "entries.jsonl").read_text().splitlines()]
    assert ("west", "joint: late") in {(each["member"], each["what"]) for each in notes}
    found = shown(case, exchange.folder / "wire")
    assert found["accounts looked for"] > 100 and (found["accounts"], found["organisations"], found["prompts"]) == (0, 0, 0)
    got = (exchange.folder / "wire" / "south.got").read_bytes()
    assert b'"findings"' in got and b'"accounts"' not in got and b'"values"' not in got, "nobody is sent another's counts or features"
