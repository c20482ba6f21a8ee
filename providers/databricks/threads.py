"""Calls that block, for an event loop that may not be blocked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

#: One for each open session, and as many for what a caller gave up and the network holds.
_THREADS = 128


class Threads:
    """A bounded number of threads; they are made as calls need them."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, "databricks")

    def start(self, call: Callable[[], Result]) -> Future[Result]:
        """Begin *call* in a thread."""
        return self._pool.submit(call)

    async def run(self, call: Callable[[], Result]) -> Result:
        """Return what *call* returns; where the caller gives up, it goes on by itself."""
        return await asyncio.wrap_future(self.start(call))

    def close(self) -> None:
        """Take no further calls; those that run end by themselves."""
        self._pool.shutdown(wait=False)
