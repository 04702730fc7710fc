"""Sharing and correcting: a scan's cases through the barrier into collections, what is owed to whom brought to them, and what was heard made readable.

Nothing leaves that was not prepared under a policy; a collection gets something only where everybody who reads it is a recipient of that policy. What arrived is written down after it
arrived: a run that was killed in between sends the same again, and adding twice is adding once.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from stillwatch import noting
from stillwatch.errors import UserError
from stillwatch.exchange.barrier import acting, policy, preparing
from stillwatch.exchange.barrier.counsel import Shown
from stillwatch.exchange.barrier.gate import closed, passed
from stillwatch.exchange.coordination import cases, quiet, reach, seen
from stillwatch.exchange.stix import moments, reading, words, writing
from stillwatch.noting import Said
from stillwatch.peers import posting
from stillwatch.peers import settings as peers
from stillwatch.store import keys
from stillwatch.store.outgoing import Outgoing, Pending
from stillwatch.store.shared.heard import Hearsay

Rows = list[tuple[str, int, bytes]]


def share(
    settings: Path, result: Path | None, policy_file: Path, to: Sequence[str], *, networks: Path | None = None, send: bool = False, expect: str | None = None,
    ledger: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Prepare a scan's cases under a policy, and send them where `send` is set.

    Args: the file of peers; the scan's folder (None with `expect`); the policy; collections as PEER/ID; a JSON object of ranges of addresses by campaign, where a person names them; `expect`: the
    digest of what was looked at before: exactly that is sent. Returns: sha256, recipients, content (text), refused, sent. Raises: UserError, Unanswered.
    """
    me, _ = peers.load(settings)
    rules = policy.parse(_text(policy_file), str(policy_file))
    targets = [_target(each, settings, rules.recipients) for each in to]
    with Outgoing(me.outgoing) as held:
        if expect is not None:
            found = held.pending(expect)
            if found is None:
                raise UserError("nothing was looked at under this digest, or it has left", expect, "run `stillwatch share` without --send first")
            if shut := closed(rules, _now()):
                raise UserError(shut, str(policy_file), "nothing has left")
            if waiting := _told(held, _read(orjson.loads(found.content)["objects"] if found.content else ()), _now()).held:
                raise UserError(
                    f"waits until {moments.stamp(waiting[0].until)[:10]}: a quiet period began after this was looked at",
                    waiting[0].record.id,
                    "look at it again without --send",
                )
        elif result is None:
            raise UserError("no scan was named", "RESULT", "name the folder of a scan, or --expect with what was looked at")
        else:
            found = _prepared(held, me, result, rules, networks)
            held.keep(found)
        told: dict[str, Any] = {
            "sha256": found.sha256, "recipients": list(rules.recipients) if found.content else [], "content": found.content.decode(), "collections": list(to),
            "refused": [[each.object, each.where, each.why] for each in found.refused], "sent": [],
        }  # fmt: skip
        if send and found.content:
            objects = orjson.loads(found.content)["objects"]
            for peer, collection, readers in targets:
                told["sent"].append(_sent(settings, held, peer, collection, readers, objects, rules, found, me, ledger))
    return told


def correct(
    settings: Path, policy_file: Path, *, id_: str | None = None, revoke: bool = False, opinion: str | None = None, to: Sequence[str] = (), send: bool = False,
    ledger: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Take back or dispute something, and bring what is owed to everybody who has the original.

    Args: `id_`: a record of ours (`revoke`), or any that was told (`opinion`: one of STIX's); None: only what is owed already; `to`: collections, PEER/ID, where an opinion about somebody
    else's record is told (one about ours goes to whoever has that). Without `send` it is shown and nothing is kept.
    Returns: due (recipient, id, revoked), content, sent. Raises: UserError, Unanswered.
    """
    me, _ = peers.load(settings)
    rules = policy.parse(_text(policy_file), str(policy_file))
    targets = [_target(each, settings, rules.recipients) for each in to]
    at = _now()
    with Outgoing(me.outgoing) as held:
        ours = _read(held.said())
        new = list(_corrected(ours, id_, revoke, opinion, at, me, rules))
        shut = closed(rules, at)
        if shut:
            raise UserError(shut, str(policy_file), "a correction is held back too, and is owed as soon as a person lets it go")
        delivered = held.delivered()
        every = [each for rows in delivered.values() for each in rows]
        owed = reach.due([*ours, *new], every, rules.recipients, at)
        told: dict[str, Any] = {
            "due": [[each.recipient, each.record.id, each.record.revoked] for each in owed],
            "new": [each.id for each in new],
            "sent": [],
            "content": "",
            "waits": [],
        }
        if opinion is not None and id_ not in {each.id for each in ours} and not targets:
            raise UserError("is somebody else's record, and where to dispute it is not said", str(id_), "name a collection with --to PEER/COLLECTION")
        waiting = _told(held, new, at).held
        told["waits"] = [[each.record.id, moments.stamp(each.until)] for each in waiting]
        new = [each for each in new if each.id not in {one.record.id for one in waiting}]
        if send:
            held.say(_rows(writing.write(new).objects))
        going: list[tuple[str, str, frozenset[str], list[words.Shared]]] = [(*each, new) for each in targets]
        for (peer, collection), rows in delivered.items():
            readers = frozenset(each.recipient for each in rows)
            records = list({each.record.id: each.record for each in owed if each.recipient in readers}.values())
            if readers - set(rules.recipients):
                # Somebody reads it whom the policy names no longer: nothing new is said there, and what they hold is withdrawn.
                records = [each for each in records if each.revoked]
            going.append((peer, collection, readers, records))
        for peer, collection, readers, records in going:
            made = writing.write(records)
            if not made.objects:
                continue
            content = writing.bundle(made.objects)
            told["content"] += content.decode() + "\n"
            if send:
                about = Pending(hashlib.sha256(content).hexdigest(), at, content, made.losses)
                told["sent"].append(_sent(settings, held, peer, collection, readers, list(made.objects), rules, about, me, ledger, "correction"))
    return told


def heard(settings: Path) -> dict[str, Any]:
    """What peers told that still holds: cases with what belongs to them, what could not be read, and what is to be forgotten. Nothing of it decides anything."""
    me, _ = peers.load(settings)
    at, objects = _now(), dict[tuple[str, str], dict[tuple[str, str], Any]]()
    store = Hearsay(me.store)
    try:
        for row in store.every():
            objects.setdefault((row.peer, row.collection), {})[row.id, row.version] = orjson.loads(row.body)
    finally:
        store.close()
    records, lost = list[words.Shared](), list[list[str]]()
    for (peer, _), several in objects.items():
        made = reading.heard(several.values())
        records += [each for each in made.records if isinstance(each, words.Shared)]
        lost += [[peer, each.object, each.where, each.why] for each in made.losses]
    now = list(reach.latest(records).values())
    standing, gone = acting.standing([each for each in now if not isinstance(each, words.Member)], at)
    with Outgoing(me.outgoing) as held:
        ours, matched = _read(held.said()), held.matched()
    theirs = {each.id for each in records}
    grouped = cases.grouped([*ours, *records], matched, at)
    by_id = {each.id: each for each in standing}
    sightings = {each.of: each for each in seen.together(standing, at)}
    by_id |= {id_: each for id_, each in reach.latest(ours).items() if id_ not in by_id and not each.revoked}
    told = [_case(each, by_id, sightings) for each in grouped.cases if theirs & set(each.cases)]
    return {
        "cases": told, "claims": [[*each.pair, each.by] for each in grouped.claims],
        "opinions": [[list(each.about), each.opinion, each.source] for each in standing if isinstance(each, words.Opinion)],
        "forget": [[each.object, each.why] for each in gone], "not_read": lost,
    }  # fmt: skip


def left(settings: Path) -> list[Shown]:
    """Counsel's view: everything that left and what stayed, in order."""
    me, _ = peers.load(settings)
    with Outgoing(me.outgoing) as held:
        return held.shares()


def _case(joined: cases.Joined, by_id: Mapping[str, words.Shared], sightings: Mapping[str, seen.Seen]) -> dict[str, Any]:
    told = []
    for id_ in joined.cases:
        case = by_id.get(id_)
        if isinstance(case, words.Case):
            told.append({
                "id": id_, "source": case.source, "name": case.name, "grade": case.grade, "log10_e_at_least": case.log10_e_at_least,
                "accounts": None if case.accounts is None else list(case.accounts), "tlp": case.tlp, "expires": None if case.expires is None else moments.stamp(case.expires),
                "seen": id_ in sightings,
            })  # fmt: skip
    return {
        "records": told,
        "agreed": [list(each) for each in joined.agreed],
        "matched": [list(each) for each in joined.matched],
        "objects": list(joined.objects),
    }


def _corrected(
    ours: Sequence[words.Shared], id_: str | None, revoke: bool, opinion: str | None, at: int, me: peers.Me, rules: policy.Policy
) -> list[words.Shared]:  # fmt: skip
    """New versions and records that a correction makes."""
    if id_ is None:
        return []
    latest = reach.latest(ours)
    source = writing.named("identity", _names_key(me), rules.named_as or "pseudonym")
    if revoke:
        record = latest.get(id_)
        if record is None:
            raise UserError("is no record of ours", id_, "only who said something can take it back; dispute it with --opinion")
        if record.revoked:
            raise UserError("was taken back before", id_, "run it without an id to bring that to whoever has not heard it")
        moment = max(at, record.modified + 1000)
        return [writing.revoked(record, moment), *reach.undone([id_], ours, moment).records]
    if opinion is None:
        raise UserError("what is to be said of it?", id_, "give --revoke or --opinion")
    made = words.Opinion(
        id=writing.named("opinion", _names_key(me), id_, opinion), created=at - at % 1000, modified=at - at % 1000, source=source, about=(id_,), opinion=opinion
    )
    through = passed([made], rules, source, at)
    if through.refused:
        raise UserError(through.refused[0].why, id_, "the policy must allow opinions")
    return [each for each in through.records if isinstance(each, words.Shared)]


def _prepared(held: Outgoing, me: peers.Me, result: Path, rules: policy.Policy, networks: Path | None) -> Pending:
    lines = result / "campaigns.jsonl"
    if not lines.is_file():
        raise UserError("is no scan's folder", str(result), "name what `stillwatch scan --out` wrote")
    campaigns = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    ranges = None if networks is None else json.loads(_text(networks))
    created: dict[str, int] = {}
    for each in held.said():
        if "created" in each and (at := moments.parsed(each["created"])) is not None:
            created[each["id"]] = min(at, created.get(each["id"], at))
    at = _now()
    made = preparing.prepare(campaigns, rules, _names_key(me), at, created=created, networks=ranges)
    content, losses = _without_quiet(held, made, at)
    return Pending(hashlib.sha256(content).hexdigest(), at, content, losses)


def _without_quiet(held: Outgoing, made: preparing.Prepared, at: int) -> tuple[bytes, tuple[words.Loss, ...]]:
    """What of it may leave now, and what stays: what is in a quiet period waits."""
    shared = [each for each in made.records if isinstance(each, words.Shared)]
    told = _told(held, shared, at)
    if not told.held:
        return made.content, made.losses
    pointed = frozenset().union(*(reach.referred(each) for each in told.now)) if told.now else frozenset()
    left = [*told.now, *(each for each in made.records if not isinstance(each, words.Shared) and each.id in pointed)]
    waits = tuple(words.Loss(each.record.id, "", "", f"waits until {moments.stamp(each.until)[:10]}: a quiet period") for each in told.held)
    says_something = any(not isinstance(each, words.Member | words.Technique) for each in told.now)
    return writing.bundle(writing.write(left).objects) if says_something else b"", (*made.losses, *waits)


def _told(held: Outgoing, records: Sequence[words.Shared], at: int) -> quiet.Told:
    """What of some records may leave, and what waits, by the quiet periods that were decided."""
    return quiet.told(records, held.quiets(), {each.id for rows in held.delivered().values() for each in rows}, at)


def _read(objects: Iterable[Mapping[str, Any]]) -> list[words.Shared]:
    """Records of objects, as far as they are some."""
    return [each for each in reading.heard(objects).records if isinstance(each, words.Shared)]


def _target(named: str, settings: Path, recipients: Sequence[str]) -> tuple[str, str, frozenset[str]]:
    """(peer, collection, who reads it). Raises: UserError where that is not said, or somebody reads it whom the policy does not name."""
    peer, collection, everybody = peers.target(named, settings)
    if strangers := sorted(everybody - set(recipients)):
        raise UserError(
            "is read by somebody whom the policy does not name", f"{named}: {', '.join(strangers)}", "name them as recipients, or choose another collection"
        )
    return peer, collection, everybody


def _sent(
    settings: Path, held: Outgoing, peer: str, collection: str, readers: frozenset[str], objects: Sequence[Mapping[str, Any]], rules: policy.Policy, about: Pending,
    me: peers.Me, ledger: Path | None, kind: str = "share",
) -> dict[str, Any]:  # fmt: skip
    """Post, and write down what arrived."""
    rows = _rows(objects)
    told = posting.post(settings, peer, collection, [body for _, _, body in rows])
    failed = {str(each.get("id")) for each in told["failures"] if isinstance(each, dict)}
    shown = Shown(_now(), tuple(sorted(readers)), rules.purpose, about.sha256, about.content, about.refused)
    held.note(shown, [row for row in rows if row[0] not in failed], peer, collection, readers)
    noting.noted(ledger, me.key, [Said(kind, about.content, peer, "bundle")])
    return {"peer": peer, "collection": collection, "readers": sorted(readers), "added": told["added"], "failures": told["failures"]}


def _rows(objects: Sequence[Mapping[str, Any]]) -> Rows:
    """(id, version in microseconds, bytes) of objects; 0 for what has no versions."""
    return [
        (str(each["id"]), (moments.parsed(each["modified"]) or 0) if "modified" in each else 0, orjson.dumps(each, option=orjson.OPT_SORT_KEYS))
        for each in objects
    ]


def _names_key(me: peers.Me) -> bytes:
    """The key under which ids are made: whoever destroys it makes all of them nobody's."""
    return keys.load_or_create(me.names_key)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("cannot be read", str(path), "check the path, and that it is UTF-8 text") from error


def _now() -> int:
    return time.time_ns() // 1000
