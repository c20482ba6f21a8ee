"""DDL as a warehouse takes it, and nothing that it would not take.

What it refuses here, `implementation` takes out of a directive first, and says so. A script
that goes around Alembic (``metadata.create_all()``) gets the refusal.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Boolean, Column, Float, Integer, Numeric, Table
from sqlalchemy.exc import CompileError
from sqlalchemy.schema import CheckConstraint, CreateIndex, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.sql import compiler, sqltypes
from sqlalchemy.sql.type_api import TypeEngine

from .datatypes import name_of

#: What a table needs before a column of it may have a default.
DEFAULTS = ("delta.feature.allowColumnDefaults", "supported")

_NUMBERS = (Integer, Numeric, Float)  # Float is no Numeric since SQLAlchemy 2.1
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_TRUTH = {"t": "true", "true": "true", "1": "true", "f": "false", "false": "false", "0": "false"}


class Compiler(compiler.DDLCompiler):
    """Takes the place of databricks-sqlalchemy's own, which drops things with a log line."""

    def post_create_table(self, table: Table) -> str:
        """Return what follows the columns."""
        clauses = [" USING DELTA"]
        if table.comment:
            clauses.append(f"COMMENT {self.quoted(table.comment)}")
        if any(map(has_default, table.columns)):
            clauses.append(
                f"TBLPROPERTIES ({self.quoted(DEFAULTS[0])} = {self.quoted(DEFAULTS[1])})"
            )
        return "\n".join(clauses)

    def get_column_specification(self, column: Column[Any], **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
        """Return a column as it stands in CREATE TABLE."""
        refuse_generated(column)
        parts = [self.preparer.format_column(column), name_of(column.type, self.dialect)]
        default = self.get_column_default_string(column)
        parts += [f"DEFAULT {default}"] if default is not None else []
        parts += [] if column.nullable else ["NOT NULL"]
        parts += [f"COMMENT {self.quoted(column.comment)}"] if column.comment else []
        return " ".join(parts)

    def get_column_default_string(self, column: Column[Any]) -> str | None:
        """Return a column's default, which is bare where the column holds numbers or truth."""
        default = getattr(column.server_default, "arg", None)
        if isinstance(default, str):
            return self.literal(default, column.type)
        return None if default is None else self.render_default_string(default)

    def literal(self, text: str, type_: TypeEngine[Any]) -> str:
        """Return *text* as a constant of *type_*; the dialect would quote a number."""
        if isinstance(type_, Boolean) and text.lower() in _TRUTH:
            return _TRUTH[text.lower()]
        if isinstance(type_, _NUMBERS) and _NUMBER.fullmatch(text):
            return text
        if isinstance(type_, (Boolean, *_NUMBERS)):
            raise CompileError(f"the default {text!r} is no {name_of(type_, self.dialect)}")
        return self.quoted(text)

    def quoted(self, text: str) -> str:
        """Return *text* as a string constant."""
        return self.sql_compiler.render_literal_value(text, sqltypes.STRINGTYPE)

    def define_constraint_cascades(self, constraint: ForeignKeyConstraint) -> str:
        """Return nothing: a foreign key is informational, so nothing follows it."""
        if constraint.ondelete or constraint.onupdate:
            raise CompileError(
                "no foreign key has ON DELETE or ON UPDATE; op.create_table skips it"
            )
        return ""

    def visit_unique_constraint(self, constraint: UniqueConstraint, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
        """Refuse."""
        raise CompileError(f"{constraint.name}: there is no UNIQUE; op.create_table skips it")

    def visit_check_constraint(self, constraint: CheckConstraint, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
        """Refuse."""
        raise CompileError(f"{constraint.name}: CREATE TABLE takes no CHECK; use op.create_table")

    visit_column_check_constraint = visit_check_constraint

    def visit_create_index(self, create: CreateIndex, *_: Any, **__: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
        """Refuse."""
        raise CompileError(f"{create.element.name}: there are no indexes; op.create_index skips it")


def has_default(column: Column[Any]) -> bool:
    """Tell whether the table gives *column* a value; `FetchedValue` has none to show."""
    return getattr(column.server_default, "arg", None) is not None


def refuse_generated(column: Column[Any]) -> None:
    """Raise `CompileError` where the database would make up a column's value."""
    if column.identity is not None:
        raise CompileError("Identity() is not carried over; leave it out, or use op.execute")
    if column.computed is not None:
        raise CompileError("Computed() is not carried over; leave it out, or use op.execute")
