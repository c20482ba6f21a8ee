"""A local SQL warehouse for the whole session, and the real client to talk to it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from databricks import sql
from databricks.sql.client import Connection, Cursor

from providers.databricks.warehouse import Warehouse, warehouse_process

#: Fail at once: each retry of the client waits five seconds or more.
IMPATIENT = {"_retry_stop_after_attempts_count": 1, "_retry_delay_max": 5, "_retry_delay_min": 0.1}


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


@pytest.fixture(scope="session")
def warehouse() -> Iterator[Warehouse]:
    """Give the session's warehouse, in a process of its own; leave no faults in it."""
    with warehouse_process() as running:
        yield running


@pytest.fixture(scope="session")
def _connection(warehouse: Warehouse) -> Iterator[Connection]:
    """Give a session of the client that tests share, one after the other."""
    with connected(warehouse) as connection:
        yield connection


@pytest.fixture
def schema(_connection: Connection) -> Iterator[str]:
    """Give the name of a fresh, empty schema of catalog main."""
    name = f"test_{secrets.token_hex(6)}"
    with _connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {name}")
        yield name
        cursor.execute("USE main.default")
        cursor.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture
def cursor(_connection: Connection, schema: str) -> Iterator[Cursor]:
    """Give a cursor whose session is in the fresh schema."""
    with _connection.cursor() as opened:
        opened.execute(f"USE main.{schema}")
        yield opened
