"""A list of texts as one parameter of a query, however long it is.

A parameter for each would be too many for the databases beyond some ten thousand.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import JSON, ScalarSelect, Text, cast, column, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.store.text import canonical


def texts(connection: AsyncConnection, values: Iterable[str]) -> ScalarSelect[str]:
    """Return a query with a row for each of *values*."""
    given = literal(canonical(list(values)), Text)
    if connection.dialect.name == "sqlite":
        rows = func.json_each(given).table_valued(column("value", Text))
    else:
        listed = func.json_array_elements_text(cast(given, JSON))
        rows = listed.table_valued(column("value", Text))
    return select(rows.c.value).scalar_subquery()
