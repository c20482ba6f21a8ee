"""Plans before anything is done: what an order would do to each target, or to a history's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from providers.errors import ConfigError, LevelheadError
from providers.types import Heads, Target
from sync.engine import Engine
from sync.errors import UnknownRevisionError
from sync.fleet import Fleet
from sync.history import Graph, ancestors, named
from sync.model import Order, Selection, Verb
from sync.plan import lint as lints
from sync.plan.findings import Lint, shown
from sync.plan.model import Plan, Preview
from sync.plan.route import Route
from sync.rollout import refusal
from sync.store import targets
from sync.store.targets import TargetState


class Previews:
    """Looks where targets stand, and asks their histories for the path from there."""

    def __init__(self, engine: Engine, targets: Fleet) -> None:
        self._engine = engine
        self._targets = targets

    async def of(self, order: Order, selection: Selection) -> tuple[Preview, ...]:
        """Return for each selected target its plan, or the reason why there is none."""
        await self._targets.ask(selection)
        chosen, states = self._targets.chosen(order, selection), await self._states()
        asked = [self._of(order, target, states.get(target.name)) for target in chosen]
        return tuple(await asyncio.gather(*asked))

    async def of_target(self, name: str, to: str) -> Preview:
        """Return the plan from where a target stands to a revision, be it on hold or not.

        Raises:
            UnknownTargetError: There is no such target.
            ProviderError: It cannot be read.
            PlanError: The history has no such path.
        """
        await self._targets.ask(Selection((name,)))
        target = self._targets.one(name)
        async with self._engine.providers.open(target) as session:
            heads, major = await session.heads(), await session.server_major()
        return await self._between(target, heads, to, major)

    async def of_history(
        self, history: str, start: str, to: str, dialect: str | None
    ) -> tuple[Preview, ...]:
        """Return the plan between two revisions for each dialect of the history's targets.

        What their servers are is known from when they were read last; where nobody read one
        yet, it is opened.

        Raises:
            ConfigError: No target follows the history, or none of that dialect does.
            UnknownRevisionError: *start* names no revision.
        """
        await self._targets.recall()
        if all(each.history != history for each in self._targets.values()):
            await self._targets.ask(Selection(history=history))
        chosen = self._one_of_each(history, dialect, await self._states())
        heads = named(await self._engine.histories.graph(history), start)
        asked = [self._from(target, state, heads, to) for target, state in chosen]
        return tuple(await asyncio.gather(*asked))

    def _one_of_each(
        self, history: str, dialect: str | None, states: Mapping[str, TargetState]
    ) -> Sequence[tuple[Target, TargetState | None]]:
        """Return one target for each dialect; one that was read before, where there is any."""
        followers = [each for each in self._targets.values() if each.history == history]
        chosen: dict[str, Target] = {}
        for target in sorted(followers, key=lambda each: major_of(states.get(each.name)) is None):
            chosen.setdefault(target.dialect, target)
        if dialect is not None and dialect not in chosen:
            known = ", ".join(sorted(chosen)) or "none"
            raise ConfigError(f"no target of history {history} is of dialect {dialect}: {known}")
        if not chosen:
            raise ConfigError(f"no target follows history {history}, so nobody knows its dialects")
        return [
            (target, states.get(target.name))
            for name, target in sorted(chosen.items())
            if dialect in (None, name)
        ]

    async def _from(
        self, target: Target, state: TargetState | None, heads: Heads, to: str
    ) -> Preview:
        try:
            major = major_of(state) or await self._read_major(target)
            return await self._between(target, heads, to, major)
        except LevelheadError as error:
            return Preview(target.name, None, str(error))

    async def _read_major(self, target: Target) -> str:
        async with self._engine.providers.open(target) as session:
            return await session.server_major()

    async def _between(self, target: Target, heads: Heads, to: str, major: str) -> Preview:
        graph = await self._engine.histories.graph(target.history)
        order = Order(direction(graph, heads, to), to)
        history = self._engine.histories[target.history]
        return await self._along(Route(history, target, order, heads, major))

    async def _of(self, order: Order, target: Target, state: TargetState | None) -> Preview:
        if refused := refusal(target, order, state):
            return Preview(target.name, None, str(refused))
        try:
            return await self._seen(order, target)
        except LevelheadError as error:
            return Preview(target.name, None, str(error))

    async def _seen(self, order: Order, target: Target) -> Preview:
        """Open *target*, and return the plan from where it stands."""
        async with self._engine.providers.open(target) as session:
            heads, major = await session.heads(), await session.server_major()
        return await self._along(
            Route(self._engine.histories[target.history], target, order, heads, major)
        )

    async def _along(self, route: Route) -> Preview:
        plan = await self._engine.plans.plan(route)
        return preview(plan, await self._engine.lints.of(plan, route), route)

    async def _states(self) -> Mapping[str, TargetState]:
        async with self._engine.store.reading() as connection:
            return {state.target: state for state in await targets.all(connection)}


def preview(plan: Plan, lint: Lint, route: Route) -> Preview:
    """Return what is shown of a plan for one target: the settings may refuse it."""
    refused = lints.refusal(lint, plan, route.history.lint)
    lint = shown(lint, route.history.lint)
    problem = str(refused) if refused else None
    return Preview(route.target.name, plan, problem, lint.findings, lint.unasked)


def major_of(state: TargetState | None) -> str | None:
    """Return what is known of a target's server; None where it was never read."""
    return state.major if state else None


def direction(graph: Graph, heads: Heads, to: str) -> Verb:
    """Tell whether *to* lies above *heads* or below; what is not known here, Alembic judges."""
    if to.startswith("-"):
        return Verb.DOWNGRADE
    try:
        destination = named(graph, to)
    except UnknownRevisionError:
        return Verb.SYNC
    below = ancestors(graph, heads)
    return Verb.DOWNGRADE if destination < below and destination != heads else Verb.SYNC
