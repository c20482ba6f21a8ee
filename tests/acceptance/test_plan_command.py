"""One command compiles the sample history for every dialect that its targets have."""

from __future__ import annotations

from pathlib import Path

from providers.databricks.warehouse import Warehouse
from tests.support.cli import Project
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


async def test_the_sample_for_both_dialects(
    tmp_path: Path, database: str, warehouse: Warehouse, schema: str
) -> None:
    """`plan --history` shows both plans; that for Databricks shows what it skips."""
    project = Project(tmp_path)
    text = CONFIGURATION.format(
        config=CHECKOUT / "alembic.ini",
        postgres=database,
        warehouse=url_of(warehouse, schema=schema),
    )
    (tmp_path / "levelhead.toml").write_text(text)
    unread = await project.run("plan", "--history", "app")
    assert (unread.code, unread.out) == (1, "")
    assert "orders: never read, so nobody knows its server; run levelhead status" in unread.err
    await project.run("status")
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
