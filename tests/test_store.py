"""Keys made once and kept closed, names sealed, results whole or absent at any moment of death."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from stillwatch.errors import UserError
from stillwatch.store import keys, names, scans

KEY = bytes(range(32))


def test_key_is_made_once_and_closed_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    key = keys.load_or_create(None)
    path = tmp_path / "config" / "stillwatch" / "hashing.key"
    assert len(key) == 32 and keys.load_or_create(None) == key == keys.load_or_create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["hashing.key"]
    assert keys.load_or_create(tmp_path / "another.key") != key


def test_first_runs_at_once_agree_on_one_key(tmp_path: Path) -> None:
    path, got = tmp_path / "new" / "a.key", []
    threads = [threading.Thread(target=lambda: got.append(keys.load_or_create(path))) for _ in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(got) == 16 and len(set(got)) == 1


def test_raw_and_hexadecimal_keys_are_read(tmp_path: Path) -> None:
    for name, content in (("raw", KEY), ("hex", KEY.hex().encode() + b"\n")):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
        assert keys.load_or_create(tmp_path / name) == KEY


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (b"", 0o600, "not a hashing key (64 hex digits); name the right file, or one that does not exist yet"),
        (b"short", 0o600, "not a hashing key (64 hex digits); name the right file, or one that does not exist yet"),
        (b"x" * 4096, 0o600, "not a hashing key (64 hex digits); name the right file, or one that does not exist yet"),
        (KEY, 0o644, "others may read the hashing key; close it with chmod 600 {path}"),
    ],
)
def test_what_is_no_key_is_refused(content: bytes, mode: int, said: str, tmp_path: Path) -> None:
    path = tmp_path / "k"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(UserError) as error:
        keys.load_or_create(path)
    assert str(error.value) == f"{path}: {said.format(path=path)}"
    with pytest.raises(UserError, match="is not a file"):
        keys.load_or_create(tmp_path)


def test_fingerprint_tells_keys_apart_and_nothing_else() -> None:
    assert keys.fingerprint(KEY) != keys.fingerprint(bytes(32))
    assert len(keys.fingerprint(KEY)) == 16 and keys.fingerprint(KEY) not in KEY.hex()


def test_names_come_back_under_the_right_key_and_scan_only(tmp_path: Path) -> None:
    place = tmp_path / "k"
    path = names.seal(place, KEY, "scan-1", np.array([1, -2]), ["anna", "ümit"])
    assert names.open(place, KEY, "scan-1") == {1: "anna", -2: "ümit"}
    assert path.stat().st_mode & 0o777 == 0o600 and b"anna" not in path.read_bytes()
    names.seal(place, KEY, "scan-1", [3], ["else"])
    assert names.open(place, KEY, "scan-1") == {3: "else"}
    with pytest.raises(UserError, match="another key sealed these names"):
        names.open(place, bytes(32), "scan-1")
    path.rename(path.with_name("scan-2.sealed"))
    with pytest.raises(UserError, match="another key sealed these names, or they were changed"):
        names.open(place, KEY, "scan-2")
    with pytest.raises(UserError, match="the names of this scan are not here"):
        names.open(place, KEY, "scan-1")
    with pytest.raises(ValueError, match="letters"):
        names.place(place, "../up")


@pytest.mark.parametrize("cut", [0, 10, 25, -1])
def test_a_damaged_seal_is_told(cut: int, tmp_path: Path) -> None:
    path = names.seal(tmp_path / "k", KEY, "s", [1], ["a"])
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(UserError, match="another key sealed these names, or they were changed"):
        names.open(tmp_path / "k", KEY, "s")


def fill(stage: Path, word: str) -> None:
    (stage / "part").mkdir()
    for at in range(5):
        (stage / "part" / f"{at}.txt").write_text(word * 1000)


def held(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


WHOLE = {".stillwatch", *(f"part/{at}.txt" for at in range(5))}


def test_a_result_appears_whole_and_replaces_an_earlier_one_whole(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    for word in ("one", "two"):
        with scans.publish(out, "scan") as stage:
            assert stage.parent == out.parent and stage.name.startswith(".")
            fill(stage, word)
            assert not out.exists() or (out / "part/0.txt").read_text().startswith("one")
        assert held(out) == WHOLE and (out / "part/0.txt").read_text().startswith(word)
        (out / "stray.txt").write_text("left by somebody")
        assert os.listdir(out.parent) == ["out"]
    assert scans.is_scan(out) and scans.is_scan(out, "scan") and not scans.is_scan(out, "drill")


@pytest.mark.parametrize("exchange", [True, False])
def test_without_atomic_exchange_it_works_too(exchange: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not exchange:
        monkeypatch.setattr(scans, "_exchanged", lambda one, other: False)
    for word in ("one", "two"):
        with scans.publish(tmp_path / "out", "scan") as stage:
            fill(stage, word)
    assert (tmp_path / "out/part/0.txt").read_text().startswith("two") and os.listdir(tmp_path) == ["out"]


def test_a_death_between_the_two_renames_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    with scans.publish(out, "scan") as stage:
        fill(stage, "one")
    os.rename(out, scans._hidden(out, scans._OLD))
    with pytest.raises(RuntimeError), scans.publish(out, "scan"):
        assert (out / "part/0.txt").read_text().startswith("one")
        raise RuntimeError
    assert held(out) == WHOLE and os.listdir(tmp_path) == ["out"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    for before in ([], ["out"]):
        with pytest.raises(RuntimeError), scans.publish(tmp_path / "out", "scan") as stage:
            fill(stage, "half")
            raise RuntimeError
        assert os.listdir(tmp_path) == before
        with scans.publish(tmp_path / "out", "scan") as stage:
            fill(stage, "one")


FOREIGN = "the folder is not empty and is no earlier result of this command; name a new folder, or empty this one yourself"


def test_an_empty_folder_may_be_used_and_anything_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with scans.publish(tmp_path / "empty", "scan") as stage:
        fill(stage, "one")
    assert held(tmp_path / "empty") == WHOLE
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    with scans.publish(tmp_path / "other", "drill"):
        pass
    for name, said in (
        (
            "full",
            FOREIGN,
        ),
        (
            "other",
            FOREIGN,
        ),
        ("file", "is a file; name a folder that does not exist yet"),
    ):
        with pytest.raises(UserError) as error, scans.publish(tmp_path / name, "scan"):
            pytest.fail("work began")
        assert str(error.value) == f"{tmp_path / name}: {said}"
    assert (tmp_path / "full" / "thesis.txt").read_text() == "mine"


def test_a_folder_that_fills_up_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not empty"), scans.publish(tmp_path / "out", "scan"):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "thesis.txt").write_text("mine")
    assert held(tmp_path) == {"out/thesis.txt"}


def test_never_two_writers(tmp_path: Path) -> None:
    with scans.publish(tmp_path / "out", "scan") as stage:
        fill(stage, "one")
        with (
            pytest.raises(UserError, match="another run is writing this folder; wait for it"),
            scans.publish(tmp_path / "out", "scan"),
        ):
            pytest.fail("two writers")
        with scans.publish(tmp_path / "beside", "scan") as other:
            fill(other, "two")
    assert held(tmp_path / "out") == held(tmp_path / "beside") == WHOLE


def test_the_stage_of_a_dead_run_goes_at_the_next(tmp_path: Path) -> None:
    code = "import os, sys; from pathlib import Path; from stillwatch.store import scans\n"
    code += "c = scans.publish(Path(sys.argv[1]), 'scan'); (c.__enter__() / 'half').write_text('x'); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], check=False).returncode == 9
    (left,) = os.listdir(tmp_path)
    assert left.startswith(".stillwatch-") and "out" not in left
    with scans.publish(tmp_path / "elsewhere", "scan") as stage:
        fill(stage, "one")
    assert os.listdir(tmp_path) == ["elsewhere"]


WRITER = """
import sys
from pathlib import Path
from stillwatch.store import scans
print("ready", flush=True)
sys.stdin.readline()
while True:
    for word in ("one", "two"):
        with scans.publish(Path(sys.argv[1]), "scan") as stage:
            (stage / "part").mkdir()
            for at in range(5):
                (stage / "part" / f"{at}.txt").write_text(word * 1000)
"""


@pytest.mark.parametrize("exchange", [True, False])
def test_killed_at_any_moment_nothing_is_half(exchange: bool, tmp_path: Path) -> None:
    out, chance = tmp_path / "out", random.Random(7)
    code = WRITER if exchange else WRITER.replace("print(", "scans._exchanged = lambda one, other: False\nprint(", 1)
    seen, longest = set(), 0.06
    for _ in range(25):
        run = subprocess.Popen([sys.executable, "-c", code, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert run.stdin and run.stdout and run.stdout.readline()
        run.stdin.write(b"\n")
        run.stdin.flush()
        time.sleep(chance.uniform(0.0, longest))
        run.send_signal(signal.SIGKILL)
        run.wait()
        run.stdin.close()
        run.stdout.close()
        seen.add(out.exists())
        if True not in seen:
            longest *= 1.3  # a busy machine is slower to write
        if out.exists():
            assert held(out) == WHOLE
            texts = {(out / "part" / f"{at}.txt").read_text() for at in range(5)}
            assert texts in ({"one" * 1000}, {"two" * 1000})
        assert all(name == "out" or name.startswith(".stillwatch-") for name in os.listdir(tmp_path))
    with scans.publish(out, "scan") as stage:
        fill(stage, "end")
    assert held(out) == WHOLE and os.listdir(tmp_path) == ["out"]
    assert True in seen


def test_no_key_is_made_where_an_earlier_scan_needs_its_own(tmp_path: Path) -> None:
    scan = tmp_path / "before"
    with pytest.raises(UserError, match="no hashing key lies there, and .*before can be read"):
        keys.load_or_create(tmp_path / "mistyped.key", scan)
    assert list(tmp_path.iterdir()) == []
    made = keys.load_or_create(tmp_path / "right.key")
    assert keys.load_or_create(tmp_path / "right.key", scan) == made
