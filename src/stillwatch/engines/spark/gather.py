"""A log gathered on a cluster: every file is a task, and what the tasks give lies in Parquet in the work folder."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from stillwatch.engines import local, runs
from stillwatch.engines.disk import TELLING
from stillwatch.engines.local import Gathered
from stillwatch.engines.runs import Run
from stillwatch.engines.spark import session as sessions
from stillwatch.engines.spark.intake import AT, BODY, FILE, FILES, MISTAKE, NAME, NOTE, REJECTED, TAKEN, Intake, Keeping, Take, schema
from stillwatch.engines.spark.parts import OnSpark
from stillwatch.engines.spark.work import Folder
from stillwatch.errors import UserError
from stillwatch.intake.read import Where
from stillwatch.records import MARKS, Rejected

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession

MOST_TASKS = 20_000
"Tasks that read; with more files than that, a task reads several."

Unseal = Callable[[int, bytes], str]
"Opens the name of an account (keyed hash) as a task sealed it."

URL = "://"
"What tells a URL from a path."

_KEPT = "first bigint, name string"


@dataclass(frozen=True)
class OnCluster:
    """The engine."""

    session: SparkSession
    "Where it runs."
    work: str
    "Folder or URL for what lies between jobs."
    placed: list[str] = field(default_factory=list)
    "What was made there, to be deleted."

    def gather(
        self, files: Sequence[Where], take: Take, unseal: Unseal, reject: Callable[[Rejected], None], folder: Path | None, earlier: Sequence[Run]
    ) -> Gathered | None:
        """Mark every file and keep the marks; None when no call was read.

        `folder`: where the calls are kept in runs, as the local engine keeps them, beside earlier runs of the same log (None: nowhere); where the work folder is a
        URL that only Spark knows, no runs are kept. Raises: UserError for what a task found to be the user's mistake.
        """
        work = Folder(self.session, self._place())
        with sessions.told(self.session, "reading"):
            taken = work.put(self._taken(files, take, earlier))
            rows, present, seen = self._noted(taken, reject)
            names = {row["account"]: unseal(row["account"], bytes(row["body"])) for row in self._names(taken)}
        if not rows + sum(run.rows for run in earlier):
            return None
        calls = taken.where("told is null").select(AT, *MARKS.names)
        made = list(earlier)
        if folder is not None and URL not in work.url:
            with sessions.told(self.session, "keeping calls"):
                made += self._kept(calls.where(f"{AT} >= {len(earlier) << FILE}"), folder, Path(work.url), len(earlier))
        with sessions.told(self.session, "looking for repeated calls"):
            once = self._once(calls, work)
        read = rows + sum(run.rows for run in earlier)
        return Gathered(OnSpark(once, work), read, present.union(*(run.present for run in earlier)), made, names, seen)

    def _place(self) -> str:
        place = f"{self.work.rstrip('/')}/stillwatch-{uuid.uuid4().hex}"
        place = place if URL in place else os.path.abspath(place)
        self.placed.append(place)
        return place

    def _taken(self, files: Sequence[Where], take: Take, earlier: Sequence[Run]) -> DataFrame:
        rows: list[tuple[int, bytes | None, bytes | None, bytes | None]] = [(number, None, None, None) for number in range(len(earlier))]
        rows += [(number, os.fsencode(each.name), os.fsencode(each.place), os.fsencode(each.among)) for number, each in enumerate(files, len(earlier))]
        dealt = self.session.sparkContext.parallelize(rows, min(len(rows), MOST_TASKS))
        return self.session.createDataFrame(dealt, FILES).mapInArrow(Intake(take, tuple(earlier)).read, schema(TAKEN))

    def _noted(self, taken: DataFrame, reject: Callable[[Rejected], None]) -> tuple[int, frozenset[str], frozenset[str]]:
        """(calls, columns of marks that any has, mapped columns that any record has) of the files; records that could not be used are told in the order of the log."""
        rows, present, seen = 0, frozenset[str](), frozenset[str]()
        for row in taken.where(f"told in ('{MISTAKE}', '{REJECTED}', '{NOTE}')").select("told", AT, BODY).orderBy(AT).toLocalIterator():
            told = orjson.loads(bytes(row["body"]))
            if row["told"] == MISTAKE:
                raise UserError(told["what"], told["where"], told["attempt"])
            if row["told"] == REJECTED:
                reject(Rejected(told["file"], told["line"], told["reason"]))
            else:
                rows, present, seen = rows + told["rows"], present.union(told["present"]), seen.union(told["seen"])
        return rows, present, seen

    def _names(self, taken: DataFrame) -> Iterator[Row]:
        """One sealed name of each account: 0.1 kB an account on the driver, as an object for each."""
        names = taken.where(f"told = '{NAME}'").groupBy("account").agg({BODY: "min"}).withColumnRenamed(f"min({BODY})", BODY)
        found: Iterator[Row] = names.toLocalIterator()
        return found

    def _kept(self, calls: DataFrame, folder: Path, work: Path, first: int) -> list[Run]:
        """The calls in runs, in the order of the log. What a task wrote that was lost or run twice stays behind in the work folder."""
        beside = work / "runs"
        beside.mkdir(parents=True, exist_ok=True)
        names = calls.mapInArrow(Keeping(str(beside), local.RUN).write, _KEPT).collect()
        for number, row in enumerate(sorted(names), first):
            for end in (runs.MARK_FILE, runs.CALL_FILE, runs.NOTE_FILE):
                shutil.move((beside / row["name"]).with_suffix(end), (folder / f"{number:06d}").with_suffix(end))
        return [run for run in runs.found(folder) if int(run.path.name) >= first]

    def _once(self, calls: DataFrame, work: Folder) -> DataFrame:
        """Each call once: of records with one call id the one that is the smallest by time, account, prompt and organisation."""
        again, where = work.put_for_now(calls.groupBy("call").count().where("count > 1").select("call"))
        if again.isEmpty():
            work.delete(where)
            return calls.drop(AT)
        several = calls.join(again, "call", "left_semi")
        order = f"{', '.join(f'coalesce({name}, 0)' for name in TELLING)}, {AT}"
        first = several.selectExpr("*", f"row_number() over (partition by call order by {order}) as turn").where("turn = 1").drop("turn")
        return work.put(calls.join(again, "call", "left_anti").unionByName(first).drop(AT))


@contextmanager
def on(work: str) -> Iterator[OnCluster]:
    """The engine, for as long as a scan takes. Raises: UserError where Spark or Java is missing."""
    with sessions.opened() as session:
        engine = OnCluster(session, work)
        try:
            yield engine
        finally:
            for place in engine.placed:
                Folder(session, place).delete()
