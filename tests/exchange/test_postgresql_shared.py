"""Shared objects in a real PostgreSQL, started here on a port of its own and ended by its process: the law of test_shared.py, and a server over it."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("pg8000")
pytest.importorskip("http_message_signatures")

from hypothesis import HealthCheck, given, settings  # noqa: E402

from exchange_case import SHARED, Asked, Exchange, free_port, indicator  # noqa: E402
from shared_law import agree, reads  # noqa: E402
from stillwatch.errors import UserError  # noqa: E402
from stillwatch.store.shared.declare import Shared, Wanted  # noqa: E402
from stillwatch.store.shared.opening import opened  # noqa: E402
from test_shared import ROWS, WANTED  # noqa: E402


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb")
    if not programs and not found:
        pytest.skip("PostgreSQL's programs are not installed")
    initdb = programs[-1] if programs else Path(str(found))
    folder, port = tmp_path_factory.mktemp("postgresql"), free_port()
    who: dict[str, str] = {}
    if os.geteuid() == 0:  # PostgreSQL does not run as root
        who = {"user": "postgres", "group": "postgres"}
        for each in (folder, *folder.parents):
            if each in (Path("/tmp"), Path("/")):
                break
            each.chmod(0o755)
        shutil.chown(folder, "postgres", "postgres")
    (folder / "pw").write_text("quite-secret\n")
    (folder / "pw").chmod(0o644)
    data = folder / "data"
    subprocess.run(
        [initdb, "-D", data, "-U", "writer", "--auth=scram-sha-256", f"--pwfile={folder / 'pw'}", "-E", "UTF8", "--no-sync"],
        check=True, stdout=subprocess.DEVNULL, cwd=folder, **who,
    )  # type: ignore[call-overload]  # fmt: skip
    command = [str(initdb.with_name("postgres")), "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(folder), "-c", "fsync=off"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **who)  # type: ignore[call-overload]
    os.environ["PGPASSWORD"] = "quite-secret"
    try:
        made, end = f"postgresql://writer@127.0.0.1:{port}/postgres", time.monotonic() + 60
        while True:
            try:
                opened(made).close()
                break
            except UserError:
                assert process.poll() is None and time.monotonic() < end, "PostgreSQL did not start"
                time.sleep(0.1)
        yield made
    finally:
        del os.environ["PGPASSWORD"]
        process.terminate()
        process.wait(30)


def cleared(url: str) -> None:
    shelves = opened(url)
    for table in ("objects", "shelves", "statuses"):
        shelves._database.change(f"DELETE FROM {table}")
    shelves.close()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(ROWS, WANTED)
def test_a_page_is_what_the_slow_twin_reads(url: str, rows: list[tuple[int, int | None, str, str]], wanted: Wanted) -> None:
    cleared(url)
    agree(opened(url), rows, wanted, 2)


def test_writers_at_once_give_every_object_a_moment_of_its_own(url: str) -> None:
    cleared(url)
    shelves = opened(url)

    def write(first: int) -> None:
        for number in range(first, first + 10):
            shelves.add("r", "c", [Shared(f"indicator--{number}", "indicator", "2.1", "2026-01-01T00:00:00Z", b"{}")], 7)

    threads = [threading.Thread(target=write, args=(at,)) for at in (0, 100, 200)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    found = reads(shelves, Wanted(), 7)
    assert len({each.id for each in found}) == len({each.added for each in found}) == 30
    shelves.close()


def test_a_server_answers_from_it(exchange: Exchange, url: str) -> None:
    cleared(url)
    asked = Asked(exchange, exchange.settings(1, store=url))
    import json

    wanted = [indicator(number, text="ü") for number in range(3)]
    path = f"/exchange/collections/{SHARED}/objects/"
    assert asked("north", "POST", path, body=json.dumps({"objects": wanted}).encode()).status == 202
    assert json.loads(asked("south", "GET", path).body)["objects"] == wanted
    assert asked("south", "DELETE", f"{path}{wanted[0]['id']}/").status == 200
    assert json.loads(asked("south", "GET", path, {"match[type]": "indicator,malware"}).body)["objects"] == wanted[1:]
    asked.shelves.close()


def test_a_database_that_refuses_is_told_without_its_password(url: str) -> None:
    with pytest.raises(UserError, match="refuses or does not answer") as told:
        opened(url.replace("writer@", "writer:wrong-secret@").replace("/postgres", "/none"))
    assert "wrong-secret" not in str(told.value)
