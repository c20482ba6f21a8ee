"""`levelhead restore-plan`: what it prints is sent as it stands, and the rows are back."""

from __future__ import annotations

from pathlib import Path

import pytest
from databricks.sql.client import Cursor

from providers.databricks.warehouse import Warehouse
from tests.support.cli import Project, Said
from tests.support.warehouse_targets import url_of

pytest_plugins = ["tests.support.warehouse"]

FIRST = """import sqlalchemy as sa
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("name", sa.String()),
        sa.Column("age", sa.Integer()),
    )
    op.create_table("old", sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False))
    op.create_table("teams", sa.Column("id", sa.Integer()))"""

SECOND = """import sqlalchemy as sa
    op.execute("UPDATE users SET age = age + 1")
    op.alter_column("users", "age", type_=sa.BigInteger(), existing_type=sa.Integer())
    op.drop_column("users", "name")
    op.drop_table("old")
    op.rename_table("teams", "groups")
    op.create_table("old", sa.Column("text", sa.String()))"""

USERS = [(1, "ada", 36), (2, "bob", 25)]


@pytest.fixture
async def ruined(tmp_path: Path, warehouse: Warehouse, schema: str, cursor: Cursor) -> Project:
    """Give a project whose last run has changed all that it could."""
    project = Project.create(tmp_path, {"eu": url_of(warehouse, "main", schema)})
    project.add_script("a1", None, FIRST)
    project.add_script("b2", "a1", SECOND)
    await succeeded(project, "sync", "--to", "a1")
    cursor.execute("INSERT INTO users VALUES (1, 'ada', 36), (2, 'bob', 25)")
    cursor.execute("INSERT INTO old VALUES (7)")
    await succeeded(project, "sync", "--to", "b2")
    return project


async def succeeded(project: Project, *command: str) -> Said:
    """Require that a command succeeds."""
    said = await project.run(*command)
    assert said.code == 0, said
    return said


async def test_rows_and_names_are_back(ruined: Project, cursor: Cursor, schema: str) -> None:
    """After what is printed each table is what it was, and so is the revision."""
    (last, *_) = (await succeeded(ruined, "runs", "--json")).json()
    said = await succeeded(ruined, "restore-plan", last["id"][:8])
    cursor.execute("USE main.default")  # whoever sends them need not be in the schema
    for line in said.out.splitlines():
        if not line.startswith("--"):
            cursor.execute(line.removesuffix(";"))
    cursor.execute(f"USE main.{schema}")
    rows = cursor.execute("SELECT * FROM users ORDER BY id").fetchall()
    assert [tuple(row) for row in rows] == USERS
    assert [column[1] for column in cursor.description or ()] == ["int", "string", "int"]
    assert cursor.execute("SELECT * FROM old").fetchall() == [(7,)]
    assert cursor.execute("SELECT * FROM teams").fetchall() == []
    assert cursor.execute("SELECT version_num FROM alembic_version").fetchall() == [("a1",)]
    stamp = said.out.splitlines()[-1].removeprefix("-- then: levelhead ")
    assert stamp == "stamp eu a1"
    await succeeded(ruined, *stamp.split())
    (status,) = (await ruined.run("status", "--json")).json()
    assert (status["status"], status["heads"]) == ("held", ["a1"])


async def test_what_is_not_restored_is_said(ruined: Project, schema: str) -> None:
    """Keys, a protocol that rose, a table that came; and for how long it can be done."""
    (last, *_) = (await succeeded(ruined, "runs", "--json")).json()
    said = await succeeded(ruined, "restore-plan", last["id"])
    old, aside = f"`main`.`{schema}`.`old`", f"`main`.`{schema}`.`old_of_run_{last['id'][:8]}`"
    for line in (
        f"-- not restored: {old}: UNDROP brings no primary and foreign keys back",
        f"-- not restored: {aside}: was created by the run; DROP TABLE {aside} takes it away",
        "delta.columnMapping.mode",
        "a protocol that rose by it does not fall again",
        "UNDROP works for tables of Unity Catalog, for 7 days",
        "delta.deletedFileRetentionDuration",
    ):
        assert line in said.out
