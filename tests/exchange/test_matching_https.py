"""A matching between two processes over HTTPS with client certificates, and what was seen on the wire."""

from __future__ import annotations

import datetime
import hashlib
import http.client
import importlib.util
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

for package in ("voprf", "rbcl"):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f'{package} is not installed: pip install "stillwatch[exchange]"', allow_module_level=True)

import secrets  # noqa: E402
import time  # noqa: E402

from stillwatch.exchange.matching.book import Book  # noqa: E402
from stillwatch.exchange.matching.session import Own, Policy, Session  # noqa: E402
from stillwatch.exchange.matching.wire import Terms  # noqa: E402
from stillwatch.exchange.matching.work import Here  # noqa: E402

NORTH = [f"account-{i}@example.com".encode() for i in range(1200)]
SOUTH = [f"account-{i}@example.com".encode() for i in range(1150, 2300)]

PEER = """
import http.server, secrets, ssl, sys, time
from pathlib import Path
from stillwatch.exchange.matching.book import Book
from stillwatch.exchange.matching.refusals import Refused
from stillwatch.exchange.matching.session import Own, Policy, Session
from stillwatch.exchange.matching.wire import Terms
from stillwatch.exchange.matching.work import Here

folder = Path(sys.argv[1])
items = [f"account-{i}@example.com".encode() for i in range(1150, 2300)]
own = Own(Terms("south", "north", "email", "2026-11-26"), items, secrets.token_bytes(32))
session = Session(own, policy=Policy(reveal_from=50), book=Book(), work=Here(), chance=secrets.token_bytes, clock=lambda: time.time_ns() // 1000)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        try:
            answer = session.receive(self.rfile.read(int(self.headers["Content-Length"]))) or b""
        except Refused as refused:
            answer = refused.answer
        if session.outcome:
            (folder / "south.txt").write_bytes(b"\\n".join(sorted(session.outcome.common or ())))
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *words):
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder / "south.pem")
context.load_verify_locations(folder / "north.pem")
context.verify_mode = ssl.CERT_REQUIRED
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"""


def certificate(folder: Path, name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{name}.pem").write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))


def test_two_processes_match_over_https_and_the_wire_shows_no_item(tmp_path: Path) -> None:
    for name in ("north", "south"):
        certificate(tmp_path, name)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", PEER, str(tmp_path)], stdout=subprocess.PIPE, env=environment)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        context = ssl.create_default_context(cafile=tmp_path / "south.pem")
        context.load_cert_chain(tmp_path / "north.pem")
        own = Own(Terms("north", "south", "email", "2026-11-26"), NORTH, secrets.token_bytes(32))
        session = Session(own, policy=Policy(reveal_from=50), book=Book(), work=Here(), chance=secrets.token_bytes, clock=lambda: time.time_ns() // 1000)
        connection, wired = http.client.HTTPSConnection("localhost", port, context=context, timeout=60), []
        message: bytes | None = session.open()
        while message:
            connection.request("POST", "/", message)
            answer = connection.getresponse().read()
            wired += [message, answer]
            message = session.receive(answer) if answer else None
        connection.close()
    finally:
        process.kill()
        process.wait()
    both = set(NORTH) & set(SOUTH)
    assert session.outcome is not None and session.outcome.common == both and session.outcome.size == (50, 100)
    assert (tmp_path / "south.txt").read_bytes() == b"\n".join(sorted(both))
    captured = b"".join(wired)
    assert b"account" not in captured and b"example.com" not in captured
    plain = [digest(each).digest() for each in (*NORTH, *SOUTH) for digest in (hashlib.sha256, hashlib.sha512, hashlib.sha1, hashlib.md5)]
    assert not [each for each in plain if each[:8] in captured]
