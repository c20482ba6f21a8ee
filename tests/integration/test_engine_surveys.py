"""Sweeps over targets that share a database: one look at all, and nobody spoils it for others."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from providers.errors import ConnectionLostError
from providers.postgres import survey as survey_module
from providers.postgres.provider import PostgresProvider
from providers.types import Survey, Target
from sync.model import Selection, Status, TargetStatus
from sync.runtime import Runtime
from tests.integration.sessions import as_user, target_at
from tests.support.engine import execute, kinds, opened_runtime, settings_for
from tests.support.histories import Scripts
from tests.support.postgres import Databases

SOON = timedelta(seconds=1)
HEADS_ONLY = 'drift_every = "off"'


@pytest.fixture
def surveys(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Give the sizes of all surveys, one after the other."""
    sizes: list[int] = []
    survey = PostgresProvider.survey

    async def counted(provider: PostgresProvider, targets: Sequence[Target]) -> Survey:
        sizes.append(len(targets))
        return await survey(provider, targets)

    monkeypatch.setattr(PostgresProvider, "survey", counted)
    return sizes


async def create_schemas(url: str, versions: Mapping[str, str]) -> None:
    """Create each schema with a version table that says where it stands."""
    for schema, version in versions.items():
        await execute(
            url,
            f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.alembic_version"
            f" (version_num VARCHAR(32) PRIMARY KEY);"
            f" INSERT INTO {schema}.alembic_version VALUES ('{version}')",
        )


def schemas(*names: str) -> list[str]:
    """Return the lines of targets that are only observed, one in each schema."""
    return [f'policy = "observe"\nschema = "{name}"' for name in names]


async def found(runtime: Runtime) -> dict[str, Status]:
    """Return the status of every target as it is on record."""
    return {one.name: one.status for one in await runtime.statuses(Selection())}


async def test_one_survey_for_all_schemas_of_a_database(
    scripts: Scripts, databases: Databases, surveys: list[int]
) -> None:
    """A sweep asks each database once, whatever the number of its schemas, and tells them apart."""
    scripts.add_tables("a1", "a2")
    one, other = await databases(2)
    await create_schemas(one, {"x": "a1", "y": "a2", "z": "gone"})
    await create_schemas(other, {"x": "a2"})
    lines = schemas("x", "y", "z", "x")
    settings = settings_for(scripts, [one, one, one, other], target=lines, schedule=HEADS_ONLY)
    async with opened_runtime(settings) as runtime:
        for _ in range(2):
            await runtime.sweep()
        assert await found(runtime) == {
            "db-1": Status.BEHIND,
            "db-2": Status.CURRENT,
            "db-3": Status.UNKNOWN,
            "db-4": Status.CURRENT,
        }
    assert sorted(surveys) == [1, 1, 3, 3]


async def test_one_schema_without_privilege(scripts: Scripts, databases: Databases) -> None:
    """Where one schema may not be read, its target says so, and the others are told as ever."""
    scripts.add_tables("a1")
    (url,) = await databases(1)
    await create_schemas(url, {"w": "a1", "x": "a1", "y": "a1"})
    user = f"test_{secrets.token_hex(4)}"
    await execute(
        url,
        f"CREATE ROLE {user} LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA x, y TO {user};"
        f" GRANT SELECT ON x.alembic_version TO {user}",
    )
    urls = [as_user(url, user, "x")] * 3
    settings = settings_for(scripts, urls, target=schemas("w", "x", "y"), schedule=HEADS_ONLY)
    try:
        async with opened_runtime(settings) as runtime:
            await runtime.sweep()
            no_schema, fine, no_table = await runtime.statuses(Selection())
    finally:
        await execute(url, f"DROP OWNED BY {user}; DROP ROLE {user}")
    assert fine.status is Status.CURRENT
    assert told(no_schema).startswith("db-1: permission denied for schema w")
    assert told(no_table).startswith("db-3: permission denied for table alembic_version")


def told(status: TargetStatus) -> str:
    """Return what an unreachable target says of why."""
    assert status.status is Status.UNREACHABLE
    return str(status.problem)


async def test_a_database_that_is_gone(scripts: Scripts, databases: Databases) -> None:
    """Where the database cannot be reached, each target of it says so under its own name."""
    scripts.add_tables("a1")
    (url,) = await databases(1)
    settings = settings_for(scripts, [f"{url}x"] * 2, target=schemas("x", "y"), schedule=HEADS_ONLY)
    async with opened_runtime(settings) as runtime:
        await runtime.sweep()
        statuses = await runtime.statuses(Selection())
        assert [told(one)[:25] for one in statuses] == [
            "db-1: there is no databas",
            "db-2: there is no databas",
        ]
        assert (await kinds(runtime)).count("target.unreachable") == 2


async def test_a_table_that_somebody_holds(database: str) -> None:
    """A version table that somebody holds is left out soon; its target alone says what is up."""
    await create_schemas(database, {"x": "a1", "y": "a1"})
    x, y = (
        replace(target_at(database, schema=name), name=name, connect_timeout=SOON)
        for name in ("x", "y")
    )
    holder = await asyncpg.connect(database)
    try:
        await holder.execute("BEGIN; LOCK TABLE x.alembic_version")
        assert (await PostgresProvider().survey([x, y])).heads == {"y": {"a1"}}
        with pytest.raises(ConnectionLostError, match=r"^x: .* not read in time; somebody may"):
            await PostgresProvider().survey([x])
    finally:
        await holder.close()


async def test_a_view_that_leads_nowhere(database: str) -> None:
    """What is no version table is left out, be it that something behind it is missing."""
    await execute(
        database,
        "CREATE FUNCTION gone() RETURNS text LANGUAGE plpgsql AS"
        " 'BEGIN RETURN (SELECT version_num FROM nowhere); END';"
        "CREATE VIEW alembic_version AS SELECT gone() AS version_num;"
        "CREATE TABLE odd ()",
    )
    view = target_at(database)
    odd = replace(view, name="odd", version_table="odd")
    for asked in ([view], [odd], [view, odd]):
        assert (await PostgresProvider().survey(asked)).heads == {}


async def test_more_than_one_message(database: str) -> None:
    """More version tables than one message reads are all told, each under its own name."""
    await create_schemas(database, {f"s{place}": f"a{place}" for place in range(7)})
    targets = [replace(target_at(database, schema=f"s{n}"), name=f"t{n}") for n in range(7)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(survey_module, "AT_ONCE", 3)
        survey = await PostgresProvider().survey(targets)
    assert survey.heads == {f"t{n}": {f"a{n}"} for n in range(7)}
