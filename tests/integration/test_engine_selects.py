"""Queries that are sent for their effect: live steps announce them, and send them once."""

from __future__ import annotations

import pytest

from sync.model import RunState
from tests.support.engine import (
    events,
    execute,
    opened_runtime,
    ordered_one,
    query,
    settings_for,
    texts,
)
from tests.support.histories import Scripts

SETUP = """
    CREATE TABLE ledger (n int); CREATE TABLE t (n int); CREATE SEQUENCE numbers;
    INSERT INTO t VALUES (1), (1);
    CREATE FUNCTION bump() RETURNS int LANGUAGE sql
        AS 'INSERT INTO ledger VALUES (1) RETURNING n';
    CREATE FUNCTION ask() RETURNS bigint STABLE LANGUAGE sql AS 'SELECT count(*) FROM ledger'
"""
#: Fails until t has no row twice.
FAILS = '    op.execute("CREATE UNIQUE INDEX CONCURRENTLY i ON t (n)")\n'
OUTSIDE = "with op.get_context().autocommit_block():\n"
ASKS = '    op.get_bind().execute(sa.text("{}")).scalar()\n'


async def resumed(scripts: Scripts, url: str, body: str) -> tuple[str | None, list[str]]:
    """Have *body* stop half-way and be resumed; return its error, and what was announced."""
    scripts.add("a1", body)
    await execute(url, SETUP)
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        assert (await ordered_one(runtime)).state is RunState.FAILED
        announced = [
            text
            for kind in ("statement.started", "transaction.started")
            for event in await events(runtime, kind=kind)
            for text in await texts(runtime, event)
        ]
        await execute(url, "DELETE FROM t")
        return (await ordered_one(runtime)).error, announced


@pytest.mark.parametrize(
    ("sql", "effect"),
    [
        ("SELECT bump()", "SELECT count(*) FROM ledger"),
        ("EXPLAIN ANALYZE SELECT bump()", "SELECT count(*) FROM ledger"),
        ("SELECT nextval('numbers')", "SELECT last_value FROM numbers"),
        ("SELECT 1 AS n INTO made", "SELECT count(*) FROM made"),
    ],
)
@pytest.mark.parametrize("place", ["alone", "in a transaction"])
async def test_a_query_whose_result_nobody_can_see_is_a_statement(
    scripts: Scripts, url: str, sql: str, effect: str, place: str
) -> None:
    """What `op.execute` sends is announced before, and is not sent again when it stands."""
    sends = f'op.execute("{sql}")\n'
    body = OUTSIDE + "    " + sends if place == "alone" else sends + OUTSIDE
    error, announced = await resumed(scripts, url, body + FAILS)
    assert error is None
    assert sql in announced
    assert await query(url, effect) == [(1,)]


async def test_a_query_with_an_effect_whose_result_is_used_is_a_named_stop(
    scripts: Scripts, url: str
) -> None:
    """It cannot be passed over, for its result is needed, nor be sent again."""
    asks = ASKS.format("SELECT bump()")
    error, announced = await resumed(scripts, url, OUTSIDE + asks + FAILS)
    assert error is not None
    assert "stopped in the middle of revision a1" in error
    assert "SELECT bump()" in announced
    assert await query(url, "SELECT count(*) FROM ledger") == [(1,)]


@pytest.mark.parametrize(
    "sql", ["SELECT count(*) FROM t", "SELECT ask()", "SELECT lower('x; select into bump()')"]
)
async def test_a_query_that_changes_nothing_is_sent_again(
    scripts: Scripts, url: str, sql: str
) -> None:
    """The server says which functions may act; a result of others is asked for again."""
    creates = '    op.execute("CREATE TABLE first ()")\n'
    error, announced = await resumed(scripts, url, OUTSIDE + creates + ASKS.format(sql) + FAILS)
    assert error is None
    assert sql not in announced


async def test_the_session_is_set_up_again(scripts: Scripts, url: str) -> None:
    """A setting holds for one session: it is no statement, whichever way it is sent."""
    body = (
        '    op.execute("CREATE SCHEMA s")\n'
        "    op.execute(\"SELECT set_config('search_path', 's', false)\")\n"
        '    op.execute("CREATE TABLE first ()")\n'
        '    op.execute("RESET search_path")\n'
    )
    error, _ = await resumed(scripts, url, OUTSIDE + body + FAILS)
    assert error is None
