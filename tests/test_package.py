"""The built wheel: complete, installable, and able to scan from anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project built as a user of pip builds it, without fetching anything."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out), str(ROOT)]
    subprocess.run(command, check=True, timeout=120)
    (built,) = out.glob("stillwatch-*.whl")
    return built


def test_wheel_holds_data_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in ("stillwatch/py.typed", "stillwatch/doors/report/style.css", "stillwatch/drill/scenarios/mixed.toml", "stillwatch/drill/words/en.toml"):
        assert needed in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests", "trials")) or name.endswith((".nbi", ".nbc", ".pyc"))]


def test_wheel_installs_and_scans_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    # The dependencies are lent by a path file, so the test fetches nothing; the project itself comes from the wheel only.
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True, timeout=120)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True, timeout=120)
    site = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True, check=True
    ).stdout.strip()
    (Path(site) / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (tmp_path / "log.jsonl").write_text('{"call_id": "1", "ts": 1767225600000000, "account": "a", "model": "m", "prompt": "hello there"}\n')
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"XDG_CONFIG_HOME": str(tmp_path)}
    where = subprocess.run(
        [str(python), "-c", "import stillwatch; print(stillwatch.__file__)"], capture_output=True, text=True, cwd=tmp_path, env=environment, check=True
    )
    assert str(tmp_path) in where.stdout, "the wheel's copy is the one that runs"
    program = tmp_path / "venv" / "bin" / "stillwatch"
    done = subprocess.run([str(program), "scan", "log.jsonl", "--out", "result"], capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "result" / "report.html").exists()
