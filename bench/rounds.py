"""Things done in turns, so that what slows the machine meets all of them."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

Result = TypeVar("Result")
Act: TypeAlias = Callable[[], Awaitable[Result]]

_MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class Spread:
    """What several values come to."""

    median: float
    least: float
    most: float
    p99: float  #: 99 of 100 values are not greater


async def take_turns(*acts: Act[Result], rounds: int) -> list[tuple[Result, ...]]:
    """Return what *acts* gave in each of the rounds, in the order of *acts*.

    Who goes first changes from round to round. One turn of each comes before, and does not
    count: it warms the caches.
    """
    for act in acts:
        await act()
    return [await _round(acts, number % len(acts)) for number in range(rounds)]


async def _round(acts: Sequence[Act[Result]], first: int) -> tuple[Result, ...]:
    order = [*range(first, len(acts)), *range(first)]
    given = {place: await acts[place]() for place in order}
    return tuple(given[place] for place in range(len(acts)))


def timed(act: Act[object]) -> Act[float]:
    """Return *act* as one that gives the seconds it took."""

    async def seconds() -> float:
        begin = time.perf_counter()
        await act()
        return time.perf_counter() - begin

    return seconds


def spread(values: Sequence[float]) -> Spread:
    """Return what *values* come to; there is at least one."""
    ordered = sorted(values)
    last = math.ceil(0.99 * len(ordered)) - 1
    return Spread(statistics.median(ordered), ordered[0], ordered[-1], ordered[last])


def in_milliseconds(seconds: Sequence[float]) -> Spread:
    """Return what *seconds* come to, in milliseconds."""
    return spread([value * _MILLISECONDS for value in seconds])
