"""A Spark session: the one that is active, or one by the ordinary configuration of Spark (SPARK_MASTER, spark-defaults.conf, spark-submit).

Spark is an extra, so nothing of it is imported before it is asked for.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import StillwatchError, UserError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WHERE = "--engine spark"
"What errors of this engine name."

HERE = "local[2,4]"
"Master where nothing names one: two tasks on this machine, each tried four times."

MEMORY = "2g"
"Of the driver, which on this machine is the executor as well, where nothing names it."

LEAST_JAVA = 17


@contextmanager
def opened() -> Iterator[SparkSession]:
    """The active session, or a new one, which is stopped afterwards. Raises: UserError where Spark or Java is missing."""
    try:
        sql = import_module("pyspark.sql")
        for needed in ("pandas", "py4j"):
            import_module(needed)
    except ImportError as error:
        raise UserError("Apache Spark is not installed", WHERE, 'pip install "stillwatch[spark]"') from error
    active = sql.SparkSession.getActiveSession()
    if active is not None:
        yield active
        return
    made = _made(sql)
    try:
        yield made
    finally:
        made.stop()


def _made(sql: Any) -> SparkSession:
    builder = sql.SparkSession.builder.appName("stillwatch").config("spark.ui.showConsoleProgress", "false")
    master = os.environ.get("SPARK_MASTER") or (None if configured() else HERE)
    if "PYSPARK_GATEWAY_PORT" not in os.environ and "JAVA_HOME" not in os.environ and shutil.which("java") is None:
        raise UserError("there is no Java", WHERE, f"install Java {LEAST_JAVA} or later, or set JAVA_HOME to it")
    if master is not None:
        builder = builder.master(master)
        if master.startswith("local"):
            # Workers of another Python than this one would not find what is installed here.
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
            builder = builder.config("spark.driver.memory", MEMORY).config("spark.ui.enabled", "false")
    try:
        session: SparkSession = builder.getOrCreate()
    except failures() as error:
        raise UserError(f"Spark does not start ({type(error).__name__})", WHERE, f"see what it said above; it needs Java {LEAST_JAVA} or later") from error
    return session


def configured() -> bool:
    """Whether Spark's own configuration says where to run."""
    if "PYSPARK_GATEWAY_PORT" in os.environ or "--master" in os.environ.get("PYSPARK_SUBMIT_ARGS", "") or "SPARK_REMOTE" in os.environ:
        return True
    folder = os.environ.get("SPARK_CONF_DIR") or (os.path.join(os.environ["SPARK_HOME"], "conf") if "SPARK_HOME" in os.environ else None)
    try:
        lines = (Path(folder) / "spark-defaults.conf").read_text().splitlines() if folder else []
    except OSError:
        return False
    return any(line.split()[:1] == ["spark.master"] or line.startswith("spark.master=") for line in lines)


def failures() -> tuple[type[Exception], ...]:
    """What Spark raises when it cannot do what it is told."""
    return import_module("pyspark.errors").PySparkException, import_module("py4j.protocol").Py4JError


@contextmanager
def told(session: SparkSession, what: str) -> Iterator[None]:
    """Jobs of the block are named so in Spark's pages; what fails is one line, which quotes nothing: a trace may hold what stands in a log."""
    context: Any = session.sparkContext
    context.setJobDescription(f"stillwatch: {what}")
    try:
        yield
    except failures() as error:
        attempt = "see the logs of the driver and the executors; the usual cause is memory (spark.executor.memoryOverhead)"
        if "No module named 'stillwatch'" in str(error):
            attempt = "install stillwatch in the Python of the executors, or name one that has it with PYSPARK_PYTHON"
        raise StillwatchError(f"Spark failed while {what} ({type(error).__name__})", WHERE, attempt) from error
    finally:
        context.setJobDescription(None)
