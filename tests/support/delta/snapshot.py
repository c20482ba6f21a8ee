"""What Spark's catalog holds at the moment, in the words of the stand-in's catalog model."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from providers.databricks.warehouse.catalog import Catalog
from providers.databricks.warehouse.datatypes import canonical
from providers.databricks.warehouse.model import (
    Column,
    Definition,
    Name,
    Table,
    Version,
    View,
    backticked,
)
from tests.support.delta.jvm import Java

_EVER = datetime(1970, 1, 1, tzinfo=UTC)


def snapshot(session: Java, within: str) -> Catalog:
    """Return the schemas, tables and views of catalog *within*; a view's text stays out."""
    catalog = Catalog()
    for (schema,) in _rows(session, "SHOW SCHEMAS"):
        catalog.put_schema(within, schema)
        place = backticked(schema)
        views = {row[1] for row in _rows(session, f"SHOW VIEWS IN {place}")}
        for _, relation, _ in _rows(session, f"SHOW TABLES IN {place}"):
            name = Name(within, schema, relation)
            fields = session.table(f"{place}.{backticked(relation)}").schema().fields()
            columns = tuple(map(_column, fields))
            catalog.put(_view(name, columns) if relation in views else _table(name, columns))
    return catalog


def _rows(session: Java, sql: str) -> Iterator[tuple[str, ...]]:
    for row in session.sql(sql).collectAsList():
        yield tuple(row.get(at) for at in range(row.length()))


def _view(name: Name, columns: tuple[Column, ...]) -> View:
    return View(name, _EVER, "", name.catalog, name.schema, columns)


def _table(name: Name, columns: tuple[Column, ...]) -> Table:
    return Table(name.dotted, name, _EVER, (Version(0, _EVER, "", (), Definition(columns), ""),))


def _column(field: Java) -> Column:
    comment = field.getComment()
    return Column(
        field.name(),
        canonical(field.dataType().sql()),
        nullable=field.nullable(),
        comment=comment.get() if comment.isDefined() else None,
    )
