"""What `levelhead restore-plan` prints, sent to others."""

from __future__ import annotations

import asyncio

import pytest
from databricks.sql.client import Cursor

from sync.cli.restoring import planned
from sync.model import RunState
from tests.support.delta.judges import Judge
from tests.support.engine import opened_runtime, ordered_one, settings_for
from tests.support.histories import Scripts

pytestmark = pytest.mark.delta


async def test_brings_rows_and_heads_back(
    scripts: Scripts, judge: Judge, place: tuple[str, Cursor]
) -> None:
    """The statements of the plan bring rows and heads back to where they were before the run."""
    schema, cursor = place
    scripts.add("a1", 'op.create_table("users", sa.Column("id", sa.String()))')
    settings = settings_for(scripts, [judge.at(schema)], shadow="auto")
    async with opened_runtime(settings) as runtime:
        first = await ordered_one(runtime)
        await asyncio.to_thread(cursor.execute, "INSERT INTO users VALUES ('ada'), ('bob')")
        scripts.add("a2", """op.execute("DELETE FROM users WHERE id = 'ada'")""")
        run = await ordered_one(runtime)
        assert (first.state, run.state) == (RunState.SUCCEEDED, RunState.SUCCEEDED)
        assert await asyncio.to_thread(column, cursor, "SELECT id FROM users") == ["bob"]
        for statement in (await planned(runtime, run)).statements:
            await asyncio.to_thread(cursor.execute, statement)
    assert await asyncio.to_thread(column, cursor, "SELECT id FROM users") == ["ada", "bob"]
    heads = "SELECT version_num FROM alembic_version"
    assert await asyncio.to_thread(column, cursor, heads) == ["a1"]


def column(cursor: Cursor, query: str) -> list[str]:
    """Return the first column of what *query* gives, sorted."""
    return sorted(row[0] for row in cursor.execute(query).fetchall())
