"""Two things timed in turns, so that what slows the machine meets both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

Act = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Round:
    """One turn of each, in seconds."""

    sweep: float
    bare: float

    @property
    def ratio(self) -> float:
        """How many times as long the sweep took."""
        return self.sweep / self.bare


@dataclass(frozen=True, slots=True)
class Spread:
    """What several turns of one thing gave."""

    median: float
    least: float
    most: float


async def alternate(sweep: Act, bare: Act, *, rounds: int) -> list[Round]:
    """Time *sweep* and *bare* in turns; each goes first in every second round.

    One turn of each comes before, and does not count: it warms the caches.
    """
    await _seconds(sweep)
    await _seconds(bare)
    return [await _round(sweep, bare, number) for number in range(rounds)]


def spread(values: Sequence[float]) -> Spread:
    """Return median and extremes of *values*, of which there is at least one."""
    return Spread(statistics.median(values), min(values), max(values))


async def _round(sweep: Act, bare: Act, number: int) -> Round:
    if number % 2 == 0:
        return Round(sweep=await _seconds(sweep), bare=await _seconds(bare))
    bare_seconds = await _seconds(bare)
    return Round(sweep=await _seconds(sweep), bare=bare_seconds)


async def _seconds(act: Act) -> float:
    begin = time.perf_counter()
    await act()
    return time.perf_counter() - begin
