"""A person's word on what nobody else can tell: it is an event with a name on it."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from providers.types import Target
from sync.addresses import Addresses
from sync.engine import Engine
from sync.errors import TargetBusyError, UnknownTicketError
from sync.events.chain import Draft, Event
from sync.events.kinds import Kind
from sync.events.log import event_from
from sync.lease import Occupied
from sync.model import Verdict
from sync.store import runs, targets
from sync.store.tables import events, intents

#: What can be settled one by one. A step's and a run's end stands in the version table.
NOUNS = ("statement", "transaction")


async def settle_by_hand(
    engine: Engine, addresses: Addresses, ticket: str, verdict: Verdict, *, actor: str
) -> Event:
    """Put on record what became of the act of *ticket*; the clock then goes on from there.

    Raises:
        UnknownTicketError: No statement or transaction of this ticket is in doubt.
        TargetBusyError: A run is under way on its target, and may settle it itself.
    """
    async with engine.log.writing() as batch:
        begun = await doubtful(batch.connection, ticket)
        target = await present_name(batch.connection, addresses, begun)
        state = await targets.find_to_change(batch.connection, target)
        lease = await engine.leases.acquire(batch.connection, target, str(begun.run))
        if isinstance(lease, Occupied):
            raise TargetBusyError(f"{target}: run {lease.run} is under way; ask when it has ended")
        await engine.leases.release(batch.connection, lease)
        if state is not None:
            free = replace(state, failed_scripts=None, retry_at=None)
            await targets.save(batch.connection, free)
        told, _ = await batch.append(*words(begun, verdict, actor))
    return told


async def release_by_hand(engine: Engine, target: Target, *, actor: str) -> None:
    """Let the clock take care of *target* again; one that is not on hold stays as it is."""
    async with engine.log.writing() as batch:
        state = await targets.find_to_change(batch.connection, target.name)
        if state and (state.hold or state.failed_scripts):
            released = replace(state, hold=None, failed_scripts=None)
            await targets.save(batch.connection, released)
            await batch.append(
                Draft(
                    kind=Kind.TARGET_RELEASED,
                    actor=actor,
                    target=target.name,
                    history=target.history,
                )
            )


async def doubtful(connection: AsyncConnection, ticket: str) -> Event:
    """Return the intent of an act in doubt.

    Raises:
        UnknownTicketError: There is none that a person can settle.
    """
    found = await connection.execute(
        select(events)
        .join(intents, intents.c.sequence == events.c.sequence)
        .where(intents.c.ticket == ticket)
    )
    row = found.one_or_none()
    event = None if row is None else event_from(row)
    if event is None or event.kind.partition(".")[0] not in NOUNS:
        raise UnknownTicketError(
            f"no statement or transaction of ticket {ticket} is in doubt; see levelhead events"
        )
    return event


async def present_name(connection: AsyncConnection, addresses: Addresses, begun: Event) -> str:
    """Return what the target of an intent is called today; as then where it is none any more."""
    run = await runs.find(connection, str(begun.run))
    for target, _ in await addresses.found([run] if run else []):
        if target:
            return target.name
    return str(begun.target)


def words(begun: Event, verdict: Verdict, actor: str) -> tuple[Draft, Draft]:
    """Return the events of a settlement: who said what, and what it resolves."""
    noun = begun.kind.partition(".")[0]
    told = Draft(
        kind=Kind.OPERATOR_SETTLED,
        actor=actor,
        target=begun.target,
        history=begun.history,
        run=begun.run,
        revision=begun.revision,
        ticket=begun.ticket,
        data={"noun": noun, "outcome": verdict},
    )
    data = {"outcome": verdict, "settled_by": actor}
    return told, replace(told, kind=Kind(f"{noun}.resolved"), data=data)
