"""Puts on record how a run ended, and gives its target back, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from providers.types import Heads, Target
from sync.applied import Course, follow
from sync.canary_ends import ended
from sync.drifts import note_or_record, record
from sync.endings import Ending, about, after_run, change, events_of, never_began
from sync.engine import Engine
from sync.errors import ApprovalNeededError
from sync.events.chain import Draft
from sync.events.kinds import Kind
from sync.fingerprints import Sight
from sync.gate import proposal_of
from sync.lease import Lease
from sync.meter import Meter
from sync.model import Run
from sync.plan.model import Plan
from sync.status import Knowledge
from sync.store import approvals, runs, targets
from sync.store.targets import TargetState


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """A run that has ended, and what it has to tell besides how."""

    engine: Engine
    run: Run
    target: Target
    lease: Lease
    meter: Meter  #: what it cost
    began: bool  #: ``run.started`` is, or is about to be, stored
    plan: Plan | None  #: None: nothing of it was begun
    start: Heads | None  #: where a migration began
    schema: Sight | None  #: what it left
    proof: Sight | None  #: what a canary left

    async def close(self, end: Ending) -> None:
        """Say how the run ended, and what that means for the target.

        Where another service has taken the target over, that one says what it means.

        Raises:
            AuditError: It could not be put on record; the next service settles it.
        """
        knowledge = await self.engine.histories.knowledge_at(self.target.history, end.heads)
        now = self.engine.clock()

        async def work(connection: AsyncConnection) -> tuple[None, Sequence[Draft]]:
            old = await targets.find_to_change(connection, self.target.name)
            if not await self.engine.leases.release(connection, self.lease):
                return None, await self._overtaken(connection, end, now)
            new = self._after(old, end, knowledge, now)
            await self._keep(connection, new, end)
            await runs.update(connection, self.run.id, change(end, now))
            if isinstance(end.error, ApprovalNeededError):
                await approvals.propose(connection, proposal_of(self.run, end.error, now))
            drifts = await self._record_schema(connection, end)
            tried = await self._judge(connection, end, now)
            told = (*self._unwritten(end), *events_of(self.run, old, new), *drifts, *tried)
            return None, (*told, *await self._paid(connection))

        await self.engine.log.share(self.target.name, work)

    async def give_back(self, end: Ending) -> None:
        """Say what a recovery of the run found: it sets no hold, and ends none."""
        knowledge = await self.engine.histories.knowledge_at(self.target.history, end.heads)
        now = self.engine.clock()
        async with self.engine.log.writing() as batch:
            old = await targets.find_to_change(batch.connection, self.target.name)
            if await self.engine.leases.release(batch.connection, self.lease):
                new = self._after(old, end, knowledge, now)
                new = replace(new, hold=old.hold if old else None)
                await self._keep(batch.connection, new, end)
            await batch.append(*await self._paid(batch.connection))

    async def _overtaken(
        self, connection: AsyncConnection, end: Ending, now: datetime
    ) -> Sequence[Draft]:
        """Say how the run ended, unless that was found out meanwhile; nothing of the target."""
        await runs.update_moving(connection, self.run.id, change(end, now))
        paid = await self._paid(connection)
        return (*self._unwritten(end), about(self.run, Kind.LEASE_LOST), *paid)

    async def _judge(
        self, connection: AsyncConnection, end: Ending, now: datetime
    ) -> Sequence[Draft]:
        """Say what the end means for canaries, where the history has any."""
        if not self.engine.histories[self.target.history].canary:
            return ()
        return await ended(connection, self.run, end, self.proof, now)

    def _unwritten(self, end: Ending) -> Sequence[Draft]:
        """Return the event of the end, where the journal has not written it."""
        return [] if self.began else never_began(self.run, end)

    async def _paid(self, connection: AsyncConnection) -> Sequence[Draft]:
        """Put on record what it has cost, whoever says by now how the run ended."""
        if self.meter.seconds is None:
            return ()
        await runs.pay(connection, self.run.id, self.meter.seconds)
        return [about(self.run, Kind.WAREHOUSE_USED, **self.meter.facts())]

    async def _record_schema(self, connection: AsyncConnection, end: Ending) -> Sequence[Draft]:
        """Put on record what the run left; one that did nothing has but looked."""
        if self.schema is None or end.error is not None:
            return ()
        if self.start == end.heads:
            return await note_or_record(connection, self.target, self.schema)
        await record(connection, self.target, self.schema)
        problem = self.schema.problem
        return [about(self.run, Kind.FINGERPRINT_FAILED, message=problem)] if problem else ()

    def _after(
        self, old: TargetState | None, end: Ending, knowledge: Knowledge, now: datetime
    ) -> TargetState:
        patience = self.engine.patience
        return after_run(old, self.run, end, knowledge=knowledge, now=now, patience=patience)

    async def _keep(self, connection: AsyncConnection, state: TargetState, end: Ending) -> None:
        """Put on record how the target stands."""
        await targets.save(connection, state)
        if self.plan:
            course = Course(self.plan.steps, self.plan.after)
            await follow(connection, self.run, course, end.heads)
