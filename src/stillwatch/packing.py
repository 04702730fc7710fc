"""Detector packs from end to end: made, signed, taken in, calibrated, run in shadow, withdrawn, said in a SIEM's words.

A pack never decides anything here. It is run beside a scan, and what it would have said is told in the summary.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key, load_pem_public_key

from stillwatch.errors import UserError
from stillwatch.exchange import envelope
from stillwatch.exchange.packs import backends
from stillwatch.exchange.packs.calibration import calibrated, measured
from stillwatch.exchange.packs.pack import Definition, Pack, heard, version_of
from stillwatch.exchange.packs.trying import Shadow, failed, one_sided, shadow
from stillwatch.features.declare import every_feature
from stillwatch.files import publish
from stillwatch.noting import Said, noted
from stillwatch.store import directories, keys, pack_texts, packs, states

LEAST_CALLS = 60
"Calls from which an organisation shows what it usually is."


def definitions() -> dict[str, Definition]:
    """Every feature of this Stillwatch, as packs name it. The digest is over what the feature is called and means, and over its example with its value."""
    return {
        name: Definition(
            each.unit,
            hashlib.sha256(
                json.dumps([name, each.unit, each.low, each.high, list(each.reads), each.clusters_only, list(each.example[0]), each.example[1]], sort_keys=True).encode()
            ).hexdigest()[:16],
            each.clusters_only,
        )
        for name, each in every_feature().items()
    }  # fmt: skip


def key(out: Path) -> dict[str, Any]:
    """A new signing key, and beside it the public half that others trust. Returns both paths. Raises: UserError where a file is there."""
    signers = envelope.signing("signer")
    public = out.with_name(out.name + ".pub")
    for path in (out, public):
        if path.exists():
            raise UserError("is there already", str(path), "name another file: a key is never replaced")
    private = Ed25519PrivateKey.generate()
    with publish(out) as part:
        part.chmod(0o600)
        part.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with publish(public) as part:
        part.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return {"key": str(out), "public": str(public), "keyid": signers.SSlibKey.from_crypto(private.public_key()).keyid}


def build(folder: Path, sign_with: Path, out: Path) -> dict[str, Any]:
    """The pack in a folder, checked as whoever takes it in will check it, signed, in one file. Raises: UserError."""
    told = pack_texts.read(folder, definitions())
    pack = _sound(heard(told, str(folder), definitions()), str(folder))
    raw = envelope.signed(told, envelope.PACK, signer_of(sign_with))
    with publish(out) as part:
        part.write_bytes(raw)
    return {**_about(pack), "out": str(out), "bytes": len(raw)}


def take_in(
    file: Path,
    trusted: Sequence[Path],
    folder: Path | None,
    history: Sequence[Path] = (),
    hashing_key: Path | None = None,
    *,
    roots: Sequence[Path] = (),
    ledger: Path | None = None,
    sign_with: Path | None = None,
) -> dict[str, Any]:
    """Take in a pack, or the withdrawal of one: signature, format, features, cases, version. It runs in shadow from then on.

    Args: the file; public keys of makers who are trusted, or a directory of members, which `roots` may sign; where packs lie; earlier scans on which its thresholds are set (none: they stand as the pack has them);
    the ledger in which it is noted, and the key that signs that. Raises: UserError where anything is not as it must be; then nothing has changed.
    """
    place = packs.default_path() if folder is None else folder
    raw, keys_by_name = bytes_of(file), trusted_of(trusted, roots)
    kind, told, signer = envelope.opened(raw, (envelope.PACK, envelope.WITHDRAWAL), keys_by_name, str(file))
    if kind == envelope.WITHDRAWAL:
        stopped = _withdrawn(told, signer, place, file)
        noted(ledger, sign_with, [Said("correction", raw, signer, "withdrawal")])
        return stopped
    pack = _sound(heard(told, str(file), definitions()), str(file))
    before = packs.standing(place, pack.id)
    version = told["version"]
    if before is not None:
        if before.signer != signer:
            raise UserError(f"another maker signed this pack before ({before.signer})", str(file), "a maker who changes keys gives the pack a new id")
        if pack.version < version_of(before.version):
            raise UserError(f"version {version} is older than {before.version}, which is in use", str(file), "ask for a newer one")
        if version == before.version and packs.envelope(place, before) != raw:
            raise UserError(f"version {version} is in use with another content", str(file), "a maker who changes a pack gives it a new version")
        if version == before.version and before.withdrawn is not None:
            raise UserError(f"version {version} was withdrawn: {before.withdrawn}", str(file), "ask for a newer one")
    stands = packs.Standing(pack.id, version, signer, datetime.now(UTC).isoformat(timespec="seconds"), None, pack.numbers)
    stands = _set(pack, stands, history, hashing_key) if history else stands
    packs.put(place, stands, raw)
    noted(ledger, sign_with, [Said("hear", raw, signer, "pack")])
    return {**_about(pack), **_stands(stands), "cases": len(pack.cases)}


def withdraw(pack: str, version: str, reason: str, sign_with: Path, out: Path) -> dict[str, Any]:
    """A signed withdrawal of a version, for everybody who has it. Raises: UserError."""
    told = {"format": "stillwatch-withdrawal/1", "id": pack, "version": version, "reason": reason}
    try:
        version_of(version)
    except ValueError as error:
        raise UserError("is no version", version, "write MAJOR.MINOR.PATCH") from error
    with publish(out) as part:
        part.write_bytes(envelope.signed(told, envelope.WITHDRAWAL, signer_of(sign_with)))
    return {**told, "out": str(out)}


def _withdrawn(told: Mapping[str, Any], signer: str, place: Path, file: Path) -> dict[str, Any]:
    if told.get("format") != "stillwatch-withdrawal/1" or not all(isinstance(told.get(word), str) for word in ("id", "version", "reason")):
        raise UserError("is no withdrawal of a format that is known here", str(file), "ask its maker for another")
    before = packs.standing(place, told["id"]) if len(told["id"]) == 36 else None
    if before is None:
        raise UserError("withdraws a pack that is not here", str(file), "nothing needs to be done")
    if before.signer != signer:
        raise UserError("withdraws a pack of another maker", str(file), f"only {before.signer} can withdraw it")
    if version_of(told["version"]) < version_of(before.version):
        raise UserError(f"withdraws version {told['version']}; {before.version} is in use", str(file), "nothing needs to be done")
    after = replace(before, withdrawn=told["reason"])
    packs.put(place, after)
    return _stands(after)


def calibrate(pack: str, folder: Path | None, history: Sequence[Path], hashing_key: Path | None = None) -> dict[str, Any]:
    """Set the thresholds of a pack on earlier scans of one's own. Raises: UserError."""
    place = packs.default_path() if folder is None else folder
    found, stands = _taken(place, pack)
    stands = _set(found, stands, history, hashing_key)
    packs.put(place, stands)
    return {**_about(found), **_stands(stands)}


def listed(folder: Path | None) -> list[dict[str, Any]]:
    """Every pack that was taken in, and how it stands."""
    place = packs.default_path() if folder is None else folder
    return [{**_about(_taken(place, each.id)[0]), **_stands(each)} for each in packs.everyone(place)]


def converted(pack: str, folder: Path | None, backend: str) -> dict[str, Any]:
    """The queries of a SIEM that say a pack's rules, with the thresholds that stand here. Raises: UserError."""
    found, stands = _taken(packs.default_path() if folder is None else folder, pack)
    queries = backends.converted(found, stands.numbers, backend)
    return {
        "pack": found.id,
        "backend": backend,
        "queries": [{"rule": rule.id, "title": rule.title, "query": query} for rule, query in zip(found.rules, queries, strict=True)],
    }


def in_shadow(folder: Path, rows: Sequence[tuple[str, Mapping[str, float | None]]]) -> list[dict[str, Any]]:
    """What every pack that runs would have said of a scan's clusters: (verdict, features). A pack that cannot be read says so in place of its hits."""
    told = []
    for stands in packs.everyone(folder):
        if stands.withdrawn is not None:
            continue
        found: list[Shadow] = []
        problem = None
        try:
            found = shadow(_taken(folder, stands.id)[0], rows, stands.numbers)
        except UserError as error:
            problem = str(error)
        told.append({"pack": stands.id, "version": stands.version, "problem": problem, "rules": [asdict(each) for each in found]})
    return told


def _taken(place: Path, pack: str) -> tuple[Pack, packs.Standing]:
    """A pack that was taken in, by its id or by the beginning of it."""
    fits = [each for each in packs.everyone(place) if each.id.startswith(pack)]
    if len(fits) != 1:
        raise UserError(f"{'no pack' if not fits else 'more than one pack'} begins with {pack}", str(place), "`stillwatch pack list` shows them")
    where = f"pack {fits[0].id}"
    return heard(envelope.kept(packs.envelope(place, fits[0]), where), where, definitions()), fits[0]


def _sound(pack: Pack, where: str) -> Pack:
    """A pack whose cases come out, on both sides of every rule. Raises: UserError."""
    if wrong := failed(pack):
        one = wrong[0]
        what = [f"{', '.join(one.missing)} did not hit" if one.missing else "", f"{', '.join(one.extra)} hit" if one.extra else ""]
        raise UserError(f"the case '{one.case}' does not come out: {' and '.join(each for each in what if each)}", where, "mend the rule or the case")
    if lone := one_sided(pack):
        raise UserError(f"'{lone[0]}' has no case in which it hits, or none in which it must not", where, "add one: a rule that cannot fail is none")
    return pack


def _set(pack: Pack, stands: packs.Standing, history: Sequence[Path], hashing_key: Path | None) -> packs.Standing:
    rows = [row for table in organisations_of(history, hashing_key) for row in _organisations(table, pack)]
    done = {name: calibrated(each, [value for row in rows if (value := row.get(each.feature)) is not None]) for name, each in pack.thresholds.items()}
    numbers = {name: each.value for name, each in done.items()}
    rates = {rule: asdict(rate) for rule, rate in measured(pack, rows, numbers).items()}
    if wrong := failed(pack, numbers):
        raise UserError(
            f"with thresholds set on this traffic the case '{wrong[0].case}' no longer comes out",
            pack.name,
            "leave --history out, and tell its maker: the pack's range is too wide for its cases",
        )
    return replace(
        stands, numbers=numbers, set_on={"organisations": len(rows), "thresholds": {name: asdict(each) for name, each in done.items()}, "rates": rates}
    )


def organisations_of(scans: Sequence[Path], hashing_key: Path | None) -> list[pa.Table]:
    """The organisations of one's own scans with their features, a table a scan. Raises: UserError."""
    secret = keys.load(hashing_key)
    if secret is None:
        raise UserError("there is no hashing key", "--key", "name the key of those scans")
    return [states.read(scan, keys.fingerprint(secret), "account").organisations for scan in scans]


def _organisations(table: pa.Table, pack: Pack) -> list[dict[str, float | None]]:
    """Features of organisations with enough calls."""
    enough = table.filter(pc.greater_equal(table["calls"], LEAST_CALLS))
    have = [name for name in pack.features if name in enough.column_names]
    rows: list[dict[str, float | None]] = enough.select(have).to_pylist()
    return rows


def _about(pack: Pack) -> dict[str, Any]:
    return {
        "id": pack.id,
        "name": pack.name,
        "version": pack.told["version"],
        "about": pack.about,
        "rules": [rule.title for rule in pack.rules],
        "tlp": pack.told["tlp"],
    }


def _stands(stands: packs.Standing) -> dict[str, Any]:
    told = asdict(stands)
    return {
        "mode": "withdrawn" if stands.withdrawn is not None else "shadow",
        **{name: told[name] for name in ("id", "version", "signer", "since", "withdrawn", "numbers", "set_on")},
    }


def bytes_of(path: Path) -> bytes:
    """A file's bytes, up to the largest envelope. Raises: UserError."""
    try:
        with path.open("rb") as file:
            return file.read(envelope.LARGEST + 1)
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", str(path), "check the path") from error


def signer_of(path: Path) -> envelope.Key:
    """The signing key in a file. Raises: UserError."""
    signers = envelope.signing("signer")
    try:
        private = load_pem_private_key(bytes_of(path), None)
    except (ValueError, TypeError) as error:
        raise UserError("is no signing key", str(path), "`stillwatch pack key` makes one") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise UserError("is a key of another kind", str(path), "packs are signed with Ed25519; `stillwatch pack key` makes such a key")
    return signers.CryptoSigner(private)


def trusted_of(paths: Sequence[Path], roots: Sequence[Path] = ()) -> dict[str, envelope.Key]:
    """Public keys by their key id, which follows from the key: a file's name may change. A signed directory of members stands for the keys that it names now; `roots` may sign one."""
    return {keyid: key for keyid, (_, key) in signers_of(paths, roots).items()}


def signers_of(paths: Sequence[Path], roots: Sequence[Path] = ()) -> dict[str, tuple[str, envelope.Key]]:
    """The same with whose each key is: the member that a directory names, else the key id."""
    signers, found = envelope.signing("signer"), {}
    for path in paths:
        raw = bytes_of(path)
        if raw.lstrip().startswith(b"{"):
            for name, member_key in _members(path, roots):
                made = signers.SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(member_key))
                found[made.keyid] = name, made
            continue
        try:
            public = load_pem_public_key(raw)
        except ValueError as error:
            raise UserError("is no public key", str(path), "`stillwatch pack key` writes one ending in .pub") from error
        if not isinstance(public, Ed25519PublicKey):
            raise UserError("is a key of another kind", str(path), "packs are signed with Ed25519")
        made = signers.SSlibKey.from_crypto(public)
        found.setdefault(made.keyid, (made.keyid, made))
    return found


def _members(path: Path, roots: Sequence[Path]) -> list[tuple[str, bytes]]:
    """Members of a directory with the keys that each signs with now: of an expelled member none. Raises: UserError."""
    if not roots:
        raise UserError("is a directory of members, and no root key was named", str(path), "name it with --root")
    now = time.time_ns() // 1000
    listed = directories.load(path, roots, now)
    return [(member.name, public) for member in listed.members for public in listed.keys_of(member.name, now)]
