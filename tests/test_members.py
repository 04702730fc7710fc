"""The directory of members: only the root signs, only forwards, and nobody outside it is anybody."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.doors import cli
from stillwatch.errors import UserError
from stillwatch.exchange.members.directory import KIND, Directory, Key, Member, Seen, admitted, expelled, opened, rotated, signed
from stillwatch.exchange.members.envelope import Refused, raw, sealed, unsealed
from stillwatch.exchange.members.signatures import AHEAD, Nonces
from stillwatch.store import directories

ROOT, OTHER = Ed25519PrivateKey.from_private_bytes(b"\1" * 32), Ed25519PrivateKey.from_private_bytes(b"\2" * 32)


def public(number: int) -> bytes:
    return raw(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


NORTH = Member("north", (Key(public(3), 0, 1000),), (b"north's certificate",))
FIRST = Directory(1, 0, 500, (NORTH,))


def test_a_directory_comes_back_as_it_was_signed() -> None:
    directory, seen = opened(signed(FIRST, ROOT), [raw(OTHER), raw(ROOT)], 10)
    assert directory == FIRST and seen.version == 1


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (signed(FIRST, OTHER), "no key that is trusted"),
        (sealed("text/plain", b"{}", ROOT), "something else"),
        (sealed(KIND, b"{}", ROOT), "not a directory"),
        (sealed(KIND, b'{"version":"1"}', ROOT), "not a directory"),
        (b"nothing", "not a DSSE envelope"),
        (b"[]", "not a DSSE envelope"),
    ],
)
def test_what_the_root_did_not_sign_as_a_directory_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(Refused, match=what):
        opened(data, [raw(ROOT)], 10)


def test_a_changed_byte_of_the_payload_is_refused() -> None:
    envelope: dict[str, Any] = orjson.loads(signed(FIRST, ROOT))
    payload = base64.b64decode(envelope["payload"]).replace(b'"expires":500', b'"expires":900')
    envelope["payload"] = base64.b64encode(payload).decode()
    with pytest.raises(Refused, match="no key that is trusted"):
        opened(orjson.dumps(envelope), [raw(ROOT)], 10)


def test_an_older_directory_and_another_of_the_same_version_are_refused() -> None:
    second = admitted(FIRST, Member("south", (Key(public(4), 0, 1000),)), 1, 600)
    _, seen = opened(signed(second, ROOT), [raw(ROOT)], 10)
    assert opened(signed(second, ROOT), [raw(ROOT)], 10, seen)[0] == second
    with pytest.raises(Refused, match="rolled back"):
        opened(signed(FIRST, ROOT), [raw(ROOT)], 10, seen)
    with pytest.raises(Refused, match="forked"):
        opened(signed(replace(second, expires=700), ROOT), [raw(ROOT)], 10, seen)


def test_an_expired_directory_is_refused_and_knows_nobody() -> None:
    with pytest.raises(Refused, match="expired"):
        opened(signed(FIRST, ROOT), [raw(ROOT)], 500)
    assert FIRST.who_shows(b"north's certificate", 499) == "north" and FIRST.who_shows(b"north's certificate", 500) is None
    assert FIRST.who_signs(NORTH.keys[0].id, 499) is not None and FIRST.who_signs(NORTH.keys[0].id, 500) is None


def test_a_key_counts_in_its_days_and_two_overlap_in_a_rotation() -> None:
    new = Key(public(5), 100, 1000)
    turned = rotated(FIRST, "north", new, 100, 900, overlap=50)
    old = NORTH.keys[0].id
    assert [turned.who_signs(old, at) is not None for at in (99, 149, 150)] == [True, True, False]
    assert [turned.who_signs(new.id, at) is not None for at in (99, 100, 899, 900)] == [False, True, True, False]
    assert turned.version == 2


def test_who_is_expelled_is_nobody_and_does_not_come_back_under_the_name() -> None:
    out = expelled(FIRST, "north", 1, 500)
    assert out.who_shows(b"north's certificate", 10) is None and out.who_signs(NORTH.keys[0].id, 10) is None
    with pytest.raises(Refused, match="expelled"):
        admitted(out, NORTH, 2, 500)
    with pytest.raises(Refused, match="no such member"):
        expelled(out, "north", 2, 500)


@pytest.mark.parametrize(
    ("member", "what"),
    [
        (Member("north", ()), "name"),
        (Member("Nörth", ()), "name"),
        (Member("south", (Key(public(3), 0, 10),)), "key"),
        (Member("south", (Key(public(4), 10, 10),)), "key"),
        (Member("south", (), (b"north's certificate",)), "certificate"),
    ],
)
def test_no_two_members_share_a_name_a_key_or_a_certificate(member: Member, what: str) -> None:
    with pytest.raises(Refused, match=what):
        admitted(FIRST, member, 1, 500)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_an_envelope_around_anything_is_opened_only_by_its_kind_and_key(payload: bytes, noise: bytes) -> None:
    assert unsealed("k", sealed("k", payload, ROOT), [raw(ROOT)]) == payload
    with pytest.raises(Refused):
        unsealed("k", noise, [raw(ROOT)])


def test_a_file_that_was_seen_newer_is_refused_and_a_lost_memory_is_told(tmp_path: Path) -> None:
    path, root = tmp_path / "members.json", tmp_path / "root"
    directories.write_pair(root)
    key, trusted = directories.private_key(root), [tmp_path / "root.pub"]
    assert root.stat().st_mode & 0o777 == 0o600
    second = admitted(FIRST, Member("south", ()), 1, 600)
    path.write_bytes(signed(second, key))
    assert directories.load(path, trusted, 10).version == 2
    path.write_bytes(signed(FIRST, key))
    with pytest.raises(UserError, match="rolled back"):
        directories.load(path, trusted, 10)
    (tmp_path / "members.json.seen").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        directories.load(path, trusted, 10)


def test_seen_is_compared_by_content() -> None:
    with pytest.raises(Refused, match="forked"):
        opened(signed(FIRST, ROOT), [raw(ROOT)], 10, Seen(1, "00"))


def test_the_commands_make_keys_and_sign_directories_that_only_grow(tmp_path: Path) -> None:
    run = CliRunner().invoke
    for name in ("root", "north", "south"):
        assert run(cli.main, ["members", "key", str(tmp_path / name)]).exit_code == 0
    assert run(cli.main, ["members", "key", str(tmp_path / "root")]).exit_code == 2, "no key is written over"
    file, out = tmp_path / "members.toml", tmp_path / "members.json"
    member = '[[member]]\nname = "{0}"\nkeys = ["{0}.pub"]\n'
    head = "[[directory]]\nexpires = 2999-01-31\n"

    def sign(text: str) -> Any:
        file.write_text(head + text)
        return run(cli.main, ["members", "sign", str(file), "--root", str(tmp_path / "root"), "--out", str(out), "--json"])

    assert orjson.loads(sign(member.format("north") + member.format("south")).output)["version"] == 1
    forgotten = sign(member.format("north"))
    assert forgotten.exit_code == 2 and "south was there" in forgotten.output
    assert orjson.loads(sign(member.format("north") + '[[expelled]]\nname = "south"\n').output)["version"] == 2
    assert "was there" in sign(member.format("north")).output, "who was expelled stays so"
    directory = directories.load(out, [tmp_path / "root.pub"], 10)
    assert [each.name for each in directory.members] == ["north"] and directory.expelled == ("south",)


def test_a_password_is_printed_stretched() -> None:
    done = CliRunner().invoke(cli.main, ["members", "password"], input="Password0\n")
    assert done.exit_code == 0 and done.output.startswith("scrypt$") and "Password0" not in done.output


def test_what_was_dated_ahead_before_a_restart_counts_no_more_after_it() -> None:
    before, second = Nonces(0), 1_000_000
    with pytest.raises(Refused, match="too far from now"):
        before.use("k", "n", 60 * second, 0)
    before.use("k", "n", AHEAD, 0)  # the furthest ahead that is taken
    after = Nonces((AHEAD // second + 1) * second)  # as a server that starts in the next moment counts
    with pytest.raises(Refused, match="too far from now"):
        after.use("k", "n", AHEAD, AHEAD + second)
