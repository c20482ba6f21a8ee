"""One DuckDB database holds rows, catalog and the log of statements.

So they change together: a write is one DuckDB transaction, and whoever kills the process
finds all of it or nothing. Each version of a table has its rows in a table of its own, which
never changes again; readers of a version are in nobody's way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from providers.databricks.warehouse.catalog import Catalog
from providers.databricks.warehouse.codec import dump, load_version, load_view
from providers.databricks.warehouse.errors import OPERATION_CANCELED, SqlError, from_duckdb
from providers.databricks.warehouse.model import Dropped, Name, Relation, Table, Version, View

#: The file in a persistent warehouse's directory.
FILE = "warehouse.duckdb"

#: Versions of a table whose rows are kept, for VERSION AS OF and RESTORE.
KEPT_VERSIONS = 50

#: Seconds between two looks whether somebody cancelled, while waiting for a table.
_LOOK = 0.05

#: DuckDB sees its own database: no files, no network, no variables of Python.
_CONFINED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "python_enable_replacements": False,
}

_TABLES = """
CREATE SCHEMA IF NOT EXISTS rows;
CREATE SCHEMA IF NOT EXISTS meta;
CREATE TABLE IF NOT EXISTS meta.schemas (catalog VARCHAR, name VARCHAR);
CREATE TABLE IF NOT EXISTS meta.tables (
    id VARCHAR, catalog VARCHAR, schema VARCHAR, name VARCHAR, created VARCHAR);
CREATE TABLE IF NOT EXISTS meta.dropped (table_id VARCHAR, moment VARCHAR);
CREATE TABLE IF NOT EXISTS meta.versions (table_id VARCHAR, number INTEGER, body VARCHAR);
CREATE TABLE IF NOT EXISTS meta.views (
    catalog VARCHAR, schema VARCHAR, name VARCHAR, body VARCHAR);
CREATE TABLE IF NOT EXISTS meta.statements (id VARCHAR, position BIGINT, body VARCHAR);
"""


class Storage:
    """The database of a warehouse; with its own connection for each session."""

    def __init__(self, directory: Path | None, catalogs: tuple[str, ...]) -> None:
        """Open the database.

        Args:
            directory: Where it lives; None: in memory.
            catalogs: Those that a new warehouse has.
        """
        self.is_persistent = directory is not None
        place = str(directory / FILE) if directory else ":memory:"
        self._database = duckdb.connect(place, config=_CONFINED)
        self._database.execute("SET TimeZone = 'UTC'")
        self._database.execute(_TABLES)
        self.catalog = Catalog()
        self._locks: dict[Name, threading.Lock] = {}
        self._names = threading.Lock()
        self._load()
        self.catalog.put_schema("system", None)  # it holds the information schema of all
        for each in catalogs:
            self._add_catalog(each)

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Return a connection of its own for one session."""
        return self._database.cursor()

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    @contextmanager
    def writing(self, *names: Name, cancelled: Callable[[], bool]) -> Iterator[None]:
        """Keep other writers away from *names* for the block.

        Raises:
            SqlError: *cancelled* became true while waiting.
        """
        held: list[threading.Lock] = []
        try:
            for name in sorted(set(names)):
                lock = self._lock_of(name)
                _acquire(lock, cancelled)
                held.append(lock)
            yield
        finally:
            for lock in held:
                lock.release()

    @contextmanager
    def transaction(self, connection: duckdb.DuckDBPyConnection) -> Iterator[Transaction]:
        """Run the block in one transaction: all of it is stored, or an error is raised."""
        work = Transaction(connection)
        work.run("BEGIN TRANSACTION")
        try:
            yield work
            work.run("COMMIT")
        except BaseException:
            _roll_back(connection)
            raise
        work.show(self.catalog)

    def _lock_of(self, name: Name) -> threading.Lock:
        with self._names:
            return self._locks.setdefault(name, threading.Lock())

    def _add_catalog(self, name: str) -> None:
        if name not in self.catalog.catalogs():
            with self.transaction(self._database) as work:
                work.put_schema(name, "default")

    def _load(self) -> None:
        for catalog, schema in self._rows("SELECT catalog, name FROM meta.schemas"):
            self.catalog.put_schema(catalog, schema)
        for (body,) in self._rows("SELECT body FROM meta.views"):
            self.catalog.put(load_view(body))
        versions: dict[str, list[Version]] = {}
        stored = "SELECT table_id, body FROM meta.versions ORDER BY table_id, number"
        for table, body in self._rows(stored):
            versions.setdefault(table, []).append(load_version(body))
        gone = dict(self._rows("SELECT table_id, moment FROM meta.dropped"))
        tables = "SELECT id, catalog, schema, name, created FROM meta.tables"
        for table, catalog, schema, name, created in self._rows(tables):
            place = Name(catalog, schema, name)
            moment = datetime.fromisoformat(created)
            found = Table(table, place, moment, tuple(versions[table]))
            if table in gone:
                self.catalog.put_dropped(Dropped(found, datetime.fromisoformat(gone[table])))
            else:
                self.catalog.put(found)

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._database.execute(sql).fetchall()


class Transaction:
    """One write: what it stores, and what the catalog shows once it is stored."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._shown: list[Callable[[Catalog], None]] = []

    def run(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Run *sql* and return its rows. Raises SqlError with the warehouse's own condition."""
        return run(self._connection, sql, values).fetchall()

    def type_of(self, query: str) -> pa.DataType:
        """Return the type of the one column of *query*. Raises SqlError as `run` does."""
        return fetch(self._connection, f"SELECT * FROM ({query}) LIMIT 0").schema.field(0).type  # noqa: S608 - ours

    def show(self, catalog: Catalog) -> None:
        """Let *catalog* show what was stored."""
        for change in self._shown:
            change(catalog)

    def put_schema(self, catalog: str, schema: str) -> None:
        """Store a schema, and its catalog with it."""
        self.run("INSERT INTO meta.schemas VALUES (?, ?)", (catalog, schema))
        self._shown.append(lambda known: known.put_schema(catalog, schema))

    def drop_schema(self, catalog: str, schema: str) -> None:
        """Forget a schema, and for good the tables that were dropped in it."""
        inside = "SELECT id FROM meta.tables WHERE catalog = ? AND schema = ?"
        for (table,) in self.run(inside, (catalog, schema)):
            self._forget(table)
        self.run("DELETE FROM meta.schemas WHERE catalog = ? AND name = ?", (catalog, schema))
        self._shown.append(lambda known: known.drop_schema(catalog, schema))

    def put_view(self, view: View) -> None:
        """Store a view, in place of one of the same name."""
        self._forget_view(view.name)
        name = view.name
        values = (*name.parts, dump(view))
        self.run("INSERT INTO meta.views VALUES (?, ?, ?, ?)", values)
        self._shown.append(lambda known: known.put(view))

    def put_table(self, table: Table) -> None:
        """Store a new table with its versions."""
        name = table.name
        values = (table.id, *name.parts, table.created.isoformat())
        self.run("INSERT INTO meta.tables VALUES (?, ?, ?, ?, ?)", values)
        for version in table.versions:
            self._put_version(table.id, version)
        self._shown.append(lambda known: known.put(table))

    def add_version(self, table: Table) -> None:
        """Store the newest version of *table*, and drop rows that nothing shows any more."""
        self._put_version(table.id, table.versions[-1])
        for data in _outdated(table.versions):
            self.run(f'DROP TABLE IF EXISTS rows."{data}"')
        self._shown.append(lambda known: known.put(table))

    def rename_table(self, old: Table, new: Table) -> None:
        """Store another name for a table."""
        values = (*new.name.parts, old.id)
        self.run("UPDATE meta.tables SET catalog = ?, schema = ?, name = ? WHERE id = ?", values)
        self._shown.append(lambda known: known.drop(old.name))
        self._shown.append(lambda known: known.put(new))

    def drop(self, relation: Relation, at: datetime) -> None:
        """Forget a view, or keep a table as one that was dropped at that moment."""
        if isinstance(relation, View):
            self._forget_view(relation.name)
        else:
            values = (relation.id, at.isoformat())
            self.run("INSERT INTO meta.dropped VALUES (?, ?)", values)
            self._shown.append(lambda known: known.put_dropped(Dropped(relation, at)))
        self._shown.append(lambda known: known.drop(relation.name))

    def undrop(self, table: Table) -> None:
        """Have *table* back, which was dropped; its newest version may be another one now."""
        newest = table.versions[-1]
        self.run("DELETE FROM meta.dropped WHERE table_id = ?", (table.id,))
        values = (table.id, newest.number)
        self.run("DELETE FROM meta.versions WHERE table_id = ? AND number = ?", values)
        self._put_version(table.id, newest)
        self._shown.append(lambda known: known.forget_dropped(table.id))
        self._shown.append(lambda known: known.put(table))

    def _forget(self, table: str) -> None:
        """Forget the table of that id, with all its versions."""
        bodies = self.run("SELECT body FROM meta.versions WHERE table_id = ?", (table,))
        for data in {load_version(body).data for (body,) in bodies}:
            self.run(f'DROP TABLE IF EXISTS rows."{data}"')
        self.run("DELETE FROM meta.tables WHERE id = ?", (table,))
        self.run("DELETE FROM meta.dropped WHERE table_id = ?", (table,))
        self.run("DELETE FROM meta.versions WHERE table_id = ?", (table,))

    def _put_version(self, table: str, version: Version) -> None:
        values = (table, version.number, dump(version))
        self.run("INSERT INTO meta.versions VALUES (?, ?, ?)", values)

    def _forget_view(self, name: Name) -> None:
        where = "catalog = ? AND schema = ? AND name = ?"
        values = name.parts
        self.run(f"DELETE FROM meta.views WHERE {where}", values)  # noqa: S608 - text of our own


def run(
    connection: duckdb.DuckDBPyConnection, sql: str, values: tuple[object, ...] = ()
) -> duckdb.DuckDBPyConnection:
    """Run *sql* on *connection*. Raises SqlError with the warehouse's own condition."""
    try:
        return connection.execute(sql, values) if values else connection.execute(sql)
    except duckdb.Error as error:
        raise from_duckdb(error) from error


def fetch(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """Return the rows of *query*. Raises SqlError with the warehouse's own condition."""
    try:
        return connection.sql(query).to_arrow_table()
    except duckdb.Error as error:
        raise from_duckdb(error) from error


def kept(versions: tuple[Version, ...]) -> tuple[Version, ...]:
    """Return those of *versions* whose rows are kept."""
    return versions[-KEPT_VERSIONS:]


def _outdated(versions: tuple[Version, ...]) -> set[str]:
    """Return the rows that the newest version has pushed out of the kept ones."""
    leaving = versions[-KEPT_VERSIONS - 1 : -KEPT_VERSIONS]
    in_use = {version.data for version in kept(versions)}
    return {version.data for version in leaving} - in_use


def _acquire(lock: threading.Lock, cancelled: Callable[[], bool]) -> None:
    while not lock.acquire(timeout=_LOOK):
        if cancelled():
            raise SqlError(OPERATION_CANCELED, "The operation was cancelled.")


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute("ROLLBACK")
    except duckdb.TransactionException:
        return  # DuckDB ended it already
