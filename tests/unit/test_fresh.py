"""Looks that are shared: each answer is as young as the question."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from sync.fresh import Fresh


async def test_those_who_ask_during_a_look_share_the_next_one() -> None:
    """Whoever asks while somebody looks gets what was seen after that, once for all."""
    fresh, numbers, gate = Fresh[int](), count(1), asyncio.Event()

    async def look() -> int:
        await gate.wait()
        return next(numbers)

    first = asyncio.create_task(fresh.get(look))
    await asyncio.sleep(0)
    others = [asyncio.create_task(fresh.get(look)) for _ in range(3)]
    await asyncio.sleep(0)
    gate.set()
    assert await first == 1
    assert await asyncio.gather(*others) == [2, 2, 2]


async def test_nobody_gets_what_was_seen_before_he_asked() -> None:
    """Who asks after a look has ended has somebody look again."""
    fresh, numbers = Fresh[int](), count(1)

    async def look() -> int:
        return next(numbers)

    assert [await fresh.get(look), await fresh.get(look)] == [1, 2]


async def test_a_look_that_fails_or_is_cancelled_is_its_own_askers_matter() -> None:
    """The others look for themselves."""
    fresh, gate = Fresh[int](), asyncio.Event()

    async def fail() -> int:
        await gate.wait()
        raise OSError("unreadable")

    async def look() -> int:
        return 1

    failing = asyncio.create_task(fresh.get(fail))
    cancelled = asyncio.create_task(fresh.get(fail))
    other = asyncio.create_task(fresh.get(look))
    await asyncio.sleep(0)
    cancelled.cancel()
    gate.set()
    assert await other == 1
    with pytest.raises(OSError, match="unreadable"):
        await failing
