"""Tenants from the first to the last: found, brought to head, gone, away and back."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.cli import Project, Said, until
from tests.support.engine import execute, query
from tests.support.postgres import Databases, Postgres
from tests.support.proxy import Proxy

SCHEMAS = [f"tenant_{place:02}" for place in range(40)]

PATTERNS = """
[control]
url = "sqlite:///levelhead.db"
[schedule]
every = "1s"
jitter = "0s"
retry_min = "1s"
retry_max = "1s"
runs = 8
[[history]]
name = "app"
config = "alembic.ini"
[[tenants]]
name = "shop"
history = "app"
url = "{shops}"
schemas = 'tenant\\_%'
connect_timeout = "3s"
[[tenants]]
name = "region"
history = "app"
url = "{main}"
databases_query = "SELECT name FROM regions WHERE active"
target = "{{database}}"
"""


@pytest.fixture
async def regions(postgres: Postgres) -> AsyncIterator[list[str]]:
    """Give the names of five databases."""
    names = [f"region_{secrets.token_hex(4)}_{place}" for place in range(5)]
    for name in names:
        await postgres.create_database(name)
    yield names
    await postgres.drop_database(*names)


async def tenants_at_head(url: str) -> int:
    """Return how many schemas have the last table of the history."""
    ((number,),) = await query(url, "SELECT count(*) FROM pg_tables WHERE tablename = 't_c3'")
    return int(str(number))


def statuses(said: Said) -> dict[str, str]:
    """Return target -> status."""
    return {each["name"]: each["status"] for each in said.json()}


async def test_tenants(
    tmp_path: Path, postgres: Postgres, databases: Databases, regions: list[str]
) -> None:
    """Forty schemas by LIKE and five databases by a query are kept at head by command and clock."""
    url, database = await databases(2)
    await execute(url, "; ".join(f"CREATE SCHEMA {name}" for name in SCHEMAS))
    listed = ", ".join(f"('{name}', true)" for name in regions)
    await execute(
        database,
        "CREATE TABLE regions (name text, active boolean);"
        f" INSERT INTO regions VALUES {listed}, ('nowhere', false)",
    )
    proxy = Proxy(url)
    project = Project.create(tmp_path, {})
    async with proxy.listening():
        project.toml.write_text(PATTERNS.format(shops=proxy.url, main=database))
        said = await project.run("sync")
        assert (said.code, said.err) == (0, "")
        assert await tenants_at_head(url) == len(SCHEMAS)
        for name in regions:
            assert await tenants_at_head(postgres.url(name)) == 1
        said = await project.run("status", "--json")
        assert said.code == 0
        expected = [*(f"shop-{name}" for name in SCHEMAS), *regions]
        assert statuses(said) == dict.fromkeys(expected, "current")

        await execute(url, "CREATE SCHEMA tenant_new; DROP SCHEMA tenant_00 CASCADE")
        async with project.serving():
            await until(lambda: at_head(url, "tenant_new"))
        said = await project.run("events", "--kind", "target.vanished", "--json")
        assert [event["target"] for event in said.json()] == ["shop-tenant_00"]
        said = await project.run("events", "--target", "shop-tenant_00", "--json", "--limit", "500")
        assert "run.succeeded" in {event["kind"] for event in said.json()}

    await execute(url, "CREATE SCHEMA tenant_newer")
    said = await project.run("status", "shop", "--json")
    assert (said.code, set(statuses(said).values())) == (1, {"unreachable"})
    assert len(statuses(said)) == len(SCHEMAS)
    assert "; the 40 targets of 20" in said.err
    assert said.err.startswith("shop: cannot reach 127.0.0.1")
    said = await project.run("check")
    assert any(line.startswith("fail  tenants shop") for line in said.out.splitlines())

    async with proxy.listening(), project.serving():
        await until(lambda: at_head(url, "tenant_newer"))
    said = await project.run("events", "verify")
    assert said.code == 0


async def at_head(url: str, schema: str) -> bool:
    """Tell whether a schema has the last table of the history."""
    sql = f"SELECT to_regclass('{schema}.t_c3') IS NOT NULL"
    return await query(url, sql) == [(True,)]
