from __future__ import annotations

import asyncio

import pytest

from providers.base import Session
from providers.errors import ConnectionLostError, StampConflictError
from providers.types import BASE, Heads
from tests.conformance.adapters import Adapter

A1, B2, BOTH = frozenset({"a1"}), frozenset({"b2"}), frozenset({"a1", "b2"})
ROUNDS = 20


async def test_creates_the_table(adapter: Adapter, session: Session) -> None:
    """Stamp creates the version table where it is missing."""
    await session.stamp(before=BASE, after=A1)
    assert await session.heads() == A1
    assert await adapter.tables() == {"public.alembic_version"}


async def test_base_to_base(adapter: Adapter, session: Session) -> None:
    """A stamp that changes nothing still leaves a version table."""
    await session.stamp(before=BASE, after=BASE)
    assert await session.heads() == BASE
    assert await adapter.tables() == {"public.alembic_version"}


@pytest.mark.parametrize(
    ("before", "after"),
    [(BASE, A1), (A1, B2), (A1, BASE), (A1, BOTH), (BOTH, A1), (BOTH, BASE), (A1, A1)],
)
async def test_replaces(adapter: Adapter, session: Session, before: Heads, after: Heads) -> None:
    """Exactly *before* becomes exactly *after*, with none, one or several heads."""
    await adapter.write_heads(adapter.target, before)
    await session.stamp(before=before, after=after)
    assert await session.heads() == after


@pytest.mark.parametrize(
    ("found", "before"), [(B2, A1), (BASE, A1), (A1, BASE), (BOTH, A1), (A1, BOTH)]
)
async def test_conflict(adapter: Adapter, session: Session, found: Heads, before: Heads) -> None:
    """Where the table does not hold exactly *before*, it is named and left as it is."""
    await adapter.write_heads(adapter.target, found)
    with pytest.raises(StampConflictError, match="levelhead status orders") as caught:
        await session.stamp(before=before, after=frozenset({"c3"}))
    assert (caught.value.expected, caught.value.found) == (before, found)
    assert await session.heads() == found


async def test_goes_on_after_a_conflict(adapter: Adapter, session: Session) -> None:
    """A conflict leaves the session fit for the next call."""
    await adapter.write_heads(adapter.target, A1)
    with pytest.raises(StampConflictError):
        await session.stamp(before=B2, after=BOTH)
    await session.stamp(before=A1, after=BOTH)
    assert await session.heads() == BOTH


async def test_conflict_creates_no_table(adapter: Adapter, session: Session) -> None:
    """A conflict with a missing version table does not create it."""
    with pytest.raises(StampConflictError):
        await session.stamp(before=A1, after=B2)
    assert await adapter.tables() == set()


async def test_reply_lost(adapter: Adapter, session: Session) -> None:
    """A lost reply is ConnectionLostError; heads tell on another session."""
    adapter.lose_reply("stamp")
    with pytest.raises(ConnectionLostError):
        await session.stamp(before=BASE, after=A1)
    async with adapter.provider.open(adapter.target) as fresh:
        assert await fresh.heads() == A1


@pytest.mark.parametrize("before", [None, BASE, frozenset({"c3"})], ids=["missing", "empty", "one"])
async def test_race(adapter: Adapter, before: Heads | None) -> None:
    """Of two stamps from the same heads one wins and the other is a conflict, each time."""
    provider, target = adapter.provider, adapter.target
    if before is not None:
        await adapter.write_heads(target, before)
    async with provider.open(target) as one, provider.open(target) as two:
        for _ in range(ROUNDS):
            winner = await _race(one, two, before or BASE)
            assert await one.heads() == winner
            await one.stamp(before=winner, after=before or BASE)


async def _race(one: Session, two: Session, before: Heads) -> Heads:
    """Stamp A1 and B2 at once; return the one that won."""
    results = await asyncio.gather(
        one.stamp(before=before, after=A1),
        two.stamp(before=before, after=B2),
        return_exceptions=True,
    )
    winner, loser = (A1, results[1]) if results[0] is None else (B2, results[0])
    assert results.count(None) == 1
    assert isinstance(loser, StampConflictError)
    assert loser.found == winner
    return winner
