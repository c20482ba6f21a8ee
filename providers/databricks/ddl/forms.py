"""The statements that a directive comes to, one for each thing that it changes.

What has no right form raises `CompileError`; its text is the reason of the refusal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Optional

from alembic.ddl import base
from sqlalchemy import Column, Computed, Identity, Table, schema
from sqlalchemy.exc import CompileError
from sqlalchemy.schema import (
    CheckConstraint,
    Constraint,
    ExecutableDDLElement,
    ForeignKeyConstraint,
    PrimaryKeyConstraint,
)
from sqlalchemy.sql.type_api import TypeEngine

from . import skips
from .compiler import DEFAULTS, MAPPING, has_default, needs_mapping
from .elements import AddCheck, Backfill, SetProperty

Elements = Iterator[ExecutableDDLElement]
Place = tuple[str, Optional[str]]  # noqa: UP045 - Python 3.9 evaluates it

#: Option of `op.add_column` without a form here -> what to do instead.
NOT_ADDED = {
    "if_not_exists": "ADD COLUMN has no such form, so look at sa.inspect(op.get_bind()) first",
    "inline_primary_key": "leave it out, and use op.create_primary_key",
}

#: Beginning of an option of `op.create_table` without a form here -> what to do instead.
NOT_CREATED = {
    "postgresql_inherits": "name all columns",
    "databricks_": "say it by op.execute",
}

#: What no name in Unity Catalog has. Page "sql/language-manual/sql-ref-names".
_NOT_IN_NAMES = re.compile(r"[./ \x00-\x1f\x7f]")


def creating(table: Table, checks: list[CheckConstraint], kw: dict[str, Any]) -> Elements:
    """Yield CREATE TABLE, and its *checks* by ALTER TABLE."""
    require_name(table.name)
    for option, reason in NOT_CREATED.items():
        for name in table.dialect_kwargs:
            if name.startswith(option):
                raise CompileError(f"{name} is not carried over; {reason}")
    if table._prefixes:  # noqa: SLF001 - no public name for it
        raise CompileError(f"CREATE {' '.join(table._prefixes)} TABLE is not carried over")  # noqa: SLF001 - as above
    if checks and kw.get("if_not_exists"):
        raise CompileError("if_not_exists cannot tell whether its CHECK constraints exist")
    yield schema.CreateTable(table, **kw)
    for check in checks:
        yield AddCheck(table.name, table.schema, check)


def adding(const: Constraint) -> Elements:
    """Yield what adds a key; the columns of a primary one hold no NULL."""
    if isinstance(const, PrimaryKeyConstraint):
        table = const.table
        for column in const.columns:
            yield base.ColumnNullable(table.name, column.name, nullable=False, schema=table.schema)
    yield schema.AddConstraint(const)


def require_no_expression(column: str, using: str | None) -> None:
    """Refuse a change of type that is to compute other values; a cast to the type is none."""
    if using is not None and not _plain_cast(column).fullmatch(using):
        raise CompileError(
            f"{column}: postgresql_using={using!r} is not carried over; add another column, fill it"
        )


def _plain_cast(column: str) -> re.Pattern[str]:
    name, type_ = rf'\(?"?{re.escape(column)}"?\)?', r"[\w\s.\"]+(\([\d\s,]+\))?[\w\s]*(\[\])*"
    text = rf"\s*\(?({name}(\s*::{type_})*|cast\s*\(\s*{name}\s+as\s+{type_}\))\)?\s*"
    return re.compile(text, re.IGNORECASE)


def renaming(old: str, new: str, schema: str | None) -> Elements:
    """Yield what gives a table another name."""
    require_name(new)
    yield base.RenameTable(old, new, schema=schema)


def require_name(table: str) -> None:
    """Refuse the name of a new table that no catalog takes."""
    if found := _NOT_IN_NAMES.search(table):
        raise CompileError(f"no table can have a name with {found[0]!r} in it; choose another")


def keys_within(column: Column[Any], kw: dict[str, Any]) -> list[ForeignKeyConstraint]:
    """Return the foreign key that Alembic leaves to ADD COLUMN, which has no place for it."""
    if not kw.get("inline_references") or len(column.foreign_keys) != 1:
        return []
    return [key.constraint for key in column.foreign_keys if key.constraint is not None]


def adding_column(place: Place, column: Column[Any], kw: dict[str, Any]) -> Elements:
    """Yield what adds *column*: few of its parts fit into ADD COLUMN."""
    for option, advice in NOT_ADDED.items():
        if kw.get(option):
            raise CompileError(f"{option} is not carried over; {advice}")
    if column.identity is not None or column.computed is not None:
        raise CompileError(
            "only CREATE TABLE makes a generated column; add a plain one, and fill it"
        )
    table, schema = place
    if needs_mapping(column.name):
        yield SetProperty(table, schema, *MAPPING)
    yield base.AddColumn(table, column, schema=schema)
    if has_default(column):
        default = {"server_default": column.server_default}
        yield from defaulting(place, column.name, default, column.type)
        yield Backfill(table, schema, column)
    if not column.nullable:
        yield base.ColumnNullable(table, column.name, nullable=False, schema=schema)
    for check in skips.checks_among(column.constraints):
        yield AddCheck(table, schema, check)
    for key in keys_within(column, kw):
        yield from adding(key)


def defaulting(
    place: Place, column: str, kw: dict[str, Any], type_: TypeEngine[Any] | None
) -> Elements:
    """Yield what sets or drops a default; new rows have it from then on."""
    new, old = kw["server_default"], kw.get("existing_server_default")
    if isinstance(new, (Identity, Computed)) or isinstance(old, (Identity, Computed)):
        raise CompileError(f"{column}: a column cannot become generated, nor cease to be")
    table, schema = place
    if new is not None:
        yield SetProperty(table, schema, *DEFAULTS)
    yield base.ColumnDefault(table, column, new, schema=schema, existing_type=type_)
