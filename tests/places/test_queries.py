"""Queries whose answers are logs: PostgreSQL and DuckDB as they are, ClickHouse's engine behind its HTTP interface (see clickhouse_server.py)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import adbc_driver_postgresql.dbapi as driver
import duckdb
import pytest

from places.conftest import Database, free_port
from places.logs import error, run
from stillwatch.intake import mapping as maps

SELECT = "SELECT call_id, ts, account, model, prompt, input_tokens FROM calls ORDER BY call_id"
MAKE = (
    "CREATE TABLE calls AS SELECT 'c' || lpad(i::text, 7, '0') AS call_id, timestamp '2026-01-01' + i * interval '1 second' AS ts,"
    " CASE WHEN i = 7 THEN '' ELSE 'a' || (i % 9)::text END AS account, 'm' AS model, repeat('x', 500) AS prompt, i AS input_tokens, repeat('y', 900) AS colour"
)


@pytest.fixture(scope="module")
def filled(postgresql: Database) -> Database:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSWORD", postgresql.password)
        with driver.connect(postgresql.url) as connection, connection.cursor() as cursor:
            cursor.execute(f"{MAKE} FROM generate_series(0, 999) AS t(i)")
            cursor.execute(
                "CREATE TABLE many AS SELECT call_id || n AS call_id, ts, account, model, prompt, colour FROM calls, generate_series(1, 200) AS t(n)"
            )
            connection.commit()
    return postgresql


@pytest.fixture
def postgres(filled: Database, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PGPASSWORD", filled.password)
    return filled.url


@pytest.fixture
def duck(tmp_path: Path) -> str:
    with duckdb.connect(str(tmp_path / "gateway.duckdb")) as connection:
        connection.execute(f"{MAKE} FROM range(1000) AS t(i)")
        connection.execute("CREATE TABLE many AS SELECT call_id || n AS call_id, ts, account, model, prompt, colour FROM calls, range(200) AS t(n)")
    return f"duckdb:///{tmp_path / 'gateway.duckdb'}"


@pytest.fixture
def click(clickhouse: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", "quite-secret")
    return clickhouse


@pytest.fixture(params=["postgres", "duck", "click"])
def database(request: pytest.FixtureRequest) -> str:
    """A database with the tables `calls` (1,000 rows, one without an account) and `many` (200,000)."""
    found: str = request.getfixturevalue(request.param)
    return found


def test_a_table_and_a_query_give_the_calls(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows, rejected = run(f"{database}#calls")
    assert len(rows) == 999 and rows[0]["ts"] == 1_767_225_600_000_000 and rows[3]["input_tokens"] == 3 and len(rows[0]["prompt"]) == 500
    assert [(each.file, each.line, each.reason) for each in rejected] == [(f"{database}#calls", 8, "account is missing or empty")]
    Path("calls.sql").write_text("SELECT call_id, ts, account, model\nFROM calls WHERE account = 'a3' ORDER BY ts; -- only one\n")
    assert error(f"{database}#calls.sql").startswith(f"{database}#calls.sql: "), "two statements are none"
    Path("calls.sql").write_text("SELECT call_id, ts, account, model\nFROM calls WHERE account = 'a3' ORDER BY ts -- only one\n;\n")
    assert {row["account"] for row in run(f"{database}#calls.sql")[0]} == {"a3"}
    Path("none.sql").write_text("SELECT * FROM calls WHERE account = 'nobody'")
    assert run(f"{database}#none.sql") == ([], [])


def test_a_map_and_a_missing_column(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("other.sql").write_text("SELECT call_id, ts, account AS customer, model FROM calls")
    assert error(f"{database}#other.sql") == (
        f"{database}#other.sql: columns call_id, ts, customer, model; account not among them; rename the columns, or name them with a map"
    )
    Path("map.toml").write_text('account = "customer"\n')
    assert len(run(f"{database}#other.sql", mapping=maps.load("map.toml"))[0]) == 999


def test_what_is_wrong_is_one_line(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.sql").write_text("SELEC call_id FROM calls")
    Path("value.sql").write_text("SELECT call_id, ts, account, CAST(prompt AS INTEGER) AS model FROM calls")
    Path("empty.sql").write_text(" ;\n")
    for part, said in (
        ("", "says what database, and not what of it; add the table or a file with the query: #TABLE or #QUERY.sql"),
        ("#nothing.sql", "the query cannot be read (No such file or directory); check the path"),
        ("#empty.sql", "the query is empty; write one SELECT"),
        ("#a b", "neither a table nor a file of a query: a b; end the file's name in .sql"),
    ):
        assert said in error(f"{database}{part}")
    assert "mend the query" in error(f"{database}#bad.sql") and "mend the query" in error(f"{database}#nothing")
    said = error(f"{database}#value.sql")
    assert "mend the query" in said and "xxx" not in said, "a value is never quoted"


def test_a_password_has_no_place_in_a_name(database: str) -> None:
    with_one = database.replace("reader@", "reader:hush@") if "reader@" in database else f"{database}?password=hush"
    said = error(f"{with_one}#calls")
    assert "a secret stands in the name of the log" in said and "hush" not in said


@pytest.mark.parametrize("name", ["postgres", "duck"])
def test_the_database_is_only_read(name: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not of ClickHouse: that GET only reads is its server's doing, and that server is not here."""
    database = request.getfixturevalue(name)
    monkeypatch.chdir(tmp_path)
    for at, statement in enumerate(("DROP TABLE calls", "SELECT 1) AS a; DROP TABLE calls; SELECT * FROM (SELECT 2", "INSERT INTO calls SELECT * FROM calls")):
        Path(f"{at}.sql").write_text(statement)
        error(f"{database}#{at}.sql")
    assert len(run(f"{database}#calls")[0]) == 999


MEASURE = """
import resource, sys
from stillwatch.intake.read import read
for log in sys.argv[1:]:
    count = sum(batch.num_rows for batch in read([log], None, lambda rejected: None))
    print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_a_long_answer_does_not_lie_in_memory(database: str) -> None:
    """200,000 rows of some 500 bytes are wanted, 100 MB: what reading them adds is less than that, after a short answer has loaded all that is needed."""
    done = subprocess.run([sys.executable, "-c", MEASURE, f"{database}#calls", f"{database}#many"], capture_output=True, text=True, check=True, timeout=120)
    (few, before), (many, after) = (map(int, line.split()) for line in done.stdout.splitlines())
    assert few == 999 and many > 190_000 and after - before < 90


def test_clickhouse_says_no(clickhouse: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", "wrong")
    assert error(f"{clickhouse}#calls") == (
        f"{clickhouse}#calls: the server refuses this user; name the user in the URL, and the password in CLICKHOUSE_PASSWORD"
    )
    assert "the server cannot be reached, or breaks off" in error(f"clickhouse://reader@127.0.0.1:{free_port()}/gateway#calls")


def test_an_answer_that_breaks_off_is_an_error(click: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cut.sql").write_text("SELECT *, 'broken off' AS why FROM many")
    monkeypatch.setattr("stillwatch.intake.queries.rows", _knowing("call_id", "ts", "account", "model"))
    assert "the server gave up in the middle of its answer" in error(f"{click}#cut.sql")


def _knowing(*names: str):  # type: ignore[no-untyped-def]
    """`queries.rows` for an answer whose columns are known, so that only the answer itself breaks."""
    from stillwatch.intake.tables import Rows

    return lambda what, run: Rows(what.name, lambda: names, lambda wanted: run(what.sql))


def test_postgresql_says_no(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "wrong")
    monkeypatch.setenv("PGPASSFILE", "/nonexistent")
    assert (
        error(f"{filled.url}#calls")
        == f"{filled.url}#calls: the server refuses this user; name the user in the URL, and the password in PGPASSWORD or ~/.pgpass"
    )
    monkeypatch.setenv("PGPASSWORD", filled.password)
    assert "no such database" in error(f"{filled.url.replace('/postgres', '/other').replace('other', 'nobase')}#calls")
    assert "the server cannot be reached" in error(f"postgresql://reader@127.0.0.1:{free_port()}/postgres#calls")


def test_duckdb_says_no(tmp_path: Path) -> None:
    (tmp_path / "no.duckdb").write_text("hello")
    assert "no such database file" in error(f"duckdb:///{tmp_path}/none.duckdb#calls")
    assert "the database file cannot be opened" in error(f"duckdb:///{tmp_path}/no.duckdb#calls")
