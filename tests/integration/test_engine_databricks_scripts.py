"""Scripts as people write them for Postgres, on a local SQL warehouse: nothing goes missing."""

from __future__ import annotations

import asyncio

import pytest
from databricks.sql.client import Cursor

from providers.databricks.warehouse import Warehouse
from tests.support.engine import events, opened_runtime, ordered_one, settings_for
from tests.support.histories import SYNC_ENV, Scripts
from tests.support.warehouse_targets import url_of

pytest_plugins = ["tests.support.warehouse"]

#: Objects that a script makes when it is imported, and gives to directives later.
SHARED = """\
price = sa.Column("price", sa.Integer, sa.CheckConstraint("price > 0", name="ck_price"))
owner = sa.Column("owner", sa.Text, sa.ForeignKey("t.id", name="fk_owner", ondelete="CASCADE"))
key = sa.ForeignKeyConstraint(["p"], ["t.id"], name="fk_p", ondelete="SET NULL")
late = sa.Column("late", sa.Text, sa.ForeignKey("t.id", name="fk_late"))
"""
USED = """
op.create_table("t", sa.Column("id", sa.Text, primary_key=True))
op.create_table("u", price, owner)
op.create_table("v", sa.Column("p", sa.Text), key)
op.create_table("w", price)
with op.batch_alter_table("w") as batch:
    batch.add_column(late)
"""

AUTOCOMMIT = """
op.create_table("t", sa.Column("a", sa.Integer))
with op.get_context().autocommit_block():
    op.execute("INSERT INTO t VALUES (1)")
op.execute("INSERT INTO t VALUES (2)")
"""

NAMING = """context.configure(connection=connection, target_metadata=MetaData(
        naming_convention={"ck": "ck_%(table_name)s_%(column_0_name)s"}))"""


@pytest.fixture
def target(warehouse: Warehouse, schema: str) -> str:
    """Give the URL of an empty schema of the warehouse."""
    return url_of(warehouse, "main", schema)


async def rows(cursor: Cursor, sql: str) -> list[tuple[object, ...]]:
    """Return what a query gives."""
    return await asyncio.to_thread(_rows, cursor, sql)


def _rows(cursor: Cursor, sql: str) -> list[tuple[object, ...]]:
    cursor.execute(sql)
    return [tuple(row) for row in cursor.fetchall()]


@pytest.mark.parametrize("shadow", ["none", "auto"])
async def test_what_a_script_uses_again_keeps_its_constraints(
    scripts: Scripts, target: str, cursor: Cursor, schema: str, shadow: str
) -> None:
    """A script runs with nothing behind it first: its own objects are the same afterwards."""
    scripts.add("a1", USED, more=SHARED)
    async with opened_runtime(settings_for(scripts, [target], shadow=shadow)) as runtime:
        run = await ordered_one(runtime)
        assert run.error is None
        skipped = await events(runtime, kind="directive.skipped")
    assert [event.data["detail"] for event in skipped] == [
        "fk_owner on u loses ON DELETE CASCADE: foreign keys are informational",
        "fk_p on v loses ON DELETE SET NULL: foreign keys are informational",
    ]
    made = (
        "SELECT table_name, constraint_name FROM main.information_schema.table_constraints"
        f" WHERE table_schema = '{schema}' AND constraint_type <> 'PRIMARY KEY' ORDER BY ALL"
    )
    assert await rows(cursor, made) == [
        ("u", "ck_price"),
        ("u", "fk_owner"),
        ("v", "fk_p"),
        ("w", "ck_price"),
        ("w", "fk_late"),
    ]


@pytest.mark.parametrize("shadow", ["none", "auto"])
async def test_an_autocommit_block_is_what_there_is_anyway(
    scripts: Scripts, target: str, cursor: Cursor, shadow: str
) -> None:
    """A warehouse commits each statement, so a block that asks for it changes nothing."""
    scripts.add("a1", AUTOCOMMIT)
    async with opened_runtime(settings_for(scripts, [target], shadow=shadow)) as runtime:
        run = await ordered_one(runtime)
        assert run.error is None
    assert await rows(cursor, "SELECT a FROM t ORDER BY a") == [(1,), (2,)]


async def test_names_come_of_the_convention_of_env_py(
    scripts: Scripts, target: str, cursor: Cursor
) -> None:
    """A CHECK that env.py's naming convention names is not refused for having no name."""
    scripts.write_env(
        SYNC_ENV.replace("context.configure(connection=connection)", NAMING).replace(
            "import engine", "import MetaData, engine"
        )
    )
    scripts.add(
        "a1",
        'op.create_table("t", sa.Column("a", sa.Integer), sa.CheckConstraint(sa.column("a") > 0))',
    )
    async with opened_runtime(settings_for(scripts, [target])) as runtime:
        run = await ordered_one(runtime)
        assert run.error is None
    made = "SELECT constraint_name FROM main.information_schema.check_constraints"
    assert ("ck_t_a",) in await rows(cursor, made)
