"""The engine of the stand-in: our catalog model over DuckDB."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from providers.databricks.warehouse import commands as c
from providers.databricks.warehouse import information, listing, queries, recovery, tables, writes
from providers.databricks.warehouse.context import Context
from providers.databricks.warehouse.describe import READERS
from providers.databricks.warehouse.engine import Patterns
from providers.databricks.warehouse.errors import OPERATION_CANCELED, SqlError
from providers.databricks.warehouse.grammar import parse
from providers.databricks.warehouse.model import Properties, Scope
from providers.databricks.warehouse.queries import Translator
from providers.databricks.warehouse.results import EMPTY, Result, of_table
from providers.databricks.warehouse.statements import Statement
from providers.databricks.warehouse.storage import Storage, fetch
from providers.databricks.warehouse.stored_log import StoredLog


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """What all sessions share; see `engine.Engine`."""

    storage: Storage
    log: StoredLog
    clock: Callable[[], datetime]

    def open(self, scope: Scope, tags: Properties) -> LocalSession:
        """Open a session; see `engine.Engine.open`."""
        return LocalSession(self, scope, tags)


class LocalSession:
    """Its place among the catalogs, and a connection of its own; see `engine.Session`."""

    def __init__(self, engine: LocalEngine, scope: Scope, tags: Properties) -> None:
        """Open a session. Raises SqlError where the catalog is unknown.

        A schema that does not exist is refused when it is used, as on Databricks.
        """
        engine.storage.catalog.schemas(scope.catalog)
        self.scope = scope
        self.tags = tags
        self.catalog = engine.storage.catalog
        self._engine = engine
        self._connection = engine.storage.connect()
        self._busy = threading.Lock()
        self._information_tables: list[str] = []

    def execute(
        self, statement: Statement, parameters: Sequence[Any], cancelled: threading.Event
    ) -> Result:
        """Run *statement*. Raises SqlError where it had no effect."""
        with self._busy:
            if cancelled.is_set():
                raise SqlError(OPERATION_CANCELED, "The operation was cancelled.")
            try:
                return self._execute(self._context(statement, cancelled), parameters)
            finally:
                self._forget_information()

    def interrupt(self) -> None:
        """End what runs at the moment, if DuckDB runs it."""
        self._connection.interrupt()

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def catalogs(self) -> Result:
        """Answer GetCatalogs."""
        return listing.catalogs(self.catalog)

    def schemas(self, catalog: str | None, pattern: str | None) -> Result:
        """Answer GetSchemas."""
        return listing.schemas(self.catalog, catalog, pattern)

    def tables(self, where: Patterns, kinds: Sequence[str] | None) -> Result:
        """Answer GetTables."""
        return listing.tables(self.catalog, where, kinds)

    def columns(self, where: Patterns, pattern: str | None) -> Result:
        """Answer GetColumns."""
        return listing.columns(self.catalog, where, pattern)

    def _execute(self, context: Context, parameters: Sequence[Any]) -> Result:
        command = parse(context.statement.text)
        if command is None:
            return self._query(context, parameters)
        if isinstance(command, c.Use):
            return self._use(command)
        if isinstance(command, c.SetOption):
            return EMPTY
        if read := READERS.get(type(command)):
            return read(self.catalog, self.scope, command)
        return _WRITERS[type(command)](context, command)

    def _query(self, context: Context, parameters: Sequence[Any]) -> Result:
        tree = queries.parse(context.statement.text)
        queries.bind(tree, parameters)
        if writes.is_change(tree):
            return writes.change_rows(context, tree)
        return of_table(fetch(self._connection, context.translator.sql(tree)))

    def _use(self, command: c.Use) -> Result:
        catalog = (command.catalog or self.scope.catalog).lower()
        schema = (command.schema or "default").lower()
        self.catalog.need_schema(catalog, schema)
        self.scope = Scope(catalog, schema)
        return EMPTY

    def _context(self, statement: Statement, cancelled: threading.Event) -> Context:
        return Context(
            storage=self._engine.storage,
            connection=self._connection,
            log=self._engine.log,
            statement=statement,
            scope=self.scope,
            translator=Translator(self.catalog, self.scope, self._information),
            cancelled=cancelled.is_set,
            clock=self._engine.clock,
        )

    def _information(self, within: str, name: str) -> str:
        """Make a table of the information schema as of now, for this session alone."""
        rows = information.table_of(self.catalog, within, name).rows
        known_as = f"information_{uuid4().hex}"
        self._connection.register(known_as, rows)
        self._information_tables.append(known_as)
        return known_as

    def _forget_information(self) -> None:
        while self._information_tables:
            self._connection.unregister(self._information_tables.pop())


_WRITERS: dict[type[c.Command], Callable[[Context, Any], Result]] = {
    c.CreateTable: tables.create_table,
    c.CreateView: tables.create_view,
    c.CreateSchema: tables.create_schema,
    c.CreateCatalog: tables.create_catalog,
    c.AlterTable: tables.alter_table,
    c.DropRelation: tables.drop_relation,
    c.DropSchema: tables.drop_schema,
    c.Restore: recovery.restore,
    c.Undrop: recovery.undrop,
    c.Truncate: tables.truncate_table,
}
