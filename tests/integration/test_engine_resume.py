"""Revisions that stopped half-way where nothing rolls back: the next run goes on from there."""

from __future__ import annotations

import asyncio

import pytest

from sync.errors import UnknownTicketError
from sync.model import Order, RunState, Selection, Status, Verb, Verdict
from sync.runtime import Runtime
from tests.support.engine import (
    at,
    events,
    execute,
    opened_runtime,
    ordered_one,
    settings_for,
    status,
    swept,
    tables,
    texts,
)
from tests.support.histories import Scripts

TWO_OUTSIDE = """
with op.get_context().autocommit_block():
    op.execute("CREATE TABLE first ()")
    op.execute("CREATE TABLE {} ()")
"""
BETWEEN = """
op.execute("CREATE TABLE zeroth ()")
with op.get_context().autocommit_block():
    op.execute("CREATE TABLE first ()")
op.execute("CREATE TABLE second ()")
"""


async def test_it_goes_on_at_the_first_statement_that_is_missing(
    scripts: Scripts, url: str, control_url: str
) -> None:
    """What an earlier run made final is not sent again, and is sent once for good."""
    scripts.add("a1", TWO_OUTSIDE.format("second"))
    await execute(url, "CREATE TABLE second ()")
    async with opened_runtime(settings_for(scripts, [url], control=control_url)) as runtime:
        (failed,) = await swept(runtime)
        assert failed.state is RunState.FAILED
        assert await tables(url) >= {"first", "second"}

        await execute(url, "DROP TABLE second")
        resumed = await ordered_one(runtime)
        assert (resumed.state, resumed.after, resumed.error) == (RunState.SUCCEEDED, at("a1"), None)
        sent = [
            (await texts(runtime, event))[0]
            for event in await events(runtime, run=resumed.id, kind="statement.started")
        ]
        assert sent == ["CREATE TABLE second ()"]


async def test_transactions_that_were_committed_are_passed_over_too(
    scripts: Scripts, url: str
) -> None:
    """A COMMIT ahead of an autocommit block is final: its statements are not sent again."""
    scripts.add("a1", BETWEEN)
    await execute(url, "CREATE TABLE second ()")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        await swept(runtime)
        assert await tables(url) == {"alembic_version", "zeroth", "first", "second"}
        await execute(url, "DROP TABLE second")
        resumed = await ordered_one(runtime)
        assert (resumed.state, resumed.after) == (RunState.SUCCEEDED, at("a1"))
    assert await tables(url) == {"alembic_version", "zeroth", "first", "second"}


async def test_another_script_is_a_named_stop(scripts: Scripts, url: str) -> None:
    """A script that was changed after it stopped half-way is not guessed at: a person stamps."""
    scripts.add("a1", TWO_OUTSIDE.format("second"))
    await execute(url, "CREATE TABLE second ()")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        await swept(runtime)
        scripts.add("a1", TWO_OUTSIDE.format("third").replace("first", "fourth"), after=None)
        (stopped,) = await swept(runtime)
        assert stopped.state is RunState.FAILED
        assert stopped.error == (
            "db-1: an earlier run stopped in the middle of revision a1, and the script does not "
            "send the same again; put the target right by hand, then levelhead stamp db-1 REVISION"
        )
        assert "fourth" not in await tables(url)
        stamped = await ordered_one(runtime, Verb.STAMP, "a1")
        assert stamped.state is RunState.SUCCEEDED
        assert (await status(runtime)).status is Status.CURRENT


async def test_a_stamp_makes_it_begin_anew(scripts: Scripts, url: str) -> None:
    """Who stamps has told where the target stands: nothing of before counts any more."""
    scripts.add("a1", TWO_OUTSIDE.format("second"))
    await execute(url, "CREATE TABLE second ()")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        await swept(runtime)
        await execute(url, "DROP TABLE first, second")
        await ordered_one(runtime, Verb.STAMP, "base")
        await runtime.release("db-1", actor="ada")
        again = await ordered_one(runtime)
        assert (again.state, again.after) == (RunState.SUCCEEDED, at("a1"))
    assert await tables(url) == {"alembic_version", "first", "second"}


IN_DOUBT = """
with op.get_context().autocommit_block():
    op.execute("CREATE TABLE first ()")
    op.execute("INSERT INTO seen SELECT 1 FROM pg_sleep(60)")
    op.execute("CREATE TABLE second ()")
"""


async def left_in_doubt(scripts: Scripts, url: str, runtime: Runtime) -> str:
    """Lose the connection in the middle of a statement; return its ticket."""
    scripts.add("a1", IN_DOUBT)
    await execute(url, "CREATE TABLE seen (id INT)")
    rollout = await runtime.request(Order(Verb.SYNC), Selection(targets=("db-1",)), actor="ada")
    while len(await events(runtime, kind="statement.started")) < 2:  # noqa: ASYNC110 - a database is asked
        await asyncio.sleep(0.05)
    await execute(url, TERMINATED)
    await runtime.finished(rollout.id)
    assert (await ordered_one(runtime)).state is RunState.INTERRUPTED
    return str((await events(runtime, kind="statement.started"))[-1].ticket)


TERMINATED = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE query LIKE '%INSERT INTO seen%' AND pid <> pg_backend_pid()
"""


@pytest.mark.parametrize("word", list(Verdict))
async def test_a_persons_word_settles_it(
    scripts: Scripts, url: str, control_url: str, word: Verdict
) -> None:
    """Applied: it is passed over. Absent: it is sent. The word is an event with a name on it."""
    async with opened_runtime(settings_for(scripts, [url], control=control_url)) as runtime:
        ticket = await left_in_doubt(scripts, url, runtime)
        await execute(url, "ALTER TABLE seen RENAME TO gone")  # sent again it fails at once
        told = await runtime.settle(ticket, word, actor="grace")
        assert (told.kind, told.actor, told.ticket) == ("operator.settled", "grace", ticket)
        (run,) = await swept(runtime)
        started = await events(runtime, run=run.id, kind="statement.started")
        texts_sent = [(await texts(runtime, event))[0].split()[0] for event in started]
        assert texts_sent == (["CREATE"] if word is Verdict.APPLIED else ["INSERT"])
        assert await runtime.verify() > 0


async def test_only_what_is_in_doubt_can_be_settled(
    scripts: Scripts, url: str, control_url: str
) -> None:
    """A ticket that nobody knows, or that has its end, is refused in one line."""
    scripts.add_tables("a1")
    async with opened_runtime(settings_for(scripts, [url], control=control_url)) as runtime:
        await swept(runtime)
        (done,) = await events(runtime, kind="transaction.succeeded")
        for ticket in ("nonsense", str(done.ticket)):
            with pytest.raises(UnknownTicketError, match=f"of ticket {ticket} is in doubt"):
                await runtime.settle(ticket, Verdict.APPLIED, actor="grace")
