"""Spark with Delta Lake as the engine behind the warehouse's wire: a judge that is not ours.

A statement reaches Spark as it came; what is left out where it was refused is in `concessions`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from py4j.protocol import Py4JJavaError

from providers.databricks.warehouse import listing
from providers.databricks.warehouse.engine import Patterns
from providers.databricks.warehouse.errors import (
    NO_SUCH_CATALOG,
    OPERATION_CANCELED,
    Condition,
    SqlError,
)
from providers.databricks.warehouse.model import Properties, Scope, backticked
from providers.databricks.warehouse.results import EMPTY, Result
from providers.databricks.warehouse.statements import Statement, StatementLog
from tests.support.delta.concessions import Concessions
from tests.support.delta.jvm import Java, spark
from tests.support.delta.rows import result_of
from tests.support.delta.snapshot import snapshot

#: The only catalog, as it is called here: Spark's name for it is that of a workspace's old one.
CATALOG = "main"

#: What Spark calls it: Delta Lake takes the place of Spark's own under no other name.
_WITHIN = "spark_catalog"

_NAMED = re.compile(rf"(?<![\w`.])(`?){CATALOG}\1(?=\.)")

_SAID = re.compile(
    r"\[(?P<name>[\w.]+)\] (?P<text>.*?)(?: SQLSTATE: (?P<state>\w{5}).*)?", re.DOTALL
)


#: Where in the statement it was, and the tree of it that Spark shows beneath.
_TREE = re.compile(r"(; line \d+ pos \d+)?;\s*$|(; line \d+ pos \d+)?;?\n.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SparkEngine:
    """One Spark; each session of the client is a session of it. See `engine.Engine`."""

    classes: Java
    spark: Java
    log: StatementLog
    concessions: Concessions = field(default_factory=Concessions)

    def open(self, scope: Scope, tags: Properties) -> SparkSession:
        """Open a session; see `engine.Engine.open`. The schema has to exist, too."""
        if scope.catalog != CATALOG:
            raise SqlError(NO_SUCH_CATALOG, f"Catalog '{scope.catalog}' was not found.")
        return SparkSession(self, self.spark.newSession(), scope, tags)


class SparkSession:
    """A session of Spark; see `engine.Session`."""

    def __init__(self, engine: SparkEngine, session: Java, scope: Scope, tags: Properties) -> None:
        self.tags = tags
        self._engine = engine
        self._session = session
        self._busy = threading.Lock()
        with _saying():
            session.sql(f"USE {_WITHIN}.{backticked(scope.schema)}")

    @property
    def scope(self) -> Scope:
        """Where its short names belong."""
        return Scope(CATALOG, self._session.catalog().currentDatabase())

    def execute(
        self, statement: Statement, parameters: Sequence[Any], cancelled: threading.Event
    ) -> Result:
        """Run *statement*. Raises SqlError, with Spark's own words, where it was refused."""
        with self._busy:
            if cancelled.is_set():
                raise SqlError(OPERATION_CANCELED, "The operation was cancelled.")
            return self._run(statement.text, parameters)

    def _run(self, text: str, parameters: Sequence[Any]) -> Result:
        concessions = self._engine.concessions
        sql = concessions.written(_NAMED.sub(_WITHIN, text))
        try:
            with _saying():
                return result_of(self._session.sql(sql, _values(parameters)))
        except SqlError as error:
            if parameters:  # it changes rows: there is nothing to concede
                raise
            if concessions.renames(error):
                return self._run(text, parameters)
            return self._conceded(sql, error)

    def _conceded(self, sql: str, refusal: SqlError) -> Result:
        """Run what remains of *sql*. Raises *refusal* where nothing is to be conceded."""
        classes = self._engine.classes
        if refusal.condition.name == "PARSE_SYNTAX_ERROR":
            raise refusal
        with _saying():
            plan = self._session.sessionState().sqlParser().parsePlan(sql)
            rest = self._engine.concessions.rest(classes, plan, self.scope, refusal)
            if rest is not None:
                classes.org.apache.spark.sql.classic.Dataset.ofRows(self._session, rest)
        return EMPTY

    def interrupt(self) -> None:
        """End what runs at the moment, as far as Spark can."""
        self._session.interruptAll()

    def close(self) -> None:
        """Do nothing: Spark forgets a session that nobody holds."""

    def catalogs(self) -> Result:
        """Answer GetCatalogs."""
        return listing.catalogs(snapshot(self._session, CATALOG))

    def schemas(self, catalog: str | None, pattern: str | None) -> Result:
        """Answer GetSchemas."""
        return listing.schemas(snapshot(self._session, CATALOG), catalog, pattern)

    def tables(self, where: Patterns, kinds: Sequence[str] | None) -> Result:
        """Answer GetTables."""
        return listing.tables(snapshot(self._session, CATALOG), where, kinds)

    def columns(self, where: Patterns, pattern: str | None) -> Result:
        """Answer GetColumns."""
        return listing.columns(snapshot(self._session, CATALOG), where, pattern)


@contextmanager
def spark_engine(clock: Callable[[], datetime]) -> Iterator[SparkEngine]:
    """Run Spark for the block.

    Raises:
        MissingError: There is no Java, or its jars cannot be fetched.
    """
    with spark() as (classes, session):
        yield SparkEngine(classes, session, StatementLog(clock))


@contextmanager
def _saying() -> Iterator[None]:
    """Turn what Java throws into what the wire sends."""
    try:
        yield
    except Py4JJavaError as error:
        raise _refusal(error.java_exception) from error


def _refusal(thrown: Java) -> SqlError:
    """Return Delta's own words, which may be the cause of an error of Spark's."""
    causes = [str(each.getMessage()).strip() for each in _chain(thrown)]
    said = _TREE.sub("", next((each for each in causes if each.startswith("[DELTA_")), causes[0]))
    found = _SAID.fullmatch(said)
    if found is None:
        return SqlError(Condition(str(thrown.getClass().getSimpleName()), "XX000"), said)
    state = found["state"] or _state(thrown)
    return SqlError(Condition(found["name"], state), " ".join(found["text"].split()))


def _chain(thrown: Java) -> Iterator[Java]:
    while thrown is not None:
        yield thrown
        thrown = thrown.getCause()


def _state(thrown: Java) -> str:
    """Return the SQLSTATE of an error whose text has none."""
    for each in _chain(thrown):
        if hasattr(each, "getSqlState"):
            return str(each.getSqlState())
    return "XX000"


_VALUES: dict[str, Callable[[str], Any]] = {
    "TINYINT": int,
    "SMALLINT": int,
    "INT": int,
    "BIGINT": int,
    "FLOAT": float,
    "DOUBLE": float,
    "BOOLEAN": lambda text: text.lower() == "true",
    "DECIMAL": Decimal,
    "DATE": date.fromisoformat,
    "TIMESTAMP": datetime.fromisoformat,
}


def _values(parameters: Sequence[Any]) -> dict[str, Any]:
    """Return name -> value of named parameters; the client sends no others here."""
    return {each.name: _value(each) for each in parameters}


def _value(parameter: Any) -> Any:  # noqa: ANN401 - a struct of untyped code
    if parameter.value is None:
        return None
    read = _VALUES.get(parameter.type.partition("(")[0], str)
    return read(parameter.value.stringValue)
