"""The forms of ALTER TABLE that differ from Alembic's, and what is said besides.

Pages "sql/language-manual/sql-ref-syntax-ddl-alter-table-manage-column" and
"-ddl-alter-table-add-constraint".
"""

from __future__ import annotations

from typing import Any

from alembic.ddl.base import (
    AddColumn,
    AlterColumn,
    AlterTable,
    ColumnComment,
    ColumnDefault,
    ColumnName,
    ColumnType,
    alter_column,
    alter_table,
    format_column_name,
    format_table_name,
)
from sqlalchemy import CheckConstraint, Column, types
from sqlalchemy.exc import CompileError
from sqlalchemy.ext.compiler import compiles

from .compiler import Compiler
from .datatypes import name_of
from .expressions import portable


class SetProperty(AlterTable):
    """Set a property of a table; its protocol may rise with it."""

    inherit_cache = False

    def __init__(self, table: str, schema: str | None, key: str, value: str) -> None:
        super().__init__(table, schema)
        self.key = key
        self.value = value


class AddCheck(AlterTable):
    """Add a CHECK constraint, which rows must fulfil already."""

    inherit_cache = False

    def __init__(self, table: str, schema: str | None, check: CheckConstraint) -> None:
        super().__init__(table, schema)
        self.check = check


class Backfill(AlterTable):
    """Give rows that were there before a column its default."""

    inherit_cache = False

    def __init__(self, table: str, schema: str | None, column: Column[Any]) -> None:
        super().__init__(table, schema)
        self.column = column


@compiles(SetProperty, "databricks")
def _set_property(element: SetProperty, compiler: Compiler, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
    key, value = compiler.quoted(element.key), compiler.quoted(element.value)
    return f"{_alter(element, compiler)} SET TBLPROPERTIES ({key} = {value})"


@compiles(AddCheck, "databricks")
def _add_check(element: AddCheck, compiler: Compiler, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
    """Let rows pass for which nobody knows, as SQL has it; a warehouse asks for what is true."""
    named = element.check.name is not None
    name = compiler.preparer.format_constraint(element.check) if named else None
    if name is None:  # also where a type's own CHECK got no name
        raise CompileError("a CHECK constraint needs a name; a naming_convention can give it one")
    condition = compiler.sql_compiler.process(
        element.check.sqltext, include_table=False, literal_binds=True
    )
    check = f"CHECK (({portable(condition)}) IS NOT FALSE)"
    return f"{_alter(element, compiler)} ADD CONSTRAINT {name} {check}"


@compiles(Backfill, "databricks")
def _backfill(element: Backfill, compiler: Compiler, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
    table = format_table_name(compiler, element.table_name, element.schema)
    column = format_column_name(compiler, element.column.name)
    default = compiler.get_column_default_string(element.column)
    return f"UPDATE {table} SET {column} = {default} WHERE {column} IS NULL"  # noqa: S608 - a revision's own words


@compiles(AddColumn, "databricks")
def _add_column(element: AddColumn, compiler: Compiler, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
    """Name, type and comment: an added column takes nothing else."""
    name = format_column_name(compiler, element.column.name)
    comment = element.column.comment
    said = f" COMMENT {compiler.quoted(comment)}" if comment else ""
    type_ = name_of(element.column.type, compiler.dialect)
    return f"{_alter(element, compiler)} ADD COLUMN {name} {type_}{said}"


@compiles(ColumnName, "databricks")
def _rename(element: ColumnName, compiler: Compiler, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
    old = format_column_name(compiler, element.column_name)
    new = format_column_name(compiler, element.newname)
    return f"{_alter(element, compiler)} RENAME COLUMN {old} TO {new}"


@compiles(ColumnComment, "databricks")
def _comment(element: ColumnComment, compiler: Compiler, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
    return f"{_alter_column(element, compiler)} COMMENT {compiler.quoted(element.comment or '')}"


@compiles(ColumnType, "databricks")
def _type(element: ColumnType, compiler: Compiler, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
    return f"{_alter_column(element, compiler)} TYPE {name_of(element.type_, compiler.dialect)}"


@compiles(ColumnDefault, "databricks")
def _default(element: ColumnDefault, compiler: Compiler, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
    if element.default is None:
        return f"{_alter_column(element, compiler)} DROP DEFAULT"
    type_ = element.existing_type or types.NullType()
    column: Column[Any] = Column(element.column_name, type_, server_default=element.default)
    default = compiler.get_column_default_string(column)
    return f"{_alter_column(element, compiler)} SET DEFAULT {default}"


def _alter(element: AlterTable, compiler: Compiler) -> str:
    return alter_table(compiler, element.table_name, element.schema)


def _alter_column(element: AlterColumn, compiler: Compiler) -> str:
    return f"{_alter(element, compiler)} {alter_column(compiler, element.column_name)}"
