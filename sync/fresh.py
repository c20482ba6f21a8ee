"""Looks at something that may change at any time, shared by those who ask at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class Fresh(Generic[T]):
    """What the last look gave, for whoever asked before that look began."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._last: tuple[float, T] | None = None  #: when it began, and what it gave

    async def get(self, look: Callable[[], Awaitable[T]]) -> T:
        """Return what *look* gives, or gave to another who asked the same meanwhile.

        It began after this call in either case. Looks follow one another; what one raises
        concerns nobody but its caller.
        """
        asked = monotonic()
        async with self._lock:
            if self._last is None or self._last[0] <= asked:
                began = monotonic()
                self._last = began, await look()
            return self._last[1]
