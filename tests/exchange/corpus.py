"""Records of every kind, and STIX objects good and bad, made by seeded code: what the checks are compared on."""

from __future__ import annotations

import copy
import dataclasses
import random
import uuid
from typing import Any

from stillwatch.exchange.stix import words
from stillwatch.exchange.stix.markings import tlp
from stillwatch.exchange.stix.words import Record
from stillwatch.exchange.stix.writing import named, network, system, write

AT = 1_767_225_600_000_000
DAY = 86_400_000_000
KEY = b"a key of the tests"


def an_id(kind: str, *parts: str) -> str:
    return named(kind, KEY, *parts)


def records(rng: random.Random, round_: int = 0) -> list[Record]:
    """One record of every kind, with what may be absent present or absent at random."""
    mark = f"{round_}"
    me = an_id("identity", mark)
    policy = words.Iep(str(uuid.UUID(int=rng.getrandbits(128), version=4)), "members", AT, rng.choice([None, AT + 400 * DAY]))

    def shared(kind: str, *parts: str, **more: Any) -> dict[str, Any]:
        start = AT + rng.randrange(10_000) * 1000
        return {
            "id": an_id(kind, mark, *parts), "created": start, "modified": start + rng.randrange(3) * DAY, "source": me, "tlp": rng.choice(words.TLP),
            "iep": rng.choice([None, policy]), "confidence": rng.choice([None, 0, 55, 100]), "labels": rng.choice([(), ("seen in the wild",)]),
            "expires": rng.choice([None, AT + 100 * DAY]), "purpose": rng.choice([None, "detection"]), "revoked": rng.random() < 0.2,
        } | more  # fmt: skip

    def seen() -> dict[str, int | None]:
        first = rng.choice([None, AT])
        return {"first_seen": first, "last_seen": None if first is None else rng.choice([None, AT, AT + DAY])}

    graded = {"grade": rng.choice([None, "alert"]), "log10_e_at_least": rng.choice([None, 0, 7, -1]), "accounts": rng.choice([None, (20, 50)])}
    nets = [dataclasses.replace(each, tlp=rng.choice([None, *words.TLP])) for each in (network("192.0.2.0/24"), network("2001:db8::/32"), system(64_496))]
    case, technique = shared("campaign"), shared("attack-pattern")
    indicator = shared("indicator", expires=AT + 30 * DAY)
    pool = shared("infrastructure")
    observed = shared("observed-data")
    return [
        words.Member(**shared("identity", expires=None, id=me), name="member 4f"),
        words.Case(**case, **seen(), **graded, name="case 1", objective=rng.choice([None, "reasoning"]), description=rng.choice([None, "As the program tells it."])),
        words.Case(**shared("intrusion-set"), **seen(), **graded, name="set 1", attributed=True, objective="code"),
        words.Technique(**technique, name="Extract ML Model", atlas="AML.T0024.002"),
        words.Infrastructure(**pool, **seen(), name="pool 1", kinds=rng.choice([(), ("anonymization",)])),
        words.Indicator(
            **indicator, name="range 1", description="A range.", pattern="[ipv4-addr:value ISSUBSET '192.0.2.0/24']", language="stix", valid_from=AT,
            kinds=("anonymization",),
        ),
        words.Indicator(
            **shared("indicator", "sigma", expires=AT + 30 * DAY), name="rule 1", description="A rule.", pattern="title: x\ndetection: {}\n", language="sigma",
            valid_from=AT, pack_sha256="a" * 64,
        ),
        *nets,
        words.Observed(**observed, first=AT, last=AT + DAY, band=(20, 50), objects=tuple(each.id for each in nets)),
        words.Sighting(**shared("sighting"), **seen(), of=indicator["id"], observed=(observed["id"],), where=(me,), band=rng.choice([None, (10, 20)])),
        words.Advice(
            **shared("course-of-action"), name="Ask the reseller", description="Ask who is behind it. Suggested only.",
            playbook=rng.choice([None, {"type": "playbook", "spec_version": "cacao-2.0", "name": "ask"}]),
        ),
        words.Opinion(**shared("opinion"), about=(case["id"],), opinion=rng.choice(["disagree", "strongly-agree"]), explanation="reviewed text"),
        words.Grouping(**shared("grouping"), objects=(case["id"], indicator["id"]), name="one case"),
        words.Note(
            **shared("note"), about=(case["id"],), content="Evidence is kept.", sha256=rng.choice([None, "b" * 64]), log_origin="log.example/1",
            log_index=rng.choice([None, 0, 41]), timestamp_token=rng.choice([None, "MIIB"]),
        ),
        words.Link(**shared("relationship", "1"), origin=indicator["id"], kind="indicates", target=case["id"]),
        words.Link(**shared("relationship", "2"), origin=case["id"], kind="uses", target=technique["id"]),
        words.Link(**shared("relationship", "3"), origin=case["id"], kind="uses", target=pool["id"]),
    ]  # fmt: skip


def objects(seed: int, rounds: int) -> list[dict[str, Any]]:
    """Good objects of every type."""
    rng = random.Random(seed)
    made = [tlp(word) for word in words.TLP]
    for round_ in range(rounds):
        written = write(records(rng, round_))
        assert not written.losses, written.losses
        made += written.objects
    return made


ODD: list[Any] = [
    None, "", "x", 0, -1, 1, 101, 1.5, 50.0, True, False, [], {}, ["x"], [1], [None], {"x": "y"}, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000Z", "2026-02-30T00:00:00.000Z",
    "2026-01-01T00:00:60.000Z", "2026-01-01 00:00:00", "2016-01-01T00:00:00.123456789Z", "1999-01-01T00:00:00.000Z", "2.0", "2.2", "stix", "sigma", "anonymization", "Anonymization",
    "suspicious-activity", "organization", "agree", "campaign--8b7b4d0e-0ad6-475e-805a-b483b64bc7ad", "campaign--8b7b4d0e-0ad6-175e-805a-b483b64bc7ad",
    "identity--8b7b4d0e-0ad6-475e-805a-b483b64bc7ad", "relationship--8b7b4d0e-0ad6-475e-805a-b483b64bc7ad", "observed-data--8b7b4d0e-0ad6-475e-805a-b483b64bc7ad",
    "malware--8b7b4d0e-0ad6-475e-805a-b483b64bc7ad", "marking-definition--8b7b4d0e-0ad6-475e-805a-b483b64bc7ad", "identity--nonsense", "uses", "indicates", "mitigates", "related-to",
    "Uses", "192.0.2.300", "192.0.2.0/33", "10.0.0.1", "2001:db8::1", "2001:db8:::1", "::/129", ["campaign--8b7b4d0e-0ad6-475e-805a-b483b64bc7ad"], ["anonymization", "unknown"], ["bad kind"],
    ["ipv4-addr--363165a3-c284-5f12-98a3-2d774869b19b"], ["identity--8b7b4d0e-0ad6-475e-805a-b483b64bc7ad"], ["marking-definition--8b7b4d0e-0ad6-475e-805a-b483b64bc7ad"],
    [{"source_name": "mitre-atlas", "external_id": "AML.T0024"}], [{"source_name": "x"}], [{"external_id": "x"}], [{"source_name": "cve", "external_id": "CVE-2026-0001"}],
    [{"source_name": "cve", "external_id": "x"}], [{"source_name": "capec", "external_id": "CAPEC-1"}], [{"source_name": "x", "external_id": "CAPEC-1"}],
    [{"source_name": "x", "url": "https://a.example/"}], [{"source_name": "x", "url": "https://a.example/", "hashes": {"SHA-256": "a" * 64}}],
    [{"source_name": "x", "url": "https://a.example/", "hashes": {"SHA-256": "zz"}}], [{"source_name": "x", "description": "d", "hashes": {}}],
    [{"kill_chain_name": "a-chain", "phase_name": "one"}], [{"kill_chain_name": "A chain", "phase_name": "one"}], [{"kill_chain_name": "a-chain", "phase_name": "On_e"}],
    [{"selectors": ["name"], "marking_ref": "marking-definition--8b7b4d0e-0ad6-475e-805a-b483b64bc7ad"}], [{"selectors": ["nothing"], "marking_ref": "marking-definition--8b7b4d0e-0ad6-475e-805a-b483b64bc7ad"}],
    [{"selectors": ["labels.[0]"], "marking_ref": "marking-definition--8b7b4d0e-0ad6-475e-805a-b483b64bc7ad"}], [{"selectors": [], "marking_ref": "x"}], [{"selectors": ["id"]}],
    {"extension-definition--f7b1ca09-0c5f-4b04-adca-d67166052c43": {"extension_type": "property-extension", "abc": 1}},
    {"extension-definition--f7b1ca09-0c5f-4b04-adca-d67166052c43": {"extension_type": "property-extension", "abc": None}},
    {"extension-definition--f7b1ca09-0c5f-4b04-adca-d67166052c43": {"extension_type": "property-extension", "ab": 1}},
    {"extension-definition--f7b1ca09-0c5f-4b04-adca-d67166052c43": {"extension_type": "property-extension", "abc": []}},
    {"extension-definition--f7b1ca09-0c5f-4b04-adca-d67166052c43": {"extension_type": "property-extension", "abc_hex": "zz"}},
    {"extension-definition--f7b1ca09-0c5f-4b04-adca-d67166052c43": {"extension_type": "property-extension", "abc_bin": "QQ=="}},
    {"extension-definition--f7b1ca09-0c5f-4b04-adca-d67166052c43": {"extension_type": "strange"}}, {"extension-definition--f7b1ca09-0c5f-4b04-adca-d67166052c43": {}},
    {"extension-definition--f7b1ca09-0c5f-4b04-adca-d67166052c43": {"extension_type": "toplevel-property-extension"}}, {"extension-definition--x": {"extension_type": "property-extension"}},
    {"statement": "words"}, {"statement": 1}, {"tlp": "green"}, "statement", "tlp", ["property-extension"], ["toplevel-property-extension"], ["strange"],
]  # fmt: skip
"Values to put anywhere."

PATTERNS = [
    "[ipv4-addr:value = '192.0.2.1']", "[ipv4-addr:value = '192.0.2.1' AND ipv4-addr:value != 'x']", "[a:b = 1]", "[ipv4-addr:value IN ('a', 'b')]",
    "[ipv4-addr:value IN ()]", "[ipv4-addr:value LIKE '192.%']", "[ipv4-addr:value NOT LIKE '192.%']", "[ipv4-addr:value MATCHES '^19']", "ipv4-addr:value = '1'",
    "[ipv4-addr:value = '1'] FOLLOWEDBY [ipv4-addr:value = '2'] WITHIN 5 SECONDS", "[ipv4-addr:value = '1'] REPEATS 3 TIMES",
    "([ipv4-addr:value = '1'] OR [ipv4-addr:value = '2']) WITHIN 60 SECONDS", "[ipv4-addr:value = '1'] START t'2026-01-01T00:00:00Z' STOP t'2026-01-02T00:00:00Z'",
    "[ipv4-addr:value = ]", "[ipv4-addr:value = '1'", "[]", "", "x", "[ipv4-addr:value '1']", "[(ipv4-addr:value = '1' OR ipv4-addr:value = '2') AND domain-name:value = 'a.example']",
    "[file:hashes.'SHA-256' = 'aa']", "[file:size > 10]", "[file:size >= 1.5]", "[EXISTS file:size]", "[x-custom-thing:some_name = true]", "[X:y = 'a']", "[network-traffic:dst_ref.value = '1']",
    "[windows-registry-key:values[*].data = 'x']", "[ipv4-addr:value = 'it\\'s']", "[ipv4-addr:value ISSUBSET '192.0.2.0/24'] AND [autonomous-system:number = 64496]",
    "[ipv4-addr:value = '1'] WITHIN 0 SECONDS", "[ipv4-addr:value = '1'] REPEATS 1.5 TIMES", "[artifact:payload_bin = b'QUJD']", "[file:created > t'2026-01-01T00:00:00Z']",
    "[ipv4-addr:value = '1'] trailing", "[ipv4-addr:value == '1']", "[ipv4-addr:value <> '1']", "[ipv4-addr:value = h'ab']", "[ipv4-addr:value = h'a']",
    "[ipv4-addr:value = '1'] WITHIN 5 SECONDS WITHIN 6 SECONDS", "([ipv4-addr:value = '1']) WITHIN 5 SECONDS WITHIN 6 SECONDS", "[ipv4-addr:value = '1'] REPEATS 0 TIMES",
    "[ipv4-addr:value = '1'] WITHIN 5 SECONDS REPEATS 2 TIMES", "[ipv4-addr:value = '1'] WITHIN -5 SECONDS", f"[file:hashes.MD5 = '{'a' * 32}']", "[file:hashes.MD5 LIKE 'a%']",
    "[file:hashes[*] = 'a']", "[file:hashes.Tiger = 'a']",
]  # fmt: skip
"Patterns and what are none."


def mutated(made: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """An object with one or two changes: a property gone, odd, new, or a letter of a text changed."""
    changed = copy.deepcopy(made)
    for _ in range(rng.choice([1, 1, 1, 2])):
        name = rng.choice(sorted(set(changed) - {"type"}))
        what = rng.random()
        if what < 0.2:
            changed.pop(name)
        elif what < 0.65:
            changed[name] = rng.choice(ODD)
        elif what < 0.85:
            extra = ["x_thing", "severity", "Odd", "objects", "count", "aliases", "lang_", "external_references", "kill_chain_phases", "granular_markings", "confidence", "first_seen", "stop_time", "extensions", "object_marking_refs", "revoked", "labels", "sectors", "goals", "primary_motivation", "defanged", "extension_properties", "definition_type", "definition"]  # fmt: skip
            changed[rng.choice(extra)] = rng.choice(ODD)
        elif isinstance(changed[name], str) and changed[name]:
            at = rng.randrange(len(changed[name]))
            changed[name] = changed[name][:at] + rng.choice("x0-A9") + changed[name][at + 1 :]
        elif changed["type"] == "indicator" and changed.get("pattern_type") == "stix":
            changed["pattern"] = rng.choice(PATTERNS)
        if len(changed) < 3:
            break
    return changed


def with_patterns(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A good indicator with each of the patterns."""
    good = next(each for each in made if each["type"] == "indicator" and each["pattern_type"] == "stix")
    return [good | {"pattern": pattern} for pattern in PATTERNS]
