"""Whole histories up, down and up through levelhead, judged by others."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from databricks.sql.client import Cursor

from sync.model import RunState, Verb
from sync.runtime import Runtime
from sync.settings import Settings
from tests.support.delta.judges import Judge
from tests.support.engine import at, opened_runtime, ordered_one, settings_for
from tests.support.histories import Scripts

pytestmark = pytest.mark.delta

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = {
    "sample": ROOT / "alembic.ini",
    "torture": ROOT / "tests" / "histories" / "torture" / "alembic.ini",
}


@pytest.fixture(params=CONFIGS)
def settings(
    request: pytest.FixtureRequest, scripts: Scripts, judge: Judge, place: tuple[str, Cursor]
) -> Settings:
    """Give settings for each history, with plans from a local warehouse."""
    made = settings_for(scripts, [judge.at(place[0])], shadow="auto")
    config = CONFIGS[request.param]
    return replace(made, histories={"app": replace(made.histories["app"], config=config)})


async def test_goes_up_down_and_up(settings: Settings, place: tuple[str, Cursor]) -> None:
    """Each revision is applied, taken back and applied again; nothing is left, nothing lost."""
    _, cursor = place
    async with opened_runtime(settings) as runtime:
        head = (await runtime.graph("app")).heads
        assert await turned(runtime, Verb.SYNC, "head") == head
        first = await asyncio.to_thread(looked, cursor)
        assert len(first) > 1
        assert await turned(runtime, Verb.DOWNGRADE, "base") == at()
        assert list(await asyncio.to_thread(looked, cursor)) == ["alembic_version"]
        assert await turned(runtime, Verb.SYNC, "head") == head
        assert await asyncio.to_thread(looked, cursor) == first


async def turned(runtime: Runtime, verb: Verb, to: str) -> frozenset[str] | None:
    """Carry out an order on the one target, which succeeds; return where it is then."""
    await runtime.release("db-1", actor="ada")
    run = await ordered_one(runtime, verb, to)
    assert (run.state, run.error) == (RunState.SUCCEEDED, None)
    return run.after


def looked(cursor: Cursor) -> dict[str, list[tuple[str, str, str | None]]]:
    """Return table -> its columns with type and comment, of the cursor's schema."""
    cursor.execute("SHOW TABLES")
    names = sorted(row.tableName for row in cursor.fetchall())
    return {name: _columns(cursor, name) for name in names}


def _columns(cursor: Cursor, table: str) -> list[tuple[str, str, str | None]]:
    cursor.execute(f"DESCRIBE TABLE `{table}`")
    return [(row.col_name, row.data_type, row.comment) for row in cursor.fetchall()]
