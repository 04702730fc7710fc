"""The seal of a scan's folder: what its results follow from, and its results, under a key that does not lie in it.

Digests alone bind nothing: whoever changes a file makes its digest anew. So the list of digests carries a MAC (keyed BLAKE2b) under a key that is
derived from the hashing key. The first part, the evidence, is the kept marks, the kept reference and what the scan was asked; its MAC is the scan's
`seal`, which whoever wants to be sure even of those who hold the key writes down elsewhere. The second part is the results, bound to the first.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from stillwatch.errors import UserError
from stillwatch.store import asked
from stillwatch.store.keys import fingerprint
from stillwatch.store.scans import MARKER
from stillwatch.store.states import FOLDER, REFERENCE

VERSION = 1
FILE = f"{FOLDER}/seal.json"

EVIDENCE = (f"{FOLDER}/calls/*.json", f"{REFERENCE}/**/*.parquet", asked.FILE)
"Files whose digests are the evidence: the notes of runs hold the digests of the marks themselves."

_MARKS = f"{FOLDER}/calls/"


@dataclass(frozen=True)
class Seal:
    """What a seal says."""

    seal: str
    "MAC of the evidence, 32 hex digits."
    evidence: Mapping[str, str]
    "File -> its SHA-256; none where the MAC is not sound, for then the list may be anything."
    results: Mapping[str, str]
    "The same of the results."
    sound: bool
    "Whether the MAC of the evidence is that of this key."
    sound_results: bool
    "Whether the MAC of the results is."


def evidence(folder: Path) -> dict[str, str]:
    """The evidence that lies in a folder: file -> SHA-256."""
    return {str(path.relative_to(folder)): digest(path) for pattern in EVIDENCE for path in sorted(folder.glob(pattern))}


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(held: Mapping[str, str], secret: bytes) -> str:
    """The seal of some evidence."""
    return _mac(secret, "evidence", held)


def write(folder: Path, held: Mapping[str, str], secret: bytes) -> None:
    """Seal a scan's folder when everything else is in it. `held`: its evidence."""
    made = seal(held, secret)
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MARKER)
    results = {name: digest(path) for path in paths if (name := str(path.relative_to(folder))) not in held and not name.startswith(_MARKS)}
    told = {"version": VERSION, "key": fingerprint(secret), "seal": made, "evidence": held, "results": results}
    (folder / FILE).write_bytes(orjson.dumps(told | {"results_seal": _mac(secret, f"results of {made}", results)}, option=orjson.OPT_INDENT_2))


def read(folder: Path, secret: bytes) -> Seal:
    """The seal of a folder. Raises: UserError where there is none, or one of another version or key."""
    try:
        told = orjson.loads((folder / FILE).read_bytes())
    except OSError as error:
        what = "has no seal: an earlier version made it, it was taken away, or a stream has calls that were not examined"
        raise UserError(what, str(folder), "let the stream come to its end, or scan the log again with this version") from error
    except orjson.JSONDecodeError:
        told = {}
    if not isinstance(told, dict) or not {"version", "key", "seal", "evidence", "results", "results_seal"} <= set(told):
        return Seal("", {}, {}, False, False)
    if told["version"] != VERSION:
        raise UserError("was sealed by another version", str(folder), "verify it with that version")
    if told["key"] != fingerprint(secret):
        raise UserError("was made with another hashing key", str(folder), "pass the key of that scan with --key")
    sound = _same(_mac(secret, "evidence", told["evidence"]), told["seal"])
    sound_results = sound and _same(_mac(secret, f"results of {told['seal']}", told["results"]), told["results_seal"])
    return Seal(str(told["seal"]), told["evidence"] if sound else {}, told["results"] if sound_results else {}, sound, sound_results)


def changed(listed: Mapping[str, str], there: Mapping[str, str]) -> list[tuple[str, str]]:
    """(file, what is wrong with it) where files are not what a seal lists. `there`: the digests of those that are there."""
    told = [(name, "was added") for name in sorted(set(there) - set(listed))]
    for name, sealed in sorted(listed.items()):
        if name not in there:
            told.append((name, "is missing"))
        elif there[name] != sealed:
            told.append((name, "is not the file that was sealed"))
    return told


def check_marks(folder: Path, secret: bytes) -> None:
    """Compare the kept marks' notes with the seal. Raises: UserError when they are not what was sealed."""
    held = read(folder, secret)
    marks, there = ({name: value for name, value in each.items() if name.startswith(_MARKS)} for each in (held.evidence, evidence(folder)))
    if not held.sound or changed(marks, there):
        raise UserError("keeps calls that are not those that were sealed", str(folder), "restore it, or scan its log again")


def _mac(secret: bytes, what: str, files: object) -> str:
    key = hashlib.blake2b(b"seal", key=secret, digest_size=32).digest()
    return hashlib.blake2b(orjson.dumps([VERSION, what, files], option=orjson.OPT_SORT_KEYS), key=key, digest_size=16).hexdigest()


def _same(one: str, other: object) -> bool:
    return isinstance(other, str) and hmac.compare_digest(one.encode(), other.encode())
