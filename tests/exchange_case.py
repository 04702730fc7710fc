"""A small exchange for the tests: keys, certificates, a signed directory, a server's settings, and a server as a process of its own."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from stillwatch.doors.taxii import settings as reading
from stillwatch.doors.taxii.admission import Admission
from stillwatch.doors.taxii.answers import Taxii
from stillwatch.doors.taxii.messages import TAXII, Answer, Request
from stillwatch.exchange.members.directory import Directory, Key, Member, signed
from stillwatch.exchange.members.envelope import raw
from stillwatch.exchange.members.signatures import Message, Nonces, sign
from stillwatch.store.shared.opening import opened

SHARED, SECRET, OPEN = "91a7b528-80eb-42ed-a74d-c6fbd5a26116", "365fed99-08fa-4dcd-a1b3-fb247eb41d01", "64993447-4d7e-4f70-b94d-d7f33742ee63"
"North and south read and write the first, north alone the second, nobody the third."

NOW = 1_800_000_000_000_000


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def certificate(path: Path, name: str) -> bytes:
    """A self-signed certificate and its key as PEM files (path.pem, path.key). Returns the certificate's DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(start).not_valid_after(start + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path.with_suffix(".pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return made.public_bytes(serialization.Encoding.DER)


def write_key(path: Path) -> Ed25519PrivateKey:
    """A signing key; its halves lie at path and path.pub."""
    key = Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    path.with_name(path.name + ".pub").write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    return key


@dataclass
class Exchange:
    """Members north, south and west with keys and certificates; west reads and writes nothing."""

    folder: Path
    root: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    keys: dict[str, Ed25519PrivateKey] = field(default_factory=dict)
    shown: dict[str, bytes] = field(default_factory=dict)
    version: int = 0

    def __post_init__(self) -> None:
        self.root = write_key(self.folder / "root")
        certificate(self.folder / "server", "server")
        for name in ("north", "south", "west"):
            self.keys[name] = write_key(self.folder / f"{name}-sign")
            self.shown[name] = certificate(self.folder / name, name)
        self.publish()

    def directory(self, *gone: str, now: int | None = None, last: int = 86_400_000_000) -> Directory:
        """The next directory, without some."""
        self.version += 1
        at = time.time_ns() // 1000 if now is None else now
        members = tuple(Member(name, (Key(raw(key), 0, 1 << 60),), (self.shown[name],)) for name, key in self.keys.items() if name not in gone)
        return Directory(self.version, at - 1, at + last, members, gone)

    def publish(self, *gone: str) -> None:
        """Sign the next directory to the file that a server reads."""
        part = self.folder / "members.part"
        part.write_bytes(signed(self.directory(*gone), self.root))
        part.rename(self.folder / "members.json")

    def settings(self, port: int, *, proof: str = '["certificate", "signature"]', store: str = "shared.sqlite", more: str = "", tls: bool = True) -> Path:
        """The settings of north's server."""
        scheme, cert = ("https", 'certificate = "server.pem"\nkey = "server.key"') if tls else ("http", "")
        blocks = [
            f'[[server]]\nlisten = "127.0.0.1:{port}"\nurl = "{scheme}://localhost:{port}"\nstore = "{store}"\n{cert}\n'
            f'directory = "members.json"\nroots = ["root.pub"]\nrate = 100000\n{more}',
            f'[[root]]\npath = "exchange"\ntitle = "Shared"\nproof = {proof}',
        ]
        for name, readers in ((SHARED, '["north", "south"]'), (SECRET, '["north"]'), (OPEN, "[]")):
            listed = "\nlisted = true" if name == OPEN else ""
            blocks.append(f'[[collection]]\nroot = "exchange"\nid = "{name}"\ntitle = "C"\nreaders = {readers}\nwriters = {readers}{listed}')
        path = self.folder / "serve.toml"
        path.write_text("\n".join(blocks) + "\n")
        return path

    def peers(self, port: int, name: str = "south", *, tls: bool = True) -> Path:
        """The file from which a member hears north's server."""
        scheme, authority = ("https", 'authority = "server.pem"') if tls else ("http", "")
        path = self.folder / f"{name}-peers.toml"
        path.write_text(
            f'[[me]]\nkey = "{name}-sign"\ncertificate = "{name}.pem"\ncertificate_key = "{name}.key"\nstore = "{name}-heard.sqlite"\n'
            f'[[peer]]\nname = "north"\nurl = "{scheme}://localhost:{port}"\nroot = "exchange"\n{authority}\n'
        )
        return path


@contextlib.contextmanager
def served(settings: Path) -> Iterator[subprocess.Popen[str]]:
    """A server as a process, from when it listens; ended by its process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "stillwatch", "serve", str(settings)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    try:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        assert line.startswith("serves "), process.stderr.read()
        yield process
    finally:
        process.terminate()
        process.wait(30)


class Asked:
    """A server's answers without HTTP, on a clock of its own; requests are signed by whoever asks."""

    def __init__(self, exchange: Exchange, settings: Path, store: str | None = None, **how: Any) -> None:
        self.exchange, self.now = exchange, NOW
        self.settings = reading.load(settings)
        directory = exchange.directory(now=NOW)
        self.shelves = opened(store or self.settings.store)
        self.nonces = Nonces(0)
        admission = Admission(self.settings.url, lambda: directory, self.nonces, self.settings.users)
        self.taxii = Taxii(self.settings, self.shelves, admission, clock=self.clock, **how)
        self._count = 0

    def clock(self) -> int:
        self.now += 1_000
        return self.now

    def request(
        self,
        who: str | None,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        certificate: str | None = "",
    ) -> Request:
        """A request as somebody would send it: signed and with a certificate."""
        from urllib.parse import quote, urlencode

        target = quote(path) + ("?" + urlencode(query) if query else "")
        message = Message(method, self.settings.url + target, {"Accept": TAXII, **({"Content-Type": TAXII} if body else {}), **(headers or {})}, body)
        if who is not None:
            self._count += 1
            sign(message, self.exchange.keys[who], self.now, f"nonce-nonce-nonce-{self._count}")
        shown = who if certificate == "" else certificate
        return Request(
            method, target, path, tuple((query or {}).items()), tuple(message.headers.items()), body, self.exchange.shown[shown] if shown else None, "127.0.0.1"
        )

    def __call__(self, who: str | None, method: str, path: str, query: dict[str, str] | None = None, body: bytes = b"", **how: Any) -> Answer:
        return self.taxii.answer(self.request(who, method, path, query, body, **how))


def indicator(number: int, modified: str = "2026-01-01T00:00:00.000Z", **more: Any) -> dict[str, Any]:
    """A STIX indicator."""
    return {
        "type": "indicator", "spec_version": "2.1", "id": f"indicator--00000000-0000-4000-8000-{number:012d}", "created": "2026-01-01T00:00:00.000Z",
        "modified": modified, "name": f"indicator {number}", "pattern": "[ipv4-addr:value = '203.0.113.7']", "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z", **more,
    }  # fmt: skip
