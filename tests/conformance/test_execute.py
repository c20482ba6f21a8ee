from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from providers.base import Session
from providers.errors import ConnectionLostError, StatementError
from providers.types import BASE, Outcome, Statement
from tests.conformance.adapters import Adapter

CREATE = Statement("CREATE TABLE a (id INTEGER)", transactional=False)


@pytest.fixture
def ticket() -> str:
    """Give a ticket that no statement ever had."""
    return uuid4().hex


async def test_receipt(adapter: Adapter, session: Session) -> None:
    """A statement that succeeded has its effect at once, and a receipt with its ticket."""
    receipt = await session.execute(CREATE, ticket="t1")
    assert receipt.ticket == "t1"
    assert timedelta(0) <= receipt.elapsed < timedelta(seconds=10)
    assert await adapter.tables() == {"public.a"}


async def test_leaves_the_version_table_alone(session: Session) -> None:
    """A statement by itself moves no heads."""
    await session.execute(CREATE, ticket="t1")
    assert await session.heads() == BASE


async def test_refused(adapter: Adapter, session: Session) -> None:
    """StatementError names target, ticket, statement and SQLSTATE; the statement had no effect."""
    await session.execute(CREATE, ticket="t1")
    with pytest.raises(StatementError, match=r"^orders: ") as caught:
        await session.execute(CREATE, ticket="t2")
    error = caught.value
    assert (error.target, error.ticket, error.sql, error.code) == (
        "orders",
        "t2",
        CREATE.sql,
        "42P07",
    )
    assert await adapter.tables() == {"public.a"}


async def test_goes_on_after_a_refusal(adapter: Adapter, session: Session) -> None:
    """A refused statement leaves the session fit for the next."""
    await session.execute(CREATE, ticket="t1")
    with pytest.raises(StatementError):
        await session.execute(CREATE, ticket="t2")
    await session.execute(Statement("DROP TABLE a"), ticket="t3")
    assert await adapter.tables() == set()


async def test_runs_in_the_schema_of_the_target(adapter: Adapter) -> None:
    """Unqualified names belong to the target's schema."""
    target = await adapter.in_schemas("eu", "meta")
    async with adapter.provider.open(target) as session:
        await session.execute(CREATE, ticket="t1")
    assert await adapter.tables() == {"eu.a"}


async def test_cut_in_the_middle(adapter: Adapter, session: Session, ticket: str) -> None:
    """A connection that breaks under a statement is ConnectionLostError with its ticket."""
    async with asyncio.TaskGroup() as tasks:
        broken = tasks.create_task(_lose(session, adapter.slow, ticket))
        await adapter.slow_is_running()
        await adapter.cut()
    assert broken.result().ticket == ticket
    with pytest.raises(ConnectionLostError):
        await session.heads()


async def test_resolve_after_the_cut(adapter: Adapter, session: Session, ticket: str) -> None:
    """A statement that was broken off is not called applied."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_lose(session, adapter.slow, ticket))
        await adapter.slow_is_running()
        await adapter.cut()
    assert await _resolve(adapter, adapter.slow, ticket) in {Outcome.ABSENT, Outcome.UNKNOWN}


async def test_reply_lost(adapter: Adapter, session: Session, ticket: str) -> None:
    """A lost reply is ConnectionLostError although the statement took effect; it is sent once."""
    adapter.lose_reply("execute")
    error = await _lose(session, CREATE, ticket)
    assert error.ticket == ticket
    assert await adapter.tables() == {"public.a"}


async def test_resolve_after_a_lost_reply(adapter: Adapter, session: Session, ticket: str) -> None:
    """A statement that took effect is not called absent."""
    adapter.lose_reply("execute")
    await _lose(session, CREATE, ticket)
    assert await _resolve(adapter, CREATE, ticket) in {Outcome.APPLIED, Outcome.UNKNOWN}


async def test_resolve_never_sent(adapter: Adapter, ticket: str) -> None:
    """A ticket that nobody ever sent is not called applied, and nothing is done about it."""
    assert await _resolve(adapter, CREATE, ticket) in {Outcome.ABSENT, Outcome.UNKNOWN}
    assert await adapter.tables() == set()


async def test_resolve_on_a_dead_session(adapter: Adapter, session: Session) -> None:
    """A dead session cannot tell: ConnectionLostError."""
    await adapter.cut()
    with pytest.raises(ConnectionLostError):
        await session.resolve(CREATE, ticket="t1")


async def test_cancelled(adapter: Adapter, session: Session) -> None:
    """A statement that the caller gives up is stopped, and the session is fit for the next call."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await session.execute(adapter.slow, ticket="t1")
    async with asyncio.timeout(10):
        assert await session.heads() == BASE


async def _lose(session: Session, statement: Statement, ticket: str) -> ConnectionLostError:
    with pytest.raises(ConnectionLostError) as caught:
        await session.execute(statement, ticket=ticket)
    return caught.value


async def _resolve(adapter: Adapter, statement: Statement, ticket: str) -> Outcome:
    async with adapter.provider.open(adapter.target) as fresh:
        return await fresh.resolve(statement, ticket=ticket)
