"""Generated columns: their values come of the other columns of a row.

Page "delta/generated-columns".
"""

from __future__ import annotations

from sqlglot import exp

from providers.databricks.warehouse import errors
from providers.databricks.warehouse.datatypes import duckdb_type, of_arrow
from providers.databricks.warehouse.errors import SqlError
from providers.databricks.warehouse.model import Column, Definition, contains, quoted
from providers.databricks.warehouse.reading import read
from providers.databricks.warehouse.storage import Transaction


def expression(text: str) -> str:
    """Return an expression of Databricks in DuckDB's SQL."""
    return read(text).sql(dialect="duckdb")


def columns_in(text: str) -> set[str]:
    """Return the columns that an expression of Databricks reads."""
    return {column.parts[0].name for column in read(text).find_all(exp.Column)}


def check_generated(work: Transaction, definition: Definition) -> None:
    """Raise SqlError where an expression reads what it may not, or has another type."""
    for column in definition.columns:
        if column.generated is not None:
            _check(work, definition, column, column.generated)


def _check(work: Transaction, definition: Definition, column: Column, text: str) -> None:
    for name in columns_in(text):
        if definition.column(name).generated is not None:
            raise SqlError(
                errors.GENERATED_FROM_GENERATED,
                f"A generated column cannot use {name}, which is a generated column itself.",
            )
    nulls = ", ".join(
        f"CAST(NULL AS {duckdb_type(each.datatype)}) AS {quoted(each.name)}"
        for each in definition.columns
    )
    value = f"SELECT {expression(text)} FROM (SELECT {nulls})"  # noqa: S608 - translated
    found = of_arrow(work.type_of(value))
    if found != column.datatype:
        raise SqlError(
            errors.GENERATED_TYPE,
            f"The expression type of the generated column {column.name} is {found}, but the "
            f"column type is {column.datatype}.",
        )


def refuse_where_used(definition: Definition, column: str) -> None:
    """Raise SqlError where a generated column comes of *column*."""
    users = [
        f"{each.name} -> {each.generated}"
        for each in definition.columns
        if each.generated is not None and contains(columns_in(each.generated), column)
    ]
    if users:
        raise SqlError(
            errors.GENERATED_USES_COLUMN,
            f"Cannot alter column {column} because this column is referenced by the following "
            f"generated column(s): {'; '.join(users)}.",
        )


def generate(work: Transaction, data: str, definition: Definition, given: set[str]) -> None:
    """Compute the generated columns of all rows; those *given* by the statement are compared."""
    for column in definition.columns:
        if column.generated is None:
            continue
        value, name = expression(column.generated), quoted(column.name)
        if not contains(given, column.name):
            work.run(f'UPDATE rows."{data}" SET {name} = {value}')  # noqa: S608 - ours
            continue
        wrong = f'SELECT count(*) FROM rows."{data}" WHERE {name} IS DISTINCT FROM ({value})'  # noqa: S608 - ours
        if work.run(wrong)[0][0]:
            raise SqlError(
                errors.CHECK_VIOLATED,
                f"CHECK constraint Generated Column ({column.name} <=> {column.generated}) "
                "violated by a row.",
            )


def given_by(tree: exp.Expression, definition: Definition) -> set[str]:
    """Return the columns that an INSERT or UPDATE gives values for."""
    if isinstance(tree, exp.Insert):
        if isinstance(tree.this, exp.Schema):
            return {column.name for column in tree.this.expressions}
        return {column.name for column in definition.columns}
    if isinstance(tree, exp.Update):
        return {each.this.name for each in tree.expressions}
    return set()
