"""Aims somebody else's TAXII 2.1 conformance suite at our server: seeds a server with the suite's data, runs the suite's `run` against it, and ends it.

    python trials/taxii_conformance.py KIT [--suite FOLDER] [--store postgresql://user@host/database]

KIT: a folder with `run` and `default_data.json`; its README says how it wants to be served. Nothing of it is copied into the project.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson

from stillwatch.doors.taxii.passwords import stretched
from stillwatch.store.shared.declare import Shared, Status, moment
from stillwatch.store.shared.opening import opened

USER, PASSWORD = "admin", "Password0"


def settings(seed: dict[str, Any], port: int, store: str) -> str:
    """The settings of a server that serves the suite's data."""
    said = json.dumps
    discovery = seed["/discovery"]
    announce = discovery["api_roots"][0].rsplit("/", 2)[0]
    lines = ["[[server]]", f'listen = "127.0.0.1:{port}"', f'url = "http://127.0.0.1:{port}"', f"store = {said(store)}", f"announce = {said(announce)}"]
    lines += [f"{word} = {said(discovery[word])}" for word in ("title", "description", "contact", "default")]
    lines += ["page = 20", "status_days = 0", "rate = 1000000", "[[user]]", f'name = "{USER}"', f"password = {said(stretched(PASSWORD))}"]
    for path, root in seed.items():
        if path == "/discovery":
            continue
        about = root["information"]
        lines += ["[[root]]", f"path = {said(path)}", f"title = {said(about['title'])}", f"description = {said(about['description'])}", 'proof = ["basic"]']
        for each in root["collections"]:
            lines += ["[[collection]]", f"root = {said(path)}", f"id = {said(each['id'])}", f"title = {said(each['title'])}", "listed = true"]
            lines += ['validation = "lenient"', f"media_types = {said(each['media_types'])}"]
            lines += [f"description = {said(each['description'])}"] if "description" in each else []
            lines += [f"{word} = {said([USER] if each[right] else [])}" for word, right in (("readers", "can_read"), ("writers", "can_write"))]
    return "\n".join(lines) + "\n"


def planted(seed: dict[str, Any], store: str) -> None:
    """Put the suite's objects and statuses into a store, with the moments of adding that it gives."""
    shelves = opened(store)
    for path, root in seed.items():
        for each in root.get("status", []) if path != "/discovery" else []:
            shelves.tell(path, Status(each["id"], USER, orjson.dumps(each), moment(each["request_timestamp"]) or 0, None))
        for each in root.get("collections", []) if path != "/discovery" else []:
            added = {(row["id"], moment(row["version"])): row for row in each["manifest"]}
            for item in each["objects"]:
                said = item.get("modified", item.get("created"))
                row = added[item["id"], moment(said)] if said else next(row for row in each["manifest"] if row["id"] == item["id"])
                spec = item.get("spec_version", "2.0" if "created" in item else "2.1")
                shelves.add(path, each["id"], [Shared(item["id"], item["type"], spec, said, orjson.dumps(item), moment(row["date_added"]))], 0)
    shelves.close()


def main() -> int:
    """Run the suite. Returns its exit status."""
    reading = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    reading.add_argument("kit", type=Path)
    reading.add_argument("--suite", type=Path, help="the folder that holds the tests, where it does not lie in the kit")
    reading.add_argument("--store", help="default: an SQLite file that goes afterwards")
    asked = reading.parse_args()
    seed = orjson.loads((asked.kit / "default_data.json").read_bytes())
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = int(held.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        store = asked.store or str(Path(folder) / "shared.sqlite")
        planted(seed, store)
        file = Path(folder) / "serve.toml"
        file.write_text(settings(seed, port, store))
        process = subprocess.Popen([sys.executable, "-m", "stillwatch", "serve", str(file)], stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            print(process.stdout.readline().strip(), flush=True)
            began = time.monotonic()
            where = {} if asked.suite is None else {"TAXII_SUITE": str(asked.suite.resolve())}
            run = subprocess.run([str(asked.kit / "run"), f"http://127.0.0.1:{port}", USER, PASSWORD], env={**os.environ, **where}, check=False)
            print(f"{time.monotonic() - began:.1f} s")
            return run.returncode
        finally:
            process.terminate()
            print("the server ended with", process.wait(30))


if __name__ == "__main__":
    sys.exit(main())
