"""Keeps the graph of every history fresh: scripts that change on disk are seen at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeAlias

from providers.types import Heads
from sync.errors import PlanError
from sync.events.chain import Draft
from sync.events.kinds import Kind
from sync.events.log import EventLog
from sync.fresh import Fresh
from sync.history import Graph, strangers
from sync.plan.findings import Level
from sync.scripts import digest_of
from sync.settings import History
from sync.status import Knowledge
from sync.store.engine import Store
from sync.store.histories import known_revisions, load_graph, save_graph

#: Loads the scripts of a history, given where they were the last time; raises PlanError.
Ask: TypeAlias = Callable[[History, Sequence[str]], Awaitable[Graph]]


class Histories:
    """The histories of the settings, each with its graph as it is on disk now.

    This one only reads; `RecordedHistories` also writes down what changed.
    """

    def __init__(self, histories: Mapping[str, History], *, ask: Ask, store: Store) -> None:
        self._histories = histories
        self._ask = ask
        self._store = store
        self._graphs: dict[str, Graph] = {}
        self._looks = {name: Fresh[Graph]() for name in histories}

    def __getitem__(self, name: str) -> History:
        return self._histories[name]

    def levels(self, name: str) -> Mapping[str, Level]:
        """Return what becomes of findings, by rule; none for a history that is gone."""
        history = self._histories.get(name)
        return history.lint if history else {}

    async def graph(self, name: str) -> Graph:
        """Return the graph as the scripts on disk have it now.

        Costs no process unless a script, env.py or alembic.ini has changed.

        Raises:
            PlanError: The history cannot be loaded; the message says why.
        """
        return await self._looks[name].get(partial(self._looked, name))

    async def _looked(self, name: str) -> Graph:
        known = self._graphs.get(name) or await self._stored(name)
        if known is None or await asyncio.to_thread(digest_of, known.locations) != known.digest:
            known = await self._loaded(name, known)
        self._graphs[name] = known
        return known

    async def knowledge(self, name: str) -> Knowledge:
        """Return what is known of the history, be it only why it cannot be loaded."""
        try:
            graph = await self.graph(name)
        except PlanError as error:
            return Knowledge(None, problem=str(error))
        return await self._all_of(name, graph)

    async def knowledge_at(self, name: str, heads: Heads | None) -> Knowledge:
        """Do as `knowledge` to judge a target at *heads*; read no more than that takes."""
        try:
            graph = await self.graph(name)
        except PlanError as error:
            return Knowledge(None, problem=str(error))
        if heads is None or not strangers(graph, heads):
            return Knowledge(graph)
        return await self._all_of(name, graph)

    async def _all_of(self, name: str, graph: Graph) -> Knowledge:
        async with self._store.reading() as connection:
            return Knowledge(graph, await known_revisions(connection, name))

    async def _stored(self, name: str) -> Graph | None:
        """Return the graph that was seen last; None where the settings mean another place now."""
        async with self._store.reading() as connection:
            graph = await load_graph(connection, name)
        config = str(self._histories[name].config)
        return graph if graph and config in graph.locations else None

    async def _loaded(self, name: str, last: Graph | None) -> Graph:
        """Ask a runner for the graph; *last* is what was seen before."""
        return await self._ask(self._histories[name], last.locations if last else ())


class RecordedHistories(Histories):
    """Histories whose changes and failures are events."""

    def __init__(
        self,
        histories: Mapping[str, History],
        *,
        ask: Ask,
        store: Store,
        log: EventLog,
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__(histories, ask=ask, store=store)
        self._log = log
        self._clock = clock
        self._failures: dict[str, str] = {}

    async def _loaded(self, name: str, last: Graph | None) -> Graph:
        try:
            graph = await super()._loaded(name, last)
        except PlanError as error:
            await self._failed(name, str(error))
            raise
        self._failures.pop(name, None)
        await self._changed(graph, last)
        return graph

    async def _failed(self, name: str, message: str) -> None:
        if self._failures.get(name) != message:
            self._failures[name] = message
            await self._log.record(draft(Kind.HISTORY_FAILED, name, message=message))

    async def _changed(self, graph: Graph, last: Graph | None) -> None:
        before = last.revisions if last else {}
        changed = draft(
            Kind.HISTORY_CHANGED,
            graph.history,
            heads=sorted(graph.heads),
            digest=graph.digest,
            added=[name for name in graph.revisions if name not in before],
            removed=[name for name in before if name not in graph.revisions],
        )
        async with self._log.writing() as batch:
            await save_graph(batch.connection, graph, now=self._clock())
            await batch.append(changed)


def draft(kind: Kind, history: str, **facts: str | list[str]) -> Draft:
    """Return an event about *history* that nobody asked for."""
    return Draft(kind=kind, actor="service", history=history, data=facts)
