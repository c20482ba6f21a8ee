from __future__ import annotations

import asyncio

import pytest

from providers.base import Session, Transactional
from providers.errors import (
    ConnectionLostError,
    ContentionError,
    StampConflictError,
    StatementError,
)
from providers.types import BASE, Heads, Statement
from tests.conformance.abilities import needs_rollback
from tests.conformance.adapters import Adapter

pytestmark = needs_rollback

A1, B2 = frozenset({"a1"}), frozenset({"b2"})
ROUNDS = 50


def create(*names: str) -> list[Statement]:
    """Return statements that fail if they are run twice."""
    return [Statement(f"CREATE TABLE {name} (id INTEGER)") for name in names]


async def test_block_and_stamp(
    adapter: Adapter, session: Session, transactional: Transactional
) -> None:
    """The statements take effect together with the stamp."""
    await transactional.apply(create("a", "b"), before=BASE, after=A1)
    assert await session.heads() == A1
    assert await adapter.tables() == {"public.a", "public.b", "public.alembic_version"}


async def test_empty_block(session: Session, transactional: Transactional) -> None:
    """A revision without statements is stamped."""
    await transactional.apply([], before=BASE, after=A1)
    assert await session.heads() == A1


async def test_one_after_another(
    adapter: Adapter, session: Session, transactional: Transactional
) -> None:
    """Blocks follow each other on one session, up and down again."""
    await transactional.apply(create("a"), before=BASE, after=A1)
    await transactional.apply([Statement("DROP TABLE a")], before=A1, after=BASE)
    assert await session.heads() == BASE
    assert await adapter.tables() == {"public.alembic_version"}


@pytest.mark.parametrize("failing", [0, 1, 2])
async def test_all_or_nothing(
    adapter: Adapter, session: Session, transactional: Transactional, failing: int
) -> None:
    """Where a statement fails, none has an effect, and the error names it."""
    await adapter.write_heads(adapter.target, A1)
    before = await adapter.tables()
    block = create("a", "b")
    block.insert(failing, Statement("DROP TABLE missing"))
    with pytest.raises(StatementError, match=r"^orders: ") as caught:
        await transactional.apply(block, before=A1, after=B2)
    assert (caught.value.sql, caught.value.code) == ("DROP TABLE missing", "42P01")
    assert await session.heads() == A1
    assert await adapter.tables() == before


async def test_goes_on_after_a_failure(session: Session, transactional: Transactional) -> None:
    """A failed block leaves the session fit for the next."""
    with pytest.raises(StatementError):
        await transactional.apply(create("a", "a"), before=BASE, after=A1)
    await transactional.apply(create("a"), before=BASE, after=A1)
    assert await session.heads() == A1


async def test_another_session_in_the_way(
    adapter: Adapter, session: Session, transactional: Transactional
) -> None:
    """Nothing happens: ContentionError, which names the statement; a moment later it succeeds."""
    async with adapter.in_the_way() as statement:
        with pytest.raises(ContentionError, match=r"^orders: ") as caught:
            await transactional.apply([*create("a"), statement], before=BASE, after=A1)
        assert (caught.value.code, caught.value.sql) == ("55P03", statement.sql)
        assert await session.heads() == BASE
        assert "public.a" not in await adapter.tables()
    await transactional.apply([*create("a"), statement], before=BASE, after=A1)
    assert await session.heads() == A1
    assert "public.held" not in await adapter.tables()


@pytest.mark.parametrize("found", [BASE, B2, A1 | B2], ids=len)
async def test_guard(
    adapter: Adapter, session: Session, transactional: Transactional, found: Heads
) -> None:
    """Where the version table holds other heads, nothing is done and they are named."""
    await adapter.write_heads(adapter.target, found)
    before = await adapter.tables()
    with pytest.raises(StampConflictError) as caught:
        await transactional.apply(create("a"), before=A1, after=frozenset({"c3"}))
    assert (caught.value.expected, caught.value.found) == (A1, found)
    assert await session.heads() == found
    assert await adapter.tables() == before


async def test_commit_lost(adapter: Adapter, transactional: Transactional) -> None:
    """A lost reply to COMMIT is ConnectionLostError; heads tell on another session."""
    adapter.lose_reply("apply")
    with pytest.raises(ConnectionLostError):
        await transactional.apply(create("a"), before=BASE, after=A1)
    async with adapter.provider.open(adapter.target) as fresh:
        assert await fresh.heads() == A1
    assert "public.a" in await adapter.tables()


async def test_dead_session(adapter: Adapter, transactional: Transactional) -> None:
    """On a dead session nothing is done."""
    await adapter.cut()
    with pytest.raises(ConnectionLostError):
        await transactional.apply(create("a"), before=BASE, after=A1)
    assert await adapter.tables() == set()


async def test_schemas(adapter: Adapter) -> None:
    """The block runs in the target's schema; its stamp goes to version_table_schema."""
    target = await adapter.in_schemas("eu", "meta")
    async with adapter.provider.open(target) as session:
        assert isinstance(session, Transactional)
        await session.apply(create("a"), before=BASE, after=A1)
    assert await adapter.tables() == {"eu.a", "meta.alembic_version"}


async def test_race(adapter: Adapter) -> None:
    """Of two sessions that apply the same block at once, exactly one does, each time."""
    provider, target = adapter.provider, adapter.target
    async with provider.open(target) as one, provider.open(target) as two:
        before = BASE
        for number in range(ROUNDS):
            after = frozenset({f"r{number}"})
            await _race([one, two], create(f"t{number}"), before, after)
            assert await one.heads() == after
            before = after


async def _race(
    sessions: list[Session], block: list[Statement], before: Heads, after: Heads
) -> None:
    """Apply *block* on all *sessions* at once: one succeeds, the others find *after*."""
    attempts = [
        session.apply(block, before=before, after=after)
        for session in sessions
        if isinstance(session, Transactional)
    ]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    conflicts = [result for result in results if isinstance(result, StampConflictError)]
    assert results.count(None) == 1
    assert [conflict.found for conflict in conflicts] == [after] * (len(sessions) - 1)
