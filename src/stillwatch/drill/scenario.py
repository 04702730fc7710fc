"""A scenario: how many calls, of which classes, with which campaigns, under which seed. Built-in ones are files of scenarios/."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from stillwatch.drill.declare import every_campaign, every_class
from stillwatch.errors import UserError, toml


def _within(name: str, value: Any, most: float) -> None:
    if isinstance(value, int | float) and not 0 <= value <= most:
        raise UserError(f"{name} is {_short(value)}", "the scenario", f"give a share from 0 to {most:g}")


def _short(value: float) -> str:
    """A number that may have been written with hundreds of digits."""
    return f"{value:g}" if isinstance(value, float) or abs(value) < 2**53 else f"{str(value)[:20]}..."


def _weights(benign: Mapping[str, float], where: str) -> None:
    """Refuse weights of classes that deal nobody. Raises: UserError."""
    wrong = ", ".join(f"{name}={_short(weight)}" for name, weight in benign.items() if not 0 <= weight <= HEAVIEST)
    if wrong or (benign and not sum(benign.values()) > 0):
        raise UserError("weights of benign classes leave nobody", wrong or where, f"give some above 0, none above {HEAVIEST:g}")


@dataclass(frozen=True)
class Planted:
    """One campaign of a scenario."""

    id: str
    "The campaign's id, as in the list of disclosures."
    share: float
    "Share of all calls, 0..1."
    cover: float = 0.0
    "Share of the campaign accounts' calls that are ordinary use, 0..0.95."
    infrastructure: bool | None = None
    "Whether its accounts share infrastructure; None: as the disclosure says."
    paraphrase: bool = False
    "Wordings are written anew for every account."
    shuffle: bool = False
    "The pieces of a wording stand in another order in every call, now before and now after the slot."
    jitter: bool = False
    "Accounts keep a person's hours and pauses; nothing is released in step."
    headers: bool = False
    "Client, header set and TLS fingerprint are drawn anew for every conversation."
    end_users: bool = False
    "The end user that a call names is drawn anew for every conversation, where its account names one."
    spread: bool = False
    "Its accounts come over every access path in equal parts; what goes to other providers stands in their logs, so give a smaller share."
    from_users: bool = False
    "What is asked is taken from real users' questions, not from a job list; relays do so anyway."
    by_topic: bool = False
    "The job list is dealt by topic, so that an account sees few topics and no two accounts the same."
    duplicates: float = 0.0
    "Share of jobs that another account was given before, 0..0.95."
    no_digests: bool = False
    "The log holds no digests of encrypted reasoning for its accounts."
    hand_over: bool = False
    "A second pool of accounts takes over where the first ends."
    low_rate: bool = False
    "Four calls an account, on as many accounts as that takes."
    before_history: bool = False
    "Its wordings and accounts follow from `campaign_seed` alone, so that a history and a log of it can plant the same campaign."

    def __post_init__(self) -> None:
        """Refuse shares that leave nothing to plant. Raises: UserError."""
        _within("share", self.share, 1.0)
        if self.share == 0:
            raise UserError("a campaign's share is 0", "the scenario", "give more than 0, or leave the campaign out")
        _within("cover", self.cover, 0.95)
        _within("duplicates", self.duplicates, 0.95)


RUNGS = {
    "paraphrase": "paraphrased templates",
    "shuffle": "slot shuffling",
    "infrastructure": "one proxy, card and browser per account (when off)",
    "cover": "0-90 % cover traffic",
    "jitter": "jittered and human-shaped timing",
    "headers": "header randomisation",
    "end_users": "`user` metadata rewritten",
    "hand_over": "account hand-over after bans",
    "from_users": "prompts drawn from real users",
    "low_rate": "low rate (4 per account)",
    "spread": "spread across clouds, gateways and providers",
}
"Option of a campaign -> the rung of the adaptive ladder that it is. The last rung, watching answers for countermeasures, has no meaning in a log without any."


LONGEST, LATEST, MOST, MOST_LEAST, MOST_PLANTED = 31_110.0, 4_102_444_800, 1_000_000_000, 10_000, 1.0 + 1e-9
"Days of a log (those that logs may be of, 2015 to 2100), its first second, its calls, the fewest of an organisation, and the share that campaigns are, at most."

HEAVIEST = 1e9
"Weight of a benign class."


@dataclass(frozen=True)
class Scenario:
    """A log to be made."""

    name: str
    "Its name."
    calls: int = 20_000
    "Calls of the whole log."
    seed: int = 1
    "Seed of everything."
    split: str = "a"
    "Which half of the corpora's sources it draws from, `a` or `b`: a log and its history use different ones."
    days: float = 2.0
    "Length of the log."
    start: int = 1_767_225_600
    "First second of the log, UTC."
    least_calls: int = 0
    "Fewest calls of an organisation (history that has seen enough of each)."
    benign: dict[str, float] = dataclasses.field(default_factory=dict)
    "Benign class -> weight; empty: every class with the weight it declares."
    campaigns: tuple[Planted, ...] = ()
    "What is planted."
    campaign_seed: int = 1
    "Seed of wordings and accounts of the campaigns that have `before_history`: the same in a history and in its log."
    seen_before: float = 0.0
    "Share of innocent calls that come from people who also stood in the history, 0..0.95."
    history: str = "broad-history"
    "The scenario of what came before this log: a built-in name, or a TOML file beside this one."
    show_identity: bool = True
    "Whether organisation, mail domain, payer and addresses show which innocent accounts belong together."
    artefact: bool = False
    "Plant a tell-tale on purpose, so that a test of artefacts can be tested."

    def __post_init__(self) -> None:
        """Refuse shares that leave nobody new, and a log without time or calls. Raises: UserError."""
        _within("seen_before", self.seen_before, 0.95)
        for name, value, most in (("days", self.days, LONGEST), ("calls", self.calls, MOST)):
            if not 0 < value <= most:
                raise UserError(f"{name} is {_short(value)}", self.name, f"give more than 0, at most {most:,}")
        if not 0 <= self.start <= LATEST:
            raise UserError(f"start is {_short(self.start)}", self.name, f"give seconds since 1970, at most {LATEST} (the year 2100)")
        if not 0 <= self.least_calls <= MOST_LEAST:
            raise UserError(f"least_calls is {_short(self.least_calls)}", self.name, f"give 0 to {MOST_LEAST:,}")
        if self.split not in ("a", "b"):
            raise UserError(f"split is {self.split!r}", self.name, "give a or b")
        if (whole := sum(each.share for each in self.campaigns)) > MOST_PLANTED:
            raise UserError(f"campaigns are {whole:g} of the calls", self.name, f"give shares of at most {MOST_PLANTED:g} together")

    def with_overrides(self, seed: int | None = None, calls: int | None = None) -> Scenario:
        """The same scenario with another seed or size."""
        changed = {name: value for name, value in (("seed", seed), ("calls", calls)) if value is not None}
        return dataclasses.replace(self, **changed)  # type: ignore[arg-type]

    def varied(self, ladder: Mapping[str, Any], *, share: float | None = None, weights: Mapping[str, float] | None = None, **innocents: Any) -> Scenario:
        """The same scenario with fields of all its campaigns (`ladder`), their share together, weights of benign classes and own fields changed.

        Raises: UserError where there is no campaign to change, or no such class.
        """
        if (ladder or share is not None) and not self.campaigns:
            raise UserError("plants no campaign that could be changed", self.name, f"name a campaign: {', '.join(every_campaign())}")
        scaled = 1.0 if share is None else share / sum(each.share for each in self.campaigns)
        campaigns = tuple(dataclasses.replace(each, **{"share": each.share * scaled, **ladder}) for each in self.campaigns)
        benign = dict(self.benign)
        if weights:
            benign = {**(benign or {name: each.weight for name, each in every_class().items()}), **weights}
            for name in weights:
                if name not in every_class():
                    near = difflib.get_close_matches(name, every_class(), 1, 0.4)
                    raise UserError("no such class", name, f"did you mean {near[0]}?" if near else f"classes: {', '.join(every_class())}")
            _weights(benign, self.name)
            benign = {name: weight for name, weight in benign.items() if weight > 0}
        return dataclasses.replace(self, campaigns=campaigns, benign=benign, **innocents)


def built_in() -> list[str]:
    """Names of the scenarios that ship with the program; a campaign's id is one too."""
    here = files("stillwatch.drill") / "scenarios"
    return sorted({each.name[:-5] for each in here.iterdir() if each.name.endswith(".toml")} | set(every_campaign()))


def load(name: str) -> Scenario:
    """A built-in scenario by name, or one from a TOML file.

    Raises: UserError with the place and a suggestion where a word is unknown or a value of the wrong kind.
    """
    if name in every_campaign():
        return Scenario(name, calls=20_000, campaigns=(Planted(name, 0.15),))
    packaged = files("stillwatch.drill") / "scenarios" / f"{name}.toml"
    if "/" not in name and packaged.is_file():
        return parse(packaged.read_text(encoding="utf-8"), name)
    path = Path(name)
    if not path.is_file():
        near = difflib.get_close_matches(name, built_in(), 1, 0.4)
        raise UserError("no such scenario", name, f"did you mean {near[0]}?" if near else f"built in: {', '.join(built_in())}; or name a TOML file")
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise UserError("is not UTF-8 text", str(path), "save it as UTF-8") from error


def parse(text: str, where: str) -> Scenario:
    """A scenario from TOML."""
    try:
        told = toml(text)
    except ValueError as error:
        raise UserError(f"is not TOML: {error}", where, "see docs/reference for an example") from error
    benign = _known(told.pop("benign", {}), tuple(every_class()), text, where)
    for name, weight in benign.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise UserError(f'the weight of "{name}" is {str(weight)[:40]!r}', where, "give a number from 0 on")
    _weights(benign, where)
    listed = told.pop("campaigns", [])
    if not isinstance(listed, list):
        raise UserError("campaigns is no list of tables", where, 'write [[campaigns]], id = "A-JUN", share = 0.1')
    campaigns = []
    for each in listed:
        row = _known(each, tuple(f.name for f in dataclasses.fields(Planted)), text, where)
        if "id" not in row:
            raise UserError("a campaign has no id", where, f'write id = "{next(iter(every_campaign()))}" or another documented campaign')
        if row["id"] not in every_campaign():
            _unknown(str(row.get("id")), tuple(every_campaign()), text, where)
        campaigns.append(_made(Planted, row, where))
    if str(told.get("history", "")).endswith(".toml"):
        told["history"] = str(Path(where).parent / told["history"])
    fields = _known(told, tuple(f.name for f in dataclasses.fields(Scenario)), text, where)
    made: Scenario = _made(Scenario, {"name": Path(where).stem, **fields, "benign": benign, "campaigns": tuple(campaigns)}, where)
    return made


def _made(kind: type, row: dict[str, Any], where: str) -> Any:
    for field in dataclasses.fields(kind):
        value = row.get(field.name)
        wanted = {"int": int, "float": (int, float), "str": str, "bool": bool}.get(str(field.type).split(" ")[0])
        if value is not None and wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool)):  # type: ignore[arg-type]
            raise UserError(f"{field.name} must be {field.type}", where, "mend the value")
    try:
        return kind(**row)
    except TypeError as error:
        raise UserError(f"incomplete: {str(error).split('argument: ')[-1]} is missing", where, "add it") from error


def _known(row: Any, names: tuple[str, ...], text: str, where: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise UserError("a table is expected", where, "see docs/reference for an example")
    for name in row:
        if name not in names:
            _unknown(name, names, text, where)
    return row


def _unknown(name: str, names: tuple[str, ...], text: str, where: str) -> None:
    """Raise for an unknown word, pointing at it."""
    line = next((i for i, content in enumerate(text.splitlines(), 1) if name in content), 1)
    column = text.splitlines()[line - 1].find(name) + 1 if text else 1
    near = difflib.get_close_matches(name, names, 1)
    raise UserError(f"unknown name {name!r} (line {line}, column {column})", where, f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}")
