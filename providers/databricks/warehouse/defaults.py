"""Defaults of columns: what one may be. Page "delta/default-columns"."""

from __future__ import annotations

from providers.databricks.warehouse import errors
from providers.databricks.warehouse.datatypes import duckdb_type, of_arrow
from providers.databricks.warehouse.errors import SqlError
from providers.databricks.warehouse.generated import expression
from providers.databricks.warehouse.model import Column
from providers.databricks.warehouse.storage import Transaction


def check_default(work: Transaction, column: Column, command: str) -> None:
    """Raise SqlError where the default of *column* has another type, or is no value of its own."""
    if column.default is None:
        return
    value = expression(column.default)
    found = of_arrow(work.type_of(f"SELECT {value}"))
    fits = f"({value}) IS NULL OR TRY_CAST(({value}) AS {duckdb_type(column.datatype)}) IS NOT NULL"
    is_other = "BOOLEAN" in {found, column.datatype} and found not in {column.datatype, "VOID"}
    if is_other or not work.run(f"SELECT {fits}")[0][0]:
        raise SqlError(
            errors.DEFAULT_TYPE,
            f"Failed to execute {command} command because the destination column or variable "
            f'`{column.name}` has a DEFAULT value {column.default}, which requires "'
            f'{column.datatype}" type, but the statement provided a value of incompatible '
            f'"{found}" type.',
        )
