from __future__ import annotations

import asyncio
from datetime import timedelta
from time import monotonic

import pytest

from providers.base import Session
from providers.errors import ConnectionLostError, LockBusyError
from providers.types import BASE, Statement
from tests.conformance.abilities import needs_exclusion, without_exclusion
from tests.conformance.adapters import Adapter

NO_WAIT = timedelta(0)
PATIENT = timedelta(seconds=10)


async def is_free(adapter: Adapter) -> bool:
    """Tell whether another session gets the lock at once."""
    async with adapter.provider.open(adapter.target) as other:
        try:
            async with other.lock(wait=NO_WAIT):
                return True
        except LockBusyError:
            return False


@needs_exclusion
async def test_exclusive(adapter: Adapter, session: Session) -> None:
    """One session holds the lock at a time, until its block ends."""
    async with session.lock(wait=NO_WAIT):
        assert not await is_free(adapter)
    assert await is_free(adapter)


@without_exclusion
async def test_no_lock(adapter: Adapter, session: Session) -> None:
    """Where the database has no lock, nobody waits for one: the lease is the guard."""
    async with session.lock(wait=NO_WAIT):
        assert await is_free(adapter)


async def test_taken_again(session: Session) -> None:
    """A session can take the lock again after it gave it back."""
    for _ in range(2):
        async with session.lock(wait=NO_WAIT):
            assert await session.heads() == BASE


@needs_exclusion
async def test_busy_after_the_wait(adapter: Adapter, session: Session) -> None:
    """LockBusyError comes when the wait is over, not before it."""
    async with session.lock(wait=NO_WAIT), adapter.provider.open(adapter.target) as other:
        started = monotonic()
        with pytest.raises(LockBusyError, match=r"^orders: .*0.3 s"):
            async with other.lock(wait=timedelta(seconds=0.3)):
                raise AssertionError("both hold the lock")
        assert monotonic() - started >= 0.3


@needs_exclusion
async def test_waits_its_turn(adapter: Adapter, session: Session) -> None:
    """Whoever waits gets the lock when the holder gives it back."""
    entered = asyncio.Event()

    async def wait_for_it() -> None:
        async with adapter.provider.open(adapter.target) as other, other.lock(wait=PATIENT):
            entered.set()

    async with asyncio.TaskGroup() as tasks, asyncio.timeout(10):
        async with session.lock(wait=NO_WAIT):
            tasks.create_task(wait_for_it())
            await asyncio.sleep(0.15)
            assert not entered.is_set()
        await entered.wait()


async def test_released_by_an_error(adapter: Adapter, session: Session) -> None:
    """An error in the block comes out as it is, and gives the lock back."""
    with pytest.raises(ZeroDivisionError):
        async with session.lock(wait=NO_WAIT):
            raise ZeroDivisionError
    assert await is_free(adapter)


async def test_released_by_cancellation(adapter: Adapter, session: Session) -> None:
    """A block that is cancelled under a statement gives the lock back, and soon."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2), session.lock(wait=NO_WAIT):
            await session.execute(adapter.slow, ticket="t1")
    assert await is_free(adapter)


@needs_exclusion
async def test_holder_dies(adapter: Adapter, session: Session) -> None:
    """A session that dies loses its lock, and its block ends in ConnectionLostError."""
    with pytest.raises(ConnectionLostError):
        async with session.lock(wait=NO_WAIT):
            assert await _is_free_after_the_cut(adapter)


async def test_holder_dies_with_an_error(adapter: Adapter, session: Session) -> None:
    """Where the block raises and the session is dead too, the block's error comes out."""
    with pytest.raises(ZeroDivisionError):
        async with session.lock(wait=NO_WAIT):
            _ = 1 / (not await _is_free_after_the_cut(adapter))


async def _is_free_after_the_cut(adapter: Adapter) -> bool:
    await adapter.cut()
    return await is_free(adapter)


@needs_exclusion
async def test_waiting_on_a_dead_session(adapter: Adapter, session: Session) -> None:
    """A session that is dead says so instead of waiting."""
    await adapter.cut()
    with pytest.raises(ConnectionLostError):
        async with session.lock(wait=PATIENT):
            raise AssertionError("a dead session holds the lock")


@needs_exclusion
async def test_held_by_the_session_that_works(adapter: Adapter, session: Session) -> None:
    """While a statement runs under the lock it is held, and it goes when that session is cut."""
    async with asyncio.TaskGroup() as tasks:
        work = tasks.create_task(_work_under_lock(adapter, session))
        await adapter.slow_is_running()
        assert not await is_free(adapter)
        await adapter.cut()
        assert await work
    assert await is_free(adapter)


async def _work_under_lock(adapter: Adapter, session: Session) -> bool:
    """Run something slow under the lock; tell whether the connection broke."""
    try:
        async with session.lock(wait=NO_WAIT):
            await session.execute(adapter.slow, ticket="t1")
    except ConnectionLostError:
        return True
    return False


async def test_one_lock_per_version_table(adapter: Adapter, session: Session) -> None:
    """Targets in different schemas of one database do not wait for each other."""
    target = await adapter.in_schemas("eu", None)
    opened = adapter.provider.open(target)
    async with opened as other, session.lock(wait=NO_WAIT), other.lock(wait=NO_WAIT):
        await other.execute(Statement("CREATE TABLE a (id INTEGER)"), ticket="t1")
    assert await adapter.tables() == {"eu.a"}
