"""RFC 3161 timestamps of checkpoints, from an authority that OpenSSL plays."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import time
from pathlib import Path

import pytest

if importlib.util.find_spec("rfc3161_client") is None:
    pytest.skip('rfc3161-client is not installed: pip install "stillwatch[exchange]"', allow_module_level=True)
if shutil.which("openssl") is None:
    pytest.skip("openssl is not installed", allow_module_level=True)

from stillwatch.ledger import timestamps
from stillwatch.ledger.timestamps import BadTimestamp

CONFIG = """
[tsa]
default_tsa = here
[here]
dir = {dir}
serial = $dir/serial
signer_cert = $dir/tsa.pem
signer_key = $dir/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha512
ess_cert_id_alg = sha256
[stamp]
extendedKeyUsage = critical,timeStamping
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
"""


class Authority:
    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        (folder / "c.cnf").write_text(CONFIG.format(dir=folder) + "[req]\ndistinguished_name = dn\n[dn]\n")
        (folder / "serial").write_text("01\n")
        make = "req -x509 -newkey rsa:2048 -nodes -subj /CN=root -days 30 -keyout root.key -out root.pem -config c.cnf -extensions root"
        self._openssl(make)
        self._openssl("req -newkey rsa:2048 -nodes -subj /CN=tsa -keyout tsa.key -out tsa.csr -config c.cnf")
        sign = "x509 -req -in tsa.csr -CA root.pem -CAkey root.key -CAcreateserial -days 30 -extfile c.cnf -extensions stamp -out tsa.pem"
        self._openssl(sign)
        self.root = (folder / "root.pem").read_bytes()

    def answer(self, question: bytes) -> bytes:
        (self.folder / "q.tsq").write_bytes(question)
        self._openssl("ts -reply -config c.cnf -queryfile q.tsq -out a.tsr")
        return (self.folder / "a.tsr").read_bytes()

    def _openssl(self, command: str) -> None:
        subprocess.run(["openssl", *command.split()], cwd=self.folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa") / "one")


def test_a_timestamp_holds_for_its_bytes_its_authority_and_its_question_alone(authority: Authority, tmp_path: Path) -> None:
    note = b"north.example/ledger\n3\nAAAA\n"
    question = timestamps.ask(note)
    assert note not in question.body
    answer = authority.answer(question.body)
    at = timestamps.verify(answer, note, [authority.root], question.nonce)
    assert abs(at / 1_000_000 - time.time()) < 60
    assert timestamps.verify(answer, note, [authority.root]) == at, "kept and looked at again"
    other = Authority(tmp_path / "other")
    for data, roots, nonce in (
        (note + b"x", [authority.root], question.nonce),
        (note, [other.root], question.nonce),
        (note, [], question.nonce),
        (note, [authority.root], question.nonce + 1),
        (note, [b"no certificate"], question.nonce),
    ):
        with pytest.raises(BadTimestamp):
            timestamps.verify(answer, data, roots, nonce)


@pytest.mark.parametrize("at", range(0, 4000, 97))
def test_a_damaged_timestamp_is_refused_and_never_an_error(authority: Authority, at: int) -> None:
    question = timestamps.ask(b"checkpoint")
    path = authority.folder / "damaged.tsr"
    if not path.exists():
        path.write_bytes(authority.answer(question.body))
    good = path.read_bytes()
    assert timestamps.verify(good, b"checkpoint", [authority.root]) > 0
    for bad in (good[: at % len(good)], good[: at % len(good)] + bytes([good[at % len(good)] ^ 0x41]) + good[at % len(good) + 1 :]):
        try:
            timestamps.verify(bad, b"checkpoint", [authority.root])
        except BadTimestamp:
            continue
        # Some bytes of a response are signed by nobody (the text beside the status, for one); they move no time.
        assert timestamps.verify(bad, b"checkpoint", [authority.root]) == timestamps.verify(good, b"checkpoint", [authority.root])
