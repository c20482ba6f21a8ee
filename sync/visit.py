"""A target's session with its lock, given up while a runner works there, and taken again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from providers.base import Session
from providers.errors import StampConflictError
from providers.types import Heads, Target
from sync.pool import Providers

T = TypeVar("T")


class Visit:
    """Opens the target and takes its lock where somebody needs it; see `visiting`."""

    def __init__(self, providers: Providers, target: Target) -> None:
        self._providers = providers
        self._target = target
        self._stack = AsyncExitStack()
        self._session: Session | None = None

    async def session(self) -> Session:
        """Return the session, which holds the lock.

        Raises:
            ProviderError: The target cannot be opened, or somebody else holds its lock.
        """
        if self._session is None:
            async with AsyncExitStack() as stack:
                session = await stack.enter_async_context(self._providers.open(self._target))
                await stack.enter_async_context(session.lock(wait=self._target.lock_wait))
                self._stack = stack.pop_all()
            self._session = session
        return self._session

    async def away(self, heads: Heads, work: Awaitable[T]) -> T:
        """Await *work* while others may work on the target, which stands at *heads*.

        Raises:
            StampConflictError: Somebody did.
        """
        await self.leave()
        result = await work
        found = await (await self.session()).heads()
        if found != heads:
            raise StampConflictError(target=self._target.name, expected=heads, found=found)
        return result

    async def leave(self) -> None:
        """Give lock and session back, so that somebody else can work there.

        Raises:
            ConnectionLostError: The session had died, and the lock with it.
        """
        self._session = None
        await self._stack.aclose()


@asynccontextmanager
async def visiting(providers: Providers, target: Target) -> AsyncIterator[Visit]:
    """Give a visit to *target* for the block; nothing is opened before it is asked for."""
    visit = Visit(providers, target)
    try:
        yield visit
    finally:
        await visit.leave()
