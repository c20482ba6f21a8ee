"""One transaction of the control database in which events are appended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from sync.events.chain import Draft, Event

#: Appends events to the log, in the transaction of a connection.
Append: TypeAlias = Callable[[AsyncConnection, Sequence[Draft]], Awaitable[tuple[Event, ...]]]


class Batch:
    """The transaction, and what was appended in it."""

    def __init__(self, append: Append, connection: AsyncConnection) -> None:
        self._append = append
        self.connection = connection
        self.events: tuple[Event, ...] = ()  #: what was appended so far

    async def append(self, *drafts: Draft) -> tuple[Event, ...]:
        """Append *drafts*; they are there when the transaction is."""
        added = await self._append(self.connection, drafts)
        self.events += added
        return added
