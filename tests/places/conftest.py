"""Servers on this machine for the tests of places: started here, on ports of their own, and ended by their process."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pyarrow import fs

HERE = Path(__file__).parent
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"The key of Azurite's only account, the same everywhere."

AWS = {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "quite-secret", "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1"}


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def until(ready: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "the server did not start"
        time.sleep(0.05)


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@contextlib.contextmanager
def server(command: list[str], port: int, **how: object) -> Iterator[None]:
    """A server as a process of its own, from when it listens until the block ends."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **how)  # type: ignore[call-overload]
    try:
        until(lambda: process.poll() is not None or listens(port))
        assert process.poll() is None, f"{command[0]} ended at once"
        yield
    finally:
        process.terminate()
        process.wait(30)


@dataclass
class Emulated:
    """A store with one bucket."""

    name: str
    root: str
    "What stands before a key."
    bucket: str
    system: fs.FileSystem
    environment: dict[str, str]
    port: int
    down: dict[str, str] = field(default_factory=dict)
    "The environment in which nobody answers."

    def put(self, key: str, data: bytes) -> str:
        with self.system.open_output_stream(f"{self.bucket}/{key}", compression=None) as file:
            file.write(data)
        return self.root + key


@pytest.fixture(scope="session")
def s3() -> Iterator[Emulated]:
    port = free_port()
    with (
        server([sys.executable, "-c", f"from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])"], port),
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in AWS.items():
            patch.setenv(name, value)
        endpoint = f"http://127.0.0.1:{port}"
        system = fs.S3FileSystem(endpoint_override=endpoint, region="us-east-1", allow_bucket_creation=True)
        system.create_dir("stillwatch-logs")
        down = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}
        yield Emulated("s3", "s3://stillwatch-logs/", "stillwatch-logs", system, {**AWS, "AWS_ENDPOINT_URL": endpoint}, port, down)


@pytest.fixture(scope="session")
def gcs() -> Iterator[Emulated]:
    port = free_port()
    command = [
        str(Path(sys.executable).with_name("gcp-storage-emulator")),
        "start",
        "--host=127.0.0.1",
        f"--port={port}",
        "--in-memory",
        "--default-bucket=stillwatch-logs",
    ]
    with server(command, port):
        system = fs.GcsFileSystem(anonymous=True, scheme="http", endpoint_override=f"127.0.0.1:{port}")
        down = {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{free_port()}"}
        yield Emulated("gcs", "gs://stillwatch-logs/", "stillwatch-logs", system, {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}"}, port, down)


@pytest.fixture(scope="session")
def azure() -> Iterator[Emulated]:
    port = free_port()
    binary = HERE / "node_modules" / ".bin" / "azurite-blob"
    assert binary.exists(), "Azurite is not installed: make tests/places/node_modules/.run"
    command = [
        str(binary),
        "--inMemoryPersistence",
        "--silent",
        "--skipApiVersionCheck",
        "--disableTelemetry",
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        str(port),
    ]

    def connection(port: int) -> dict[str, str]:
        endpoint = f"http://127.0.0.1:{port}/devstoreaccount1"
        return {"AZURE_STORAGE_CONNECTION_STRING": f"AccountName=devstoreaccount1;AccountKey={AZURE_KEY};BlobEndpoint={endpoint};"}

    with server(command, port):
        at = {f"{kind}_storage_{part}": value for kind in ("blob", "dfs") for part, value in (("authority", f"127.0.0.1:{port}"), ("scheme", "http"))}
        system = fs.AzureFileSystem("devstoreaccount1", account_key=AZURE_KEY, **at)
        system.create_dir("stillwatch-logs")
        yield Emulated("azure", "az://stillwatch-logs/", "stillwatch-logs", system, connection(port), port, connection(free_port()))


@pytest.fixture(params=["s3", "gcs", "azure"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Emulated:
    """Each store in turn, with the environment that reaches it."""
    found: Emulated = request.getfixturevalue(request.param)
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def on_s3(s3: Emulated, monkeypatch: pytest.MonkeyPatch) -> Emulated:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return s3


class Between:
    """A line between a client and a server: counts what comes back, and can be cut."""

    def __init__(self, port: int) -> None:
        self.to, self.count, self.most = port, 0, 2**62
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self.to))
                threading.Thread(target=self._carry, args=(near, far, False), daemon=True).start()
                threading.Thread(target=self._carry, args=(far, near, True), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, back: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if back:
                    self.count += len(data)
                if self.count > self.most:
                    break
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def between(on_s3: Emulated, monkeypatch: pytest.MonkeyPatch) -> Iterator[Between]:
    line = Between(on_s3.port)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{line.port}")
    yield line
    line.close()


@dataclass
class Database:
    """A PostgreSQL with one table of calls."""

    url: str
    password: str


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb")
    initdb = programs[-1] if programs else Path(found) if found else None
    assert initdb is not None, "PostgreSQL's programs are not installed"
    folder, port = tmp_path_factory.mktemp("postgresql"), free_port()
    who: dict[str, object] = {}
    if os.geteuid() == 0:  # PostgreSQL does not run as root
        who = {"user": "postgres", "group": "postgres"}
        for each in (folder, *folder.parents):
            if each == Path("/tmp") or each == Path("/"):
                break
            each.chmod(0o755)
        shutil.chown(folder, "postgres", "postgres")
    (folder / "pw").write_text("quite-secret\n")
    (folder / "pw").chmod(0o644)
    data = folder / "data"
    subprocess.run(
        [initdb, "-D", data, "-U", "reader", "--auth=scram-sha-256", f"--pwfile={folder / 'pw'}", "-E", "UTF8", "--no-sync"],
        check=True, stdout=subprocess.DEVNULL, cwd=folder, **who,
    )  # type: ignore[call-overload]  # fmt: skip
    command = [str(initdb.with_name("postgres")), "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(folder), "-c", "fsync=off"]
    with server(command, port, cwd=folder, **who):
        # It listens before it lets anybody in.
        ready, end = [str(initdb.with_name("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(port)], time.monotonic() + 60
        while subprocess.run(ready, check=False).returncode != 0:
            assert time.monotonic() < end, "PostgreSQL did not start"
            time.sleep(0.1)
        yield Database(f"postgresql://reader@127.0.0.1:{port}/postgres", "quite-secret")


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """ClickHouse's engine behind its HTTP interface (see clickhouse_server.py)."""
    port = free_port()
    with server([sys.executable, str(HERE / "clickhouse_server.py"), str(port), str(tmp_path_factory.mktemp("clickhouse"))], port):
        yield f"clickhouse://reader@127.0.0.1:{port}/gateway"
