"""Has tables as they were: an earlier version, or what was dropped."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from providers.databricks.warehouse import commands as c
from providers.databricks.warehouse import errors
from providers.databricks.warehouse.context import Context
from providers.databricks.warehouse.errors import SqlError
from providers.databricks.warehouse.model import Definition, Name, Table, Version, contains
from providers.databricks.warehouse.queries import version_of
from providers.databricks.warehouse.results import EMPTY, Result, of_rows
from providers.databricks.warehouse.writes import changing, with_version

#: For how long a dropped table can be had back, where neither catalog nor schema says otherwise.
RECOVERY = timedelta(days=7)

_RESTORED = (
    "table_size_after_restore",
    "num_of_files_after_restore",
    "num_removed_files",
    "num_restored_files",
    "removed_files_size",
    "restored_files_size",
)


def restore(context: Context, command: c.Restore) -> Result:
    """Page "sql/language-manual/delta-restore"; the answer has zeros where files would count."""
    seen = context.catalog.table(context.scope.name(command.table))
    with changing(context, seen) as (work, table):
        old: Version = version_of(table, command.version)
        parameters = (("version", str(command.version)),)
        definition = _with_keys_of(table.definition, old.definition)
        work.add_version(
            with_version(context, table, definition, "RESTORE", old.data, parameters=parameters)
        )
    return of_rows([(name, "BIGINT") for name in _RESTORED], [[0] * len(_RESTORED)])


def _with_keys_of(now: Definition, old: Definition) -> Definition:
    """Return *old* with today's keys: they belong to the catalog, and Delta's log knows none.

    A key goes whose columns are no more, as it does where a column is dropped.
    """
    primary = now.primary_key
    return replace(
        old,
        primary_key=primary if primary and _has(old, primary.columns) else None,
        foreign_keys=tuple(key for key in now.foreign_keys if _has(old, key.columns)),
    )


def _has(definition: Definition, columns: tuple[str, ...]) -> bool:
    names = [column.name for column in definition.columns]
    return all(contains(names, column) for column in columns)


def undrop(context: Context, command: c.Undrop) -> Result:
    """Page "sql/language-manual/sql-ref-syntax-ddl-undrop-table"; keys do not come back."""
    name = context.scope.name(command.table)
    with context.writing(name) as work:
        context.catalog.need_schema(name.catalog, name.schema)
        if context.catalog.find(name) is not None:
            raise SqlError(
                errors.TABLE_ALREADY_EXISTS,
                f"Cannot undrop table {name} because there is one of that name; rename it first.",
            )
        table = _last_dropped(context, name)
        work.undrop(replace(table, versions=(*table.versions[:-1], _without_keys(table))))
    return EMPTY


def _last_dropped(context: Context, name: Name) -> Table:
    """Return the table that was dropped last of those that had *name*."""
    since = context.clock() - RECOVERY
    found = [each.table for each in context.catalog.dropped(name) if each.at > since]
    if not found:
        raise SqlError(errors.TABLE_NOT_FOUND, f"There is no dropped table {name} to be had back.")
    return found[-1]


def _without_keys(table: Table) -> Version:
    newest = table.versions[-1]
    definition = replace(newest.definition, primary_key=None, foreign_keys=())
    return replace(newest, definition=definition)
