"""The sample history on a SQL warehouse by hand: Alembic's command line, the sample's env.py."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote

import pytest
from databricks.sql.client import Cursor

from providers.databricks.warehouse import Warehouse
from tests.support.sample import Sample, copy_sample

pytest_plugins = ["tests.support.warehouse"]

LENGTH = "nothing holds values to that length"
TEXT = "kept as STRING, which takes any text"
KEY = "ON DELETE CASCADE: foreign keys are informational"
SKIPPED = [
    f"skipped type: id (UUID) on users: {TEXT}",
    f"skipped length: first_name (255), last_name (255), name (255) on users: {LENGTH}",
    f"skipped type: id (UUID), user_id (UUID) on conversations: {TEXT}",
    f"skipped length: subject (255) on conversations: {LENGTH}",
    f"skipped foreign-key-action: fk_conversations_user_id_users on conversations loses {KEY}",
    f"skipped length: title (255) on users: {LENGTH}",
]
MIXED = """\
def upgrade() -> None:
    op.create_table("first", sa.Column("id", sa.Integer()))
    op.create_table("second", sa.Column("pause", sa.Interval()))
"""


@pytest.fixture
def sample(tmp_path: Path, warehouse: Warehouse, schema: str) -> Sample:
    """Give a copy of the project whose DATABASE_URL is an empty schema of a warehouse."""
    uri = quote(f"{warehouse.origin}{warehouse.http_path}", "")
    url = f"{warehouse.url(schema=schema)}&_connection_uri={uri}"
    return copy_sample(tmp_path / "project", url)


async def test_the_sample_history_goes_up_down_and_up(sample: Sample, cursor: Cursor) -> None:
    """The unchanged revisions run both ways, to what the models say; what is lost is logged."""
    outcome = await sample.attempt("alembic upgrade head", POSTGRES_PROVIDER="databricks")
    assert outcome.code == 0, outcome.err
    assert [line for line in outcome.err.splitlines() if "skipped" in line] == [
        f"WARNI [alembic] {each}" for each in SKIPPED
    ]
    made = await tables(cursor)
    assert made == {
        "alembic_version": {"version_num": "string"},
        "conversations": {
            "id": "string",
            "user_id": "string",
            "subject": "string",
            "created_at": "timestamp",
            "updated_at": "timestamp",
            "version": "int",
        },
        "users": {
            "id": "string",
            "first_name": "string",
            "last_name": "string",
            "name": "string",
            "created_at": "timestamp",
            "updated_at": "timestamp",
            "version": "int",
            "title": "string",
        },
    }
    await sample.run("alembic downgrade base", POSTGRES_PROVIDER="databricks")
    assert list(await tables(cursor)) == ["alembic_version"]
    await sample.run("alembic upgrade head", POSTGRES_PROVIDER="databricks")
    assert await tables(cursor) == made
    checked = await sample.run("alembic check", POSTGRES_PROVIDER="databricks")
    assert "No new upgrade operations detected" in checked
    cursor.execute("ALTER TABLE users ADD COLUMN by_hand STRING")
    found = await sample.attempt("alembic check", POSTGRES_PROVIDER="databricks")
    assert "detected: [('remove_column', None, 'users', Column('by_hand'" in found.out


async def tables(cursor: Cursor) -> dict[str, dict[str, str]]:
    """Return table -> column -> type, of the cursor's schema."""
    return await asyncio.to_thread(_tables, cursor)


def _tables(cursor: Cursor) -> dict[str, dict[str, str]]:
    cursor.execute("SHOW TABLES")
    names = sorted(row.tableName for row in cursor.fetchall())
    return {name: _columns(cursor, name) for name in names}


def _columns(cursor: Cursor, table: str) -> dict[str, str]:
    cursor.execute(f"DESCRIBE TABLE {table}")
    return {row.col_name: row.data_type for row in cursor.fetchall()}


async def test_its_variables_name_a_warehouse(sample: Sample) -> None:
    """POSTGRES_PROVIDER=databricks with its own variables writes the SQL for a warehouse."""
    sql = await sample.run(
        "alembic upgrade head --sql",
        POSTGRES_PROVIDER="databricks",
        DATABASE_URL="",
        DATABRICKS_HOST="https://host.example/",
        DATABRICKS_HTTP_PATH="/sql/1.0/warehouses/w",
        DATABRICKS_TOKEN="secret",  # noqa: S106 - of nobody
    )
    assert [line for line in sql.splitlines() if "skipped" in line] == [
        f"-- {each}" for each in SKIPPED
    ]
    assert "REFERENCES users (id)\n) USING DELTA" in sql
    assert "ALTER TABLE users ADD COLUMN title STRING;" in sql


async def test_a_wrong_token_gives_one_line(sample: Sample, warehouse: Warehouse) -> None:
    """A warehouse that refuses is named in one line, without traceback or token."""
    url = sample.url.replace(quote(warehouse.token, ""), "s3cret")
    outcome = await sample.attempt("alembic current", DATABASE_URL=url)
    assert outcome.code != 0
    assert outcome.out.startswith(
        f"FAILED: cannot connect to databricks://127.0.0.1:{warehouse.port}"
    )
    assert len(outcome.out.splitlines()) == 1
    assert "Traceback" not in outcome.err
    assert "s3cret" not in outcome.out + outcome.err


async def test_a_refused_directive_is_told(sample: Sample) -> None:
    """A revision that Databricks cannot take right is refused with directive, table and reason."""
    await sample.run('alembic revision -m "mixed"')
    sample.fill("mixed", MIXED)
    outcome = await sample.attempt("alembic upgrade head")
    assert outcome.code != 0
    assert "RefusedDirectiveError: create_table on second:" in outcome.err
