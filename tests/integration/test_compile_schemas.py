"""One plan for the schemas of many tenants, where the schema makes no difference."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from sync.model import RunState, Verb
from sync.runtime import Runtime
from sync.settings import Settings
from sync.store.tables import compilations
from tests.support.engine import execute, opened_runtime, ordered, query, settings_for, status
from tests.support.histories import Scripts

#: Schemas of the three targets.
SCHEMAS = ("tenant_a", "tenant_b", "tenant_c")

TABLES = """
op.create_table("one", sa.Column("id", sa.Integer, primary_key=True))
if not sa.inspect(op.get_bind()).has_table("two"):
    op.create_table("two", sa.Column("id", sa.Integer, primary_key=True))
"""


async def fleet(scripts: Scripts, url: str, history: str = "") -> Settings:
    """Create the schemas, and have a target for each."""
    await execute(url, "; ".join(f"CREATE SCHEMA {name}" for name in SCHEMAS))
    lines = [f'schema = "{name}"' for name in SCHEMAS]
    return settings_for(scripts, [url] * 3, shadow="auto", target=lines, history=history)


async def compiled(runtime: Runtime) -> int:
    """Return how often something was compiled."""
    async with runtime._engine.store.reading() as connection:
        return len((await connection.scalars(select(compilations.c.key))).all())


async def tables(url: str) -> set[tuple[object, ...]]:
    """Return schema and name of each table, but for the version tables."""
    sql = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname LIKE 'tenant%'"
    return {row for row in await query(url, sql) if row[1] != "alembic_version"}


async def test_one_plan_serves_every_schema(scripts: Scripts, url: str) -> None:
    """Where scripts leave the schema to the search path, they are compiled once for all."""
    scripts.add("a1", TABLES)
    async with opened_runtime(await fleet(scripts, url)) as runtime:
        runs = await ordered(runtime)
        assert {run.state for run in runs} == {RunState.SUCCEEDED}
        assert len({run.plan for run in runs}) == 1
        assert await compiled(runtime) == 1
    assert await tables(url) == {(schema, name) for schema in SCHEMAS for name in ("one", "two")}


async def test_a_plan_for_all_is_not_compiled_again(scripts: Scripts, url: str) -> None:
    """Another process, and another schema, find it where it was kept."""
    scripts.add("a1", TABLES)
    settings = await fleet(scripts, url)
    async with opened_runtime(settings) as runtime:
        await ordered(runtime, Verb.SYNC, "head", "db-1")
    async with opened_runtime(settings) as runtime:
        runtime._engine.plans._compiler = None  # type: ignore[assignment]  # nobody may ask it
        (run,) = await ordered(runtime, Verb.SYNC, "head", "db-2")
        assert run.state is RunState.SUCCEEDED


VIP = """
op.create_table("one", sa.Column("id", sa.Integer, primary_key=True))
if op.get_context().version_table_schema == "tenant_b":
    op.execute("CREATE TABLE special (id int)")
"""


async def test_a_script_that_may_compare_its_schema(scripts: Scripts, url: str) -> None:
    """One that may compare the schema's name in Python is compiled for each schema."""
    scripts.add("a1", VIP)
    async with opened_runtime(await fleet(scripts, url)) as runtime:
        runs = await ordered(runtime)
        assert {run.state for run in runs} == {RunState.SUCCEEDED}
    assert await tables(url) == {*((s, "one") for s in SCHEMAS), ("tenant_b", "special")}


TOLD = """
schema = op.get_context().version_table_schema
op.execute(f'CREATE TABLE "{schema}".named (id int)')
"""
NAMES = """
schema = op.get_bind().scalar(sa.text("SELECT current_schema()"))
op.execute(f'CREATE TABLE "{schema}".named (id int)')
"""
BRANCHES = """
if op.get_bind().scalar(sa.text("SELECT current_schema()")) == "tenant_b":
    op.execute("CREATE TABLE special (id int)")
"""
ENVIRON = """
import os
if os.environ["TENANT"] == "tenant_b":
    op.execute("CREATE TABLE special (id int)")
"""
ALL_NAMED = {(schema, "named") for schema in SCHEMAS}
ONLY_B = {("tenant_b", "special")}


@pytest.mark.parametrize(
    ("body", "history", "expected", "plans"),
    [
        (TOLD, "", ALL_NAMED, 3),
        (NAMES, "", ALL_NAMED, 3),
        (BRANCHES, "", ONLY_B, 1),
        (ENVIRON, 'env = { TENANT = "{schema}" }', ONLY_B, 3),
    ],
    ids=[
        "has it in its SQL",
        "asks, and names it",
        "asks, and branches",
        "is told by the settings",
    ],
)
async def test_a_script_that_knows_its_schema(
    scripts: Scripts,
    url: str,
    *,
    body: str,
    history: str,
    expected: set[tuple[object, ...]],
    plans: int,
) -> None:
    """It comes out as plain Alembic leaves it: by a live step, or by a plan for each schema."""
    scripts.add("a1", body)
    async with opened_runtime(await fleet(scripts, url, history)) as runtime:
        runs = await ordered(runtime)
        assert {run.state for run in runs} == {RunState.SUCCEEDED}
        assert await compiled(runtime) == plans
    assert await tables(url) == expected


async def test_a_script_for_one_schema_alone(scripts: Scripts, url: str) -> None:
    """A script that spells out a schema fails in any other; in its own it is compiled."""
    scripts.add("a1", 'op.execute("CREATE TABLE tenant_a.own (id int)")')
    lines = 'schema = "tenant_a"'
    await execute(url, "CREATE SCHEMA tenant_a")
    async with opened_runtime(settings_for(scripts, [url], shadow="auto", target=lines)) as runtime:
        (run,) = await ordered(runtime)
        assert run.state is RunState.SUCCEEDED
        assert (await status(runtime)).pending == ()
    assert await tables(url) == {("tenant_a", "own")}
