"""What people see of warnings, of plans that are refused, and of scripts that were edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Project
from tests.support.postgres import Databases

SAME = 'the rule "drop-table" finds the same in every dialect'


@pytest.fixture
async def project(tmp_path: Path, databases: Databases) -> Project:
    """Give a project with the targets eu and us, whose plans are compiled."""
    eu, us = await databases(2)
    project = Project.create(tmp_path, {"eu": eu, "us": us})
    file = project.root / "levelhead.toml"
    file.write_text(file.read_text().replace('shadow = "none"', 'shadow = "auto"'))
    return project


def set_lint(project: Project, rules: str) -> None:
    """Say what becomes of findings."""
    file = project.root / "levelhead.toml"
    text = file.read_text().replace('shadow = "auto"', f'shadow = "auto"\nlint = {{ {rules} }}')
    file.write_text(text)


def edit(project: Project, revision: str) -> None:
    """Add a comment to a script."""
    file = project.root / "migrations" / "versions" / f"{revision}.py"
    file.write_text(file.read_text() + "# looks better\n")


async def test_a_dangerous_plan_is_shown_and_refused(project: Project) -> None:
    """A dry run warns; where the settings refuse, a sync names rule, revision and way out."""
    drop = 'op.execute("ALTER TABLE t_a1 DROP COLUMN id")'
    project.add_script("c3", "b2", up=drop)
    said = await project.run("sync", "eu", "--dry-run")
    assert said.code == 0
    assert "warning: c3: statement 1: Dropping a column may break existing clients" in said.out
    assert said.out.count("[squawk:prefer-bigint-over-int]") == 2

    refuse, off = '"squawk:ban-drop-column" = "refuse"', '"squawk:prefer-bigint-over-int" = "off"'
    set_lint(project, f"{refuse}, {off}")
    said = await project.run("sync", "--dry-run", "--json")
    assert said.code == 1
    findings = [finding for preview in said.json() for finding in preview["findings"]]
    assert [(f["rule"], f["revision"], f["statement"]) for f in findings] == [
        ("squawk:ban-drop-column", "c3", 1)
    ] * 2
    refused = (
        "is refused by rule squawk:ban-drop-column: c3: statement 1: Dropping a column may break "
        'existing clients; change the scripts, or set lint."squawk:ban-drop-column" of the history '
        'to "warn"'
    )
    assert all(preview["problem"].endswith(refused) for preview in said.json())
    said = await project.run("sync")
    assert said.code == 4
    assert [line.partition(":")[0] for line in said.err.splitlines()] == ["eu", "us"]
    assert all(line.endswith(refused) for line in said.err.splitlines())
    assert [status["heads"] for status in (await project.run("status", "--json")).json()] == [
        [],
        [],
    ]


@pytest.mark.parametrize(
    ("rules", "mistake"),
    [
        ('"drop-tables" = "warn"', 'no rule "drop-tables" (did you mean "drop-table"?)'),
        ('"drop-table" = "error"', 'drop-table must be "off", "warn" or "refuse"'),
        ('"squawk:ban-drop-table" = "refuse"', f'"squawk:ban-drop-table" is never asked: {SAME}'),
    ],
)
async def test_a_rule_that_is_none_is_refused(project: Project, rules: str, mistake: str) -> None:
    """A wrong rule or level is told at once: it would never refuse anything."""
    set_lint(project, rules)
    said = await project.run("status")
    assert said.code == 2
    assert said.err.strip().endswith(f'history "app".lint: {mistake}')


async def test_an_unknown_rule_of_squawk_refuses(project: Project) -> None:
    """Only squawk knows its rules; a misspelt one that is to refuse lets nothing through."""
    set_lint(project, '"squawk:ban-drop-colum" = "refuse"')
    said = await project.run("sync", "eu")
    assert said.code == 4
    assert "rule squawk:ban-drop-colum may refuse it, but" in said.err
    assert "invalid rule name ban-drop-colum" in said.err


async def test_an_edited_script_is_a_problem_until_it_is_accepted(project: Project) -> None:
    """Status and check end with 1 and say which file was edited, until somebody stamps."""
    assert (await project.run("sync")).code == 0
    assert (await project.run("status")).code == 0
    edit(project, "b2")
    said = await project.run("status")
    assert said.code == 1
    assert "revision b2 was applied from another b2.py: sha256 " in said.out
    assert "or accept it with levelhead stamp us c3" in said.out
    (eu, _) = (await project.run("status", "--json")).json()
    assert (eu["status"], eu["edited"]) == ("current", ["b2"])

    said = await project.run("check")
    assert said.code == 1
    (line,) = [line for line in said.out.splitlines() if line.startswith("warn")]
    assert line.endswith(" now, on 2 targets (eu, us); restore the file")
    said = await project.run("events", "--kind", "history.edited", "--json")
    (event,) = said.json()
    assert (event["history"], event["revision"], event["data"]["targets"]) == ("app", "b2", 2)

    for target in ("eu", "us"):
        assert (await project.run("stamp", target, "c3")).code == 0
    assert (await project.run("status")).code == 0
    assert (await project.run("check")).code == 0
