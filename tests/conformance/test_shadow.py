from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest

from providers.base import Session, Shadowing
from providers.errors import ConnectError, StatementError
from providers.types import BASE, Heads, Statement, Target
from tests.conformance.adapters import Adapter

A1, B2 = frozenset({"a1"}), frozenset({"b2"})


@pytest.fixture
async def major(session: Session) -> str:
    """Give the server's major version."""
    return await session.server_major()


def shadow_of(
    adapter: Adapter, major: str, target: Target | None = None
) -> AbstractAsyncContextManager[Target]:
    """Make a shadow of *target*, or of the adapter's own."""
    assert isinstance(adapter.provider, Shadowing)
    return adapter.provider.shadow(target or adapter.target, adapter.place, major=major)


async def write(adapter: Adapter, target: Target, table: str, before: Heads, after: Heads) -> None:
    """Create *table* on *target*, and stamp it."""
    async with adapter.opened(target) as session:
        sql = f"CREATE TABLE {table} (id INTEGER)"
        await session.execute(Statement(sql), ticket=f"{target.url}:{table}")
        await session.stamp(before=before, after=after)


async def heads_of(adapter: Adapter, target: Target) -> Heads:
    """Return the heads of *target*, on a session of their own."""
    async with adapter.opened(target) as session:
        return await session.heads()


async def is_gone(adapter: Adapter, shadow: Target) -> bool:
    """Tell whether *shadow* cannot be opened any more."""
    try:
        await heads_of(adapter, shadow)
    except ConnectError:
        return True
    return False


async def test_new_shadow_is_empty(adapter: Adapter, major: str) -> None:
    """A shadow has the dialect and history of its target, and nothing of what is in it."""
    await write(adapter, adapter.target, "users", BASE, A1)
    async with shadow_of(adapter, major) as shadow:
        assert (shadow.dialect, shadow.history) == (adapter.target.dialect, "app")
        assert shadow.name == "shadow of orders"
        async with adapter.opened(shadow) as session:
            assert await session.server_major() == major
            assert await session.heads() == BASE
            with pytest.raises(StatementError):
                await session.execute(Statement("DROP TABLE users"), ticket="t")


async def test_what_is_written(adapter: Adapter, major: str) -> None:
    """What is written to a shadow stays for its block, and touches neither target nor others."""
    async with shadow_of(adapter, major) as one, shadow_of(adapter, major) as other:
        await write(adapter, one, "users", BASE, A1)
        await write(adapter, other, "users", BASE, B2)
        assert await heads_of(adapter, one) == A1
        assert await heads_of(adapter, other) == B2
        assert await adapter.tables() == set()
    assert await is_gone(adapter, one)
    assert await is_gone(adapter, other)


async def test_schemas(adapter: Adapter, major: str) -> None:
    """A shadow has the schemas of its target and of the version table."""
    target = await adapter.in_schemas("tenant", "versions")
    async with shadow_of(adapter, major, target) as shadow:
        await write(adapter, shadow, "users", BASE, A1)
        assert await heads_of(adapter, shadow) == A1
    assert await heads_of(adapter, target) == BASE


async def test_error_in_the_block(adapter: Adapter, major: str) -> None:
    """What the block raises comes out as it is, and the shadow is gone."""
    with pytest.raises(ZeroDivisionError):
        async with shadow_of(adapter, major) as shadow:
            raise ZeroDivisionError
    assert await is_gone(adapter, shadow)


async def test_cancelled_block(adapter: Adapter, major: str) -> None:
    """When the cancellation of a block has come out, the shadow is gone."""
    entered: asyncio.Queue[Target] = asyncio.Queue()

    async def use() -> None:
        async with shadow_of(adapter, major) as shadow:
            entered.put_nowait(shadow)
            await asyncio.sleep(3600)

    task = asyncio.create_task(use())
    shadow = await entered.get()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await is_gone(adapter, shadow)


async def test_session_that_stays_open(adapter: Adapter, major: str) -> None:
    """A session that is left open keeps no shadow from going."""
    async with shadow_of(adapter, major) as shadow:
        left = adapter.opened(shadow)
        await left.__aenter__()
    assert await is_gone(adapter, shadow)
    await left.__aexit__(None, None, None)


async def test_nothing_secret_is_shown(adapter: Adapter, major: str) -> None:
    """The URL of a shadow is no more in its repr than that of a target."""
    async with shadow_of(adapter, major) as shadow:
        assert shadow.url not in repr(shadow)
