"""Packs, inquiries and answers through collections, with keys of the directory: a provider, a reseller and a reseller below, each in processes of its own; what travels is kept as it was before TLS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

for package in ("http_message_signatures", "securesystemslib", "yaml"):
    pytest.importorskip(package)

from exchange_case import SHARED, Exchange, free_port, served  # noqa: E402
from stillwatch import delivering, packing  # noqa: E402
from stillwatch.errors import UserError  # noqa: E402
from stillwatch.exchange import envelope  # noqa: E402
from stillwatch.exchange.calibration import statement  # noqa: E402
from test_calibration import AT, RULES  # noqa: E402
from test_trace import Chain, chain  # noqa: E402, F401

TRIALS = Path(__file__).parents[2] / "trials"
PACK = Path(__file__).parents[1] / "packs" / "dealt-grading"
BETWEEN = {"top": "north", "middle": "south", "below": "west"}


def run(folder: Path, who: str, *words: str, code: int = 0) -> str:
    """A command of one member, in a process of its own, with what it sends and gets kept in FOLDER/wire."""
    (folder / "wire").mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, str(TRIALS / "captured.py"), str(folder / "wire" / who), *words], capture_output=True, text=True, timeout=300, env=dict(os.environ)
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stdout + done.stderr


def peers(exchange: Exchange, who: str, host: str, port: int, *readers: str) -> str:
    """A file of peers with one collection."""
    path = exchange.folder / f"{who}-to-{host}.toml"
    path.write_text(
        f'[[me]]\nname = "{who}"\nkey = "{who}-sign"\ncertificate = "{who}.pem"\ncertificate_key = "{who}.key"\nstore = "{who}-{host}-heard.sqlite"\n'
        f'[[peer]]\nname = "{host}"\nurl = "https://localhost:{port}"\nroot = "exchange"\nauthority = "server.pem"\n'
        f'[[collection]]\npeer = "{host}"\nid = "{SHARED}"\nreaders = {json.dumps(list(readers))}\n'
    )
    return str(path)


def server(exchange: Exchange, name: str, port: int, *members: str) -> Path:
    """Settings of a server with one collection that some members read and write."""
    path = exchange.settings(port, store=f"{name}-shared.sqlite")
    text = path.read_text().replace('["north", "south"]', json.dumps(list(members)))
    made = path.with_name(f"serve-{name}.toml")
    made.write_text(text)
    return made


def test_the_resale_chain_over_collections(chain: Chain, exchange: Exchange) -> None:  # noqa: F811
    folder, upper, lower = exchange.folder, free_port(), free_port()
    trust = ["--trust", str(folder / "members.json"), "--root", str(folder / "root.pub")]
    key = {house: str(folder / f"{who}-sign") for house, who in BETWEEN.items()}

    def traced(house: str, file: str, out: str, *more: str) -> dict[str, Any]:
        log = chain.reseller if house == "middle" else chain.below
        words = ["trace", file, log, *trust, "--sign-with", key[house], "--key", str(chain.hashing(house)), "--history", str(chain.folder / f"{house}.history")]
        told = run(folder, BETWEEN[house], *words, "--register", str(folder / f"{house}.register"), "--out", str(folder / out), *more, "--json")
        return dict(json.loads(told))

    def got(who: str, host: str, port: int, readers: tuple[str, ...], kind: str) -> str:
        path = peers(exchange, who, host, port, *readers)
        run(folder, who, "hear", path)
        new = json.loads(run(folder, who, "collect", path, "--into", str(folder / f"{who}-mail"), "--json"))["new"]
        (one,) = [each["file"] for each in new if each["kind"] == kind]
        return str(one)

    with served(server(exchange, "north", upper, "north", "south")), served(server(exchange, "south", lower, "south", "west")):
        up, down = peers(exchange, "north", "north", upper, "south"), peers(exchange, "south", "south", lower, "west")
        ask = str(folder / "ask.json")
        common = ["--account", "RESELLER", "--key", str(chain.hashing("top")), "--sign-with", key["top"], "--out", ask, "--json"]
        asked = json.loads(run(folder, "north", "inquire", str(chain.folder / "scan"), chain.case, chain.log, *common))
        run(folder, "north", "deliver", up, ask, "--to", f"north/{SHARED}")
        mail = got("south", "north", upper, ("north",), "inquiry")
        first = traced("middle", mail, "a1.json", "--reseller", "SUBRESELLER", "--onward", str(folder / "onward"))
        (onward,) = first["here"]["onward"]
        run(folder, "south", "deliver", down, onward["out"], "--to", f"south/{SHARED}")
        deeper = traced("below", got("west", "south", lower, ("south",), "inquiry"), "a2.json")
        assert deeper["answer"]["answer"] == "found"
        run(folder, "west", "deliver", peers(exchange, "west", "south", lower, "south"), str(folder / "a2.json"), "--to", f"south/{SHARED}")
        heard = got("south", "south", lower, ("west",), "answer")
        final = traced("middle", mail, "a3.json", "--reseller", "SUBRESELLER", "--heard", heard, "--handled")
        assert final["local"]["in_cases"] > first["local"]["in_cases"]
        run(folder, "south", "deliver", peers(exchange, "south", "north", upper, "north"), str(folder / "a3.json"), "--to", f"north/{SHARED}")
        back = packing.trusted_of([folder / "members.json"], [folder / "root.pub"])
        answer = Path(got("north", "north", upper, ("south",), "answer"))
        _, told, sender = envelope.opened(answer.read_bytes(), (envelope.ANSWER,), back, "answer")
        assert told["answer"] == "found" and told["inquiry"] == asked["inquiry"] and sender in back
    wire = {path.name: path.read_bytes() for path in (folder / "wire").iterdir()}
    assert len(wire) >= 6 and sum(map(len, wire.values())) > 20_000
    for content in wire.values():
        assert not [name for name in (*chain.secret, "SUBRESELLER", "RESELLER", "top-", "mid-", "below-") if name.encode() in content]


def test_what_is_for_one_goes_where_one_reads(exchange: Exchange, tmp_path: Path) -> None:
    file = tmp_path / "ask.json"
    file.write_bytes(envelope.signed({"a": 1}, envelope.INQUIRY, packing.signer_of(exchange.folder / "north-sign")))
    for readers in (("south", "west"), ("north",)):
        with pytest.raises(UserError, match="is for one member|nobody reads"):
            delivering.deliver(Path(peers(exchange, "north", "north", 1, *readers)), file, f"north/{SHARED}")
    with pytest.raises(UserError, match="not said"):
        delivering.deliver(Path(peers(exchange, "north", "north", 1, "south")), file, "north/00000000-0000-4000-8000-000000000000")
    told = statement.compose({"share": np.arange(500) / 500}, {"share": "v1"}, replace(RULES, recipients=("south",)), AT, "policy")
    file.write_bytes(envelope.signed(told, envelope.CALIBRATION, packing.signer_of(exchange.folder / "north-sign")))
    with pytest.raises(UserError, match="is not for west, who would read it"):
        delivering.deliver(Path(peers(exchange, "north", "north", 1, "south", "west")), file, f"north/{SHARED}")
    file.write_text("{}")
    with pytest.raises(UserError, match="no signed envelope"):
        delivering.deliver(Path(peers(exchange, "north", "north", 1, "south")), file, f"north/{SHARED}")


def test_a_pack_and_its_withdrawal_reach_another_member(exchange: Exchange, tmp_path: Path) -> None:
    folder, port = exchange.folder, free_port()
    made = server(exchange, "north", port, "north", "south")
    made.write_text(made.read_text().replace(f'id = "{SHARED}"', f'id = "{SHARED}"\nvalidation = "stix"'))
    with served(made):
        out, mine, theirs = peers(exchange, "north", "north", port, "south"), str(folder / "mail"), peers(exchange, "south", "north", port, "north")
        run(folder, "north", "pack", "build", str(PACK), "--sign-with", str(folder / "north-sign"), "--out", str(folder / "pack.json"))
        told = json.loads(run(folder, "north", "deliver", out, str(folder / "pack.json"), "--to", f"north/{SHARED}", "--json"))
        assert told["added"] >= 3 and not told["failures"], told
        run(folder, "south", "hear", theirs)
        (pack,) = json.loads(run(folder, "south", "collect", theirs, "--into", mine, "--json"))["new"]
        assert Path(pack["file"]).read_bytes() == (folder / "pack.json").read_bytes(), "as it was signed"
        trust = ["--trust", str(folder / "members.json"), "--root", str(folder / "root.pub"), "--packs", str(tmp_path / "packs")]
        taken = json.loads(run(folder, "south", "pack", "import", pack["file"], *trust, "--json"))
        heard = json.loads(run(folder, "south", "heard", theirs, "--json"))
        assert not [each for each in heard["not_read"] if "indicator" in each[1]], "any client reads the rules"
        words = ["pack", "withdraw", taken["id"], "--version", taken["version"], "--reason", "fires on classes", "--sign-with", str(folder / "north-sign")]
        run(folder, "north", *words, "--out", str(folder / "w.json"))
        run(folder, "north", "deliver", out, str(folder / "w.json"), "--to", f"north/{SHARED}")
        run(folder, "south", "hear", theirs)
        (gone,) = json.loads(run(folder, "south", "collect", theirs, "--into", mine, "--json"))["new"]
        assert gone["kind"] == "withdrawal"
        assert json.loads(run(folder, "south", "pack", "import", gone["file"], *trust, "--json"))["withdrawn"]
        exchange.publish("north")  # an expelled member's keys open nothing
        assert "nobody who is trusted" in run(folder, "south", "pack", "import", pack["file"], *trust[:4], "--packs", str(tmp_path / "others"), code=2)


def test_a_directory_without_its_root_is_trusted_by_nobody(exchange: Exchange) -> None:
    with pytest.raises(UserError, match="no root key"):
        packing.trusted_of([exchange.folder / "members.json"])
    assert len(packing.trusted_of([exchange.folder / "members.json"], [exchange.folder / "root.pub"])) == 3
