"""The sweep: find the targets, settle what was left unfinished, look, apply what is pending."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta

from providers.errors import UnknownDialectError
from providers.types import Target
from sync.addresses import Addresses
from sync.canary_ends import let_go
from sync.checks import Checks
from sync.edits import Edits
from sync.engine import Engine
from sync.errors import PlanError, TargetHeldError
from sync.fleet import Fleet
from sync.history import Graph
from sync.model import Order, Rollout, Verb
from sync.renames import Renames
from sync.rollout import Rollouts
from sync.run import Objection, Runs
from sync.status import due, may_apply, may_touch
from sync.store import runs as runs_table
from sync.store.targets import TargetState


class Sweep:
    """One pass over every target that the clock may touch."""

    def __init__(
        self,
        engine: Engine,
        targets: Fleet,
        *,
        checks: Checks,
        edits: Edits,
        runs: Runs,
        rollouts: Rollouts,
        addresses: Addresses,
        renames: Renames,
    ) -> None:
        self._engine = engine
        self._targets = targets
        self._checks = checks
        self._edits = edits
        self._runs = runs
        self._rollouts = rollouts
        self._addresses = addresses
        self._renames = renames

    async def once(self) -> Rollout | None:
        """Sweep once; return the rollout that it started, None where nothing was to do.

        Runs go on after the sweep has ended.
        """
        await self._targets.refresh_due()
        await self._renames.note()
        await self._recover()
        await let_go(self._engine, self._without_canary())
        states = await self._checks.states()
        chosen = await self._due(states)
        states = await self._checks.observe(chosen, states)
        await self._edits.note(target.history for target in self._targets.values())
        order = Order(Verb.SYNC)
        objection = clocks_objection(await self._graphs(chosen))
        moving = await self._checks.moving()
        free = [target for target in chosen if target.name not in moving]
        behind = [t for t in free if not objection(t, order, states.get(t.name))]
        if not behind:
            return None
        return await self._rollouts.start(order, behind, actor="clock", objection=objection)

    def _without_canary(self) -> Iterator[str]:
        """Yield the targets of the histories that ask for no canary."""
        for target in self._targets.values():
            if not self._engine.histories[target.history].canary:
                yield target.name

    async def _due(self, states: Mapping[str, TargetState]) -> list[Target]:
        """Return the targets to look at now."""
        knowledge = await self._checks.knowledge(self._targets.values())
        now = self._engine.clock()
        return [
            target
            for target in self._targets.values()
            if due(
                target,
                states.get(target.name),
                now,
                rest=await self._rest(target),
                graph=knowledge[target.history].graph,
            )
        ]

    async def _rest(self, target: Target) -> timedelta:
        """Return how long *target* is left alone after a look at it."""
        if target.check_every is not None:
            return target.check_every
        try:
            return (await self._engine.providers.of(target)).rest
        except UnknownDialectError:
            return timedelta(0)  # each look says what is missing

    async def _recover(self) -> None:
        """Settle the runs whose service is gone."""
        async with self._engine.store.reading() as connection:
            orphans = await runs_table.open_runs(connection)
        if not orphans:
            return
        states = await self._checks.states()
        found = await self._addresses.found(orphans)
        await asyncio.gather(
            *[
                self._runs.recover(target, orphan)
                for target, orphan in found
                if target and await self._may_settle(target, states.get(target.name))
            ]
        )

    async def _may_settle(self, target: Target, state: TargetState | None) -> bool:
        """Tell whether settling may be tried: not when the same scripts gave up already."""
        if not may_touch(target, state, self._engine.clock()):
            return False
        knowledge = await self._engine.histories.knowledge(target.history)
        failed = state.failed_scripts if state else None
        return knowledge.graph is not None and failed != knowledge.graph.digest

    async def _graphs(self, chosen: Iterable[Target]) -> Mapping[str, Graph]:
        """Return the graph of each history of *chosen* that can be loaded, by name."""
        graphs = {}
        for name in {target.history for target in chosen}:
            with suppress(PlanError):  # it is on record, and in the status of each target
                graphs[name] = await self._engine.histories.graph(name)
        return graphs


def clocks_objection(graphs: Mapping[str, Graph]) -> Objection:
    """Return what keeps the clock from a target: it neither undoes a person nor hammers.

    It is asked again when a run is about to be requested, for people and other runs do
    not wait for the sweep.
    """

    def objection(target: Target, _: Order, state: TargetState | None) -> TargetHeldError | None:
        graph = graphs.get(target.history)
        if state and graph and may_apply(target, state, graph):
            return None
        return TargetHeldError(f"{target.name}: there is nothing that the clock may apply")

    return objection
