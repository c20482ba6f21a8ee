"""Lint of plans: squawk itself, what is kept, and plans that the settings refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync import linting
from sync.linting import LinterError, Squawk, ask, installed
from sync.model import Order, RunState, Selection, Verb
from sync.plan.findings import OMITTED, Finding
from sync.plan.model import Preview
from sync.plan.squawk import Piece
from sync.runtime import Runtime
from tests.support.engine import (
    events,
    kinds,
    opened_runtime,
    ordered_one,
    settings_for,
    swept,
    tables,
)
from tests.support.histories import Scripts

MAKES = 'op.create_table("part", sa.Column("id", sa.BigInteger), sa.Column("name", sa.Text))'
DROPS = 'op.execute("ALTER TABLE part DROP COLUMN name")'


async def previewed(runtime: Runtime) -> Preview:
    """Return what a sync would do."""
    (found,) = await runtime.previews.of(Order(Verb.SYNC), Selection())
    return found


def digest_of(preview: Preview) -> str:
    """Return the digest of its plan."""
    assert preview.plan
    return preview.plan.digest


async def recorded(runtime: Runtime, preview: Preview) -> tuple[Finding, ...]:
    """Return what is kept beside its plan."""
    return (await runtime.approvals.details(digest_of(preview))).findings


def a_piece(sql: str, *, transactional: bool = True) -> Piece:
    """Build a file of one statement."""
    return Piece("0.sql", sql, transactional, "a", 1, (0,))


def the_squawk() -> Squawk:
    """Return the one that is installed here."""
    found = installed()
    assert found
    return found


async def asked(sql: str, *wanted: str, transactional: bool = True) -> list[str]:
    """Return the rules that find something in *sql*."""
    piece = a_piece(sql, transactional=transactional)
    return [f.rule for f in await ask(the_squawk(), [piece], major="15", wanted=wanted)]


async def test_squawk_knows_whether_a_transaction_is_around() -> None:
    """What a transaction takes back need not bear a second try; what stands alone should."""
    sql = "ALTER TABLE part DROP COLUMN name;"
    assert await asked(sql) == ["squawk:ban-drop-column"]
    assert await asked(sql, transactional=False) == [
        "squawk:ban-drop-column",
        "squawk:prefer-robust-stmts",
    ]


async def test_squawk_leaves_out_what_it_is_told_in_the_sql() -> None:
    """A comment in a script's own SQL counts, as it does for squawk elsewhere."""
    drop = "ALTER TABLE part DROP COLUMN name;"
    assert await asked(drop) == ["squawk:ban-drop-column"]
    assert await asked(f"-- squawk-ignore ban-drop-column\n{drop}") == []


async def test_rules_that_squawk_leaves_out_by_itself_can_be_asked() -> None:
    """A rule that the settings name is asked, also where squawk would not do so by itself."""
    sql = "ALTER TABLE part ADD COLUMN name text;"
    assert await asked(sql) == []
    assert await asked(sql, "squawk:require-table-schema", "drop-table") == [
        "squawk:require-table-schema"
    ]


async def test_squawk_knows_the_rules_that_are_left_out() -> None:
    """A rule that it is told to leave out exists: it refuses names that it does not know."""
    assert await asked("DROP TABLE part; SELECT 1;") == []
    for rule in OMITTED:
        assert await asked("SELECT 1;", f"squawk:{rule}") == []
    with pytest.raises(LinterError, match="invalid rule name no-such-rule"):
        await asked("SELECT 1;", "squawk:no-such-rule")


async def test_a_squawk_that_is_none_is_told_in_one_line(tmp_path: Path) -> None:
    """A program that does not start, or says something else, ends in one sentence."""
    for text, words in (("#!/bin/sh\necho no\n", "it said nothing"), ("", "cannot be started")):
        program = tmp_path / "squawk"
        program.write_text(text)
        program.chmod(0o700)
        with pytest.raises(LinterError, match=words):
            await ask(Squawk(program, "0"), [a_piece("SELECT 1;")], major="15", wanted=[])


async def test_a_plan_comes_with_what_was_found(scripts: Scripts, url: str) -> None:
    """A dry run shows rules of levelhead and of squawk, each with its place; so does the event."""
    scripts.add("a1", MAKES, downgrade='op.drop_table("part")')
    scripts.add("a2", f'op.execute("INSERT INTO part VALUES (1)")\n{DROPS}', downgrade="pass")
    async with opened_runtime(settings_for(scripts, [url], shadow="auto")) as runtime:
        preview = await previewed(runtime)
        assert preview.problem is None
        assert preview.unasked == ()
        assert [(f.rule, f.revision, f.statement) for f in preview.findings] == [
            ("no-downgrade", "a2", None),
            ("mixed-changes", "a2", None),
            ("squawk:ban-drop-column", "a2", 2),
        ]
        (compiled,) = await events(runtime, kind="plan.compiled")
        assert compiled.data["findings"] == {
            "mixed-changes": 1,
            "no-downgrade": 1,
            "squawk:ban-drop-column": 1,
        }
        assert await recorded(runtime, preview) == preview.findings
        assert [run.state for run in await swept(runtime)] == [RunState.SUCCEEDED]


async def test_a_refused_plan_starts_nowhere(scripts: Scripts, url: str) -> None:
    """A rule that refuses ends the run before anything is sent; the clock does not hammer."""
    scripts.add("a1", MAKES, downgrade='op.drop_table("part")')
    settings = settings_for(
        scripts, [url], shadow="auto", history='lint = { "drop-table" = "refuse" }'
    )
    async with opened_runtime(settings) as runtime:
        assert [run.state for run in await swept(runtime)] == [RunState.SUCCEEDED]
        run = await ordered_one(runtime, Verb.DOWNGRADE, "base")
        assert run.state is RunState.FAILED
        assert run.error
        assert "is refused by rule drop-table: a1: statement 1: drops table part" in run.error
        assert await tables(url) == {"alembic_version", "part"}
        assert (await kinds(runtime, run=run.id)) == [
            "run.requested",
            "target.held",
            "run.failed",
        ]


async def test_an_edited_downgrade_is_looked_at_anew(scripts: Scripts, url: str) -> None:
    """What was found is not taken from older scripts, although their SQL is the same."""
    scripts.add("a1", MAKES)
    async with opened_runtime(settings_for(scripts, [url], shadow="auto")) as runtime:
        first = await previewed(runtime)
        scripts.add("a1", MAKES, downgrade='op.drop_table("part")', after=None)
        second = await previewed(runtime)
        assert digest_of(first) == digest_of(second)
        assert [f.rule for f in first.findings] == ["no-downgrade"]
        assert second.findings == ()
        assert await recorded(runtime, second) == ()


async def test_without_squawk_a_plan_says_so(
    scripts: Scripts, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules that could not be asked are named; one of them that may refuse refuses."""
    monkeypatch.setattr(linting, "installed", lambda: None)
    linting.versions.cache_clear()
    scripts.add("a1", MAKES, downgrade='op.drop_table("part")')
    missing = (
        'the rules of squawk were not applied: it is not installed; pip install "levelhead[lint]"'
    )
    try:
        async with opened_runtime(settings_for(scripts, [url], shadow="auto")) as runtime:
            preview = await previewed(runtime)
            assert (preview.problem, preview.unasked) == (None, (missing,))
        strict = settings_for(
            scripts, [url], shadow="auto", history='lint = { "squawk:ban-drop-column" = "refuse" }'
        )
        async with opened_runtime(strict) as runtime:
            (run,) = await swept(runtime)
            assert run.error
            assert run.error.endswith(f"rule squawk:ban-drop-column may refuse it, but {missing}")
    finally:
        linting.versions.cache_clear()


async def test_live_steps_are_said_to_be_unread(scripts: Scripts, url: str) -> None:
    """Without a shadow nobody knows the SQL: that is a finding, and can refuse too."""
    scripts.add("a1", DROPS)
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        preview = await previewed(runtime)
        assert [f.rule for f in preview.findings] == ["live-step", "no-downgrade"]
        assert isinstance(preview.findings[0], Finding)
        assert preview.findings[0].message.endswith("and was not looked at: a1")
