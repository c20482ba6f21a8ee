"""DDL as a warehouse takes it, and nothing that it would not take.

What it refuses here, `implementation` takes out of a directive first, and says so. A script
that goes around Alembic (``metadata.create_all()``) gets the refusal.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Identity,
    Integer,
    Numeric,
    Table,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import CompileError
from sqlalchemy.schema import CheckConstraint, CreateIndex, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.sql import compiler, sqltypes
from sqlalchemy.sql.type_api import TypeEngine

from .datatypes import bare, name_of
from .expressions import portable

#: What a table needs before a column of it may have a default.
DEFAULTS = ("delta.feature.allowColumnDefaults", "supported")

#: What a table needs before a column of it may be dropped or renamed, or have a name that
#: files cannot hold. Page "delta/column-mapping".
MAPPING = ("delta.columnMapping.mode", "name")

#: What a table that is there needs before a column of it may be a time without a zone.
WITHOUT_ZONE = ("delta.feature.timestampNtz", "supported")

_NEEDS_MAPPING = re.compile(r"[ ,;{}()\n\t=]")

_NUMBERS = (Integer, Numeric, Float)  # Float is no Numeric since SQLAlchemy 2.1
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([ t]\d\d:\d\d\S*)?")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_NO_TEXT = ("ARRAY<", "BINARY", "MAP<", "STRUCT<", "VARIANT")  # of which no default is a text
_TRUTH = {
    **dict.fromkeys(("t", "true", "y", "yes", "on", "1"), "true"),
    **dict.fromkeys(("f", "false", "n", "no", "off", "0"), "false"),
}


class Compiler(compiler.DDLCompiler):
    """Takes the place of databricks-sqlalchemy's own, which drops things with a log line."""

    def post_create_table(self, table: Table) -> str:
        """Return what follows the columns."""
        clauses = [" USING DELTA"]
        if table.comment:
            clauses.append(f"COMMENT {self.quoted(table.comment)}")
        if pairs := properties_of(table):
            given = ", ".join(f"{self.quoted(key)} = {self.quoted(value)}" for key, value in pairs)
            clauses.append(f"TBLPROPERTIES ({given})")
        return "\n".join(clauses)

    def get_column_specification(self, column: Column[Any], **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
        """Return a column as it stands in CREATE TABLE."""
        parts = [self.preparer.format_column(column), self.type_name(column)]
        default = self.get_column_default_string(column)
        parts += [f"DEFAULT {default}"] if default is not None else []
        parts += filter(None, [self.generation(column)])
        parts += [] if column.nullable and not column.primary_key else ["NOT NULL"]
        parts += [f"COMMENT {self.quoted(column.comment)}"] if column.comment else []
        return " ".join(parts)

    def type_name(self, column: Column[Any]) -> str:
        """Return the name of a column's type; an integer that numbers itself is a BIGINT."""
        return name_of(
            BigInteger() if numbers_itself(column, self.dialect) else column.type, self.dialect
        )

    def generation(self, column: Column[Any]) -> str:
        """Return how the table makes up a column's value.

        The result of an expression has the column's type only where it is cast: a warehouse
        refuses any other.
        """
        if column.computed is not None:
            expression = self.sql_compiler.process(
                column.computed.sqltext, include_table=False, literal_binds=True
            )
            return f"GENERATED ALWAYS AS (CAST({portable(expression)} AS {self.type_name(column)}))"
        if column.identity is None:
            return ""
        if not numbers_itself(column, self.dialect):
            raise CompileError("only an integer can be an Identity()")
        return numbering(column.identity)

    def get_column_default_string(self, column: Column[Any]) -> str | None:
        """Return a column's default, which is bare where the column holds numbers or truth."""
        default = getattr(column.server_default, "arg", None)
        if isinstance(default, str):
            return self.literal(default, column.type)
        return None if default is None else self.default_expression(default)

    def default_expression(self, default: Any) -> str:  # noqa: ANN401 - an expression of SQLAlchemy
        """Return a default that the warehouse computes."""
        try:
            return portable(str(self.render_default_string(default)))
        except NotImplementedError as error:
            raise CompileError("there are no sequences; use sa.Identity()") from error

    def literal(self, text: str, type_: TypeEngine[Any]) -> str:
        """Return *text* as a constant of *type_*; the dialect would quote a number."""
        known, plain = bare(type_, self.dialect), text.strip().lower()
        if isinstance(known, Boolean) and plain in _TRUTH:
            return _TRUTH[plain]
        if isinstance(known, _NUMBERS) and _NUMBER.fullmatch(plain):
            return plain
        name = name_of(type_, self.dialect)
        if name.startswith("ARRAY<") and plain == "{}":
            return "array()"
        is_moment = isinstance(known, (Date, DateTime))
        if is_moment and _MOMENT.fullmatch(plain):
            return self.quoted(text)
        if isinstance(known, (Boolean, *_NUMBERS)) or is_moment or name.startswith(_NO_TEXT):
            raise CompileError(f"the default {text!r} is no {name}; sa.text() takes an expression")
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

    def visit_create_sequence(self, create: Any, *_: Any, **__: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
        """Refuse."""
        raise CompileError(f"{create.element.name}: there are no sequences; use sa.Identity()")

    def visit_drop_sequence(self, drop: Any, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
        """Refuse."""
        return self.visit_create_sequence(drop)


def has_default(column: Column[Any]) -> bool:
    """Tell whether the table gives *column* a value; `FetchedValue` has none to show."""
    return getattr(column.server_default, "arg", None) is not None


def numbers_itself(column: Column[Any], dialect: Dialect) -> bool:
    """Tell whether *column* is an integer with an `Identity()`."""
    return column.identity is not None and isinstance(bare(column.type, dialect), Integer)


def numbering(identity: Identity) -> str:
    """Return the clause of an identity column; where nothing is said, it counts 1, 2, 3."""
    start = [f"START WITH {identity.start}"] if identity.start is not None else []
    step = [f"INCREMENT BY {identity.increment}"] if identity.increment is not None else []
    options = f" ({' '.join(start + step)})" if start or step else ""
    return f"GENERATED {'ALWAYS' if identity.always else 'BY DEFAULT'} AS IDENTITY{options}"


def needs_mapping(name: str) -> bool:
    """Tell whether a column can have *name* under column mapping only."""
    return _NEEDS_MAPPING.search(name) is not None


def properties_of(table: Table) -> list[tuple[str, str]]:
    """Return the properties that *table* cannot be created without."""
    mapped = any(needs_mapping(column.name) for column in table.columns)
    given = any(map(has_default, table.columns))
    return [*([MAPPING] if mapped else []), *([DEFAULTS] if given else [])]
