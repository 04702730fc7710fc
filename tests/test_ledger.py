"""The ledger: proofs against hand-made trees and RFC 6962's, notes against the reference's bytes, and every way of rewriting a log."""

from __future__ import annotations

import base64
import doctest
import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch import merkle
from stillwatch.errors import StillwatchError, UserError
from stillwatch.ledger import checkpoints, notes, witness
from stillwatch.ledger import entries as entries_of
from stillwatch.ledger.checkpoints import Checkpoint
from stillwatch.ledger.entries import Entry
from stillwatch.ledger.notes import COSIGNATURE, BadNote, Signer, Verifier
from stillwatch.ledger.witness import Witness
from stillwatch.store.ledger import CHECKPOINT, ENTRIES, Ledger

LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"Leaves and roots that implementations of Certificate Transparency (RFC 6962) test with."


def test_roots_are_those_of_certificate_transparency() -> None:
    tree = merkle.Tree(merkle.leaf(bytes.fromhex(each)) for each in LEAVES)
    assert [tree.root(size).hex() for size in range(1, 9)] == ROOTS
    assert merkle.Tree().root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_example_of_the_rfc_has_the_proofs_that_it_names() -> None:
    """RFC 9162, section 2.1.5: the tree of seven leaves, its nodes worked out by hand."""
    a, b, c, d, e, f, j = (merkle.leaf(bytes([i])) for i in range(7))
    g, h, i = merkle.node(a, b), merkle.node(c, d), merkle.node(e, f)
    k, low = merkle.node(g, h), merkle.node(i, j)
    tree = merkle.Tree([a, b, c, d, e, f, j])
    assert tree.root() == merkle.node(k, low)
    assert tree.inclusion(0) == [b, h, low] and tree.inclusion(3) == [c, g, low] and tree.inclusion(4) == [f, j, k] and tree.inclusion(6) == [i, k]
    assert tree.consistency(3) == [c, d, g, low] and tree.consistency(4) == [low] and tree.consistency(6) == [i, j, k]


def naive(leaves: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, as it is written."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while 2 * split < len(leaves):
        split *= 2
    return merkle.node(naive(leaves[:split]), naive(leaves[split:]))


def test_every_proof_of_small_trees_holds_and_no_other_does() -> None:
    leaves = [merkle.leaf(bytes([i])) for i in range(20)]
    tree = merkle.Tree(leaves)
    roots = [naive(leaves[:size]) for size in range(21)]
    for size in range(1, 21):
        assert tree.root(size) == roots[size]
        for index in range(size):
            proof = tree.inclusion(index, size)
            assert merkle.included(leaves[index], index, size, proof, roots[size])
            for other in range(size):
                assert other == index or not merkle.included(leaves[index], other, size, proof, roots[size])
            assert not merkle.included(leaves[index], index, size, [*proof, leaves[0]], roots[size])
            assert not proof or not merkle.included(leaves[index], index, size, proof[:-1], roots[size])
        for old in range(size + 1):
            proof = tree.consistency(old, size)
            assert merkle.consistent(old, roots[old], size, roots[size], proof)
            assert not merkle.consistent(old, merkle.leaf(b"x"), size, roots[size], proof)
            assert not merkle.consistent(old, roots[old], size, roots[size], [*proof, leaves[0]])
            for at in range(len(proof)):
                assert not merkle.consistent(old, roots[old], size, roots[size], proof[:at] + [merkle.leaf(b"wrong")] + proof[at + 1 :])
    for bad in (lambda: tree.root(21), lambda: tree.inclusion(20), lambda: tree.inclusion(3, 2), lambda: tree.consistency(5, 4)):
        with pytest.raises(ValueError):
            bad()


@pytest.mark.skipif(importlib.util.find_spec("pymerkle") is None, reason="pymerkle (GPL, an oracle and never a dependency) is not installed")
def test_roots_are_those_of_pymerkle() -> None:
    from pymerkle import InmemoryTree

    other, tree = InmemoryTree(algorithm="sha256"), merkle.Tree()
    for i in range(70):
        other.append_entry(str(i).encode())
        tree.append(merkle.leaf(str(i).encode()))
        assert other.get_state() == tree.root()


PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
SAID = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NOTE = SAID + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"


def test_a_note_is_the_reference_implementations_to_the_byte() -> None:
    """The example of golang.org/x/mod/sumdb/note."""
    key = Verifier.from_text(PETER)
    assert Signer("PeterNeumann", PETERS).verifier() == key and key.to_text() == PETER
    assert notes.write(SAID.encode(), Signer("PeterNeumann", PETERS).line(SAID.encode())) == NOTE.encode()
    assert notes.read(NOTE.encode(), [key]).signed == {key: 0}
    with pytest.raises(BadNote, match="does not hold"):
        notes.read(NOTE.replace("answer", "Answer").encode(), [key])
    assert notes.read(NOTE.replace("answer", "Answer").encode(), []).signed == {}, "unknown keys are left aside"
    with pytest.raises(BadNote, match="not its own"):
        Verifier.from_text(PETER.replace("c74f20a3", "c74f20a4"))
    assert "secret" not in repr(Signer("a", PETERS)) and PETERS.hex() not in repr(Signer("a", PETERS))


@given(st.binary(max_size=300), st.integers(0, 400), st.integers(1, 255))
@settings(max_examples=200, deadline=None)
def test_damaged_notes_and_requests_are_refused_and_never_an_error(data: bytes, at: int, change: int) -> None:
    log, seen = log_of(5)
    good = bytearray(witness.request(0, [], seen.sign(LOG)))
    good[at % len(good)] ^= change
    for body in (data, bytes(good)):
        answer = WITNESS.add_checkpoint(body, NOW)
        assert answer.status in (400, 403, 404, 409, 422) or notes.read(witness.parsed(body)[2], [LOG.verifier()]).signed


LOG = Signer("north.example/ledger", b"\1" * 32)
WITNESS_KEY = Signer("south.example/witness", b"\2" * 32, COSIGNATURE)
WITNESS = Witness(WITNESS_KEY, {LOG.name: LOG.verifier()})
NOW = 1_790_000_000


def log_of(count: int, mark: str = "") -> tuple[merkle.Tree, Checkpoint]:
    tree = merkle.Tree(merkle.leaf(f"{mark if i == 1 else ''}{i}".encode()) for i in range(count))
    return tree, Checkpoint(LOG.name, count, tree.root())


def test_a_cosignature_is_as_the_standard_says() -> None:
    """C2SP tlog-cosignature, worked out beside the code: id, time, and what is signed."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    _, checkpoint = log_of(3)
    line = WITNESS_KEY.line(checkpoint.text(), NOW)
    private = Ed25519PrivateKey.from_private_bytes(WITNESS_KEY.secret)
    public = private.public_key().public_bytes_raw()
    data = base64.b64decode(line.split(" ")[2])
    assert data[:4] == hashlib.sha256(b"south.example/witness\n\x04" + public).digest()[:4]
    assert int.from_bytes(data[4:12], "big") == NOW
    root = base64.b64encode(checkpoint.root).decode()
    assert data[12:] == private.sign(f"cosignature/v1\ntime {NOW}\nnorth.example/ledger\n3\n{root}\n".encode())


def test_a_witness_cosigns_what_grows_and_the_quorum_is_counted() -> None:
    at, note = WITNESS, b""
    last = 0
    for count in (3, 3, 7, 12):
        tree, checkpoint = log_of(count)
        note = checkpoint.sign(LOG)
        answer = at.add_checkpoint(witness.request(last, tree.consistency(last, count), note), NOW)
        assert answer.status == 200
        at, last = at.after(answer), count
        note = checkpoints.joined(note, answer.body)
    opened, found = checkpoints.opened(note, LOG.verifier(), [WITNESS_KEY.verifier()], quorum=1)
    assert opened == checkpoint and found.signed[WITNESS_KEY.verifier()] == NOW
    with pytest.raises(BadNote, match="1 of 2 witnesses"):
        checkpoints.opened(note, LOG.verifier(), [WITNESS_KEY.verifier(), replace(WITNESS_KEY, name="twin").verifier()], quorum=2)
    with pytest.raises(BadNote, match="not signed by"):
        checkpoints.opened(note, Signer("other", b"\3" * 32).verifier())


def test_a_rewritten_truncated_or_forked_log_gets_no_cosignature() -> None:
    tree, checkpoint = log_of(8)
    at = WITNESS.after(WITNESS.add_checkpoint(witness.request(0, [], checkpoint.sign(LOG)), NOW))

    def asked(old: int, proof: list[bytes], new: Checkpoint, signer: Signer = LOG) -> tuple[int, str]:
        answer = at.add_checkpoint(witness.request(old, proof, new.sign(signer)), NOW)
        assert answer.status == 200 or answer.seen is None
        return answer.status, answer.body

    other, rewritten = log_of(12, "x")
    assert asked(8, other.consistency(8), rewritten)[0] == 422, "rewritten"
    assert asked(8, [], log_of(8, "x")[1])[0] == 409, "forked"
    shorter, truncated = log_of(6)
    assert asked(8, [], truncated)[0] == 400 and asked(6, [], truncated) == (409, "8\n") and asked(0, [], truncated) == (409, "8\n"), "truncated"
    grown, longer = log_of(12)
    assert asked(8, grown.consistency(8)[:-1], longer)[0] == 422
    assert asked(8, grown.consistency(8), longer)[0] == 200
    thief = Signer(LOG.name, b"\7" * 32)
    assert asked(8, grown.consistency(8), longer, thief)[0] == 403
    stranger = Signer("unknown.example", b"\7" * 32)
    assert asked(8, [], replace(longer, origin=stranger.name), stranger)[0] == 404
    for bad in (b"", b"old 08\n\n", b"old 8\nxx\n\n", b"old -1\n\n" + longer.sign(LOG), b"new 8\n\n" + longer.sign(LOG), b"old 8\n" + b"AAAA\n" * 70 + b"\n"):
        assert at.add_checkpoint(bad, NOW).status == 400, bad


def test_the_examples_of_the_docstrings_run() -> None:
    for module in (merkle, entries_of):
        ran = doctest.testmod(module)
        assert ran.attempted and not ran.failed, module


# What lies on disk.

ENTRY = Entry("match", "ab" * 32, 1_790_000_000_000_000, "m7", "answer")


def entries(count: int) -> list[Entry]:
    return [replace(ENTRY, at=ENTRY.at + i) for i in range(count)]


def test_an_entry_is_a_digest_and_never_content() -> None:
    assert Entry.from_bytes(ENTRY.to_bytes()) == ENTRY
    golden = (
        b'{"at":1790000000000000,"digest":"abababababababababababababababababababababababababababababababab","kind":"match","member":"m7",'
        b'"version":1,"what":"answer"}'
    )
    assert ENTRY.to_bytes() == golden
    for bad in ({"kind": "vote"}, {"digest": "card 1"}, {"at": -1}, {"what": "two\nlines"}, {"member": ""}, {"what": "x" * 201}):
        with pytest.raises(StillwatchError):
            replace(ENTRY, **bad)
    for data in (b"", b"[]", golden + b" ", golden.replace(b'"version":1', b'"version":2'), golden[:-1] + b',"note":"x"}'):
        with pytest.raises(StillwatchError):
            Entry.from_bytes(data)


def test_a_ledger_is_opened_again_with_the_same_root(tmp_path: Path) -> None:
    with Ledger(tmp_path, LOG) as ledger:
        assert ledger.checkpoint() is None and list(ledger.append(entries(5))) == [0, 1, 2, 3, 4]
        note = ledger.sign()
        answer = WITNESS.add_checkpoint(witness.request(0, [], note), NOW)
        ledger.cosigned(answer.body)
        ledger.append(entries(2))
        root = ledger.tree.root()
        with pytest.raises(UserError, match="another process"):
            Ledger(tmp_path, LOG)
    with Ledger(tmp_path, LOG) as ledger:
        assert len(ledger) == 7 and ledger.tree.root() == root and ledger.entry(6) == entries(2)[1]
        opened, found = checkpoints.opened(ledger.checkpoint() or b"", LOG.verifier(), [WITNESS_KEY.verifier()], 1)
        assert opened.size == 5
        assert merkle.consistent(5, opened.root, 7, root, ledger.tree.consistency(5))
        assert merkle.included(merkle.leaf(entries(5)[2].to_bytes()), 2, 7, ledger.tree.inclusion(2), root)
    with pytest.raises(StillwatchError, match="not signed by this log"):
        Ledger(tmp_path, replace(LOG, name="other.example"))


def test_a_torn_tail_is_cut_to_the_last_whole_entry(tmp_path: Path) -> None:
    with Ledger(tmp_path, LOG) as ledger:
        ledger.append(entries(4))
        ledger.sign()
        ledger.append(entries(1))
    whole = (tmp_path / ENTRIES).read_bytes()
    start = whole.rstrip(b"\n").rfind(b"\n") + 1
    for cut in range(start + 1, len(whole)):
        (tmp_path / ENTRIES).write_bytes(whole[:cut])
        with Ledger(tmp_path, LOG) as ledger:
            assert len(ledger) == 4
            ledger.append(entries(1))
        assert (tmp_path / ENTRIES).read_bytes() == whole


def test_a_rewritten_ledger_is_noticed(tmp_path: Path) -> None:
    with Ledger(tmp_path, LOG) as ledger:
        ledger.append(entries(6))
        ledger.sign()
    path = tmp_path / ENTRIES
    good = path.read_bytes()
    lines = good.splitlines(keepends=True)

    def refused(data: bytes, why: str) -> None:
        path.write_bytes(data)
        with pytest.raises(StillwatchError, match=why):
            Ledger(tmp_path, LOG)
        assert path.read_bytes() == data, "what is wrong is left as it is found"

    refused(good.replace(b'"answer"', b'"reveal"', 1), "not those of the last checkpoint")
    refused(b"".join(lines[1:]), "1 entries of the last checkpoint are missing")
    refused(b"".join(lines[:-1]), "missing")
    refused(b"", "6 entries")
    refused(b"".join([lines[1], lines[0], *lines[2:]]), "not those")
    refused(good.replace(b"answer", b"ans\0er", 1), "line 1 is not as it was written")
    refused(lines[0] + b"\n" + b"".join(lines[1:]), "line 2")
    path.write_bytes(good)
    forged = Checkpoint(LOG.name, 6, bytes(32)).sign(Signer(LOG.name, b"\4" * 32))
    (tmp_path / CHECKPOINT).write_bytes(forged)
    with pytest.raises(StillwatchError, match="not signed"):
        Ledger(tmp_path, LOG)


def test_with_the_key_one_can_rewrite_a_ledger_but_not_what_a_witness_saw(tmp_path: Path) -> None:
    with Ledger(tmp_path, LOG) as ledger:
        ledger.append(entries(6))
        at = WITNESS.after(WITNESS.add_checkpoint(witness.request(0, [], ledger.sign()), NOW))
    (tmp_path / ENTRIES).unlink()
    (tmp_path / CHECKPOINT).unlink()
    with Ledger(tmp_path, LOG) as ledger:
        ledger.append([replace(each, what="other") for each in entries(9)])
        note = ledger.sign()
        assert at.add_checkpoint(witness.request(6, ledger.tree.consistency(6), note), NOW).status == 422


WRITER = """
import sys
from pathlib import Path
from stillwatch.ledger.entries import Entry
from stillwatch.ledger.notes import Signer
from stillwatch.store.ledger import Ledger
with Ledger(Path(sys.argv[1]), Signer("north.example/ledger", b"\\1" * 32)) as ledger:
    while True:
        ledger.append([Entry("share", "cd" * 32, i, "m1", "x" * 150) for i in range(20)])
        ledger.sign()
        print(len(ledger), flush=True)
"""


def test_a_killed_writer_loses_nothing_that_it_was_told_is_kept(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, env=environment)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        told = process.stdout.read().split()
        process.wait()
        with Ledger(tmp_path, LOG) as ledger:
            assert len(ledger) >= (int(told[-1]) if told else 20)
