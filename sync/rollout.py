"""Rollouts: one trigger, a run for each target that it may touch, a reason for each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from providers.types import Policy, Target
from sync.engine import Engine
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

        A target with a run under way contributes that run, whoever started it.
        """
        states = await self.states()
        refusals = {t.name: refusal(t, order, states.get(t.name)) for t in chosen}
        rollout = Rollout(
            id=self._engine.log.new_id(),
            actor=actor,
            order=order,
            requested_at=self._engine.clock(),
            skipped=tuple(Skip(name, reason) for name, reason in refusals.items() if reason),
        )
        async with self._engine.store.writing() as connection:
            await rollouts.insert(connection, rollout)
        wanted = [target for target in chosen if not refusals[target.name]]
        return replace(rollout, runs=tuple([await self._run(rollout, t) for t in wanted]))

    async def states(self) -> dict[str, TargetState]:
        """Return what is known of every target, by name."""
        async with self._engine.store.reading() as connection:
            return {state.target: state for state in await targets.all(connection)}

    async def _run(self, rollout: Rollout, target: Target) -> Run:
        run = await self._runs.request(
            target, rollout.order, rollout=rollout.id, actor=rollout.actor
        )
        if run.rollout != rollout.id:
            async with self._engine.store.writing() as connection:
                skipped = Skip(target.name, f"run {run.id} is under way")
                await rollouts.skip(connection, rollout.id, skipped)
        return run


def refusal(target: Target, order: Order, state: TargetState | None) -> str | None:
    """Return in one line why *order* may not touch *target*; None where it may."""
    if target.policy is Policy.OFF:
        return f"{target.name}: its policy is off; set policy to apply or observe first"
    if order.verb is Verb.SYNC and state is not None and state.hold is not None:
        hold = state.hold
        return (
            f"{target.name}: on hold since {hold.since:%Y-%m-%d %H:%M} UTC by {hold.actor} "
            f"({hold.reason}); run levelhead release {target.name}"
        )
    return None
