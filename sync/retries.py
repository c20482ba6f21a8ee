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


async def nowhere() -> None:
    """Look nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often a transaction is applied again, and how far apart."""

    most: int = 5
    first: timedelta = timedelta(milliseconds=200)  #: the longest first pause; it doubles
    longest: timedelta = timedelta(seconds=5)  #: however often it was doubled
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep  #: takes seconds
    draw: Callable[[], float] = random.random  #: from 0 to 1

    async def insist(
        self,
        act: Callable[[], Awaitable[None]],
        tell: Tell,
        *,
        look: Callable[[], Awaitable[None]] = nowhere,
        only: type[ContentionError] = ContentionError,
    ) -> None:
        """Call *act* until it succeeds; give up after `most` retries.

        Args:
            act: What is to succeed.
            tell: Is told of each retry ahead of its pause.
            look: Is called ahead of each retry, and raises where that makes no sense any more.
            only: What is retried; all else is raised as it is.

        Raises:
            ContentionError: Something was in the way each time; nothing happened.
        """
        for number in range(1, self.most + 1):
            try:
                return await act()
            except only as error:
                pause = self.pause(number)
                await tell(error, number, pause)
            await self.sleep(pause.total_seconds())
            await look()
        return await act()

    def pause(self, number: int) -> timedelta:
        """Return how long to wait before the retry of that *number*, the first being 1."""
        doubled: timedelta = self.first * 2 ** (number - 1)
        return min(doubled, self.longest) * self.draw()
