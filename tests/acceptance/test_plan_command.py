"""One command compiles the sample history for every dialect that its targets have."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers.databricks.warehouse import Warehouse
from tests.support.cli import Project
from tests.support.engine import execute
from tests.support.sample import CHECKOUT
from tests.support.warehouse_targets import url_of

pytest_plugins = ["tests.support.warehouse"]

CONFIGURATION = """
[[history]]
name = "app"
config = "{config}"

[[target]]
name = "orders"
history = "app"
url = "{postgres}"

[[target]]
name = "lake"
history = "app"
url = "{warehouse}"
"""

TENANTS = """
[[tenants]]
name = "shop"
history = "app"
url = "{url}"
schemas = 'tenant\\_%'
"""


async def test_the_sample_for_both_dialects(
    tmp_path: Path, database: str, warehouse: Warehouse, schema: str
) -> None:
    """`plan --history` shows both plans, of targets that nobody has looked at yet.

    That for Databricks shows what it skips.
    """
    project = Project(tmp_path)
    text = CONFIGURATION.format(
        config=CHECKOUT / "alembic.ini",
        postgres=database,
        warehouse=url_of(warehouse, schema=schema),
    )
    (tmp_path / "levelhead.toml").write_text(text)
    said = await project.run("plan", "--history", "app")
    assert (said.code, said.err) == (0, "")
    databricks, postgresql = said.out.split("\n\n")
    assert "app, databricks: base -> " in databricks
    assert "skipped: foreign-key-action: fk_conversations_user_id_users" in databricks
    assert "CREATE TABLE users ( id STRING NOT NULL" in databricks
    assert "app, postgresql: base -> " in postgresql
    assert "CREATE TABLE users ( id UUID NOT NULL" in postgresql
    assert "[ACCESS EXCLUSIVE on users]" in postgresql
    assert "live" not in said.out
    found = (await project.run("plan", "--history", "app", "--json")).json()
    assert [each["plan"]["dialect"] for each in found] == ["databricks", "postgresql"]
    kinds = {step["kind"] for each in found for step in each["plan"]["steps"]}
    assert kinds == {"static"}


@pytest.mark.parametrize(
    "asked",
    [
        ("plan", "eu"),
        ("plan", "--history", "app", "--from", "base", "--to", "head", "--sql"),
        ("sync", "--dry-run"),
    ],
)
async def test_nobody_has_looked_yet(tmp_path: Path, database: str, asked: tuple[str, ...]) -> None:
    """On a new control database, every command that shows a plan looks at what it needs."""
    said = await Project.create(tmp_path, {"eu": database}).run(*asked)
    assert (said.code, said.err) == (0, "")
    assert "a1.py" in said.out
    assert "c3.py" in said.out


async def test_what_cannot_be_looked_at(tmp_path: Path) -> None:
    """Where the only target cannot be reached, the line says so."""
    project = Project.create(tmp_path, {"eu": "postgresql://u@127.0.0.1:1/d"})
    said = await project.run("plan", "--history", "app")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("eu: cannot reach 127.0.0.1:1 (connection refused)")


async def test_a_history_of_tenants(tmp_path: Path, database: str) -> None:
    """A history that only tenants follow is shown before anybody asked who they are."""
    project = Project.create(tmp_path, {})
    await execute(database, "CREATE SCHEMA tenant_one")
    with project.toml.open("a") as file:
        file.write(TENANTS.format(url=database))
    said = await project.run("plan", "--history", "app", "--json")
    assert (said.code, said.err) == (0, "")
    assert said.json()["plan"]["dialect"] == "postgresql"
