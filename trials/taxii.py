"""How fast the TAXII server is, beside medallion in the same run: adds, reads, and a poll that finds nothing. Also alone, up to a million objects.

    python trials/taxii.py beside [--medallion VENV/bin/medallion] [--opentaxii VENV/bin] [--objects 5000] [--rounds 5]
    python trials/taxii.py alone [--objects 1000000] [--store postgresql://user@host/database]

Ours is asked over TLS with client certificates, every request signed and checked against a signed directory, strict collections, SQLite on disk (or --store).
medallion (in a virtual environment of its own, `pip install medallion==3.0.0`) answers plain HTTP with its password check and keeps everything in memory. OpenTAXII (the same, `pip
install opentaxii==0.10.0b1 gunicorn`) answers plain HTTP by gunicorn with two workers, with a token that is checked in place of a password, and keeps everything in SQLite. All are
processes of their own, asked by one client, with the largest pages that each gives; whoever keeps a connection open is asked over one. Beside another, rounds alternate, each on new servers, and medians are told with the least and the
most; medallion, which takes minutes, reads and polls in the first round alone.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from exchange_case import SHARED, Exchange, free_port, served  # noqa: E402
from stillwatch.doors.taxii.messages import TAXII  # noqa: E402
from stillwatch.peers.connection import Connection  # noqa: E402
from stillwatch.peers.settings import load  # noqa: E402

BATCH, PAGE = 500, 1000
Ask = Callable[[str, dict[str, str], bytes], dict[str, Any]]


def indicators(first: int, many: int) -> bytes:
    """An envelope of so many indicators."""
    made = [
        {
            "type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.uuid5(uuid.NAMESPACE_OID, str(number))}",
            "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "name": f"indicator {number}",
            "pattern": f"[ipv4-addr:value = '203.0.{number // 256 % 256}.{number % 256}']", "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z",
        }
        for number in range(first, first + many)
    ]  # fmt: skip
    return json.dumps({"objects": made}).encode()


def measured(ask: Ask, objects: int, told: Callable[[int, dict[str, float]], None] | None = None, adds_only: bool = False) -> dict[str, float]:
    """Adds a second, reads a second, and the seconds of a poll that finds nothing (the best of some); or the first alone."""
    steps = sorted({objects, *(each for each in (5_000, 20_000, 100_000, 300_000, 1_000_000) if each < objects)}) if told else [objects]
    done, found = 0, dict[str, float]()
    for step in steps:
        bodies = [indicators(at, min(BATCH, step - at)) for at in range(done, step, BATCH)]
        began = time.perf_counter()
        for body in bodies:
            assert ask("POST", {}, body)["success_count"], "nothing was added"
        found["adds"] = (step - done) / (time.perf_counter() - began)
        done = step
        found |= {} if adds_only else _read(ask, done)
        if told is not None:
            told(done, found)
    return found


def _read(ask: Ask, objects: int) -> dict[str, float]:
    query: dict[str, str] = {"limit": str(PAGE)}
    began, seen, page = time.perf_counter(), 0, dict[str, Any]()
    while True:
        page = ask("GET", query, b"")
        seen += len(page["objects"])
        if not page["more"]:
            break
        query["next"] = str(page["next"])
    reads = seen / (time.perf_counter() - began)
    assert seen == objects, f"{seen} of {objects} were read"
    polls = []
    for _ in range(20):
        began = time.perf_counter()
        empty = ask("GET", {"added_after": "2999-01-01T00:00:00.000000Z"}, b"")
        polls.append(time.perf_counter() - began)
        assert not empty.get("objects")
        if sum(polls) > 60:
            break
    return {"reads": reads, "poll": min(polls)}


def ours(folder: Path, objects: int, store: str, told: Callable[[int, dict[str, float]], None] | None = None) -> dict[str, float]:
    """Our server, with certificates, signatures and strict collections."""
    exchange, port = Exchange(folder), free_port()
    with served(exchange.settings(port, store=store)):
        me, peers = load(exchange.peers(port, "north"))
        connection = Connection(me, peers["north"])
        path = ("collections", SHARED, "objects")

        def ask(method: str, query: dict[str, str], body: bytes) -> dict[str, Any]:
            return connection.post(body, *path) if method == "POST" else connection.get(*path, **query)[0]

        return measured(ask, objects, told)


def medallion(folder: Path, program: str, objects: int, adds_only: bool) -> dict[str, float]:
    """medallion in memory, with its own password check."""
    root = {"information": {"title": "r", "description": "r", "versions": [TAXII], "max_content_length": 1 << 30}, "status": []}
    collection = {
        "id": SHARED,
        "title": "c",
        "can_read": True,
        "can_write": True,
        "media_types": ["application/stix+json;version=2.1"],
        "objects": [],
        "manifest": [],
    }
    data = {"/discovery": {"title": "s", "api_roots": ["/r/"]}, "r": {**root, "collections": [collection]}}
    (folder / "data.json").write_text(json.dumps(data))
    config = {
        "backend": {"module": "medallion.backends.memory_backend", "module_class": "MemoryBackend", "filename": str(folder / "data.json")}, "users": {"admin": "Password0"}, "taxii": {"max_page_size": PAGE},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    port = free_port()
    process = subprocess.Popen(
        [program, "--host", "127.0.0.1", "--port", str(port), "--log-level", "ERROR", str(folder / "config.json")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    headers = {"Authorization": "Basic " + base64.b64encode(b"admin:Password0").decode(), "Accept": TAXII, "Content-Type": TAXII}
    try:
        return measured(_plain(port, f"/r/collections/{SHARED}/objects/", headers), objects, adds_only=adds_only)
    finally:
        process.terminate()
        process.wait(30)


def opentaxii(folder: Path, programs: Path, objects: int) -> dict[str, float]:
    """OpenTAXII over SQLite, with a token."""
    port = free_port()
    auth, data = ({"db_connection": f"sqlite:///{folder / name}.db", "create_tables": True} for name in ("auth", "data"))
    config = {
        "domain": f"127.0.0.1:{port}", "support_basic_auth": True, "return_server_error_details": False, "taxii1": None, "logging": {"opentaxii": "error", "root": "error"},
        "auth_api": {"class": "opentaxii.auth.sqldb.SQLDatabaseAPI", "parameters": {**auth, "secret": secrets.token_hex(32), "token_ttl_secs": 36_000}},
        "taxii2": {
            "title": "s", "public_discovery": True, "max_content_length": 1 << 28,
            "persistence_api": {"class": "opentaxii.persistence.sqldb.Taxii2SQLDatabaseAPI", "parameters": data},
        },
    }  # fmt: skip
    (folder / "opentaxii.yml").write_text(json.dumps(config))
    where = {**os.environ, "OPENTAXII_CONFIG": str(folder / "opentaxii.yml")}
    root = str(uuid.uuid4())

    def made(*words: str) -> str:
        return subprocess.run([programs / words[0], *words[1:]], env=where, check=True, capture_output=True, text=True).stdout

    token = made("opentaxii-create-account", "-u", "admin", "-p", "Password0", "-a").split("token:")[1].strip()
    made("opentaxii-add-api-root", "-t", "r", "-d", "r", "-i", root, "--default")
    made("opentaxii-add-collection", "-r", root, "-t", "c", "-d", "c", "-a", "shared")
    command = [str(programs / "gunicorn"), "opentaxii.http:app", "--bind", f"127.0.0.1:{port}", "--workers", "2", "--timeout", "3600", "--log-level", "error"]
    process = subprocess.Popen([*command, "--config", "python:opentaxii.http"], env=where, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    headers = {"Authorization": f"Bearer {token}", "Accept": TAXII, "Content-Type": TAXII}
    try:
        return measured(_plain(port, f"/taxii2/{root}/collections/shared/objects/", headers), objects)
    finally:
        process.terminate()
        process.wait(30)


def _plain(port: int, path: str, headers: dict[str, str]) -> Ask:
    """Asks a server of another make over plain HTTP, from when it listens."""
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
            break
        except OSError:
            time.sleep(0.1)
    held: list[http.client.HTTPConnection] = []

    def ask(method: str, query: dict[str, str], body: bytes) -> dict[str, Any]:
        connection = held.pop() if held else http.client.HTTPConnection("127.0.0.1", port, timeout=3600)
        connection.request(method, path + ("?" + urlencode(query) if query else ""), body or None, headers)
        answer = connection.getresponse()
        said = answer.read()
        if not answer.will_close:
            held.append(connection)
        assert answer.status in (200, 202), said[:300]
        return dict(json.loads(said))

    return ask


def main() -> None:
    """Measure and print."""
    reading = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    reading.add_argument("how", choices=["beside", "alone"])
    reading.add_argument("--objects", type=int)
    reading.add_argument("--medallion")
    reading.add_argument("--opentaxii", type=Path)
    reading.add_argument("--store")
    reading.add_argument("--rounds", type=int, default=5)
    asked = reading.parse_args()

    def told(objects: int, found: dict[str, float]) -> None:
        print(f"{objects:>9,} objects: adds {found['adds']:,.0f}/s, reads {found['reads']:,.0f}/s, empty poll {found['poll'] * 1000:.2f} ms", flush=True)

    objects = asked.objects or (1_000_000 if asked.how == "alone" else 5_000)
    if asked.how == "alone":
        with tempfile.TemporaryDirectory() as folder:
            ours(Path(folder), objects, asked.store or "alone.sqlite", told)
        return
    others: dict[str, Callable[[Path, bool], dict[str, float]]] = {}
    if asked.medallion:
        others["medallion"] = lambda folder, first: medallion(folder, asked.medallion, objects, not first)
    if asked.opentaxii:
        others["OpenTAXII"] = lambda folder, first: opentaxii(folder, asked.opentaxii, objects)
    for name, measure in others.items():
        rounds = []
        for number in range(asked.rounds):
            with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
                rounds.append((ours(Path(one), objects, asked.store or "beside.sqlite"), measure(Path(other), number == 0)))
        for what, better in (("adds", 1), ("reads", 1), ("poll", -1)):
            pairs = [(mine[what], theirs[what]) for mine, theirs in rounds if what in theirs]
            ratios = sorted((mine / theirs) ** better for mine, theirs in pairs)
            mine, theirs = (statistics.median(pair[at] for pair in pairs) for at in (0, 1))
            unit, scale = ("ms", 1000) if what == "poll" else ("/s", 1)
            print(
                f"{what:>5}: ours {mine * scale:,.2f} {unit}, {name} {theirs * scale:,.2f} {unit}; {statistics.median(ratios):,.2f} times"
                f" ({ratios[0]:,.2f} to {ratios[-1]:,.2f}, {len(pairs)} rounds)",
                flush=True,
            )


if __name__ == "__main__":
    main()
