"""What the audit log tells of a run: every text that was sent, and nothing that it carried."""

from __future__ import annotations

from typing import cast

from sync.model import RunState
from sync.store.statements import digest_of
from tests.support.engine import (
    at,
    events,
    kinds,
    opened_runtime,
    ordered_one,
    query,
    settings_for,
    swept,
    tables,
    texts,
    version,
)
from tests.support.histories import Scripts

WITH_PARAMETERS = """
people = op.create_table("people", sa.Column("email", sa.String(50)))
op.bulk_insert(people, [{"email": "ada@secret.example"}, {"email": "bob@secret.example"}])
op.get_bind().execute(sa.text("DELETE FROM people WHERE email = :e"), {"e": "nobody@row.example"})
"""
OUTSIDE = """
op.create_table("before")
with op.get_context().autocommit_block():
    op.execute("CREATE INDEX CONCURRENTLY ix ON before ((1))")
op.create_table("after")
"""
SWALLOWED = """
bind = op.get_bind()
try:
    with bind.begin_nested():
        op.execute("INSERT INTO nothing VALUES (1)")
except sa.exc.DBAPIError:
    op.create_table("instead")
"""
OUTSIDE_SWALLOWED = """
with op.get_context().autocommit_block():
    try:
        op.execute("INSERT INTO nothing VALUES (1)")
    except sa.exc.DBAPIError:
        op.execute("CREATE TABLE instead ()")
"""


async def test_a_run_is_told_from_beginning_to_end(
    scripts: Scripts, url: str, control_url: str
) -> None:
    """Each act stands between two events, in order, under one run with one plan."""
    scripts.add_tables("a1", "a2")
    settings = settings_for(scripts, [url], control=control_url)
    async with opened_runtime(settings) as runtime:
        (run,) = await swept(runtime)
        step = [
            "step.started",
            "transaction.started",
            "transaction.succeeded",
            "step.succeeded",
        ]
        assert await kinds(runtime, run=run.id) == [
            "run.requested",
            "run.started",
            *step,
            *step,
            "run.succeeded",
        ]
        (started,) = await events(runtime, run=run.id, kind="run.started")
        graph = await runtime.graph("app")
        assert started.data == {
            "plan": run.plan,
            "before": [],
            "after": ["a2"],
            "steps": [
                {
                    "revision": name,
                    "before": before,
                    "after": [name],
                    "script": graph.revisions[name].digest,
                    "class": "live",
                }
                for name, before in (("a1", []), ("a2", ["a1"]))
            ],
        }
        told = await events(runtime, run=run.id)
        assert {(e.actor, e.target, e.history) for e in told} == {("clock", "db-1", "app")}
        assert [e.revision for e in told] == [None, None, *["a1"] * 4, *["a2"] * 4, None]


async def test_every_text_is_kept_and_no_parameter(scripts: Scripts, url: str) -> None:
    """Texts are found under their sha256; of parameters, there is a hash and nothing more."""
    scripts.add("a1", WITH_PARAMETERS)
    settings = settings_for(scripts, [url])
    async with opened_runtime(settings) as runtime:
        (run,) = await swept(runtime)
        (commit,) = await events(runtime, run=run.id, kind="transaction.started")
        sent = await texts(runtime, commit)
        assert [digest_of(sql) for sql in sent] == commit.data["statements"]
        verbs = [sql.split()[0] for sql in sent]
        assert verbs[-4:] == ["CREATE", "INSERT", "DELETE", "INSERT"]  # the last one is the stamp
        hashes = cast("list[str | None]", commit.data["parameters"])
        assert ".example" not in repr(await events(runtime)) + "".join(sent)
        assert [digest and len(digest) for digest in hashes[-4:]] == [None, 64, 64, None]
    assert await query(url, "SELECT count(*) FROM people") == [(2,)]


async def test_what_nothing_rolls_back_has_an_intent_of_its_own(scripts: Scripts, url: str) -> None:
    """In an autocommit block each statement is announced, sent with its ticket, and ended."""
    scripts.add("a1", OUTSIDE)
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        (run,) = await swept(runtime)
        assert (run.state, run.error) == (RunState.SUCCEEDED, None)
        assert await kinds(runtime, run=run.id) == [
            "run.requested",
            "run.started",
            "step.started",
            "transaction.started",
            "transaction.succeeded",
            "statement.started",
            "statement.succeeded",
            "transaction.started",
            "transaction.succeeded",
            "step.succeeded",
            "run.succeeded",
        ]
        first, second = await events(runtime, run=run.id, kind="transaction.started")
        assert (first.data["stamped"], second.data["stamped"]) == (False, True)
        (alone,) = await events(runtime, run=run.id, kind="statement.started")
        assert await texts(runtime, alone) == ["CREATE INDEX CONCURRENTLY ix ON before ((1))"]
    assert await tables(url) == {"before", "after", "alembic_version"}


async def test_a_script_may_survive_a_failed_statement(scripts: Scripts, url: str) -> None:
    """An error that a script swallows inside a savepoint is its own business."""
    scripts.add("a1", SWALLOWED)
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        (run,) = await swept(runtime)
        assert (run.state, run.error) == (RunState.SUCCEEDED, None)
    assert await tables(url) == {"instead", "alembic_version"}


async def test_a_swallowed_failure_outside_a_transaction_is_on_record(
    scripts: Scripts, url: str
) -> None:
    """The statement's own failure is told, with SQLSTATE and text; the run succeeds."""
    scripts.add("a1", OUTSIDE_SWALLOWED)
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        (run,) = await swept(runtime)
        assert (run.state, run.error) == (RunState.SUCCEEDED, None)
        (failed,) = await events(runtime, kind="statement.failed")
        assert (failed.revision, failed.data["code"]) == ("a1", "42P01")
        assert failed.data["error"] == "StatementError"
    assert await tables(url) == {"instead", "alembic_version"}


async def test_row_values_stay_out_of_the_log(scripts: Scripts, url: str) -> None:
    """An integrity error is told by SQLSTATE and constraint, not by the row that broke it."""
    scripts.add("a1", 'op.execute("CREATE TABLE people (email text PRIMARY KEY)")')
    scripts.add("a2", "op.execute(\"INSERT INTO people VALUES ('ada@row'), ('ada@row')\")")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        (run,) = await swept(runtime)
        assert run.state is RunState.FAILED
        assert run.error
        assert "people_pkey" in run.error
        assert "ada@row" not in run.error
        assert "ada@row" not in repr(await events(runtime))
        (failed,) = await events(runtime, kind="step.failed")
        assert failed.data["code"] == "23505"
        assert failed.data["objects"] == {
            "schema_name": "public",
            "table_name": "people",
            "constraint_name": "people_pkey",
        }
    assert await version(url) == {"a1"}


async def test_doing_nothing_is_on_record_too(scripts: Scripts, url: str) -> None:
    """A person's order on a target at head ends well, with events and without a runner."""
    scripts.add_tables("a1")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        await swept(runtime)
        run = await ordered_one(runtime)
        assert (run.state, run.before, run.after) == (RunState.SUCCEEDED, at("a1"), at("a1"))
        assert await kinds(runtime, run=run.id) == [
            "run.requested",
            "run.started",
            "run.succeeded",
        ]
