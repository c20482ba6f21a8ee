"""What has no counterpart on Databricks: named, so that nothing goes missing unsaid."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Column, Enum, Identity, Index, Table
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CheckConstraint, Constraint, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.sql.elements import ColumnElement

from .datatypes import bare, collation_of, innermost, lost_length, word_for

#: Every kind of skip, and what is lost with it.
KINDS = {
    "index": "An index, `index=True` too. `CLUSTER BY` on the columns is the usual choice.",
    "unique": "A UNIQUE constraint or unique index: nothing keeps values apart.",
    "exclude": "An EXCLUDE constraint: nothing keeps rows from overlapping.",
    "foreign-key-action": "ON DELETE, ON UPDATE, MATCH and DEFERRABLE of a foreign key, "
    "which is informational.",
    "autoincrement": "The numbering of an integer primary key: every INSERT has to give one. "
    "`sa.Identity()` is the usual choice.",
    "identity-option": "MINVALUE, MAXVALUE, CYCLE and CACHE of an `sa.Identity()`.",
    "enum": "The list of values of an Enum without a CHECK: any text is taken. "
    "`create_constraint=True` is the usual choice.",
    "type": "A type whose values a STRING keeps: UUID, TIME, JSON, INET. Any other text is "
    "taken too. VARIANT is the usual choice for JSON: `DatabricksVariant` as a variant.",
    "collation": "The order of a text that has a `collation`: it is compared byte by byte.",
    "table-option": "What Postgres is told of a table besides: partitions, a table space, storage. "
    "`CLUSTER BY` is the usual choice for partitions.",
    "length": "The length of a text or of bytes. `sa.VARCHAR(50)` keeps one.",
}


#: What a foreign key says of rows, and cannot here.
_ACTIONS = ("ondelete", "onupdate", "match", "initially", "deferrable")


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


def of_exclude(constraint: ExcludeConstraint, table: str) -> Skip:
    """Return the skip for an EXCLUDE constraint that is to be created."""
    name = constraint.name or "an EXCLUDE constraint"
    return Skip("exclude", f"{name} on {table} has no counterpart; rows may overlap")


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
    vars(constraint).update(dict.fromkeys(_ACTIONS))
    if clauses:
        name = constraint.name or "a foreign key"
        yield Skip(
            "foreign-key-action",
            f"{name} on {table} loses {', '.join(clauses)}: foreign keys are informational",
        )


def of_columns(columns: list[Column[Any]], table: str, dialect: Dialect) -> Iterator[Skip]:
    """Yield what the types of *columns*, new ones of one table, do not keep."""
    for column in columns:
        yield from of_values(column, table, dialect)
        yield from of_identity(column, table)
    if texts := [f"{c.name} ({word})" for c in columns if (word := word_for(c.type, dialect))]:
        advice = "; VARIANT is the usual choice for JSON" if "(JSON)" in " ".join(texts) else ""
        detail = f"{', '.join(texts)} on {table}: kept as STRING, which takes any text{advice}"
        yield Skip("type", detail)
    if sized := [f"{c.name} ({size})" for c in columns if (size := lost_length(c.type, dialect))]:
        yield Skip("length", f"{', '.join(sized)} on {table}: nothing holds values to that length")
    yield from of_collations(columns, table, dialect)


def of_collations(columns: list[Column[Any]], table: str, dialect: Dialect) -> Iterator[Skip]:
    """Yield a skip for texts that are to be compared in another way than byte by byte."""
    named = [(column.name, collation_of(column.type, dialect)) for column in columns]
    if sorted_by := [f"{name} ({collation})" for name, collation in named if collation]:
        yield Skip("collation", f"{', '.join(sorted_by)} on {table}: compared byte by byte")


def of_options(table: Table) -> Iterator[Skip]:
    """Yield a skip for what Postgres would be told of a table besides."""
    options = sorted(
        name
        for name, value in table.dialect_kwargs.items()
        if name.startswith("postgresql_") and value
    )
    if options:
        yield Skip("table-option", f"{table.fullname} loses {', '.join(options)}")


def of_values(column: Column[Any], table: str, dialect: Dialect) -> Iterator[Skip]:
    """Yield a skip for an Enum that no CHECK guards; one that is not native has none anywhere."""
    is_plain = isinstance(bare(column.type, dialect), Enum)
    for type_ in innermost(column.type, dialect):
        is_guarded = is_plain and getattr(type_, "create_constraint", False)
        if isinstance(type_, Enum) and type_.native_enum and not is_guarded:
            values = ", ".join(type_.enums)
            yield Skip("enum", f"{column.name} on {table} takes any text, not only {values}")


def of_identity(column: Column[Any], table: str) -> Iterator[Skip]:
    """Yield a skip for what an identity column cannot be told."""
    if column.identity is None:
        return
    if lost := list(_options(column.identity)):
        yield Skip("identity-option", f"{column.name} on {table} loses {', '.join(lost)}")


def _options(identity: Identity) -> Iterator[str]:
    for option in ("minvalue", "maxvalue", "cache"):
        if (value := getattr(identity, option)) is not None:
            yield f"{option.upper()} {value}"
    if identity.cycle:
        yield "CYCLE"


def of_numbering(table: Table) -> Iterator[Skip]:
    """Yield a skip for an integer primary key that other databases number."""
    column = table.autoincrement_column
    if column is not None and column.identity is None and column.server_default is None:
        advice = "sa.Identity() is the usual choice"
        yield Skip(
            "autoincrement",
            f"{column.name} on {table.fullname} is not numbered, so every INSERT has to give one; "
            f"{advice}",
        )


def of_table(table: Table, dialect: Dialect) -> Iterator[Skip]:
    """Take from *table* what CREATE TABLE cannot hold and nothing replaces; yield the skips."""
    yield from of_columns(list(table.columns), table.fullname, dialect)
    yield from of_numbering(table)
    yield from of_options(table)
    for constraint in in_order(table):
        if isinstance(constraint, UniqueConstraint):
            table.constraints.discard(constraint)
            yield of_unique(constraint, table.fullname)
        elif isinstance(constraint, ExcludeConstraint):
            table.constraints.discard(constraint)
            yield of_exclude(constraint, table.fullname)
        yield from of_key(constraint, table.fullname)
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        yield of_index(index)


@contextmanager
def restored(table: Table) -> Iterator[None]:
    """Put back what the block takes from columns and keys: a script may use them once more."""
    columns = [(column.constraints, set(column.constraints)) for column in table.columns]
    keys = [
        (key, {name: getattr(key, name) for name in _ACTIONS})
        for key in table.foreign_key_constraints
    ]
    try:
        yield
    finally:
        for constraints, whole in columns:
            constraints.update(whole)
        for key, actions in keys:
            vars(key).update(actions)


def checks_of(table: Table) -> Iterator[CheckConstraint]:
    """Take the CHECK constraints from *table* and its columns; they follow by ALTER TABLE."""
    for constraints in (table.constraints, *(column.constraints for column in table.columns)):
        found = checks_among(constraints)
        constraints.difference_update(found)
        yield from found


def checks_among(constraints: set[Constraint]) -> list[CheckConstraint]:
    """Return the CHECK constraints of a set, in an order that is always the same."""
    found = [each for each in constraints if isinstance(each, CheckConstraint)]
    return sorted(found, key=lambda check: (str(check.name), str(check.sqltext)))


def in_order(table: Table) -> list[Any]:
    """Return a table's constraints in an order that is the same each time."""
    return sorted(table.constraints, key=lambda each: (type(each).__name__, str(each.name)))


def _words(part: str | ColumnElement[Any]) -> str:
    return str(getattr(part, "name", part))
