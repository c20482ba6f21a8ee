"""Transactions that another session was in the way of are applied again, later and later.

The pause grows with each try, and is drawn at random up to there: two that stood in each
other's way shall not meet a second time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from providers.errors import ContentionError

#: Is told of each retry ahead of its pause: what was in the way, the how-manieth, how long.
Tell: TypeAlias = Callable[[ContentionError, int, timedelta], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often a transaction is applied again, and how far apart."""

    most: int = 5
    first: timedelta = timedelta(milliseconds=200)  #: the longest first pause; it doubles
    longest: timedelta = timedelta(seconds=5)  #: however often it was doubled
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep  #: takes seconds
    draw: Callable[[], float] = random.random  #: from 0 to 1

    async def insist(self, act: Callable[[], Awaitable[None]], tell: Tell) -> None:
        """Call *act* until it succeeds; give up after `most` retries.

        Raises:
            ContentionError: Something was in the way each time; nothing happened.
        """
        for number in range(1, self.most + 1):
            try:
                return await act()
            except ContentionError as error:
                pause = self.pause(number)
                await tell(error, number, pause)
            await self.sleep(pause.total_seconds())
        return await act()

    def pause(self, number: int) -> timedelta:
        """Return how long to wait before the retry of that *number*, the first being 1."""
        doubled: timedelta = self.first * 2 ** (number - 1)
        return min(doubled, self.longest) * self.draw()
