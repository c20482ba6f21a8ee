"""The rules of levelhead about plans, and what settings make of findings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sync.history import Graph, Revision, WayBack
from sync.plan.canonical import plan_of
from sync.plan.findings import Finding, Level, Lint, counts, shown
from sync.plan.lint import own_findings, refusal
from sync.plan.model import Block, Plan, Step, StepClass
from sync.plan.runner.ways import way_back
from tests.support.engine import at
from tests.support.states import a_graph

RESTORE = "write the way back, or restore a backup"
GRAPH = a_graph("a", a="")


def a_plan(*statements: str, kind: StepClass = StepClass.STATIC, up: bool = True) -> Plan:
    """Build a plan of one step, revision a."""
    ends = (at(), at("a")) if up else (at("a"), at())
    blocks = (Block(statements),) if statements else ()
    step = Step("a", *ends, "f" * 64, kind=kind, blocks=blocks)
    return plan_of("app", "postgresql", step.before, [step])


def found(plan: Plan, graph: Graph = GRAPH) -> list[tuple[str, str]]:
    """Return rule and text of each finding."""
    return [(finding.rule, str(finding)) for finding in own_findings(plan, graph)]


def a_graph_with(downgrade: WayBack) -> Graph:
    """Build a graph of one revision."""
    revision = Revision(id="a", parents=(), downgrade=downgrade)
    return replace(GRAPH, revisions={"a": revision})


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("DROP TABLE tenant", "tenant"),
        ('drop table if exists "Old Tenant", shop.b CASCADE;', '"Old Tenant", shop.b'),
        ("/* gone */ DROP\nTABLE\n  shop . tenant RESTRICT", "shop . tenant"),
        ("SELECT 1; DROP TABLE tenant -- at last", "tenant"),
    ],
)
def test_a_dropped_table_is_found(sql: str, table: str) -> None:
    """DROP TABLE is found however it is written, with its table and its place."""
    assert found(a_plan("CREATE TABLE b (id int)", sql)) == [
        (
            "drop-table",
            f"a: statement 2: drops table {table} with its rows; keep a backup, or rename it first",
        )
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "COMMENT ON TABLE a IS 'drop table b'",
        "ALTER TABLE a DROP COLUMN b",
        "DO $$ BEGIN EXECUTE 'DROP TABLE a'; END $$",
        'CREATE TABLE "drop table" (id int)',
    ],
)
def test_what_only_looks_like_a_dropped_table_is_not_found(sql: str) -> None:
    """Texts, names and the bodies of functions are not commands."""
    assert found(a_plan(sql)) == []


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO a VALUES (1)",
        "-- why\nUPDATE a SET b = 1",
        "WITH old AS (DELETE FROM a RETURNING *) SELECT * FROM old",
        "TRUNCATE a",
    ],
)
def test_data_and_schema_in_one_revision_are_found(change: str) -> None:
    """One finding for the revision, whatever order and number the statements have."""
    assert found(a_plan(change, "ALTER TABLE a ADD c int", change)) == [
        (
            "mixed-changes",
            "a: it changes data and schema in one revision; make two revisions of it",
        )
    ]


@pytest.mark.parametrize(
    "statements",
    [
        ("UPDATE a SET b = 1", "INSERT INTO a VALUES (1)"),
        ("CREATE TABLE a AS SELECT 1", "ALTER TABLE a ADD c int"),
        ("WITH a AS (SELECT 'update') SELECT * FROM a", "CREATE TABLE b ()"),
    ],
)
def test_data_alone_and_schema_alone_are_well(statements: tuple[str, ...]) -> None:
    """A revision that changes one of both is not found."""
    assert found(a_plan(*statements)) == []


@pytest.mark.parametrize(
    ("downgrade", "fault"),
    [
        (WayBack.MISSING, "it has no downgrade()"),
        (WayBack.EMPTY, "its downgrade() does nothing"),
        (WayBack.RAISES, "its downgrade() raises"),
    ],
)
def test_a_revision_without_a_way_back_is_found(downgrade: WayBack, fault: str) -> None:
    """It is found on the way up, and again where somebody wants it taken back."""
    graph = a_graph_with(downgrade)
    assert found(a_plan("CREATE TABLE a ()"), graph) == [
        (
            "no-downgrade",
            f"a: it cannot be taken back: {fault}; write the way back, or keep a backup",
        )
    ]
    assert found(a_plan(up=False), graph) == [
        (
            "no-downgrade",
            f"a: {fault}, so that the schema stays as it is; {RESTORE}",
        )
    ]


@pytest.mark.parametrize("downgrade", [WayBack.WRITTEN, WayBack.UNKNOWN])
def test_a_revision_with_a_way_back_is_not_found(downgrade: WayBack) -> None:
    """Nothing is said of what can be taken back, nor of what cannot be read."""
    assert found(a_plan("CREATE TABLE a ()"), a_graph_with(downgrade)) == []


def test_a_live_step_is_found() -> None:
    """That rules have not seen the SQL of a step is said, and of which."""
    ((rule, text),) = found(a_plan(kind=StepClass.LIVE))
    assert rule == "live-step"
    assert "the SQL of 1 of 1 steps is not known beforehand, and was not looked at: a" in text


def test_several_heads_are_found() -> None:
    """A history that nobody has merged is found with each of its plans."""
    graph = a_graph("b", "c", a="", b="a", c="a")
    assert found(a_plan("SELECT 1"), graph) == [
        ("several-heads", "the history has 2 heads: b, c; merge them with alembic merge")
    ]


FINDINGS = (
    Finding("drop-table", "drops table b", "rename it", "a", 2),
    Finding("squawk:ban-drop-column", "Dropping a column may break clients", "", "a", 1),
    Finding("squawk:ban-drop-column", "Dropping a column may break clients", "", "a", 3),
)


def test_a_level_shows_hides_or_refuses() -> None:
    """Findings are shown, unless a level hides them; one that refuses names rule and place."""
    lint, plan = Lint(FINDINGS), a_plan("SELECT 1")
    assert shown(lint, {}).findings == FINDINGS
    assert counts(FINDINGS) == {"drop-table": 1, "squawk:ban-drop-column": 2}
    assert shown(lint, {"squawk:ban-drop-column": Level.OFF}).findings == FINDINGS[:1]
    assert refusal(lint, plan, {"drop-table": Level.WARN}) is None
    refused = refusal(lint, plan, {"drop-table": Level.REFUSE})
    assert str(refused) == (
        f"history app: plan {plan.digest[:12]} is refused by rule drop-table: "
        "a: statement 2: drops table b; rename it; "
        'change the scripts, or set lint."drop-table" of the history to "warn"'
    )


def test_a_rule_that_could_not_be_asked_refuses() -> None:
    """Where a rule may refuse and its linter failed, nothing starts; else it is only said."""
    lint, plan = Lint((), failed="the rules of squawk were not applied: why"), a_plan("SELECT 1")
    levels = {"squawk:ban-drop-column": Level.REFUSE}
    assert str(refusal(lint, plan, levels)).endswith(
        "is refused: rule squawk:ban-drop-column may refuse it, but "
        "the rules of squawk were not applied: why"
    )
    assert refusal(lint, plan, {"drop-table": Level.REFUSE}) is None
    assert refusal(replace(lint, failed=None, omitted="no linter"), plan, levels) is None


DOES = "def upgrade():\n    op.execute('x')\n"


@pytest.mark.parametrize(
    ("script", "word"),
    [
        (DOES + "def downgrade():\n    op.execute('y')\n", "written"),
        (DOES + "def downgrade():\n    '''No way.'''\n    pass\n", "empty"),
        (DOES + "def downgrade():\n    return None\n", "empty"),
        (DOES + "def downgrade(): ...\n", "empty"),
        (DOES + "def downgrade():\n    print('no')\n    raise NotImplementedError\n", "raises"),
        (DOES + "def downgrade():\n    if x:\n        raise ValueError\n    y()\n", "written"),
        (DOES, "missing"),
        (DOES + "from shared import downgrade\n", "unknown"),
        (DOES + "downgrade = made()\n", "unknown"),
        ("def upgrade():\n    pass\ndef downgrade():\n    pass\n", "written"),
        ("def upgrade(:\n", "unknown"),
    ],
)
def test_the_way_back_is_read_off_the_script(tmp_path: Path, script: str, word: str) -> None:
    """A script is judged without being run; a merge, which does nothing, needs no way back."""
    file = tmp_path / "a.py"
    file.write_text(script)
    assert way_back(str(file)) == word
