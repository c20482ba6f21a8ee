"""The torture history, one revision for each trouble, on the local warehouse through its client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from databricks.sql.client import Cursor
from sqlalchemy.pool import NullPool

from providers.databricks.ddl import install
from providers.databricks.warehouse import Warehouse
from sync.model import Run, RunState, Verb
from sync.runtime import Runtime
from sync.settings import Settings
from sync.settings.shadow import NONE, Shadow
from tests.histories.torture.models import metadata
from tests.support.engine import at, opened_runtime, ordered_one, settings_for
from tests.support.histories import Scripts
from tests.support.warehouse_targets import url_of

pytest_plugins = ["tests.support.warehouse"]

CONFIG = Path(__file__).parents[1] / "histories" / "torture" / "alembic.ini"

#: Table of the information schema -> what tells one schema from another in it.
LOOKED_AT = {
    "tables": "table_name, table_type, comment",
    "columns": "table_name, ordinal_position, column_name, full_data_type, is_nullable,"
    " column_default, is_identity, comment",
    "table_constraints": "table_name, constraint_name, constraint_type",
    "check_constraints": "constraint_name, check_clause",
    "key_column_usage": "constraint_name, ordinal_position, column_name",
}


#: Changes that autogenerate has to find.
BY_HAND = (
    "ALTER TABLE areas ALTER COLUMN label COMMENT 'still'",
    "ALTER TABLE people ALTER COLUMN paid SET DEFAULT 1",
    "ALTER TABLE areas ALTER COLUMN name DROP NOT NULL",
    "ALTER TABLE sizes ALTER COLUMN money TYPE DECIMAL(20, 4)",
    "ALTER TABLE people DROP COLUMN mail",
    "ALTER TABLE clicks ADD COLUMN more STRING",
    "ALTER TABLE visits DROP CONSTRAINT fk_visits_host",
    "COMMENT ON TABLE people IS 'nobody'",
    "DROP TABLE once",
)


def looked(cursor: Cursor, schema: str) -> dict[str, list[Any]]:
    """Return what a schema holds, and its rows, by what the warehouse says of itself."""
    found: dict[str, list[Any]] = {}
    for table, columns in LOOKED_AT.items():
        subject = "table" if table in {"tables", "columns"} else "constraint"
        cursor.execute(
            f"SELECT {columns} FROM main.information_schema.{table}"
            f" WHERE {subject}_schema = '{schema}' ORDER BY ALL"
        )
        found[table] = [tuple(row) for row in cursor.fetchall()]
    for name in ("numbers", "areas", "files", "nested", "tickets", "once"):
        if any(name == row[0] for row in found["tables"]):
            cursor.execute(f"SELECT * FROM {name}")
            found[name] = [str(row) for row in cursor.fetchall()]  # arrays have no truth
    return found


@pytest.fixture
def settings(scripts: Scripts, warehouse: Warehouse, schema: str) -> Settings:
    """Give settings for the torture history, with plans from a local warehouse."""
    made = settings_for(scripts, [url_of(warehouse, "main", schema)], shadow="auto")
    return replace(made, histories={"app": replace(made.histories["app"], config=CONFIG)})


async def test_it_goes_up_down_and_up(settings: Settings, cursor: Cursor, schema: str) -> None:
    """Each revision can be applied, taken back and applied again; nothing is left, nothing lost."""
    async with opened_runtime(settings) as runtime:
        head = (await runtime.graph("app")).heads
        assert (await turned(runtime, Verb.SYNC, "head")).after == head
        first = await asyncio.to_thread(looked, cursor, schema)
        assert len(first["tables"]) == 18
        assert (await turned(runtime, Verb.DOWNGRADE, "base")).after == at()
        empty = await asyncio.to_thread(looked, cursor, schema)
        assert [row[0] for row in empty["tables"]] == ["alembic_version"]
        assert (await turned(runtime, Verb.SYNC, "head")).after == head
        assert await asyncio.to_thread(looked, cursor, schema) == first


async def test_autogenerate_finds_what_differs_and_nothing_else(
    settings: Settings, warehouse: Warehouse, cursor: Cursor, schema: str
) -> None:
    """At head nothing differs from the models; what somebody changes by hand is found."""
    made = replace(settings.histories["app"], shadow=Shadow(NONE))
    async with opened_runtime(replace(settings, histories={"app": made})) as runtime:
        await turned(runtime, Verb.SYNC, "head")
    assert await asyncio.to_thread(differences, warehouse, schema) == []
    await asyncio.to_thread(by_hand, cursor)
    assert await asyncio.to_thread(differences, warehouse, schema) == [
        ("add_column", "people", "mail"),
        ("add_fk", "visits", "fk_visits_host"),
        ("add_table", "once", ""),
        ("add_table_comment", "people", ""),
        ("modify_comment", "areas", "label"),
        ("modify_default", "people", "paid"),
        ("modify_nullable", "areas", "name"),
        ("modify_type", "sizes", "money"),
        ("remove_column", "clicks", "more"),
    ]


def test_tables_of_two_schemas_are_no_difference(
    warehouse: Warehouse, cursor: Cursor, schema: str
) -> None:
    """The target's own schema is the default one, and keys lead from one schema to the other."""
    other = f"{schema}_other"
    cursor.execute(f"CREATE SCHEMA {other}")
    here = sa.MetaData()
    column = partial(sa.Column, "id", sa.Text(), primary_key=True)
    sa.Table("near", here, column(), sa.Column("far", sa.Text(), sa.ForeignKey(f"{other}.far.id")))
    sa.Table("far", here, column(), schema=other)
    sa.Table("back", here, column(), sa.Column("b", sa.ForeignKey("near.id")), schema=other)
    with op_on(warehouse, schema) as op:
        for table in here.sorted_tables:
            op.create_table(table.name, *table.columns, *table.constraints, schema=table.schema)

    def of_these(name: str | None, kind: str, _: object) -> bool:
        return kind != "schema" or name in {None, schema, other}

    options = {"include_schemas": True, "include_name": of_these}
    assert differences(warehouse, schema, here, options) == []
    cursor.execute(f"DROP SCHEMA {other} CASCADE")


@contextmanager
def op_on(warehouse: Warehouse, schema: str) -> Iterator[Operations]:
    """Give directives that are carried out in *schema*."""
    install(lambda *_: None, lambda *_: None)
    engine = sa.create_engine(
        warehouse.url(schema=schema), poolclass=NullPool, connect_args=warehouse.connect_args()
    )
    with engine.connect() as connection:
        yield Operations(MigrationContext.configure(connection))


def by_hand(cursor: Cursor) -> None:
    """Change what the history has made."""
    for statement in BY_HAND:
        cursor.execute(statement)


def differences(
    warehouse: Warehouse,
    schema: str,
    models: sa.MetaData = metadata,
    more: Mapping[str, object] | None = None,
) -> list[Any]:
    """Return what `alembic check` would find, with *more* options of env.py."""
    install(lambda *_: None, lambda *_: None)
    engine = sa.create_engine(
        warehouse.url(schema=schema), poolclass=NullPool, connect_args=warehouse.connect_args()
    )
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True, **(more or {})}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), models)
    return sorted(map(named, found))


def named(difference: Any) -> tuple[str, str, str]:  # noqa: ANN401 - Alembic's tuples and lists
    """Return what kind of difference it is, of which table, and of what in it."""
    kind, *rest = difference[0] if isinstance(difference, list) else difference
    if kind.startswith("modify"):
        return kind, rest[1], rest[2]
    if kind.endswith("column"):
        return kind, rest[1], rest[2].name
    if kind.endswith("fk"):
        return kind, rest[0].parent.name, rest[0].name
    return kind, rest[0].name, ""


async def turned(runtime: Runtime, verb: Verb, to: str) -> Run:
    """Carry out an order on the one target; it succeeds."""
    await runtime.release("db-1", actor="ada")
    run = await ordered_one(runtime, verb, to)
    assert run.error is None, run.error
    assert run.state is RunState.SUCCEEDED
    return run
