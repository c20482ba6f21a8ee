"""Each directive of the reference, tried on a judge; what Delta Lake said is kept in a file.

``python -m tests.support.delta.trials`` writes the file anew; the table of the reference has it.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from databricks.sql.client import Cursor
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from providers.databricks.address import connect_arguments
from providers.databricks.ddl import install
from tests.support.databricks_rows import PREPARED, ROWS, Row, run
from tests.support.delta.judges import Judge, delta
from tests.support.delta.verdicts import TAKES, write


def sending() -> list[Row]:
    """Return the directives that send something."""
    return [row for row in ROWS if row.sends]


def tried(judge: Judge, row: Row) -> str:
    """Run *row* in a fresh schema; return what the judge said."""
    with fresh_schema(judge) as (schema, cursor):
        for statement in _prepared(row):
            cursor.execute(statement)
        judge.told.clear()
        try:
            _run(judge.at(schema), row)
        except DatabaseError as error:
            return f"refuses: {_line(str(error.orig))}"
        told = dict.fromkeys(map(_line, judge.told))
        return f"takes it, but {'; '.join(told)}" if told else TAKES


@contextmanager
def fresh_schema(judge: Judge) -> Iterator[tuple[str, Cursor]]:
    """Give a schema of its own for the block, and a cursor in it; leave nothing."""
    name = f"levelhead_test_{secrets.token_hex(6)}"
    with judge.connected() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {judge.catalog}.{name}")
        try:
            cursor.execute(f"USE {judge.catalog}.{name}")
            yield name, cursor
        finally:
            cursor.execute(f"USE {judge.catalog}.default")
            cursor.execute(f"DROP SCHEMA {judge.catalog}.{name} CASCADE")


def _prepared(row: Row) -> Iterator[str]:
    """Yield what makes the tables that *row* names; each takes a judge its time."""
    for statement in PREPARED:
        table = statement.split()[2]
        if table in row.call:
            yield statement


def _run(url: str, row: Row) -> None:
    install(lambda *_: None, lambda *_: None)
    engine = sa.create_engine(url, poolclass=NullPool, connect_args=connect_arguments(url))
    with engine.connect() as connection:
        run(row.call, Operations(MigrationContext.configure(connection)))


def _line(said: str) -> str:
    return " ".join(said.split()).replace("`", "")


def main() -> None:
    """Write the file."""
    found = {}
    with delta() as judge:
        for row in sending():
            found[row.call] = tried(judge, row)
            sys.stderr.write(f"{found[row.call]}  <-  {row.call}\n")
    write(found)


if __name__ == "__main__":
    main()
