"""Plans on a warehouse, where the URL alone says which catalog and schema a target is in."""

from __future__ import annotations

import secrets

import pytest
from databricks.sql.client import Cursor
from sqlalchemy import select

from providers.databricks.warehouse import Warehouse
from sync.model import RunState
from sync.runtime import Runtime
from sync.store.tables import compilations
from tests.support.engine import opened_runtime, ordered, settings_for
from tests.support.histories import Scripts
from tests.support.warehouse_targets import url_of

pytest_plugins = ["tests.support.warehouse"]

PLAIN = 'op.create_table("users", sa.Column("id", sa.String()))'

#: Asks its URL where it is, and spells that out.
SPELT = """
place = op.get_bind().engine.url.query
op.execute(f"CREATE TABLE {place['catalog']}.{place['schema']}.users (id STRING)")
"""


@pytest.fixture
def places(cursor: Cursor) -> list[tuple[str, str]]:
    """Give three fresh schemas, two of them in one catalog."""
    one, other, name = (f"test_{secrets.token_hex(4)}" for _ in range(3))
    cursor.execute(f"CREATE CATALOG {name}")
    found = [("main", one), ("main", other), (name, one)]
    for catalog, schema in found:
        cursor.execute(f"CREATE SCHEMA {catalog}.{schema}")
    return found


async def compiled(runtime: Runtime) -> int:
    """Return how often something was compiled."""
    async with runtime._engine.store.reading() as connection:
        return len((await connection.scalars(select(compilations.c.key))).all())


@pytest.mark.parametrize(("script", "times"), [(PLAIN, 2), (SPELT, 3)], ids=["plain", "spelt"])
async def test_each_target_gets_its_own_tables(  # noqa: PLR0917 - fixtures and a case
    scripts: Scripts,
    warehouse: Warehouse,
    places: list[tuple[str, str]],
    cursor: Cursor,
    script: str,
    times: int,
) -> None:
    """A plan serves all schemas of a catalog, unless a script has spelt out where it is."""
    scripts.add("a1", script)
    urls = [url_of(warehouse, catalog, schema) for catalog, schema in places]
    async with opened_runtime(settings_for(scripts, urls, shadow="auto")) as runtime:
        runs = await ordered(runtime)
        assert {run.state for run in runs} == {RunState.SUCCEEDED}
        assert await compiled(runtime) == times
    for catalog, schema in places:
        tables = cursor.execute(f"SHOW TABLES IN {catalog}.{schema}").fetchall()
        assert {row.tableName for row in tables} == {"alembic_version", "users"}
