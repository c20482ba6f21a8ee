"""The real client of a SQL warehouse, and its query history."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from databricks import sql
from databricks.sql.client import Connection, Cursor

from providers.databricks.warehouse import Warehouse

#: What it takes that the client sends nothing twice. Its newer retries send a statement again
#: when the connection broke after it took effect; a limit of one attempt allows for one more.
ONCE: dict[str, Any] = {"_enable_v3_retries": False, "_retry_stop_after_attempts_count": 1}


@contextmanager
def connected(warehouse: Warehouse, schema: str = "default", **more: Any) -> Iterator[Connection]:  # noqa: ANN401 - the client's own arguments
    """Open a session with the real client for the block."""
    arguments: dict[str, Any] = {
        "server_hostname": warehouse.host,
        "http_path": warehouse.http_path,
        "access_token": warehouse.token,
        "schema": schema,
        **warehouse.connect_args(),
        **more,
    }
    connection = sql.connect(**arguments)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def session(warehouse: Warehouse, schema: str = "default", **more: Any) -> Iterator[Cursor]:  # noqa: ANN401 - the client's own arguments
    """Open a session with the real client for the block, and a cursor in it."""
    with connected(warehouse, schema, **more) as connection, connection.cursor() as cursor:
        yield cursor


def is_running(cursor: Any) -> bool:  # noqa: ANN401 - the method of the client is untyped
    """Tell whether what the cursor sent last is still running. Raises its error."""
    return bool(cursor.is_query_pending())


def history(warehouse: Warehouse, **filters: str | int) -> list[dict[str, Any]]:
    """Return what the Query History API shows, the newest first.

    Args:
        warehouse: Whose.
        filters: Parameters of the API; two underscores stand for a dot.
    """
    query = urlencode({name.replace("__", "."): value for name, value in filters.items()})
    address = f"{warehouse.origin}/api/2.0/sql/history/queries?{query}"
    headers = {"Authorization": f"Bearer {warehouse.token}"}
    with urlopen(Request(address, headers=headers), timeout=10) as answer:  # noqa: S310 - our own server
        found: list[dict[str, Any]] = json.load(answer)["res"]
    return found
