"""Fixtures around a local SQL warehouse: `pytest_plugins = ["tests.support.warehouse"]`."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from databricks.sql.client import Connection, Cursor

from providers.databricks.warehouse import Warehouse, warehouse_process
from tests.support.warehouse_client import connected


@pytest.fixture(scope="session")
def warehouse() -> Iterator[Warehouse]:
    """Give the session's warehouse, in a process of its own; leave no faults in it."""
    with warehouse_process() as running:
        yield running


@pytest.fixture
def _connection(warehouse: Warehouse) -> Iterator[Connection]:
    """Give a session of the client; a test that stops the warehouse ends all there are."""
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
