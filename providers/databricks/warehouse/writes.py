"""New versions of tables: rows that change, and definitions that change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sqlglot import exp

from providers.databricks.warehouse import errors
from providers.databricks.warehouse.context import Context
from providers.databricks.warehouse.datatypes import base, duckdb_type, sizes
from providers.databricks.warehouse.errors import SqlError
from providers.databricks.warehouse.generated import expression, generate, given_by
from providers.databricks.warehouse.model import (
    Column,
    Definition,
    Properties,
    Table,
    Version,
    quoted,
)
from providers.databricks.warehouse.queries import target_of
from providers.databricks.warehouse.results import Result, of_rows
from providers.databricks.warehouse.storage import Transaction

#: Kind of statement: its name in DESCRIBE HISTORY, and the counts that it answers with.
_CHANGES: dict[type[exp.Expression], tuple[str, tuple[str, ...]]] = {
    exp.Insert: ("WRITE", ("num_affected_rows", "num_inserted_rows")),
    exp.Update: ("UPDATE", ("num_affected_rows",)),
    exp.Delete: ("DELETE", ("num_affected_rows",)),
    exp.Merge: ("MERGE", ("num_affected_rows",)),
}


def is_change(tree: exp.Expression) -> bool:
    """Tell whether *tree* changes rows."""
    return type(tree) in _CHANGES


def change_rows(context: Context, tree: exp.Expression) -> Result:
    """Run an INSERT, UPDATE, DELETE or MERGE; the result has the counts.

    Raises:
        SqlError: A rule was broken, or another writer was there first: 2D521.
    """
    operation, names = _CHANGES[type(tree)]
    seen = _target(context, tree)
    if isinstance(tree, exp.Insert):
        _check_insert(seen.definition, tree)
    with context.writing(seen.name) as work:
        table = _unchanged(context, seen)
        if not isinstance(tree, exp.Insert) and len(table.versions) != len(seen.versions):
            raise _overtaken(errors.CONCURRENT_APPEND, table)
        count = _write(context, work, table, tree, operation)
    return of_rows([(name, "BIGINT") for name in names], [[count] * len(names)], count)


def _write(
    context: Context, work: Transaction, table: Table, tree: exp.Expression, operation: str
) -> int:
    data, given = next_data(table), given_by(tree, table.definition)
    create_rows(work, data, table.definition)
    if not (isinstance(tree, exp.Insert) and tree.args.get("overwrite")):
        copy_rows(work, table.data, data)
    tree.set("overwrite", None)
    count = int(work.run(context.translator.sql(tree, f'rows."{data}"'))[0][0])
    generate(work, data, table.definition, given)
    check_rows(work, data, table.definition)
    work.add_version(with_version(context, table, table.definition, operation, data))
    return count


def truncate(context: Context, seen: Table) -> None:
    """Write a version without rows."""
    with context.writing(seen.name) as work:
        table = _unchanged(context, seen)
        data = next_data(table)
        create_rows(work, data, table.definition)
        work.add_version(with_version(context, table, table.definition, "TRUNCATE", data))


@contextmanager
def changing(context: Context, seen: Table) -> Iterator[tuple[Transaction, Table]]:
    """Give the block the table to change, if nobody changed its definition since *seen*."""
    with context.writing(seen.name) as work:
        yield work, _unchanged(context, seen)


def with_version(
    context: Context,
    table: Table,
    definition: Definition,
    operation: str,
    data: str,
    *,
    parameters: Properties = (),
) -> Table:
    """Return *table* with one version more."""
    number = len(table.versions)
    version = Version(number, context.clock(), operation, parameters, definition, data)
    return replace(table, versions=(*table.versions, version))


def next_data(table: Table) -> str:
    """Return the name of the table for the rows of the next version."""
    return f"{table.id}_{len(table.versions)}"


def create_rows(work: Transaction, data: str, definition: Definition) -> None:
    """Make the table *data* for rows of *definition*, empty."""
    columns = ", ".join(_physical(column) for column in definition.columns)
    work.run(f'CREATE TABLE rows."{data}" ({columns})')


def copy_rows(work: Transaction, old: str, new: str, rows: tuple[str, ...] = ()) -> None:
    """Copy the rows of *old*; *rows* are the expressions, none: all columns as they are."""
    chosen = ", ".join(rows) or "*"
    work.run(f'INSERT INTO rows."{new}" SELECT {chosen} FROM rows."{old}"')  # noqa: S608 - ours


def _physical(column: Column) -> str:
    text = f"{quoted(column.name)} {duckdb_type(column.datatype)}"
    if column.identity:
        return f"{text} DEFAULT nextval('rows.\"{column.identity.sequence}\"')"
    if column.default is not None:
        return f"{text} DEFAULT ({expression(column.default)})"
    return text


def check_rows(work: Transaction, data: str, definition: Definition) -> None:
    """Raise SqlError where rows break a constraint. Page "tables/constraints"."""
    rules = _rules(definition)
    if not rules:
        return
    counts = ", ".join(f"count(*) FILTER (WHERE {broken})" for broken, _ in rules)
    found = work.run(f'SELECT {counts} FROM rows."{data}"')[0]  # noqa: S608 - ours
    for count, (_, error) in zip(found, rules, strict=True):
        if count:
            raise error


def broken_by(work: Transaction, data: str, condition: str) -> int:
    """Return how many rows do not fulfil *condition* (SQL of Databricks); NULL does not."""
    broken = f"({expression(condition)}) IS NOT TRUE"
    counted = work.run(f'SELECT count(*) FROM rows."{data}" WHERE {broken}')  # noqa: S608 - ours
    return int(counted[0][0])


def _rules(definition: Definition) -> list[tuple[str, SqlError]]:
    """Return pairs: when a row breaks the rule, in DuckDB's SQL, and the error that it is."""
    found = [
        (
            f"{quoted(column.name)} IS NULL",
            SqlError(
                errors.NULL_IN_NOT_NULL,
                f"NOT NULL constraint violated for column: {column.name}.",
            ),
        )
        for column in definition.columns
        if not column.nullable
    ]
    found += [
        _length_rule(column)
        for column in definition.columns
        if base(column.datatype) in {"VARCHAR", "CHAR"} and sizes(column.datatype)
    ]
    for check in definition.checks:
        message = f"CHECK constraint {check.name} ({check.condition}) violated by a row."
        broken = f"({expression(check.condition)}) IS NOT TRUE"
        found.append((broken, SqlError(errors.CHECK_VIOLATED, message)))
    return found


def _length_rule(column: Column) -> tuple[str, SqlError]:
    (length,) = sizes(column.datatype)
    message = (
        f"Value of column {column.name} exceeds char/varchar type length limitation: {length}."
    )
    return f"length({quoted(column.name)}) > {length}", SqlError(errors.TOO_LONG, message)


def _target(context: Context, tree: exp.Expression) -> Table:
    parts = [part.name for part in target_of(tree).parts]
    return context.catalog.table(context.scope.name(parts))


def _unchanged(context: Context, seen: Table) -> Table:
    """Return the table as it is now. Page "delta/isolation-level".

    Raises:
        SqlError: Its definition changed since *seen* was looked up: DELTA_METADATA_CHANGED.
    """
    table = context.catalog.table(seen.name)
    if table.id != seen.id or table.definition != seen.definition:
        raise _overtaken(errors.METADATA_CHANGED, table)
    return table


def _overtaken(condition: errors.Condition, table: Table) -> SqlError:
    return SqlError(
        condition, f"{table.name} was changed by a concurrent statement. Please try again."
    )


def _check_insert(definition: Definition, tree: exp.Insert) -> None:
    """Refuse values for GENERATED ALWAYS columns, and columns that are not there."""
    for name in sorted(given_by(tree, definition)):
        column = definition.column(name)
        if column.identity and column.identity.always:
            raise SqlError(
                errors.IDENTITY_INSERT,
                f"Providing values for GENERATED ALWAYS AS IDENTITY column {name} is not "
                "supported.",
            )
