"""The server as a process, over TLS: certificates, signatures, members hearing one another, kills and ends."""

from __future__ import annotations

import http.client
import json
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("http_message_signatures")

from exchange_case import OPEN, SECRET, SHARED, Exchange, free_port, indicator, served  # noqa: E402
from stillwatch import flow  # noqa: E402
from stillwatch.doors.taxii.messages import TAXII  # noqa: E402
from stillwatch.doors.taxii.passwords import stretched  # noqa: E402
from stillwatch.exchange.members.signatures import Message, sign  # noqa: E402
from stillwatch.store.shared.heard import Hearsay  # noqa: E402


def bodies(*numbers: int, **more: Any) -> list[bytes]:
    return [json.dumps(indicator(number, **more)).encode() for number in numbers]


def heard(path: Path) -> list[str]:
    store = Hearsay(path)
    found = [each.id for each in store.since(0, 100_000)]
    store.close()
    return found


def raw(
    exchange: Exchange, port: int, shown: str | None, signer: str | None, path: str, method: str = "GET", body: bytes = b""
) -> tuple[int, bytes, dict[str, str]]:
    """One request with one member's certificate and another's signature."""
    context = ssl.create_default_context(cafile=str(exchange.folder / "server.pem"))
    if shown is not None:
        context.load_cert_chain(exchange.folder / f"{shown}.pem", exchange.folder / f"{shown}.key")
    message = Message(method, f"https://localhost:{port}{path}", {"Accept": TAXII, **({"Content-Type": TAXII} if body else {})}, body)
    if signer is not None:
        sign(message, exchange.keys[signer], time.time_ns() // 1000, secrets.token_urlsafe(18))
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=20)
    try:
        connection.request(method, path, body or None, message.headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def test_members_tell_and_hear_one_another_each_object_once(exchange: Exchange) -> None:
    port = free_port()
    with served(exchange.settings(port, more="page = 7")):
        told = flow.tell(exchange.peers(port, "north"), "north", SHARED, bodies(*range(30)))
        assert told["added"] == 30 and told["failures"] == []
        flow.tell(exchange.peers(port, "north"), "north", SECRET, bodies(99))
        first = flow.hear(exchange.peers(port))
        assert first["peers"]["north"] == {"new": 30, "collections": {SHARED: 30}}
        assert flow.hear(exchange.peers(port))["new"] == 0
        flow.tell(exchange.peers(port, "north"), "north", SHARED, bodies(3, 31, modified="2026-02-01T00:00:00.000Z"))
        assert flow.hear(exchange.peers(port))["new"] == 2
        assert flow.hear(exchange.peers(port, "west"))["new"] == 0
    found = heard(exchange.folder / "south-heard.sqlite")
    assert found == [*(indicator(number)["id"] for number in range(30)), indicator(3)["id"], indicator(31)["id"]]


def test_a_certificate_or_key_outside_the_directory_gets_nothing(exchange: Exchange) -> None:
    port = free_port()
    path = f"/exchange/collections/{SHARED}/objects/"
    from exchange_case import certificate, write_key

    certificate(exchange.folder / "stranger", "north")
    with served(exchange.settings(port)):
        flow.tell(exchange.peers(port, "north"), "north", SHARED, bodies(1))
        assert raw(exchange, port, "south", "south", path)[0] == 200
        for shown, signer in (("south", None), ("south", "north"), ("west", "south")):
            status, body, _ = raw(exchange, port, shown, signer, path)
            assert status == 401 and b"indicator" not in body
        for shown in ("stranger", None):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                raw(exchange, port, shown, "south", path)
        exchange.keys["stranger"] = write_key(exchange.folder / "stranger-sign")
        assert raw(exchange, port, "south", "stranger", path)[0] == 401
        del exchange.keys["stranger"]
        exchange.publish("south")
        assert raw(exchange, port, "south", "south", path)[0] == 401, "expelled while the server runs"
        (exchange.folder / "members.json").write_bytes(b"{}")
        assert raw(exchange, port, "south", "south", path)[0] == 401 and raw(exchange, port, "north", "north", path)[0] == 200, "a bad file changes nothing"


def test_a_hearing_that_is_killed_loses_nothing_and_keeps_nothing_twice(exchange: Exchange) -> None:
    port = free_port()
    with served(exchange.settings(port, more="page = 3")):
        flow.tell(exchange.peers(port, "north"), "north", SHARED, bodies(*range(600)))
        settings = exchange.peers(port)
        store, kills = exchange.folder / "south-heard.sqlite", 0
        for _ in range(3):
            before = len(heard(store)) if store.exists() else 0
            process = subprocess.Popen([sys.executable, "-m", "stillwatch", "hear", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            end = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < end and (not store.exists() or len(heard(store)) < before + 30):
                time.sleep(0.01)
            kills += process.poll() is None
            process.kill()
            process.wait(30)
        assert kills, "it was killed in the middle of its work at least once"
        flow.hear(settings)
        found = heard(exchange.folder / "south-heard.sqlite")
    assert sorted(found) == [indicator(number)["id"] for number in range(600)]


def test_a_server_that_is_killed_comes_back_with_what_it_answered_for(exchange: Exchange) -> None:
    port = free_port()
    settings = exchange.settings(port)
    with served(settings) as process:
        flow.tell(exchange.peers(port, "north"), "north", SHARED, bodies(1, 2))
        flow.hear(exchange.peers(port))
        process.kill()
        process.wait(30)
    told = flow.hear(exchange.peers(port))
    assert "no answer" in told["peers"]["north"]["error"] and told["failed"] == 1
    with served(settings):
        flow.tell(exchange.peers(port, "north"), "north", SHARED, bodies(2, 3))
        assert flow.hear(exchange.peers(port))["new"] == 1


def test_an_asked_for_end_finishes_what_was_begun(exchange: Exchange) -> None:
    port = free_port()
    settings = exchange.settings(port)
    done: list[Any] = []
    with served(settings) as process:
        teller = threading.Thread(target=lambda: done.append(flow.tell(exchange.peers(port, "north"), "north", SHARED, bodies(*range(1000)))))
        teller.start()
        teller.join()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stdout is not None and "nothing was left half done" in process.stdout.read()
    with served(settings):
        assert flow.hear(exchange.peers(port))["new"] == done[0]["added"] == 1000


def test_what_is_too_large_is_refused_before_it_is_read(exchange: Exchange) -> None:
    port = free_port()
    path = f"/exchange/collections/{SHARED}/objects/"
    with served(exchange.settings(port, more="body = 2048")):
        status, body, headers = raw(exchange, port, "north", "north", path, "POST", b" " * 3000)
        assert status == 413 and headers["content-type"] == TAXII and json.loads(body)["http_status"] == "413"


def test_noise_on_the_wire_is_answered_or_closed_and_the_server_lives(exchange: Exchange) -> None:
    port = free_port()
    more = f'[[user]]\nname = "south"\npassword = "{stretched("Password0")}"'
    with served(exchange.settings(port, proof='["basic"]', tls=False, more=more)) as process:
        for noise in (
            b"GET\r\n\r\n",
            b"\x16\x03\x01\x00\xff" * 40,
            b"POST /exchange/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            b"GET /%ff%fe/?a=%ff HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"A" * 100_000,
        ):
            with socket.create_connection(("127.0.0.1", port), 10) as sent:
                sent.sendall(noise)
                sent.shutdown(socket.SHUT_WR)
                answer = sent.recv(1 << 16)
            assert not answer.startswith(b"HTTP/1.1 5"), answer
        assert process.poll() is None
        connection = http.client.HTTPConnection("localhost", port, timeout=10)
        for _ in range(2):
            connection.request("GET", "/taxii2/")
            answer = connection.getresponse()
            assert answer.status == 401 and answer.read(), "one connection, several requests"


def test_an_ordinary_client_writes_and_reads_every_object_without_loss(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    client = pytest.importorskip("taxii2client.v21")
    port = free_port()
    more = f'page = 4\n[[user]]\nname = "south"\npassword = "{stretched("Password0")}"'
    with served(exchange.settings(port, proof='["basic"]', tls=False, more=more)):
        server = client.Server(f"http://localhost:{port}/taxii2/", user="south", password="Password0")
        root = server.api_roots[0]
        assert {each.id for each in root.collections} == {SHARED, OPEN}
        collection = next(each for each in root.collections if each.id == SHARED)
        wanted = [indicator(number, note=f"ü\u2028{number}", nested={"deep": [None, True, number / 7, 2**53 + number]}) for number in range(11)]
        status = collection.add_objects({"objects": wanted})
        assert status.status == "complete" and status.success_count == 11 and not status.failures
        assert root.get_status(status.id).success_count == 11
        pages = list(client.as_pages(collection.get_objects, per_request=3))
        assert [each for page in pages for each in page["objects"]] == wanted
        assert [each["id"] for page in client.as_pages(collection.get_manifest, per_request=3) for each in page["objects"]] == [each["id"] for each in wanted]
        assert collection.get_object(wanted[2]["id"])["objects"] == [wanted[2]]
        assert collection.object_versions(wanted[2]["id"])["versions"] == [wanted[2]["modified"]]
        collection.delete_object(wanted[2]["id"])
        assert len(collection.get_objects(limit=20)["objects"]) == 4


def test_a_peer_that_does_not_answer_is_told_and_the_settings_say_where(exchange: Exchange, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from stillwatch.doors import cli

    settings = exchange.peers(free_port())
    done = CliRunner().invoke(cli.main, ["hear", str(settings)])
    assert done.exit_code == 2 and "north: 0 new; north (https://localhost" in done.output and "could not be heard" in done.output
    settings.write_text(settings.read_text().replace("https://", "http://").replace("localhost", "north.example"))
    unsafe = CliRunner().invoke(cli.main, ["hear", str(settings)])
    assert unsafe.exit_code == 2 and "does not go unencrypted" in unsafe.output
    unknown = CliRunner().invoke(cli.main, ["hear", str(exchange.peers(1)), "--peer", "nort"])
    assert unknown.exit_code == 2 and 'no peer is called "nort"' in unknown.output


def test_packed_content_and_a_peer_that_answers_nonsense(exchange: Exchange, tmp_path: Path) -> None:
    port = free_port()
    with served(exchange.settings(port)):
        context = ssl.create_default_context(cafile=str(exchange.folder / "server.pem"))
        context.load_cert_chain(exchange.folder / "south.pem", exchange.folder / "south.key")
        for body in (b"not gzip at all", b""):
            connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=20)
            connection.request("POST", "/taxii2/", body, {"Content-Encoding": "gzip", "Content-Type": TAXII})
            assert connection.getresponse().status == 415
            connection.close()


@pytest.mark.parametrize("page", ['{"objects": null}', '{"objects": 5}', '{"objects": [1]}', "[", '{"more": true}'])
def test_a_peer_that_answers_nonsense_is_told_and_stops_nobody_else(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from stillwatch.errors import StillwatchError
    from stillwatch.peers import connection, hearing

    class Peer:
        name = "north"

    class Store:
        def progress(self, *where: str) -> Any:
            return hearing.Progress(None)

        def keep(self, *what: Any) -> int:
            return 0

    class Answers:
        def get(self, *path: str, **query: str) -> Any:
            return connection._object(200, page.encode(), "north"), {}

    with pytest.raises(StillwatchError):
        hearing._round(Answers(), Store(), Peer(), "c", lambda: False)  # type: ignore[arg-type]
    for said in ('{"collections": null}', '{"collections": 3}'):
        monkeypatch.setattr(Answers, "get", lambda self, *path, said=said, **query: (connection._object(200, said.encode(), "north"), {}))
        with pytest.raises(StillwatchError):
            hearing._readable(Answers())  # type: ignore[arg-type]


def test_large_numbers_are_heard_as_they_were_said() -> None:
    from stillwatch.peers import connection, hearing

    page = connection._object(200, b'{"objects": [{"id": "x--1", "n": 123456789012345678901234567890}]}', "north")
    assert b"123456789012345678901234567890" in hearing._read(page["objects"][0], "north")[3]
