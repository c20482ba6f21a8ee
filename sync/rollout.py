"""Rollouts: one trigger, a run for each target that it may touch, a reason for each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from providers.types import Policy, Target
from sync.engine import Engine
from sync.errors import TargetBusyError, TargetHeldError
from sync.model import Order, Rollout, Run, Skip, Verb
from sync.run import Runs
from sync.store import rollouts, targets
from sync.store.targets import TargetState


class Rollouts:
    """Starts the runs of a trigger."""

    def __init__(self, engine: Engine, runs: Runs) -> None:
        self._engine = engine
        self._runs = runs

    async def start(self, order: Order, chosen: Sequence[Target], *, actor: str) -> Rollout:
        """Start a run on each of *chosen* that *order* may touch; return without waiting.

        A target with a run under way contributes that run where it does the same thing.
        """
        states = await self.states()
        refused = {t.name: refusal(t, order, states.get(t.name)) for t in chosen}
        skipped = [Skip(name, str(error)) for name, error in refused.items() if error]
        rollout = await self._begun(order, actor, skipped)
        wanted = [target for target in chosen if not refused[target.name]]
        found = [await self._run(rollout, target) for target in wanted]
        runs = [run for run in found if run.order.verb is order.verb]
        others = [Skip(run.target, str(busy(run))) for run in found if run not in runs]
        return replace(rollout, runs=tuple(runs), skipped=(*skipped, *others))

    async def start_one(self, order: Order, target: Target, *, actor: str) -> Rollout:
        """Start a run on *target*; return without waiting.

        Raises:
            TargetHeldError: Its hold or its policy keeps *order* from it.
            TargetBusyError: A run that does something else is under way.
        """
        if refused := refusal(target, order, (await self.states()).get(target.name)):
            raise refused
        rollout = await self._begun(order, actor, ())
        run = await self._run(rollout, target)
        if run.order.verb is not order.verb:
            raise busy(run)
        return replace(rollout, runs=(run,))

    async def states(self) -> dict[str, TargetState]:
        """Return what is known of every target, by name."""
        async with self._engine.store.reading() as connection:
            return {state.target: state for state in await targets.all(connection)}

    async def _begun(self, order: Order, actor: str, skipped: Sequence[Skip]) -> Rollout:
        rollout = Rollout(
            id=self._engine.log.new_id(),
            actor=actor,
            order=order,
            requested_at=self._engine.clock(),
            skipped=tuple(skipped),
        )
        async with self._engine.store.writing() as connection:
            await rollouts.insert(connection, rollout)
        return rollout

    async def _run(self, rollout: Rollout, target: Target) -> Run:
        """Return the run that was started, or the one that is under way."""
        run = await self._runs.request(
            target, rollout.order, rollout=rollout.id, actor=rollout.actor
        )
        if run.rollout != rollout.id:
            async with self._engine.store.writing() as connection:
                await rollouts.skip(connection, rollout.id, Skip(target.name, str(busy(run))))
        return run


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
