"""Alembic's directives on Databricks: sent in the form that it takes, skipped by name, or refused.

All statements of a directive are compiled before the first is sent. Nothing is asked of the
warehouse on the way: a script that is resumed must send what it sent before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Optional

from alembic.ddl import base
from alembic.ddl.impl import DefaultImpl
from sqlalchemy import Column, Computed, Identity, Index, LargeBinary, Table, schema
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import CompileError, UnsupportedCompilationError
from sqlalchemy.schema import (
    CheckConstraint,
    Constraint,
    ExecutableDDLElement,
    UniqueConstraint,
)
from sqlalchemy.sql.type_api import TypeEngine

from . import skips
from .compiler import DEFAULTS, Compiler, has_default
from .datatypes import name_of, widens
from .elements import AddCheck, Backfill, SetProperty
from .refusals import RefusedDirectiveError
from .skips import Skip

MAPPING = ("delta.columnMapping.mode", "name")
WIDENING = ("delta.enableTypeWidening", "true")

Elements = Iterator[ExecutableDDLElement]
Place = tuple[str, Optional[str]]  # noqa: UP045 - Python 3.9 evaluates it


class Directives(DefaultImpl):
    """Alembic's own hook for a dialect; of two for one dialect the later one counts."""

    __dialect__ = "databricks"

    #: Hears of what has no counterpart: kind, detail. `install` sets it.
    tell: ClassVar[Callable[[str, str], None]]

    def __init__(self, dialect: Dialect, *arguments: Any, **more: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
        super().__init__(dialect, *arguments, **more)
        dialect.ddl_compiler = Compiler  # this engine's dialect only, not the class

    def skip(self, skip: Skip) -> None:
        """Say that something has no counterpart; in a script of SQL, as a comment."""
        if self.as_sql:
            self.static_output(f"-- skipped {skip.kind}: {skip.detail}")
        else:
            type(self).tell(skip.kind, skip.detail)

    def send(self, directive: str, table: str, elements: Elements, *left_out: Skip) -> None:
        """Send *elements*, all of them or none, and say what was left out of them.

        Raises:
            RefusedDirectiveError: One of them has no right form.
        """
        try:
            ready = list(elements)
            for element in ready:
                element.compile(dialect=self.dialect)
        except CompileError as error:
            raise RefusedDirectiveError(directive, table, reason_of(error)) from error
        for skip in left_out:
            self.skip(skip)
        for element in ready:
            self._exec(element)

    def create_table(self, table: Table, **kw: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
        """Create a table; its CHECK constraints follow."""
        left_out = list(skips.of_table(table))
        checks = [check for check in skips.checks_of(table) if self.is_due(check)]
        self.send("create_table", table.fullname, creating(table, checks, kw), *left_out)

    def is_due(self, constraint: Constraint) -> bool:
        """Tell whether a type's own constraint is meant for this dialect; others always are."""
        rule = constraint._create_rule  # noqa: SLF001 - as Alembic asks it
        return rule is None or bool(rule(self))

    def create_index(self, index: Index, **_: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
        """Skip."""
        self.skip(skips.of_index(index))

    def drop_index(self, index: Index, **_: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
        """Skip."""
        self.skip(skips.of_dropped_index(index))

    def add_constraint(self, const: Constraint, **_: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
        """Add a key or a CHECK; skip UNIQUE."""
        table = const.table
        if isinstance(const, UniqueConstraint):
            self.skip(skips.of_unique(const, table.fullname))
        elif isinstance(const, CheckConstraint):
            if self.is_due(const):
                check = AddCheck(table.name, table.schema, const)
                self.send("create_check_constraint", table.fullname, iter([check]))
        else:
            left_out = skips.of_key(const, table.fullname)
            self.send("create_constraint", table.fullname, adding(const), *left_out)

    def drop_constraint(self, const: Constraint, **kw: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
        """Drop a key or a CHECK; skip UNIQUE. Of unknown kind, it may be a UNIQUE."""
        table = const.table.fullname
        if isinstance(const, UniqueConstraint):
            self.skip(skips.of_dropped_unique(const, table))
        elif self.is_due(const):
            if type(const) is Constraint:
                kw["if_exists"] = True
            self.send("drop_constraint", table, iter([schema.DropConstraint(const, **kw)]))

    def add_column(
        self,
        table_name: str,
        column: Column[Any],
        *,
        schema: str | None = None,
        **kw: Any,  # noqa: ANN401 - Alembic's own arguments
    ) -> None:
        """Add a column, fill it with its default, and only then hold it to NOT NULL."""
        left_out = skips.of_column(column, table_name)
        elements = adding_column((table_name, schema), column, kw)
        self.send("add_column", table_name, elements, *left_out)

    def drop_column(
        self,
        table_name: str,
        column: Column[Any],
        *,
        schema: str | None = None,
        if_exists: bool | None = None,
        **_: Any,  # noqa: ANN401 - Alembic's own arguments
    ) -> None:
        """Drop a column, which takes column mapping."""
        option = {"if_exists": True} if if_exists else {}  # Alembic 1.15 does not know it
        drop = base.DropColumn(table_name, column, schema, **option)
        mapped = SetProperty(table_name, schema, *MAPPING)
        self.send("drop_column", table_name, iter([mapped, drop]))

    def alter_column(
        self,
        table_name: str,
        column_name: str,
        *,
        schema: str | None = None,
        **kw: Any,  # noqa: ANN401 - Alembic's own arguments
    ) -> None:
        """Change a column, one statement for each thing that changes; its name comes last."""
        elements = self.altering((table_name, schema), column_name, kw)
        self.send("alter_column", table_name, elements)

    def altering(self, place: Place, column: str, kw: dict[str, Any]) -> Elements:
        """Yield what *kw*, Alembic's arguments, asks for, in Alembic's order."""
        table, schema = place
        existing: dict[str, Any] = {"schema": schema, "existing_type": kw.get("existing_type")}
        if kw.get("nullable") is not None:
            yield base.ColumnNullable(table, column, kw["nullable"], **existing)
        if kw.get("server_default", False) is not False:
            existing_type = kw.get("type_") or kw.get("existing_type")
            yield from defaulting(place, column, kw, existing_type)
        if kw.get("type_") is not None:
            yield from self.retyping(place, column, kw["type_"], kw.get("existing_type"))
        if kw.get("comment", False) is not False:
            yield base.ColumnComment(table, column, kw["comment"], **existing)
        if kw.get("name") is not None:
            yield SetProperty(table, schema, *MAPPING)
            yield base.ColumnName(table, column, kw["name"], **existing)

    def retyping(
        self, place: Place, column: str, new: TypeEngine[Any], old: TypeEngine[Any] | None
    ) -> Elements:
        """Yield what gives a column a wider type; nothing where it has the same name here."""
        if old is None:
            raise CompileError(f"{column}: existing_type is needed, to tell whether it widens")
        before, after = name_of(old, self.dialect), name_of(new, self.dialect)
        if before == after:
            return
        if not widens(before, after):
            raise CompileError(f"{column}: {before} does not widen to {after}; add another column")
        table, schema = place
        yield SetProperty(table, schema, *WIDENING)
        yield base.ColumnType(table, column, new, schema=schema, existing_type=old)

    def bulk_insert(self, table: Any, rows: list[dict[str, Any]], multiinsert: bool = True) -> None:  # noqa: ANN401, FBT001, FBT002 - Alembic's own signature
        """Insert rows, one statement for each."""
        if any(isinstance(column.type, LargeBinary) for column in table.c):
            reason = "the client cannot send bytes; use op.execute with unhex('...')"
            raise RefusedDirectiveError("bulk_insert", table.name, reason)
        super().bulk_insert(table, rows, multiinsert)

    def prep_table_for_batch(self, batch_impl: Any, table: Table) -> None:  # noqa: ARG002, ANN401 - Alembic's own hook
        """Refuse to copy a table: its history and its grants would be lost."""
        raise recreation_refused(table.fullname)


def recreation_refused(table: str) -> RefusedDirectiveError:
    """Return the refusal of a batch that copies a table."""
    reason = 'recreate="always" would lose its history and grants; leave recreate out'
    return RefusedDirectiveError("batch_alter_table", table, reason)


def creating(table: Table, checks: list[CheckConstraint], kw: dict[str, Any]) -> Elements:
    """Yield CREATE TABLE, and its *checks* by ALTER TABLE."""
    if table._prefixes:  # noqa: SLF001 - no public name for it
        raise CompileError(f"CREATE {' '.join(table._prefixes)} TABLE is not carried over")  # noqa: SLF001 - as above
    if checks and kw.get("if_not_exists"):
        raise CompileError("if_not_exists cannot tell whether its CHECK constraints exist")
    yield schema.CreateTable(table, **kw)
    for check in checks:
        yield AddCheck(table.name, table.schema, check)


def adding(const: Constraint) -> Elements:
    """Yield what adds a key."""
    yield schema.AddConstraint(const)


def adding_column(place: Place, column: Column[Any], kw: dict[str, Any]) -> Elements:
    """Yield what adds *column*: none of its parts fits into ADD COLUMN but type and comment."""
    for option in ("if_not_exists", "inline_references", "inline_primary_key"):
        if kw.get(option):
            raise CompileError(f"{option} is not carried over; leave it out")
    table, schema = place
    yield base.AddColumn(table, column, schema=schema)
    if has_default(column):
        default = {"server_default": column.server_default}
        yield from defaulting(place, column.name, default, column.type)
        yield Backfill(table, schema, column)
    if not column.nullable:
        yield base.ColumnNullable(table, column.name, nullable=False, schema=schema)
    for check in skips.checks_among(column.constraints):
        yield AddCheck(table, schema, check)


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


def reason_of(error: CompileError) -> str:
    """Return what SQLAlchemy says, without the address of its compiler."""
    said = str(error.args[0])
    if isinstance(error, UnsupportedCompilationError):
        return f"cannot render {said.partition('render ')[2]}"
    return said
