"""Spark sessions: one that is made here, and how what goes wrong in one is told."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyspark
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from sayso.errors import EngineError

SETTINGS: Mapping[str, str] = {
    "spark.app.name": "sayso",
    "spark.broadcast.compress": "false",  # a snapshot is numbers that hardly shrink
    "spark.driver.maxResultSize": "0",  # what comes to the driver is bounded by the records of a query
    "spark.log.level": "OFF",  # it may quote a record; what goes wrong is raised
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
HERE: Mapping[str, str] = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
"""Of a master on this machine, which needs no network."""
READING: Mapping[str, str] = {
    "__globPaths__": "false",  # a file and no other, whatever characters its name has
    "datetimeRebaseMode": "CORRECTED",
    "ignoreCorruptFiles": "false",
    "ignoreMissingFiles": "false",
    "int96RebaseMode": "CORRECTED",
    "mergeSchema": "false",
    "recursiveFileLookup": "true",  # what a directory is called (`author=1`) says nothing of what a record holds
}
"""How Parquet files are read, whatever a session is set to."""
NANOSECONDS = "spark.sql.legacy.parquet.nanosAsLong"
INSTANTS_WRITTEN = "spark.sql.parquet.outputTimestampType"

_QUERIES = logging.getLogger("SQLQueryContextLogger")


def start(master: str, settings: Mapping[str, str] | None = None) -> SparkSession:
    """A session on a master: `local[2]`, `local-cluster[2,1,1024]`, `spark://…`, `yarn`. Raises EngineError.

    `settings` are Spark's own, by name. The one who starts it stops it.
    """
    given = dict(SETTINGS) | (dict(HERE) if master.startswith("local") else {}) | dict(settings or {})
    if master.startswith("local-cluster"):  # its executors are started by the scripts that are installed with PySpark
        os.environ.setdefault("SPARK_HOME", str(Path(pyspark.__file__).parent))
    if master.startswith("local"):  # its executors are of this machine, and so is their Python
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    with spark_errors("start a session"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what PySpark thinks of pandas, which is not used
        builder = SparkSession.builder.master(master)
        for name, value in given.items():
            builder = builder.config(name, value)
        return builder.getOrCreate()


@contextmanager
def setting(session: SparkSession, name: str, value: str) -> Iterator[None]:
    """A setting of a session, until the end of the block."""
    with kept_setting(session, name):
        session.conf.set(name, value)
        yield


@contextmanager
def kept_setting(session: SparkSession, name: str) -> Iterator[None]:
    """Leaves a setting as it was, whatever it is set to in the block."""
    before = session.conf.get(name, None)
    try:
        yield
    finally:
        if before is None:
            session.conf.unset(name)
        else:
            session.conf.set(name, before)


@contextmanager
def spark_errors(what: str) -> Iterator[None]:
    """What Spark raises, as EngineError; without its words, which may quote a record."""
    # What PySpark logs of a failed query has the same words.
    _QUERIES.disabled = True
    try:
        yield
    except PySparkException as error:
        told = error.getCondition() or type(error).__name__
        raise EngineError(f"spark could not {what}: {told}") from error
    except Py4JError as error:
        raise EngineError(f"spark could not {what}: {type(error).__name__}; its own log says more") from error
    finally:
        _QUERIES.disabled = False
