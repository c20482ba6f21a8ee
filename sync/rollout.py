"""Rollouts: one trigger, a run for each target that it may touch, a reason for each other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from providers.types import Policy, Target
from sync.engine import Engine
from sync.errors import RunError, TargetBusyError, TargetHeldError
from sync.model import Order, Rollout, Run, Skip, Verb
from sync.run import Objection, Runs
from sync.store import rollouts, targets
from sync.store.targets import TargetState


class Rollouts:
    """Starts the runs of a trigger."""

    def __init__(self, engine: Engine, runs: Runs) -> None:
        self._engine = engine
        self._runs = runs
        self._elections = engine.canaries.elections

    async def start(
        self, order: Order, chosen: Sequence[Target], *, actor: str, objection: Objection
    ) -> Rollout:
        """Start a run on each of *chosen* that *order* may touch; return without waiting.

        A target with a run under way contributes that run where it does the same thing.
        """
        rollout = await self._begun(order, actor)
        self._elections.expect(rollout.id, [target.name for target in chosen])
        asked = (self._run(rollout, target, objection) for target in chosen)
        found = await asyncio.gather(*asked)
        return replace(
            rollout,
            runs=tuple(each for each in found if isinstance(each, Run)),
            skipped=tuple(each for each in found if isinstance(each, Skip)),
        )

    async def start_one(self, order: Order, target: Target, *, actor: str) -> Rollout:
        """Start a run on *target*; return without waiting.

        Raises:
            TargetHeldError: Its hold or its policy keeps *order* from it.
            TargetBusyError: A run that does something else is under way.
        """
        if refused := refusal(target, order, (await self.states()).get(target.name)):
            raise refused
        rollout = await self._begun(order, actor)
        self._elections.expect(rollout.id, [target.name])
        run = await self._requested(rollout, target, refusal)
        if run.order.verb is not order.verb:
            raise busy(run)
        return replace(rollout, runs=(run,))

    async def states(self) -> dict[str, TargetState]:
        """Return what is known of every target, by name."""
        async with self._engine.store.reading() as connection:
            return {state.target: state for state in await targets.all(connection)}

    async def _begun(self, order: Order, actor: str) -> Rollout:
        rollout = Rollout(
            id=self._engine.log.new_id(),
            actor=actor,
            order=order,
            requested_at=self._engine.clock(),
        )
        async with self._engine.store.writing() as connection:
            await rollouts.insert(connection, rollout)
        return rollout

    async def _run(self, rollout: Rollout, target: Target, objection: Objection) -> Run | Skip:
        """Return the run of *target* that does what was ordered, or why there is none."""
        try:
            run = await self._requested(rollout, target, objection)
        except TargetHeldError as error:
            return await self._skip(rollout, target, error)
        same = run.order.verb is rollout.order.verb
        return run if same else Skip(target.name, str(busy(run)))

    async def _requested(self, rollout: Rollout, target: Target, objection: Objection) -> Run:
        """Return the run that was started, or the one that is under way."""
        try:
            run = await self._runs.request(
                target,
                rollout.order,
                rollout=rollout.id,
                actor=rollout.actor,
                objection=objection,
            )
        except BaseException:
            self._elections.dismiss(rollout.id, target.name)
            raise
        if run.rollout != rollout.id:
            self._elections.dismiss(rollout.id, target.name)
            await self._skip(rollout, target, busy(run))
        return run

    async def _skip(self, rollout: Rollout, target: Target, error: RunError) -> Skip:
        skip = Skip(target.name, str(error))
        async with self._engine.store.writing() as connection:
            await rollouts.skip(connection, rollout.id, skip)
        return skip


def busy(run: Run) -> TargetBusyError:
    """Return the error of an order that finds *run* under way."""
    return TargetBusyError(
        f"{run.target}: run {run.id} ({run.order.verb} to {run.order.to}) is under way; "
        "ask again when it has ended"
    )


def refusal(target: Target, order: Order, state: TargetState | None) -> TargetHeldError | None:
    """Return in one line why *order* may not touch *target*; None where it may."""
    if target.policy is Policy.OFF:
        return TargetHeldError(
            f"{target.name}: its policy is off; set it to apply or observe first"
        )
    if order.verb is Verb.SYNC and state is not None and state.hold is not None:
        hold = state.hold
        return TargetHeldError(
            f"{target.name}: on hold since {hold.since:%Y-%m-%d %H:%M} UTC by {hold.actor} "
            f"({hold.reason}); run levelhead release {target.name}"
        )
    return None
