"""Tickets whose end is not known yet, so that doubts are found without walking the log.

A row says no more than which `.started` event has no end; the facts stay in the event.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from providers.types import Outcome
from sync.events.chain import Event
from sync.store.tables import intents

#: What a person or a later run may find out about a ticket, and that ends the doubt.
_SETTLED = frozenset({Outcome.APPLIED, Outcome.ABSENT})


async def follow(connection: AsyncConnection, events: Iterable[Event]) -> None:
    """Bring the open tickets up to date with *events*, which were just appended."""
    for event in events:
        if event.ticket is not None and event.target is not None:
            await _follow(connection, event, event.ticket)


async def _follow(connection: AsyncConnection, event: Event, ticket: str) -> None:
    if event.kind.endswith(".started"):
        row = {"ticket": ticket, "target": event.target, "sequence": event.sequence}
        await connection.execute(intents.insert().values(row))
    elif _ends(event):
        await connection.execute(intents.delete().where(intents.c.ticket == ticket))


def _ends(event: Event) -> bool:
    if event.kind.endswith(".resolved"):
        return event.data.get("outcome") in _SETTLED
    return event.kind.endswith((".succeeded", ".failed"))
