"""Where runs wait for targets that are starting, and for canaries.

Nothing is in flight meanwhile, and no turn is taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from providers.errors import StartingError
from providers.types import Target
from sync.endings import about
from sync.engine import Engine
from sync.errors import CanaryNeededError, CanaryPendingError
from sync.events.chain import Draft
from sync.events.kinds import Kind
from sync.lease import Lease
from sync.looks import look_at
from sync.model import Run, RunState
from sync.status import Observation, differences, noticed
from sync.store import runs, targets
from sync.store.runs import RunChange

#: From one look at a target that is starting, or at a canary, to the next.
PAUSE = timedelta(seconds=1)


class Delays:
    """The waits of one service's runs; they can be ended all at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waits: set[asyncio.Timeout] = set()
        self._over = False

    async def sit_out(self, run: Run, target: Target, lease: Lease, error: StartingError) -> None:
        """Return when *target* takes sessions; at present it does not, for *error*.

        Raises:
            StartingError: It did not within its `start_wait`, or before the service stopped.
            ProviderError: It does not, and is not starting any more.
            LeaseLostError: Another service took the target over meanwhile.
        """
        if self._over or not target.start_wait:
            raise error
        self._engine.canaries.elections.forget(run)  # nobody waits for it meanwhile
        began = Observation(target=target, at=self._engine.clock(), error=error)
        await self._record(lease, began, delayed(run, target), RunState.DELAYED)
        seen = await self._started(target)
        if seen.error is not None:
            raise seen.error
        await self._record(lease, seen, about(run, Kind.RUN_CONTINUED), RunState.REQUESTED)

    async def wait_for_canary(self, run: Run, lease: Lease, error: CanaryPendingError) -> None:
        """Return when the canary that *run* waits for has come to an end, whichever.

        Raises:
            CanaryNeededError: The service stopped before.
            LeaseLostError: Another service took the target over meanwhile.
        """
        if self._over:
            raise stopped(error)
        await self._wait_on_record(run, lease, error)
        try:
            async with self._limited(None):
                while not await self._engine.canaries.is_over(run, error):
                    await next_look()
        except TimeoutError:
            raise stopped(error) from None
        async with self._engine.log.writing() as batch:
            await self._engine.leases.confirm(batch.connection, lease)
            await runs.update(batch.connection, run.id, RunChange(state=RunState.REQUESTED))
            await batch.append(about(run, Kind.RUN_CONTINUED))

    def end(self) -> None:
        """End every wait now, and let none begin: the service stops."""
        self._over = True
        for limit in self._waits:
            if not limit.expired():
                limit.reschedule(0)

    async def _started(self, target: Target) -> Observation:
        """Look at *target* until it is not starting any more; return that look.

        Raises:
            StartingError: The wait was over before.
        """
        try:
            async with self._limited(target.start_wait.total_seconds()):
                return await look_until_started(self._engine, target)
        except TimeoutError:
            raise StartingError(self._excuse(target), target=target.name) from None

    @asynccontextmanager
    async def _limited(self, patience: float | None) -> AsyncIterator[None]:
        """Limit a wait to so many seconds, and to the life of the service.

        Raises:
            TimeoutError: The wait was over before the block.
        """
        async with asyncio.timeout(0 if self._over else patience) as limit:
            self._waits.add(limit)
            try:
                yield
            finally:
                self._waits.discard(limit)

    def _excuse(self, target: Target) -> str:
        if self._over:
            return "still starting when the service was stopped; nothing was done"
        return f"still starting after {seconds(target.start_wait)}; ask again, or raise start_wait"

    async def _record(self, lease: Lease, seen: Observation, event: Draft, state: RunState) -> None:
        """Put on record what was seen of the target, and what follows for the run."""
        target, run = seen.target, str(event.run)
        knowledge = await self._engine.histories.knowledge(target.history)
        async with self._engine.log.writing() as batch:
            await self._engine.leases.confirm(batch.connection, lease)
            old = await targets.find_to_change(batch.connection, target.name)
            new = noticed(old, seen, knowledge, self._engine.patience)
            await targets.save(batch.connection, new)
            await runs.update(batch.connection, run, RunChange(state=state))
            await batch.append(event, *differences(old, new, target))

    async def _wait_on_record(self, run: Run, lease: Lease, error: CanaryPendingError) -> None:
        """Put on record that *run* waits for a canary; the target's status says so meanwhile."""
        async with self._engine.log.writing() as batch:
            connection = batch.connection
            await self._engine.leases.confirm(connection, lease)
            if state := await targets.find_to_change(connection, run.target):
                await targets.save(connection, replace(state, problem=str(error)))
            await runs.update(connection, run.id, RunChange(state=RunState.DELAYED))
            told = about(run, Kind.RUN_DELAYED, message=str(error), canary=error.canary)
            await batch.append(told)


def stopped(error: CanaryPendingError) -> CanaryNeededError:
    """Return the error of a run that waited for a canary when its service was stopped."""
    return CanaryNeededError(f"{error} when the service was stopped", plan=error.plan)


async def next_look() -> None:
    """Sleep until all runs that wait for canaries look again: at once, to share what they see."""
    pause = PAUSE.total_seconds()
    await asyncio.sleep(pause - asyncio.get_running_loop().time() % pause)


async def look_until_started(engine: Engine, target: Target) -> Observation:
    """Look at *target* again and again; return the first look that does not find it starting."""
    while True:
        await asyncio.sleep(PAUSE.total_seconds())
        seen = await look_at(engine, target)
        if not isinstance(seen.error, StartingError):
            return seen


def delayed(run: Run, target: Target) -> Draft:
    """Return the event that says for what *run* waits, and how long at most."""
    limit = seconds(target.start_wait)
    return about(run, Kind.RUN_DELAYED, message=f"{target.name}: starting; waits up to {limit}")


def seconds(length: timedelta) -> str:
    """Write *length* as messages have it."""
    return f"{length.total_seconds():g} s"
