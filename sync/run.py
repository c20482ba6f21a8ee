"""Runs: each holds the lease of its target from request to end, in a task of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from providers.types import Target
from sync.addresses import Addresses
from sync.attempt import Attempt
from sync.delay import Delays
from sync.endings import about, requested
from sync.engine import Engine
from sync.errors import RunError, TargetHeldError
from sync.events.chain import Draft
from sync.events.kinds import Kind
from sync.lease import Lease, Occupied
from sync.model import Hold, Order, Run, RunState, Status, Trail, Verb
from sync.store import runs, targets
from sync.store.targets import TargetState

#: Says why an order may not touch a target in this state; None where it may.
Objection: TypeAlias = Callable[[Target, Order, TargetState | None], TargetHeldError | None]

logger = logging.getLogger("levelhead")


class Runs:
    """Starts runs, keeps their tasks, and picks up what others left unfinished."""

    def __init__(self, engine: Engine, addresses: Addresses, *, width: int) -> None:
        self._engine = engine
        self._addresses = addresses
        self._turn = asyncio.Semaphore(width)
        self._delays = Delays(engine)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._settling: set[str] = set()  #: runs whose service is gone, being settled here

    async def request(
        self, target: Target, order: Order, *, rollout: str, actor: str, objection: Objection
    ) -> Run:
        """Start carrying out *order* on *target*; return the run, or the one under way.

        A run whose service is gone is not under way: where it is just being settled, that comes
        first. A downgrade or a stamp puts the target on hold before anything else happens.

        Raises:
            TargetHeldError: *objection* has one, where the target stands at this moment.
        """
        trail = await self._trail(target)
        run = self._new_run(trail, order, rollout, actor, target.history)

        async def work(connection: AsyncConnection) -> tuple[Lease | Run | RunError, list[Draft]]:
            state = await targets.find_to_change(connection, target.name)
            lease = await self._lease(connection, trail, run)
            if isinstance(lease, Occupied):
                return await runs.find(connection, lease.run) or run, []
            if refused := objection(target, order, state):
                await self._engine.leases.release(connection, lease)
                return refused, []
            await runs.insert(connection, run)
            return lease, [requested(run), *await self._hold(connection, run, state)]

        found = await self._engine.log.share(target.name, work)
        if isinstance(found, RunError):
            raise found
        if isinstance(found, Run) and found.id in self._settling:
            await self.finished(found.id)
            return await self.request(
                target, order, rollout=rollout, actor=actor, objection=objection
            )
        if isinstance(found, Run):
            return found
        attempt = self._attempt(run, target, trail, found)
        self._start(run.id, attempt.carry_out())
        return run

    async def recover(self, target: Target, orphan: Run) -> None:
        """Settle a run whose service is gone; nothing happens while its lease stands.

        It may have another name for *target*.
        """
        trail = await self._trail(target)
        async with self._engine.store.writing() as connection:
            lease = await self._lease_of_orphan(connection, trail, orphan)
        if lease:
            orphan = replace(orphan, target=target.name)
            attempt = self._attempt(orphan, target, trail, lease)
            self._settling.add(orphan.id)
            self._start(orphan.id, attempt.recover())
            await self.finished(orphan.id)

    async def finished(self, run_id: str) -> None:
        """Wait for the end of a run that was started here; of others, do not wait."""
        if task := self._tasks.get(run_id):
            await asyncio.wait({task})

    async def stop(self, grace: timedelta) -> None:
        """Let what is in flight end within *grace*, then interrupt it, in order.

        A run that waits for its target to start has nothing in flight, and ends at once.
        """
        self._delays.end()
        tasks = list(self._tasks.values())
        if not tasks:
            return
        _, left = await asyncio.wait(tasks, timeout=grace.total_seconds())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _attempt(self, run: Run, target: Target, trail: Trail, lease: Lease) -> Attempt:
        return Attempt(self._engine, run, target, trail, lease, self._turn, self._delays)

    async def _trail(self, target: Target) -> Trail:
        async with self._engine.store.reading() as connection:
            former = await runs.former_addresses(connection, target.name)
        return await self._addresses.trail(target, former)

    async def _lease(self, connection: AsyncConnection, trail: Trail, run: Run) -> Lease | Occupied:
        """Lease a target for *run*; not from a run that is going on here.

        Whoever has its database under another name keeps it, or is overtaken.
        """
        leases = self._engine.leases
        for name in await runs.former_names(connection, trail):
            former = await leases.acquire(connection, name, run.id, alive=self._tasks)
            if isinstance(former, Occupied):
                return former
            await leases.release(connection, former)
        return await leases.acquire(connection, trail.target, run.id, alive=self._tasks)

    async def _lease_of_orphan(
        self, connection: AsyncConnection, trail: Trail, orphan: Run
    ) -> Lease | None:
        """Lease a target to settle *orphan*; None where that is another's, or done."""
        lease = await self._lease(connection, trail, orphan)
        if isinstance(lease, Occupied):
            return None
        if await runs.is_open(connection, orphan.id):
            return lease
        # It has ended since it was found open, and said itself what that means for the target.
        await self._engine.leases.release(connection, lease)
        return None

    def _new_run(self, trail: Trail, order: Order, rollout: str, actor: str, history: str) -> Run:
        return Run(
            id=self._engine.log.new_id(),
            rollout=rollout,
            target=trail.target,
            address=trail.address,
            history=history,
            actor=actor,
            order=order,
            state=RunState.REQUESTED,
            requested_at=self._engine.clock(),
        )

    async def _hold(
        self, connection: AsyncConnection, run: Run, old: TargetState | None
    ) -> tuple[Draft, ...]:
        """Keep the clock from undoing what a person does; an older hold stands."""
        state = old or TargetState(target=run.target, status=Status.UNKNOWN)
        if run.order.verb is Verb.SYNC or state.hold:
            return ()
        hold = Hold(run.actor, f"{run.order.verb} to {run.order.to}", run.requested_at)
        await targets.save(connection, replace(state, hold=hold))
        return (about(run, Kind.TARGET_HELD, reason=hold.reason),)

    def _start(self, run_id: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"run {run_id}")
        self._tasks[run_id] = task
        task.add_done_callback(lambda ended: self._forget(run_id, ended))

    def _forget(self, run_id: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(run_id, None)
        self._settling.discard(run_id)
        if not task.cancelled() and (error := task.exception()):
            logger.error("run %s: its end is not on record: %s", run_id, error)
