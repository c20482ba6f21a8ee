"""Keeps the graph of every history fresh: scripts that change on disk are seen at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime

from sync.errors import PlanError
from sync.events.chain import Draft
from sync.events.kinds import Kind
from sync.events.log import EventLog
from sync.history import Graph
from sync.plan.processes import Runners
from sync.scripts import digest_of
from sync.settings import History
from sync.status import Knowledge
from sync.store.engine import Store
from sync.store.histories import known_revisions, load_graph, save_graph


class Histories:
    """The histories of the settings, each with its graph as it is on disk now."""

    def __init__(
        self,
        histories: Mapping[str, History],
        *,
        runners: Runners,
        store: Store,
        log: EventLog,
        clock: Callable[[], datetime],
    ) -> None:
        self._histories = histories
        self._runners = runners
        self._store = store
        self._log = log
        self._clock = clock
        self._graphs: dict[str, Graph] = {}
        self._failures: dict[str, str] = {}
        self._locks = {name: asyncio.Lock() for name in histories}

    def __getitem__(self, name: str) -> History:
        return self._histories[name]

    async def graph(self, name: str) -> Graph:
        """Return the graph as the scripts on disk have it now.

        Costs no process unless a script, env.py or alembic.ini has changed.

        Raises:
            PlanError: The history cannot be loaded; the message says why.
        """
        async with self._locks[name]:
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
        async with self._store.reading() as connection:
            return Knowledge(graph, await known_revisions(connection, name))

    async def _stored(self, name: str) -> Graph | None:
        async with self._store.reading() as connection:
            return await load_graph(connection, name)

    async def _loaded(self, name: str, last: Graph | None) -> Graph:
        """Ask a runner for the graph, and write down that it changed."""
        try:
            graph = await self._runners.graph(self._histories[name])
        except PlanError as error:
            await self._failed(name, str(error))
            raise
        self._failures.pop(name, None)
        await self._changed(graph, last)
        return graph

    async def _failed(self, name: str, message: str) -> None:
        if self._failures.get(name) != message:
            self._failures[name] = message
            await self._record(Kind.HISTORY_FAILED, name, message=message)

    async def _changed(self, graph: Graph, last: Graph | None) -> None:
        async with self._store.writing() as connection:
            await save_graph(connection, graph, now=self._clock())
        before = last.revisions if last else {}
        await self._record(
            Kind.HISTORY_CHANGED,
            graph.history,
            heads=sorted(graph.heads),
            digest=graph.digest,
            added=[name for name in graph.revisions if name not in before],
            removed=[name for name in before if name not in graph.revisions],
        )

    async def _record(self, kind: Kind, name: str, **facts: str | list[str]) -> None:
        await self._log.record(Draft(kind=kind, actor="service", history=name, data=facts))
