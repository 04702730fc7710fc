"""Where a stream stands: how far its files were read, what has arrived, what was told. Part of its result folder, so that both appear in one instant.

Versioned; hashes and names of files, no account and no text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from stillwatch.errors import UserError
from stillwatch.evidence.arrivals import WINDOW
from stillwatch.intake.growing import Seen
from stillwatch.linking.arriving import Arriving
from stillwatch.linking.history import ALPHABETS
from stillwatch.store.states import FOLDER

VERSION = 1
PLACE = f"{FOLDER}/stream"
_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)
_COLUMNS = ("uses", "nominated", "issued", "waiting", "replays", "groups")


@dataclass(frozen=True)
class Checkpoint:
    """Where a stream stands."""

    how: str
    "Digest of what may not change: key, unit, history."
    scan: str
    "Id under which names are sealed."
    commits: int = 0
    "How often it was written."
    micro_batches: int = 0
    "Micro-batches that were taken up."
    calls_read: int = 0
    "Records read, duplicates included."
    examined: int = 0
    "Of those, when all was examined last."
    reached_ts: int = 0
    "Latest call, microseconds."
    seen: Mapping[str, Seen] = field(default_factory=dict)
    "How far each file was read."
    told: tuple[dict[str, Any], ...] = ()
    "Alerts that were raised (alerts.raised)."
    looked_at: tuple[int, ...] = ()
    "Nominees that have crossed and were examined."

    def write(self, folder: Path, arriving: Arriving) -> None:
        """Write it into a result that is being made."""
        place = folder / PLACE
        place.mkdir(parents=True)
        tables = {name: pa.table(getattr(arriving, name)) for name in _COLUMNS} | {f"owned-{name}": table for name, table in (arriving.owned or {}).items()}
        tables["accounts"] = pa.table({"account": arriving.accounts, **{f"calls_{a}": arriving.calls[:, a] for a in range(ALPHABETS)}})
        tables["ticks"] = pa.table({"ticks": arriving.ticks.ravel()})
        tables["filter"] = pa.table({"shown": arriving.shown, "last": arriving.last})
        tables["spent"] = pa.table({"wording": arriving.spent})
        tables["sizes"] = pa.table(
            {"nominee": [*arriving.sizes], "size": [*arriving.sizes.values()]}, pa.schema([("nominee", pa.int64()), ("size", pa.int64())])
        )
        ticks = np.concatenate([*arriving.began.values(), np.zeros(0, np.int64)])
        began = [pa.array([key[i] for key in arriving.began], pa.int64()) for i in (0, 1)]
        tables["began"] = pa.table([*began, pa.FixedSizeListArray.from_arrays(pa.array(ticks), WINDOW)], ["nominee", "alphabet", "ticks"])
        for name, table in tables.items():
            with pa.ipc.new_file(str(place / f"{name}.arrow"), table.schema, options=_OPTIONS) as writer:
                writer.write_table(table)
        told = {"version": VERSION, **asdict(self), "numbers": arriving.numbers}
        (place / "checkpoint.json").write_bytes(orjson.dumps(told))


def read(folder: Path) -> tuple[Checkpoint, Arriving] | None:
    """Where the stream of a folder stands; None when the folder holds no stream. Raises: UserError when it is of another version."""
    place = folder / PLACE
    try:
        told = orjson.loads((place / "checkpoint.json").read_bytes())
    except OSError:
        return None
    if told.pop("version") != VERSION:
        raise UserError("holds a stream of another version", str(folder), "begin anew in another folder")
    arriving = Arriving(numbers=told.pop("numbers"))
    for name in _COLUMNS:
        setattr(arriving, name, _columns(place, name))
    names = [name for name in ("org", "payment", "ip") if (place / f"owned-{name}.arrow").exists()]
    arriving.owned = {name: _table(place, f"owned-{name}") for name in names} or None
    accounts = _columns(place, "accounts")
    arriving.accounts, arriving.calls = accounts["account"], np.stack([accounts[f"calls_{a}"] for a in range(ALPHABETS)], axis=1)
    arriving.ticks = _columns(place, "ticks")["ticks"].reshape(ALPHABETS, WINDOW)
    arriving.shown, arriving.last = _columns(place, "filter").values()
    arriving.spent = _columns(place, "spent")["wording"]
    sizes, began = _columns(place, "sizes"), _table(place, "began")
    arriving.sizes = dict(zip(sizes["nominee"].tolist(), sizes["size"].tolist(), strict=True))
    ticks = began["ticks"].combine_chunks().flatten().to_numpy().reshape(-1, WINDOW)
    arriving.began = {(n, a): ticks[i].copy() for i, (n, a) in enumerate(zip(began["nominee"].to_pylist(), began["alphabet"].to_pylist(), strict=True))}
    seen = {name: Seen(**each) for name, each in told.pop("seen").items()}
    checkpoint = Checkpoint(told.pop("how"), told.pop("scan"))
    return replace(checkpoint, **told | {"seen": seen, "told": tuple(told["told"]), "looked_at": tuple(told["looked_at"])}), arriving


def commits(folder: Path) -> int:
    """How often the checkpoint of a folder was written; 0 where there is none."""
    try:
        return int(orjson.loads((folder / PLACE / "checkpoint.json").read_bytes())["commits"])
    except OSError:
        return 0


def _table(place: Path, name: str) -> pa.Table:
    with pa.memory_map(str(place / f"{name}.arrow")) as file:
        return pa.ipc.open_file(file).read_all().combine_chunks()


def _columns(place: Path, name: str) -> dict[str, Any]:
    """Columns as arrays that may be written to."""
    table = _table(place, name)
    return {each: table[each].to_numpy(zero_copy_only=False).copy() for each in table.column_names}
