"""`levelhead portability`: what becomes of a history on Databricks, with no database at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Project
from tests.support.portability import PAGE, report, rewritten

MIXED = """import sqlalchemy as sa
    if op.get_bind().dialect.name != "databricks":
        raise RuntimeError
    op.create_table("t", sa.Column("pause", sa.Interval()))
    with op.batch_alter_table("t") as batch:
        batch.alter_column("a", type_=sa.SmallInteger(), existing_type=sa.Integer())
    op.create_index("ix_t", "t", ["a"])
    op.execute("SELECT 1")"""
READING = """op.execute("CREATE TABLE t (a INT)")
    op.get_bind().execute("SELECT 1")
    op.execute("never")"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Give a project without targets."""
    return Project.create(tmp_path, {})


async def test_the_sample_history_in_the_docs() -> None:
    """The page shows what the command prints; the command in its comments rewrites it."""
    page = PAGE.read_text(encoding="utf-8")
    assert rewritten(page, await report()) == page


async def test_a_refusal_hides_nothing_behind_it(project: Project) -> None:
    """All refusals of a revision are told, and what else comes of it; the exit code is 1."""
    project.add_script("b2", "a1", MIXED)
    said = await project.run("portability", "--history", "app")
    assert (said.code, said.err) == (1, "")
    found = said.out.splitlines()
    assert found[0] == (
        "app on databricks: 3 revisions, 3 statements, 1 skipped, 0 noted, 2 refused"
    )
    assert [line.partition(":")[0].strip() for line in found[3:8]] == [
        "2. b2",
        "refused",
        "refused",
        "skipped",
        "sent",
    ]
    assert found[4].endswith("a table cannot hold an INTERVAL; keep seconds in a number")
    assert found[5].endswith("INT does not widen to SMALLINT; add another column")


async def test_what_a_reading_script_does_is_not_known(project: Project) -> None:
    """Where a script wants a database, its line is told, and what came before it."""
    project.add_script("b2", "a1", READING)
    said = await project.run("portability", "--history", "app", "--json")
    assert said.code == 0
    told = said.json()["revisions"][1]["outcomes"]
    assert [each["fate"] for each in told] == ["sent", "unknown"]
    assert told[1]["text"].startswith("from line 7 on: it wants a database (AttributeError)")


async def test_a_skip_that_is_refused(project: Project) -> None:
    """What the settings do not let go is refused in the report, too."""
    project.add_script("b2", "a1", 'op.create_index("ix", "t_a1", ["id"])')
    project.setting('refuse_skips = ["index"]')
    said = await project.run("portability", "--history", "app")
    assert said.code == 1
    assert "refused: create_index on t_a1: ix on t_a1 has no counterpart" in said.out


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        ("--history nope", 2, "there is no history nope"),
        ("--history app --dialect postgresql", 2, "there are no rules for postgresql"),
        ("--history app --dialect oracle", 2, "no provider for dialect 'oracle'; choose one of"),
    ],
)
async def test_what_makes_no_sense(project: Project, arguments: str, code: int, line: str) -> None:
    """One line says what is wrong."""
    said = await project.run("portability", *arguments.split())
    assert (said.code, said.out, said.err.count("\n")) == (code, "", 1)
    assert said.err.startswith(f"levelhead: {line}")


async def test_a_script_that_cannot_be_loaded(project: Project) -> None:
    """A mistake in a script is told as elsewhere: which file, and what."""
    (project.root / "migrations" / "versions" / "c3.py").write_text("import nothing_of_the_kind\n")
    said = await project.run("portability", "--history", "app")
    assert (said.code, said.err.count("\n")) == (4, 1)
    assert "No module named 'nothing_of_the_kind'" in said.err
