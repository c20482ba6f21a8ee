"""Before-images: recorded before anything is sent, and good for bringing tables back."""

from __future__ import annotations

import pytest
from databricks.sql.client import Cursor

from providers.databricks.warehouse import Warehouse
from providers.errors import ConfigError
from sync.cli.restoring import planned
from sync.model import RunState
from tests.support.engine import events, kinds, opened_runtime, ordered_one, settings_for
from tests.support.histories import Scripts
from tests.support.warehouse_targets import url_of

pytest_plugins = ["tests.support.warehouse"]


@pytest.mark.parametrize("shadow", ["none", "auto"])
async def test_restored(
    scripts: Scripts, warehouse: Warehouse, schema: str, cursor: Cursor, shadow: str
) -> None:
    """The statements of the plan bring rows and heads back to where they were before the run."""
    scripts.add("a1", 'op.create_table("users", sa.Column("id", sa.String()))')
    url = url_of(warehouse, "main", schema)
    async with opened_runtime(settings_for(scripts, [url], shadow=shadow)) as runtime:
        first = await ordered_one(runtime)
        cursor.execute("INSERT INTO users VALUES ('ada'), ('bob')")
        scripts.add("a2", """op.execute("DELETE FROM users WHERE id = 'ada'")""")
        run = await ordered_one(runtime)
        assert (first.state, run.state) == (RunState.SUCCEEDED, RunState.SUCCEEDED)
        order = await kinds(runtime, run=run.id)
        assert order.index("images.recorded") < order.index("statement.started")
        (images,) = await events(runtime, kind="images.recorded", run=run.id)
        name = f"`main`.`{schema}`."
        assert images.data["versions"] == {f"{name}`alembic_version`": 1, f"{name}`users`": 1}
        plan = await planned(runtime, run)
        assert len(plan.statements) == 2
        for statement in plan.statements:
            cursor.execute(statement)
        assert {row[0] for row in cursor.execute("SELECT id FROM users").fetchall()} == {
            "ada",
            "bob",
        }
        heads = cursor.execute("SELECT version_num FROM alembic_version").fetchall()
        assert [row[0] for row in heads] == ["a1"]


async def test_created_table(
    scripts: Scripts, warehouse: Warehouse, schema: str, cursor: Cursor
) -> None:
    """What the run itself created is told, and nothing that was not there is restored."""
    cursor.execute("CREATE TABLE bystander (a INT)")
    scripts.add("a1", 'op.create_table("users", sa.Column("id", sa.String()))')
    async with opened_runtime(
        settings_for(scripts, [url_of(warehouse, "main", schema)], shadow="none")
    ) as runtime:
        run = await ordered_one(runtime)
        plan = await planned(runtime, run)
        assert plan.statements == ()
        assert any("`users`: was created by the run" in remark for remark in plan.remarks)


async def test_no_images(scripts: Scripts, url: str) -> None:
    """A run on a database that rolls back has none, and says so."""
    scripts.add("a1", "pass")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        run = await ordered_one(runtime)
        with pytest.raises(ConfigError, match="has no before-images"):
            await planned(runtime, run)
