"""Tickets whose end is not known yet, so that doubts are found without walking the log.

A row says no more than which `.started` event has no end; the facts stay in the event.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import bindparam
from sqlalchemy.ext.asyncio import AsyncConnection

from providers.types import Outcome
from sync.events.chain import Event
from sync.store.tables import intents

#: What a person or a later run may find out about a ticket, and that ends the doubt.
_SETTLED = frozenset({Outcome.APPLIED, Outcome.ABSENT})

_OPEN = intents.insert()
_CLOSE = intents.delete().where(intents.c.ticket.in_(bindparam("tickets", expanding=True)))


async def follow(connection: AsyncConnection, events: Iterable[Event]) -> None:
    """Bring the open tickets up to date with *events*, which were just appended."""
    begun: dict[str, dict[str, object]] = {}
    ended: list[str] = []
    for event in events:
        if event.ticket is None or event.target is None:
            continue
        if event.kind.endswith(".started"):
            begun[event.ticket] = _row_of(event)
        elif _ends(event) and begun.pop(event.ticket, None) is None:
            ended.append(event.ticket)
    if begun:
        await connection.execute(_OPEN, list(begun.values()))
    if ended:
        await connection.execute(_CLOSE, {"tickets": ended})


def _row_of(event: Event) -> dict[str, object]:
    return {"ticket": event.ticket, "target": event.target, "sequence": event.sequence}


def _ends(event: Event) -> bool:
    if event.kind.endswith(".resolved"):
        return event.data.get("outcome") in _SETTLED
    return event.kind.endswith((".succeeded", ".failed"))
