"""Alembic's directives on Databricks: sent in the form that it takes, skipped by name, or refused.

All statements of a directive are compiled before the first is sent. Nothing is asked of the
warehouse on the way: a script that is resumed must send what it sent before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import chain
from typing import Any, ClassVar

from alembic.ddl import base
from sqlalchemy import Column, Index, Table, schema
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import CompileError, UnsupportedCompilationError
from sqlalchemy.schema import (
    CheckConstraint,
    Constraint,
    ExecutableDDLElement,
    UniqueConstraint,
)
from sqlalchemy.sql.type_api import TypeEngine

from . import notes, skips
from .comparison import Comparisons
from .compiler import MAPPING, WITHOUT_ZONE
from .datatypes import name_of, widens
from .dialect import fit
from .elements import AddCheck, SetProperty
from .forms import (
    Elements,
    Place,
    adding,
    adding_column,
    creating,
    defaulting,
    keys_within,
    renaming,
    require_no_expression,
)
from .notes import WIDENING, Note
from .refusals import RefusedDirectiveError
from .skips import Skip
from .values import holds_bytes, unhexed

#: Hears of a skip or a note: kind, detail.
Listener = Callable[[str, str], None]


class DatabricksImpl(Comparisons):
    """Alembic's own hook for a dialect; of two for one dialect the later one counts."""

    __dialect__ = "databricks"

    # `install` sets these.
    tell_skip: ClassVar[Listener]
    tell_note: ClassVar[Listener]
    refused_kinds: ClassVar[Collection[str]]  #: of skips

    def __init__(self, dialect: Dialect, *arguments: Any, **more: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
        super().__init__(dialect, *arguments, **more)
        self.described = {}
        fit(dialect)

    def skip(self, skip: Skip) -> None:
        """Say that something has no counterpart; in a script of SQL, as a comment."""
        if self.as_sql:
            self.static_output(f"-- skipped {skip.kind}: {skip.detail}")
        else:
            type(self).tell_skip(skip.kind, skip.detail)

    def note(self, note: Note) -> None:
        """Say what there is to know of what is sent; in a script of SQL, as a comment."""
        if self.as_sql:
            self.static_output(f"-- noted {note.kind}: {note.detail}")
        else:
            type(self).tell_note(note.kind, note.detail)

    def send(self, directive: str, table: str, elements: Elements, *left_out: Skip) -> None:
        """Send *elements*, all of them or none, and say what was left out of them.

        Raises:
            RefusedDirectiveError: One of them has no right form, or what is left out must not be.
        """
        ready = self.compiled(directive, table, elements)
        self.leave_out(directive, table, *left_out)
        for note in notes.notes_of(ready, self.dialect):
            self.note(note)
        for element in ready:
            self._exec(element)

    def compiled(
        self, directive: str, table: str, elements: Elements
    ) -> list[ExecutableDDLElement]:
        """Return *elements*, each of which has a right form."""
        try:
            ready = list(elements)
            for element in ready:
                element.compile(dialect=self.dialect)
        except CompileError as error:
            raise RefusedDirectiveError(directive, table, reason_of(error)) from error
        return ready

    def leave_out(self, directive: str, table: str, *left_out: Skip) -> None:
        """Skip, if that is allowed."""
        for skip in left_out:
            if skip.kind in self.refused_kinds:
                reason = f"{skip.detail} ({skip.kind!r} is in refuse_skips of the history)"
                raise RefusedDirectiveError(directive, table, reason)
        for skip in left_out:
            self.skip(skip)

    def create_table(self, table: Table, **kw: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
        """Create a table; its CHECK constraints follow. Its listeners are told, as by Alembic."""
        with skips.restored(table):
            left_out = list(skips.of_table(table, self.dialect))
            checks = [check for check in skips.checks_of(table) if self.is_due(check)]
            self.compiled("create_table", table.fullname, creating(table, checks, kw))
            table.dispatch.before_create(table, self.connection, checkfirst=False, _ddl_runner=self)
            self.send("create_table", table.fullname, creating(table, checks, kw), *left_out)
            table.dispatch.after_create(table, self.connection, checkfirst=False, _ddl_runner=self)

    def is_due(self, constraint: Constraint) -> bool:
        """Tell whether a type's own constraint is meant for this dialect; others always are."""
        rule = constraint._create_rule  # noqa: SLF001 - as Alembic asks it
        return rule is None or bool(rule(self))

    def rename_table(
        self, old_table_name: str, new_table_name: str, schema: str | None = None
    ) -> None:
        """Rename a table."""
        self.send("rename_table", old_table_name, renaming(old_table_name, new_table_name, schema))

    def create_index(self, index: Index, **_: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
        """Skip."""
        table = index.table.fullname if index.table is not None else "a table"
        self.leave_out("create_index", table, skips.of_index(index))

    def drop_index(self, index: Index, **_: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
        """Skip; it was skipped when it was to be created, so nobody can object."""
        self.skip(skips.of_dropped_index(index))

    def add_constraint(self, const: Constraint, **_: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
        """Add a key or a CHECK; skip UNIQUE."""
        table = const.table
        name = table.fullname
        if isinstance(const, UniqueConstraint):
            self.leave_out("create_unique_constraint", name, skips.of_unique(const, name))
        elif isinstance(const, ExcludeConstraint):
            self.leave_out("create_exclude_constraint", name, skips.of_exclude(const, name))
        elif isinstance(const, CheckConstraint):
            if self.is_due(const):
                check = AddCheck(table.name, table.schema, const)
                self.send("create_check_constraint", name, iter([check]))
        else:
            self.send("create_constraint", name, adding(const), *skips.of_key(const, name))

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
        left_out = list(skips.of_columns([column], table_name, self.dialect))
        for key in keys_within(column, kw):
            left_out += skips.of_key(key, table_name)
        place = (table_name, schema)
        elements = chain(self.allowing(place, column.type), adding_column(place, column, kw))
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
        left_out: list[Skip] = []
        if (new := kw.get("type_")) is not None:
            left_out += skips.of_columns([Column(column_name, new)], table_name, self.dialect)
        self.send("alter_column", table_name, elements, *left_out)

    def altering(self, place: Place, column: str, kw: dict[str, Any]) -> Elements:
        """Yield what *kw*, Alembic's arguments, asks for; a default follows its type."""
        table, schema = place
        existing: dict[str, Any] = {"schema": schema, "existing_type": kw.get("existing_type")}
        if kw.get("nullable") is not None:
            yield base.ColumnNullable(table, column, kw["nullable"], **existing)
        if kw.get("type_") is not None:
            require_no_expression(column, kw.get("postgresql_using"))
            yield from self.retyping(place, column, kw["type_"], kw.get("existing_type"))
        if kw.get("server_default", False) is not False:
            existing_type = kw.get("type_") or kw.get("existing_type")
            yield from defaulting(place, column, kw, existing_type)
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
        yield from self.allowing(place, new)
        yield base.ColumnType(table, column, new, schema=schema, existing_type=old)

    def allowing(self, place: Place, type_: TypeEngine[Any]) -> Elements:
        """Yield what lets a table that is there hold *type_*; a new one does so by itself."""
        if "TIMESTAMP_NTZ" in name_of(type_, self.dialect):
            yield SetProperty(*place, *WITHOUT_ZONE)

    def bulk_insert(
        self,
        table: Any,  # noqa: ANN401 - Alembic's own signature
        rows: list[dict[str, Any]],
        multiinsert: bool = True,  # noqa: FBT001, FBT002 - Alembic's own signature
    ) -> None:
        """Insert rows, one by one; into a script of SQL Alembic would write bytes as text."""
        binary = [each.key for each in table.c if holds_bytes(each.type, self.dialect)]
        if not (self.as_sql and binary):
            super().bulk_insert(table, rows, multiinsert)
            return
        for row in rows:
            made = {key: unhexed(value) for key, value in row.items() if key in binary}
            self._exec(table.insert().inline().values({**row, **made}))

    def execute(
        self,
        sql: Any,  # noqa: ANN401 - Alembic's own signature
        execution_options: dict[str, Any] | None = None,
    ) -> None:
        """Send SQL as it stands; DDL that SQLAlchemy writes must have a right form."""
        if isinstance(sql, ExecutableDDLElement):
            what = getattr(sql, "element", sql)
            self.send("execute", str(getattr(what, "name", what)), iter([sql]))
        else:
            super().execute(sql, execution_options)

    def prep_table_for_batch(self, batch_impl: Any, table: Table) -> None:  # noqa: ARG002, ANN401 - Alembic's own hook
        """Refuse to copy a table: its history and its grants would be lost."""
        raise recreation_refused(table.fullname)


def recreation_refused(table: str) -> RefusedDirectiveError:
    """Return the refusal of a batch that copies a table."""
    reason = 'recreate="always" would lose its history and grants; leave recreate out'
    return RefusedDirectiveError("batch_alter_table", table, reason)


def reason_of(error: CompileError) -> str:
    """Return what SQLAlchemy says, without the address of its compiler."""
    said = str(error.args[0])
    if isinstance(error, UnsupportedCompilationError):
        return f"cannot render {said.partition('render ')[2]}"
    return said
