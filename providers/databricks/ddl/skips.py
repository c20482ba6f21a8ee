"""What has no counterpart on Databricks: named, so that nothing goes missing unsaid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Column, Enum, Index, Table
from sqlalchemy.schema import CheckConstraint, Constraint, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.sql.elements import ColumnElement

#: Every kind of skip, and what is lost with it.
KINDS = {
    "index": "An index, `index=True` too. `CLUSTER BY` on the columns is the usual choice.",
    "unique": "A UNIQUE constraint or unique index: nothing keeps values apart.",
    "foreign-key-action": "ON DELETE, ON UPDATE, MATCH and DEFERRABLE of a foreign key, "
    "which is informational.",
    "autoincrement": "The numbering of an integer primary key: every INSERT has to give one.",
    "enum": "The list of values of an Enum without a CHECK: any text is taken.",
}


class Skip(NamedTuple):
    """One thing that is left out."""

    kind: str  #: a key of `KINDS`
    detail: str


def of_index(index: Index) -> Skip:
    """Return the skip for an index that is to be created."""
    columns = ", ".join(_words(part) for part in index.expressions)
    table = index.table.fullname if index.table is not None else "a table"
    where = f"{index.name or 'an index'} on {table}"
    if index.unique:
        return Skip("unique", f"{where} would be a unique index; nothing keeps ({columns}) unique")
    advice = f"CLUSTER BY ({columns}) is the usual choice"
    return Skip("index", f"{where} has no counterpart; {advice}")


def of_dropped_index(index: Index) -> Skip:
    """Return the skip for an index that is to be dropped."""
    return Skip("index", f"{index.name} was never created")


def of_unique(constraint: UniqueConstraint, table: str) -> Skip:
    """Return the skip for a UNIQUE constraint that is to be created."""
    columns = ", ".join(column.name for column in constraint.columns)
    name = constraint.name or "a UNIQUE constraint"
    return Skip("unique", f"{name} on {table} has no counterpart; nothing keeps ({columns}) unique")


def of_dropped_unique(constraint: UniqueConstraint, table: str) -> Skip:
    """Return the skip for a UNIQUE constraint that is to be dropped."""
    return Skip("unique", f"{constraint.name} on {table} was never created")


def of_key(constraint: Constraint, table: str) -> Iterator[Skip]:
    """Take from a foreign key what would act on rows; yield a skip where it had any."""
    if not isinstance(constraint, ForeignKeyConstraint):
        return
    words = {
        "ON DELETE": constraint.ondelete,
        "ON UPDATE": constraint.onupdate,
        "MATCH": constraint.match,
        "INITIALLY": constraint.initially,
    }
    clauses = [f"{word} {value}" for word, value in words.items() if value]
    if constraint.deferrable is not None:
        clauses.append("DEFERRABLE" if constraint.deferrable else "NOT DEFERRABLE")
    constraint.ondelete = constraint.onupdate = constraint.match = constraint.initially = None
    constraint.deferrable = None
    if clauses:
        name = constraint.name or "a foreign key"
        yield Skip(
            "foreign-key-action",
            f"{name} on {table} loses {', '.join(clauses)}: foreign keys are informational",
        )


def of_column(column: Column[Any], table: str) -> Iterator[Skip]:
    """Yield a skip for an Enum that no CHECK guards."""
    type_ = column.type
    if isinstance(type_, Enum) and not type_.create_constraint:
        values = ", ".join(type_.enums)
        yield Skip("enum", f"{column.name} on {table} takes any text, not only {values}")


def of_numbering(table: Table) -> Iterator[Skip]:
    """Yield a skip for an integer primary key that other databases number."""
    column = table.autoincrement_column
    if column is not None and column.identity is None and column.server_default is None:
        yield Skip(
            "autoincrement",
            f"{column.name} on {table.fullname} is not numbered; every INSERT has to give one",
        )


def of_table(table: Table) -> Iterator[Skip]:
    """Take from *table* what CREATE TABLE cannot hold and nothing replaces; yield the skips."""
    for column in table.columns:
        yield from of_column(column, table.fullname)
    yield from of_numbering(table)
    for constraint in in_order(table):
        if isinstance(constraint, UniqueConstraint):
            table.constraints.discard(constraint)
            yield of_unique(constraint, table.fullname)
        yield from of_key(constraint, table.fullname)
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        yield of_index(index)


def checks_of(table: Table) -> Iterator[CheckConstraint]:
    """Take the CHECK constraints from *table* and its columns; they follow by ALTER TABLE."""
    for constraints in (table.constraints, *(column.constraints for column in table.columns)):
        yield from checks_among(constraints)


def checks_among(constraints: set[Constraint]) -> list[CheckConstraint]:
    """Take the CHECK constraints from a set; return them in an order that is always the same."""
    found = [each for each in constraints if isinstance(each, CheckConstraint)]
    constraints.difference_update(found)
    return sorted(found, key=lambda check: (str(check.name), str(check.sqltext)))


def in_order(table: Table) -> list[Any]:
    """Return a table's constraints in an order that is the same each time."""
    return sorted(table.constraints, key=lambda each: (type(each).__name__, str(each.name)))


def _words(part: str | ColumnElement[Any]) -> str:
    return str(getattr(part, "name", part))
