"""The notebooks run from the first cell to the last, and show what they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs" / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_no_output_is_kept(path: Path) -> None:
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        assert cell["cell_type"] != "code" or (cell["outputs"] == [] and cell["execution_count"] is None), cell["id"]


def test_the_first_scan_runs_and_finds_what_was_planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="needs the extra `notebook`")
    nbclient = pytest.importorskip("nbclient", reason="needs the extra `notebook`")
    pytest.importorskip("ipykernel", reason="needs the extra `notebook`")
    pytest.importorskip("pandas", reason="needs the extra `notebook`")
    for name in ("XDG_CONFIG_HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "TMPDIR"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    (path,) = [path for path in NOTEBOOKS if path.name == "first-scan.ipynb"]
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    done = nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = {cell["id"]: "".join(str(output.get("data", {})) for output in cell["outputs"]) for cell in done["cells"] if cell["cell_type"] == "code"}
    assert "<table>" in shown["scan"] and "<td>alert</td>" in shown["scan"]
    assert "list_price_usd" in shown["campaigns"] and "O-SEP" in shown["truth"] and "replay" in shown["why"]
    assert "Smallest change found" in shown["explain"] and "innocents_all" in shown["explain-ties"]
    assert "To object" in shown["explain-holder"] and "Ties" not in shown["explain-holder"]
    assert not list((tmp_path / "TMPDIR").glob("stillwatch-*")) and not list((tmp_path / "XDG_CONFIG_HOME").iterdir()), "nothing stays on disk"
