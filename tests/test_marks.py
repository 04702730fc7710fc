"""Marks made where the text lives give exactly what the text gives; the unit that is linked is declared."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import Logs
from read_back import holding, pieces, quoting
from stillwatch import flow
from stillwatch.calls import SCHEMA
from stillwatch.errors import UserError
from stillwatch.intake.unit import linked

NAMES = ("account", "org", "key", "end_user", "payment", "ip")
"Identifiers that a log may tell; marks have keyed hashes of them."


def test_marks_give_what_the_text_gives(logs: Logs, tmp_path: Path) -> None:
    flow.marks([str(logs.log)], tmp_path / "log.marks", key=logs.key)
    flow.marks([str(logs.history)], tmp_path / "history.marks", key=logs.key)
    flow.watch([str(logs.log)], tmp_path / "text", history=[str(logs.history)], key=logs.key)
    flow.watch([str(tmp_path / "log.marks")], tmp_path / "marks", history=[str(tmp_path / "history.marks")], key=logs.key)
    told = (tmp_path / "text" / "campaigns.jsonl").read_bytes()
    assert told and told == (tmp_path / "marks" / "campaigns.jsonl").read_bytes()


def test_marks_hold_no_word_of_the_text_and_no_name(logs: Logs, tmp_path: Path) -> None:
    flow.marks([str(logs.log)], tmp_path / "log.marks", key=logs.key)
    table = pq.read_table(tmp_path / "log.marks")
    texts = {field.name for field in table.schema if pa.types.is_string(field.type)}
    assert texts == {"program", "path", "model", "plan", "finish"}
    log = pq.read_table(logs.log)
    names = {name for column in NAMES for name in log[column].drop_null().unique().to_pylist()}
    assert len(names) > 1000 and holding(tmp_path, names) == []
    told = {value for name in texts for value in log[name].unique().to_pylist()}
    assert {value for name in texts for value in table[name].unique().to_pylist()} <= told, "words of the provider's own making are kept as they came"
    written = pieces(text for name in ("prompt", "system", "response") for text in log[name].drop_null().unique().to_pylist())
    assert quoting(tmp_path, written) == []
    pq.write_table(table.append_column("leak", log["prompt"]), tmp_path / "log.marks", compression="zstd")
    assert quoting(tmp_path, written), "a leak would be seen"


def test_marks_of_another_key_or_unit_are_refused(logs: Logs, tmp_path: Path) -> None:
    flow.marks([str(logs.log)], tmp_path / "in" / "log.marks", key=logs.key)
    with pytest.raises(UserError, match="another hashing key") as error:
        flow.watch([str(tmp_path / "in" / "log.marks")], tmp_path / "scan", key=tmp_path / "other.key")
    assert error.value.where == str(tmp_path / "in" / "log.marks")
    with pytest.raises(UserError, match="--unit account") as error:
        flow.watch([str(tmp_path / "in")], tmp_path / "scan", key=logs.key, unit="key")
    assert error.value.where == str(tmp_path / "in" / "log.marks"), "of a folder, the file"


def test_what_is_rejected_while_marking_is_told(tmp_path: Path) -> None:
    good = '{"call_id": "1", "ts": 1767225600000000, "account": "a", "model": "m"}\n'
    (tmp_path / "log.jsonl").write_text(good + '{"call_id": "2"}\n')
    made = flow.marks([str(tmp_path / "log.jsonl")], tmp_path / "log.marks", key=tmp_path / "key")
    assert (made["calls_read"], made["calls_rejected"]) == (1, 1)
    assert '"line":2' in Path(made["rejected"]).read_text()
    (tmp_path / "bad.jsonl").write_text('{"call_id": "2", "ts": 1, "account": "a", "model": "m"}\n')
    with pytest.raises(UserError, match="no usable record"):
        flow.marks([str(tmp_path / "bad.jsonl")], tmp_path / "bad.marks", key=tmp_path / "key")
    assert not list(tmp_path.glob("*bad.marks*"))


def test_a_clean_run_leaves_no_word_of_what_an_earlier_one_rejected(tmp_path: Path) -> None:
    good = '{"call_id": "1", "ts": 1767225600000000, "account": "a", "model": "m"}\n'
    for text, lost in ((good + '{"call_id": "2"}\n', 1), (good, 0)):
        (tmp_path / "log.jsonl").write_text(text)
        made = flow.marks([str(tmp_path / "log.jsonl")], tmp_path / "log.marks", key=tmp_path / "key")
        assert made["calls_rejected"] == lost and (tmp_path / "log.marks.rejected.jsonl").exists() == bool(lost) == bool(made["rejected"])


def _batch(**columns: list[object]) -> pa.RecordBatch:
    rows = len(columns["account"])
    given = {"call_id": [str(i) for i in range(rows)], "ts": [1] * rows, "model": ["m"] * rows, **columns}
    return pa.RecordBatch.from_arrays([pa.array(given.get(f.name, [None] * rows), f.type) for f in SCHEMA], schema=SCHEMA)


def test_keys_of_one_account_are_no_strangers() -> None:
    batch = _batch(
        account=["a", "a", "b", "c"], key=["k1", "k2", "k3", "k4"], org=[None, None, None, "o"], email_domain=[None, "gmail.com", "firm.example", None]
    )
    assert linked(batch, "key").column("org").to_pylist() == ["a", "a", None, "o"], "a firm's mail domain is already an organisation"


def test_the_unit_takes_the_accounts_place() -> None:
    batch = _batch(account=["a", "a", "b"], key=["k1", "k2", None], end_user=["u", None, "u"], org=["o", "o", "p"], payment=["c", "c", "d"])
    assert linked(batch, "account") is batch
    by_key = linked(batch, "key")
    assert by_key.column("account").to_pylist() == ["k1", "k2", "b"] and by_key.column("org").to_pylist() == ["o", "o", "p"]
    by_user = linked(batch, "end_user")
    assert by_user.column("account").to_pylist() == ["a/u", "a", "b/u"]
    assert by_user.column("org").to_pylist() == [None, "o", None] and by_user.column("payment").to_pylist() == [None, "c", None]
