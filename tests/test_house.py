"""The house: who may import whom, what pure rooms never touch, and the walls around text and language."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import stillwatch
from stillwatch.records import MARKS

ROOT = Path(stillwatch.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

STAGES = {"intake", "features", "linking", "detectors", "campaigns", "drill", "exchange", "ledger"}
LOW = {"evidence", "sketch", "codes", "owners", "traffic", "facts", "standing", "parts", "merkle"}
WORDS = {"records", "errors"}
PURE = {
    "records",
    "alerts",
    "codes",
    "owners",
    "traffic",
    "facts",
    "standing",
    "parts",
    "survey",
    "sketch",
    "evidence",
    "features",
    "linking",
    "detectors",
    "campaigns",
    "ledger",
    "merkle",
}

MAY: dict[str, set[str]] = {
    "records": set(),
    "errors": set(),
    "files": {"errors"},
    "calls": {"records"},
    "codes": WORDS,
    "owners": WORDS | {"codes"},
    "traffic": WORDS | {"codes", "owners"},
    "facts": WORDS | {"codes", "traffic"},
    "standing": WORDS | {"traffic"},
    "parts": WORDS | {"codes", "owners", "traffic", "facts", "standing"},
    "merkle": set(),
    "survey": {"features", "linking", *LOW, *WORDS},
    "sketch": WORDS,
    "evidence": WORDS,
    **{stage: LOW | WORDS for stage in STAGES},
    "intake": LOW | WORDS | {"calls", "files"},
    "drill": LOW | WORDS | {"calls", "files"},
    "engines": STAGES | LOW | WORDS | {"calls"},
    "store": STAGES | LOW | WORDS | {"calls", "files"},
    "results": {"engines", "store", *STAGES, *LOW, *WORDS},
    "sources": {"intake", "engines", "store", "files", *LOW, *WORDS},
    "earlier": {"engines", "store", *WORDS},
    "verification": STAGES | LOW | WORDS | {"engines", "store", "results", "earlier", "examination"},
    "planting": STAGES | LOW | WORDS | {"engines", "sources"},
    "limit": STAGES | LOW | WORDS | {"engines", "store", "results", "planting", "examination"},
    "tracing": STAGES | LOW | WORDS | {"engines", "store", "files", "sources", "earlier", "noting", "packing", "examination", "verification", "results"},
    "noting": WORDS | {"ledger", "store"},
    "pooling": STAGES | LOW | WORDS | {"store", "files", "packing", "examination"},
    "packing": STAGES | LOW | WORDS | {"store", "files", "noting"},
    "joining": STAGES | LOW | WORDS,
    "bringing": STAGES | LOW | WORDS | {"engines", "sources", "survey", "examination"},
    "joined": STAGES | WORDS | {"joining", "bringing", "engines", "sources", "store", "peers", "noting", "examination"},
    "sharing": STAGES | WORDS | {"store", "peers", "noting"},
    "delivering": STAGES | WORDS | {"store", "peers", "noting", "files"},
    "coordinating": STAGES | WORDS | {"store", "peers"},
    "matched": STAGES | WORDS | {"engines", "store", "peers", "noting"},
    "alerts": STAGES | LOW | WORDS,
    "following": {"alerts", "earlier", "engines", "store", "sources", "results", *STAGES, *LOW, *WORDS},
    "examination": STAGES | LOW | WORDS | {"engines", "store", "results", "survey"},
    "peers": {"exchange", "store", *WORDS},
    "flow": STAGES
    | LOW
    | WORDS
    | {
        "calls",
        "engines",
        "store",
        "files",
        "results",
        "sources",
        "survey",
        "earlier",
        "examination",
        "following",
        "verification",
        "planting",
        "limit",
        "packing",
        "pooling",
        "peers",
    },
    "account": {"store", *STAGES, *LOW, *WORDS},
    "doors": {"flow", "account", "packing", "pooling", "tracing", "joined", "matched", "sharing", "coordinating", "delivering", "results", *WORDS},
    "__main__": {"doors"},
}
"What each room may import, besides itself and the package's version. The manual also reads declarations (see below)."

CLOCK_AND_CHANCE = {"time", "datetime", "random", "secrets"}
WORLD = {"os", "io", "pathlib", "shutil", "socket", "ssl", "http", "urllib", "subprocess", "tempfile", "logging", "requests"}
ENGINES = {"pyspark", "duckdb", "polars"}
FORBIDDEN = CLOCK_AND_CHANCE | WORLD | ENGINES


def _room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def _imports(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "absolute imports only"
            yield from ((f"{node.module}.{alias.name}", node) for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    room = _room(path)
    if room == "__init__":
        return
    may = MAY[room] | {room, "__version__"}
    if path.name == "manual.py" and room == "doors":
        may |= STAGES | {"calls", "store"}  # the manual is derived from declarations
    in_report = "report" in path.relative_to(ROOT).parts
    if in_report:
        may = {"records", "errors", "doors"}
    if room == "doors" and "taxii" in path.relative_to(ROOT).parts or path.name == "exchanging.py":
        may |= {"store", "exchange", "ledger", "engines", "noting", "joining"}  # a server answers from what is kept, and notes it; no log is read
    for name, _ in _imports(ast.parse(path.read_text())):
        if name.split(".")[0] == "stillwatch" and name != "stillwatch":
            assert name.split(".")[1] in may, f"{path.name} imports {name}"
            if in_report and name.split(".")[1] == "doors":
                assert name.startswith("stillwatch.doors.report")


@pytest.mark.parametrize("path", [p for p in FILES if _room(p) in PURE], ids=lambda path: str(path.relative_to(ROOT)))
def test_pure_rooms_touch_no_world(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for name, _ in _imports(tree):
        assert name.split(".")[0] not in FORBIDDEN and "numpy.random" not in name, name
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "print", "input", "exec", "eval"}, node.func.id
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"random", "default_rng", "getenv", "environ", "tofile", "fromfile", "memmap"}, node.attr


LATE = {"networkit"}
"Imported where it is needed: it takes a second, and with it scikit-learn comes, which nothing here uses."


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_import_hides_in_a_function(path: Path) -> None:
    if _room(path) == "doors":
        return  # the command line imports heavy rooms late, so that help is quick
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            hidden = [name for name, _ in _imports(node) if name not in LATE]
            assert not hidden, f"{node.name} imports {hidden}"


def test_what_is_slow_to_import_is_not_waited_for() -> None:
    said = "import sys, stillwatch.flow, stillwatch.doors.cli; print(*{'networkit', 'sklearn', 'scipy.stats', 'torch', 'pyspark'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []


def test_names_say_what_is_inside() -> None:
    vague = {"utils", "util", "helpers", "helper", "manager", "base", "core", "common", "misc"}
    assert not [path for path in FILES if path.stem in vague or vague & set(path.relative_to(ROOT).parts)]


def test_nothing_is_pickled_and_only_doors_print() -> None:
    for path in FILES:
        tree = ast.parse(path.read_text())
        assert not {"pickle", "cloudpickle", "marshal", "shelve", "joblib"} & {name.split(".")[0] for name, _ in _imports(tree)}, path
        calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
        assert "print" not in calls or _room(path) == "doors", path


def test_marks_hold_no_text() -> None:
    strings = {field.name for field in MARKS if pa.types.is_string(field.type)}
    assert strings == {"program", "path", "model", "plan", "finish"}, "words of the provider's own making only"
    assert not {"prompt_text", "system", "response", "country", "lang"} & set(MARKS.names)
    assert pa.types.is_int64(MARKS.field("prompt").type)


@pytest.mark.parametrize("room", ["features", "detectors", "linking", "evidence", "campaigns"])
def test_language_and_country_are_for_reports_only(room: str) -> None:
    for path in sorted((ROOT / room).rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        words = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        words |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        if path.name != "tell.py":
            assert not {"script", "country", "lang", "language"} & words, path
        assert not {"country", "email_domain", "asn"} & words, path
