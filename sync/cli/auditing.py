"""Commands that read the audit log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sync.cli.screen import Screen
from sync.cli.views import events_table
from sync.cli.words import count
from sync.events.chain import Event
from sync.lookout import Lookout, lookout_beside
from sync.model import EventQuery
from sync.settings import Settings

#: How often `--follow` looks for more.
PACE = timedelta(milliseconds=500)
PAGE = 1000


async def show_events(settings: Settings, query: EventQuery, screen: Screen) -> int:
    """Show the newest events that match, as many as *query* has room for."""
    async with lookout_beside(settings) as watch:
        events = await watch.newest_events(await _whole(watch, query))
    screen.show(events_table(events), events)
    return 0


async def follow_events(settings: Settings, query: EventQuery, screen: Screen) -> int:
    """Show the newest events that match, and then each that is added, until interrupted."""
    async with lookout_beside(settings) as watch:
        query = await _whole(watch, query)
        events = await watch.newest_events(query)
        screen.add(events_table(events), events)
        seen = events[-1].sequence if events else 0
        while not _over(query, datetime.now(UTC)):
            async for page in pages(watch, replace(query, after=seen)):
                screen.add(events_table(page), page)
                seen = page[-1].sequence
            await asyncio.sleep(PACE.total_seconds())
    return 0


async def verify_events(settings: Settings, screen: Screen) -> int:
    """Verify the chain; a broken one is ChainBrokenError."""
    async with lookout_beside(settings) as watch:
        events = await watch.verify()
    screen.tell(f"{count(events, 'event')}, chain whole", {"events": events, "verified": True})
    return 0


async def pages(watch: Lookout, query: EventQuery) -> AsyncIterator[tuple[Event, ...]]:
    """Yield all events that match, in pages that are never empty."""
    while page := await watch.events(replace(query, limit=PAGE)):
        yield page
        query = replace(query, after=page[-1].sequence)


async def _whole(watch: Lookout, query: EventQuery) -> EventQuery:
    """Return *query* with the whole id of the run that it names by the beginning."""
    if query.run is None:
        return query
    return replace(query, run=(await watch.run_called(query.run)).id)


def _over(query: EventQuery, now: datetime) -> bool:
    return query.until is not None and query.until <= now
