"""Reads a version table."""

from __future__ import annotations

from databricks.sql import exc

from providers.databricks.address import Address
from providers.databricks.connection import Connection
from providers.databricks.errors import condition_of, reading
from providers.databricks.sql import version_table
from providers.types import Target

_NO_TABLE = "TABLE_OR_VIEW_NOT_FOUND"


async def read_heads(connection: Connection, target: Target, place: Address) -> list[str] | None:
    """Return the rows of the version table, which may be double; None where it is missing.

    Raises:
        AccessDeniedError, StatementError, ConnectionLostError: See `Session.heads`.
    """
    query = f"SELECT version_num FROM {version_table(target, place)}"  # noqa: S608 - the name is quoted
    with reading(target.name):
        try:
            return [row[0] for row in await connection.query(query)]
        except exc.ServerOperationError as error:
            if condition_of(error) == _NO_TABLE:
                return None
            raise
