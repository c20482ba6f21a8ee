"""INSERT where the row may be there already; SQLAlchemy spells it differently per database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite


def _insert(connection: AsyncConnection, table: Table) -> postgresql.Insert | sqlite.Insert:
    # The engine has imported the dialect of its database; the other one takes long.
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - see above

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - see above

    return postgresql.insert(table)


async def insert_absent(
    connection: AsyncConnection,
    table: Table,
    rows: Sequence[Mapping[str, object]],
) -> None:
    """Insert those of *rows* that are not there; the others stay as they are."""
    if rows:
        insert = _insert(connection, table).on_conflict_do_nothing()
        await connection.execute(insert, rows)


async def insert_if_absent(
    connection: AsyncConnection, table: Table, row: Mapping[str, object]
) -> bool:
    """Insert *row*; False where it is there, or another transaction has put it there first."""
    insert = _insert(connection, table).on_conflict_do_nothing()
    return (await connection.execute(insert.values(row))).rowcount == 1


async def insert_or_replace(
    connection: AsyncConnection,
    table: Table,
    rows: Sequence[Mapping[str, object]],
) -> None:
    """Insert *rows*; where one has the primary key already, set every column of it."""
    if not rows:
        return
    insert = _insert(connection, table)
    keys = [column.name for column in table.primary_key]
    values = {name: insert.excluded[name] for name in rows[0] if name not in keys}
    await connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=values), rows)
