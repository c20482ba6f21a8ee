"""The audit log in the control database: append, read, verify."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.errors import ChainBrokenError, ControlDatabaseError
from sync.events import intents
from sync.events.batch import Batch
from sync.events.chain import GENESIS, Draft, Event, Head, seal, verify
from sync.events.kinds import Kind
from sync.events.sharing import Sharing, T, Work
from sync.model import EventQuery, Trail
from sync.store.engine import Store
from sync.store.tables import chain_head, events, runs
from sync.store.text import canonical, moment_from_text, moment_to_text, parse_object
from sync.store.translate import CommitInDoubtError

#: How many events `EventLog.verify` holds at a time.
BATCH = 1000

_INSERT = events.insert()
_HOLD_HEAD = select(chain_head).with_for_update()
_MOVE_HEAD = chain_head.update()


class EventLog:
    """The append-only, gapless, hash-chained table of events.

    *new_id* gives an id that was never given before; it also makes tickets.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self.store = store
        self._clock = clock
        self.new_id = new_id
        self._sharing = Sharing(self.writing)

    async def share(self, target: str, work: Work[T]) -> T:
        """Do *work* about *target* in a transaction that others share; see `Sharing.write`."""
        return await self._sharing.write(target, work)

    async def append(
        self,
        connection: AsyncConnection,
        drafts: Sequence[Draft],
    ) -> tuple[Event, ...]:
        """Append *drafts* in the caller's transaction, and keep everybody else waiting.

        Do it last: the head of the log is the last row that a transaction takes. A caller
        that must know what became of its COMMIT uses `writing`.

        Raises:
            ControlDatabaseError: The database refused.
            TypeError, ValueError: The data of a draft cannot be written as JSON.
        """
        if not drafts:
            return ()
        head = await _held_head(connection)
        added = self._sealed(drafts, head)
        await connection.execute(_INSERT, [_row_of(each) for each in added])
        last = {"sequence": added[-1].sequence, "hash": added[-1].hash}
        await connection.execute(_MOVE_HEAD, last)
        await intents.follow(connection, added)
        return added

    def _sealed(self, drafts: Sequence[Draft], head: Head) -> tuple[Event, ...]:
        added: list[Event] = []
        for draft in drafts:
            event = seal(
                draft,
                sequence=head.sequence + 1,
                id=self.new_id(),
                at=self._clock(),
                previous=head.hash,
            )
            added.append(event)
            head = Head(event.sequence, event.hash)
        return tuple(added)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Batch]:
        """Hold one transaction for events and what belongs to them; commit after the block.

        Where COMMIT got no answer, an event of the transaction is looked up by its id: if
        it is there, all of the transaction is.

        Raises:
            ControlDatabaseError: Nothing was stored.
            CommitInDoubtError: The look-up failed too, or there was no event to look up.
        """
        batch: Batch | None = None
        try:
            async with self.store.writing() as connection:
                batch = Batch(self.append, connection)
                yield batch
        except CommitInDoubtError as doubt:
            if batch is None or not batch.events:
                raise
            await self._look_up(batch.events[-1], doubt)

    async def _look_up(self, event: Event, doubt: CommitInDoubtError) -> None:
        """Return if *event* was stored after all; raise if it was not, or nobody can tell."""
        try:
            stored = await self._is_stored(event)
        except ControlDatabaseError:
            raise doubt from None
        if not stored:
            raise ControlDatabaseError(f"{doubt}; nothing was stored") from None

    async def _is_stored(self, event: Event) -> bool:
        async with self.store.writing() as connection:
            # Waits until the transaction in doubt, which held the head, has ended.
            await _held_head(connection)
            found = await connection.scalar(select(events.c.id).where(events.c.id == event.id))
        return found is not None

    async def record(self, *drafts: Draft) -> tuple[Event, ...]:
        """Append *drafts* in a transaction of their own.

        Raises:
            ControlDatabaseError: Nothing was stored.
            CommitInDoubtError: Nobody can tell at the moment.
        """
        async with self.writing() as batch:
            return await batch.append(*drafts)

    async def page(self, query: EventQuery, trail: Trail | None = None) -> tuple[Event, ...]:
        """Return the events that match, oldest first; with *trail* those that tell of its target.

        Raises:
            ChainBrokenError: An event cannot be read as it was written.
            ControlDatabaseError: The database refused.
        """
        return await self._select(*_conditions(query, trail), limit=query.limit)

    async def newest(self, query: EventQuery, trail: Trail | None = None) -> tuple[Event, ...]:
        """Return the last events that match, as many as the limit says, oldest first; see `page`.

        Raises:
            ChainBrokenError: An event cannot be read as it was written.
            ControlDatabaseError: The database refused.
        """
        wanted = select(events).where(*_conditions(query, trail)).order_by(events.c.sequence.desc())
        async with self.store.reading() as connection:
            rows = (await connection.execute(wanted.limit(query.limit))).all()
        return tuple(map(event_from, reversed(rows)))

    async def verify(self) -> int:
        """Check the log from its first event to its last; return how many there are.

        Events that are appended meanwhile are left to the next time. Memory is bounded.

        Raises:
            ChainBrokenError: An event is missing, out of place or altered; it says which.
            ControlDatabaseError: The database refused.
        """
        head = await self._checked_head()
        walked = GENESIS
        while walked.sequence < head.sequence:
            batch = await self._select(
                events.c.sequence > walked.sequence,
                events.c.sequence <= head.sequence,
                limit=BATCH,
            )
            if not batch:
                raise ChainBrokenError("it is missing at the end", sequence=walked.sequence + 1)
            walked = verify(batch, walked)
        if walked != head:
            raise ChainBrokenError("the log is recorded to end otherwise", sequence=head.sequence)
        return head.sequence

    async def _checked_head(self) -> Head:
        """Return the recorded end of the log; no event may lie before the first or behind it."""
        first = select(func.min(events.c.sequence)).scalar_subquery().label("first")
        last = select(func.max(events.c.sequence)).scalar_subquery().label("last")
        async with self.store.reading() as connection:
            found = (await connection.execute(select(chain_head, first, last))).all()
        if len(found) != 1:
            raise ChainBrokenError("where the log ends is not recorded", sequence=1)
        row = found[0]
        if row.last is not None and row.last > row.sequence:
            raise ChainBrokenError("it lies behind the recorded end", sequence=row.last)
        if row.first is not None and row.first < 1:
            raise ChainBrokenError("it lies before the first", sequence=row.first)
        return Head(row.sequence, row.hash)

    async def _select(self, *conditions: ColumnElement[bool], limit: int) -> tuple[Event, ...]:
        async with self.store.reading() as connection:
            found = await connection.execute(
                select(events).where(*conditions).order_by(events.c.sequence).limit(limit)
            )
            rows = found.all()
        return tuple(map(event_from, rows))


async def _held_head(connection: AsyncConnection) -> Head:
    """Return the end of the log, and keep it there until the transaction ends."""
    found = await connection.execute(_HOLD_HEAD)
    row = found.one_or_none()
    if row is None:
        raise ChainBrokenError("where the log ends is not recorded", sequence=1)
    return Head(row.sequence, row.hash)


def _conditions(query: EventQuery, trail: Trail | None) -> list[ColumnElement[bool]]:
    wanted = {
        events.c.target: query.target,
        events.c.history: query.history,
        events.c.kind: query.kind,
        events.c.actor: query.actor,
        events.c.run: query.run,
        events.c.revision: query.revision,
    }
    conditions = [column == value for column, value in wanted.items() if value is not None]
    conditions.append(events.c.sequence > query.after)
    if trail is not None:
        conditions.append(told_of(trail))
    if query.since is not None:
        conditions.append(events.c.at >= moment_to_text(query.since))
    if query.until is not None:
        conditions.append(events.c.at < moment_to_text(query.until))
    return conditions


def told_of(trail: Trail) -> ColumnElement[bool]:
    """Return the condition for events that tell of the target of *trail*."""
    by_name = events.c.target == trail.target
    if trail.others:
        elsewhere = select(runs.c.id).where(runs.c.address.in_(trail.others))
        by_name = and_(by_name, events.c.run.not_in(elsewhere))
    if trail.address is None:
        return by_name
    here = select(runs.c.id).where(runs.c.address == trail.address)
    return or_(by_name, events.c.run.in_(here))


def _row_of(event: Event) -> dict[str, object]:
    fields = {column.name: getattr(event, column.name) for column in events.c}
    return fields | {"at": moment_to_text(event.at), "data": canonical(event.data)}


def event_from(row: Row[Any]) -> Event:
    """Return the event that a row of the table tells of.

    Raises:
        ChainBrokenError: The row is not one that this log wrote.
    """
    fields = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name for it
    try:
        kind, at = Kind(row.kind), moment_from_text(row.at)
        return Event(**fields | {"kind": kind, "at": at, "data": parse_object(row.data)})
    except (TypeError, ValueError):
        raise ChainBrokenError("it is not as it was written", sequence=row.sequence) from None
