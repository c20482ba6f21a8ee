"""Adds up for how long sessions were open that cost for as long as they are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from time import monotonic

from providers.base import Provider, Session
from providers.types import Target
from sync.events.chain import JSON, Draft
from sync.events.kinds import Kind
from sync.pool import Providers


class Meter:
    """What one run, or one look at many targets, has used of warehouses."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._seconds = 0.0
        self._sessions = 0

    @contextmanager
    def counting(self, provider: object) -> Iterator[None]:
        """Count the block, where a session of *provider* costs for as long as it is open."""
        if not (isinstance(provider, Provider) and provider.metered):
            yield
            return
        start = self._clock()
        try:
            yield
        finally:
            self._seconds += self._clock() - start
            self._sessions += 1

    @property
    def seconds(self) -> float | None:
        """Return for how long sessions were open; None where none was that costs."""
        return round(self._seconds, 1) if self._sessions else None

    def facts(self) -> dict[str, JSON]:
        """Return what was used; empty where nothing was that costs."""
        return {"seconds": self.seconds, "sessions": self._sessions} if self._sessions else {}


def used(meter: Meter) -> Sequence[Draft]:
    """Return the event of what a look has cost; none where it was for nothing."""
    facts = meter.facts()
    return [Draft(kind=Kind.WAREHOUSE_USED, actor="service", data=facts)] if facts else []


class MeteredProviders(Providers):
    """Opens sessions as others do, and has a meter count them."""

    def __init__(self, providers: Providers, meter: Meter) -> None:
        self._inner = providers
        self._meter = meter

    @asynccontextmanager
    async def open(self, target: Target) -> AsyncIterator[Session]:
        """Open a session on *target*; see `Providers.open`."""
        async with self._inner.open(target) as session:
            with self._meter.counting(await self._inner.of(target)):
                yield session

    async def of(self, target: Target) -> Provider:
        """Return the provider that opens *target*; see `Providers.of`."""
        return await self._inner.of(target)

    async def aclose(self) -> None:
        """Do nothing: they are somebody else's."""
