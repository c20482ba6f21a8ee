"""INSERT where the row may be there already; SQLAlchemy spells it differently per database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite


async def insert_absent(
    connection: AsyncConnection,
    table: Table,
    rows: Sequence[Mapping[str, object]],
) -> None:
    """Insert those of *rows* that are not there; the others stay as they are."""
    if rows:
        await connection.execute(_absent(connection.dialect.name, table), rows)


async def insert_if_absent(
    connection: AsyncConnection, table: Table, row: Mapping[str, object]
) -> bool:
    """Insert *row*; False where it is there, or another transaction has put it there first."""
    return (await connection.execute(_absent(connection.dialect.name, table), row)).rowcount == 1


async def insert_or_replace(
    connection: AsyncConnection,
    table: Table,
    rows: Sequence[Mapping[str, object]],
) -> None:
    """Insert *rows*; where one has the primary key already, set every column of it."""
    if rows:
        await connection.execute(_replacing(connection.dialect.name, table, tuple(rows[0])), rows)


# Putting a statement together takes longer than sending it.
@cache
def _absent(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    return _insert(dialect, table).on_conflict_do_nothing()


@cache
def _replacing(
    dialect: str, table: Table, names: tuple[str, ...]
) -> postgresql.Insert | sqlite.Insert:
    insert = _insert(dialect, table)
    keys = [column.name for column in table.primary_key]
    values = {name: insert.excluded[name] for name in names if name not in keys}
    return insert.on_conflict_do_update(index_elements=keys, set_=values)


def _insert(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    # The engine has imported the dialect of its database; the other one takes long.
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - see above

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - see above

    return postgresql.insert(table)
