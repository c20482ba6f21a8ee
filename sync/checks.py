"""Looks at targets, many at once, and writes down what changed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from providers.types import Heads, Policy, Target
from sync.drifts import Drifts, note
from sync.edits import Edits, with_edits
from sync.events.chain import Draft
from sync.history import Graph, ancestors, strangers
from sync.instruments import Instruments
from sync.looks import Looks
from sync.meter import Meter, used
from sync.model import TargetStatus
from sync.status import Knowledge, Observation, confirms, differences, noticed, view
from sync.store import applied, runs, targets
from sync.store.targets import TargetState


class Checks:
    """The eyes of the service. Looking never creates anything on a target."""

    def __init__(
        self, instruments: Instruments, edits: Edits, drifts: Drifts, *, width: int
    ) -> None:
        self._instruments = instruments
        self._edits = edits
        self._drifts = drifts
        self._looks = Looks(instruments, width=width)

    async def check(self, chosen: Sequence[Target]) -> tuple[TargetStatus, ...]:
        """Look at every chosen target now, record it, and return what was found."""
        await self.observe(chosen, await self.states())
        return await self.recorded(chosen)

    async def observe(
        self, chosen: Sequence[Target], states: Mapping[str, TargetState]
    ) -> Mapping[str, TargetState]:
        """Look at every chosen target now, and record it.

        Given what is known of targets, by name, return what is known then. It may lack the
        moment of the look, where that was all there was to write down.
        """
        meter = Meter()
        seen = await self.look(chosen, meter)
        knowledge = await self.knowledge(chosen)
        same, news = divided(seen, states, knowledge)
        return {**states, **await self._record(same, news, knowledge, meter)}

    async def glance(self, chosen: Sequence[Target]) -> tuple[TargetStatus, ...]:
        """Look at every chosen target now, without writing anything down."""
        knowledge = await self.knowledge(chosen)
        states, last = await self._records()
        found = []
        looks = {seen.target.name: seen for seen in await self.look(chosen, Meter())}
        schemas = [(one.target, one.schema) for one in looks.values() if one.schema]
        for target in chosen:
            known, state = knowledge[target.history], states.get(target.name)
            if seen := looks.get(target.name):
                state = noticed(state, seen, known, self._instruments.patience)
            found.append(view(target, state, known.graph, last.get(target.name)))
        known_schemas = await self._drifts.noticed(await self._drifts.known(), schemas)
        return await self._with_edits(await self._drifts.shown(found, known_schemas))

    async def moving(self) -> frozenset[str]:
        """Return the names of the targets with a run under way."""
        async with self._instruments.store.reading() as connection:
            return await under_way(connection)

    async def look(self, chosen: Iterable[Target], meter: Meter) -> list[Observation]:
        """Look at targets without writing anything down, concurrently under the limit.

        Those that the settings leave alone altogether are not looked at.
        """
        wanted = [target for target in chosen if target.policy is not Policy.OFF]
        return await self._looks.at(wanted, await self._drifts.known(), meter)

    async def knowledge(self, chosen: Iterable[Target]) -> Mapping[str, Knowledge]:
        """Return what is known of each history that *chosen* follow, by name."""
        names = sorted({target.history for target in chosen})
        return dict(
            zip(
                names,
                await asyncio.gather(*map(self._instruments.histories.knowledge, names)),
                strict=True,
            )
        )

    async def recorded(self, chosen: Collection[Target]) -> tuple[TargetStatus, ...]:
        """Return the chosen targets as they were at their last check."""
        knowledge = await self.knowledge(chosen)
        states, last = await self._records()
        found = [
            view(t, states.get(t.name), knowledge[t.history].graph, last.get(t.name))
            for t in chosen
        ]
        known = await self._drifts.known()
        return await self._with_edits(await self._drifts.shown(found, known))

    async def _with_edits(self, found: Sequence[TargetStatus]) -> tuple[TargetStatus, ...]:
        edits = await self._edits.of(status.history for status in found)
        return tuple(with_edits(status, edits) for status in found)

    async def states(self) -> Mapping[str, TargetState]:
        """Return what is known of every target, by name."""
        async with self._instruments.store.reading() as connection:
            return {state.target: state for state in await targets.all(connection)}

    async def _records(self) -> tuple[Mapping[str, TargetState], Mapping[str, str]]:
        """Return target name -> state, and target name -> id of its newest run."""
        async with self._instruments.store.reading() as connection:
            states = {state.target: state for state in await targets.all(connection)}
            return states, await runs.last_runs(connection)

    async def _record(
        self,
        same: Sequence[Observation],
        news: Sequence[Observation],
        knowledge: Mapping[str, Knowledge],
        meter: Meter,
    ) -> Mapping[str, TargetState]:
        """Write down what was seen and what it cost, all of it in one transaction.

        Return what is *news* then.
        """
        async with self._instruments.log.writing() as batch:
            moving = await under_way(batch.connection)
            told = sorted(
                (one for one in news if one.target.name not in moving),
                key=lambda one: one.target.name,
            )
            names = [one.target.name for one in told]
            known = await targets.all_to_change(batch.connection, names) if names else {}
            changed: dict[str, TargetState] = {}
            drafts: list[Draft] = []
            for one in told:
                old = known.get(one.target.name)
                if old is None or is_newer(one, old):
                    history = knowledge[one.target.history]
                    new = noticed(old, one, history, self._instruments.patience)
                    changed[new.target] = new
                    drafts += differences(old, new, one.target)
                    await self._follow(batch.connection, old, new, history.graph)
                    if one.schema:
                        drafts += await note(batch.connection, one.target, one.schema)
            await targets.save(batch.connection, *changed.values())
            await touch(batch.connection, [one for one in same if one.target.name not in moving])
            await batch.append(*drafts, *used(meter))
        return {**known, **changed}

    async def _follow(
        self,
        connection: AsyncConnection,
        old: TargetState | None,
        new: TargetState,
        graph: Graph | None,
    ) -> None:
        """Forget the files of what somebody else has taken back."""
        if graph and old and old.heads != new.heads and new.heads is not None:
            await follow_by_hand(connection, new.target, new.heads, graph)


def divided(
    seen: Iterable[Observation],
    states: Mapping[str, TargetState],
    knowledge: Mapping[str, Knowledge],
) -> tuple[Sequence[Observation], Sequence[Observation]]:
    """Return the looks that found what is known, and the others."""
    same: list[Observation] = []
    news: list[Observation] = []
    for one in seen:
        old = states.get(one.target.name)
        known = old is not None and confirms(one, old, knowledge[one.target.history])
        (same if known else news).append(one)
    return same, news


async def touch(connection: AsyncConnection, same: Iterable[Observation]) -> None:
    """Write down when targets were looked at that are as they were."""
    moments: dict[datetime, list[str]] = defaultdict(list)
    for one in same:
        moments[one.at].append(one.target.name)
    alone = {names[0]: at for at, names in moments.items() if len(names) == 1}
    await targets.touch_each(connection, alone)
    for at, names in moments.items():
        if len(names) > 1:  # one survey saw them all
            await targets.touch(connection, names, at)


async def follow_by_hand(
    connection: AsyncConnection, target: str, heads: Heads, graph: Graph
) -> None:
    """Forget what somebody else has taken back: *target* was found at *heads*."""
    if not strangers(graph, heads):
        gone = await applied.of_target(connection, target) - ancestors(graph, heads)
        await applied.forget(connection, target, gone)


async def under_way(connection: AsyncConnection) -> frozenset[str]:
    """Return the names of targets with a run under way: what is seen of them says nothing."""
    open_runs = await runs.open_runs(connection)
    return frozenset(run.target for run in open_runs if run.state in runs.MOVING)


def is_newer(seen: Observation, known: TargetState) -> bool:
    """Tell whether *seen* adds to what is known: a run that ended since knows better."""
    return known.checked_at is None or known.checked_at <= seen.at
