"""Dry runs: what an order would do to each target, without doing it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from providers.errors import LevelheadError
from providers.types import Target
from sync.engine import Engine
from sync.model import Order
from sync.plan import lint as lints
from sync.plan.findings import Lint, shown
from sync.plan.model import Plan, Preview
from sync.plan.route import Route
from sync.rollout import refusal
from sync.store import targets
from sync.store.targets import TargetState


class Previews:
    """Looks where targets stand, and asks their histories for the path from there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def of(self, order: Order, chosen: Sequence[Target]) -> tuple[Preview, ...]:
        """Return for each target its plan, or the reason why there is none."""
        async with self._engine.store.reading() as connection:
            states = {state.target: state for state in await targets.all(connection)}
        asked = [self._of(order, target, states.get(target.name)) for target in chosen]
        return tuple(await asyncio.gather(*asked))

    async def _of(self, order: Order, target: Target, state: TargetState | None) -> Preview:
        if refused := refusal(target, order, state):
            return Preview(target.name, None, str(refused))
        try:
            route = await self._route(order, target)
            plan = await self._engine.plans.plan(route)
            return preview(plan, await self._engine.lints.of(plan, route), route)
        except LevelheadError as error:
            return Preview(target.name, None, str(error))

    async def _route(self, order: Order, target: Target) -> Route:
        async with self._engine.providers.open(target) as session:
            heads, major = await session.heads(), await session.server_major()
        return Route(self._engine.histories[target.history], target, order, heads, major)


def preview(plan: Plan, lint: Lint, route: Route) -> Preview:
    """Return what is shown of a plan for one target: the settings may refuse it."""
    refused = lints.refusal(lint, plan, route.history.lint)
    lint = shown(lint, route.history.lint)
    problem = str(refused) if refused else None
    return Preview(route.target.name, plan, problem, lint.findings, lint.unasked)
