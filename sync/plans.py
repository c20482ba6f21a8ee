"""Finds the plan for an order: compiled once, kept, and compiled anew when its sources change."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from weakref import WeakValueDictionary

from sync.events.chain import Draft
from sync.events.kinds import Kind
from sync.events.log import EventLog
from sync.histories import Histories
from sync.plan.compiler import Compiler
from sync.plan.model import Compilation, Plan, StepClass
from sync.plan.processes import asked_of
from sync.plan.route import Route
from sync.scripts import file_digest
from sync.settings import History
from sync.store import plans
from sync.store.engine import Store
from sync.store.text import canonical

#: Plans that are kept in memory.
AT_HAND = 64


class Plans:
    """Finds plans; this one keeps nothing, `RecordedPlans` does."""

    def __init__(self, compiler: Compiler, histories: Histories, store: Store) -> None:
        self._compiler = compiler
        self._histories = histories
        self._store = store
        self._found: dict[str, Compilation] = {}  #: the last ones, so that many targets read one
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def known(self, route: Route) -> Plan | None:
        """Return the plan if it need not be compiled; None where it must be."""
        return await self._recalled(route.history, await self._key(route))

    async def plan(self, route: Route) -> Plan:
        """Return the plan for *route*; compile it where nobody has yet.

        Several who ask for the same wait for one compilation.

        Raises:
            UnknownRevisionError: The order's revision does not exist, or is ambiguous.
            ScriptError: A script or env.py fails, on a shadow too.
            ShadowError: The shadow that the history's settings name cannot be used.
        """
        key = await self._key(route)
        async with self._turn(key):
            if known := await self._recalled(route.history, key):
                return known
            found = await self._compiler.compile(route)
            await self._keep(key, found)
            return found.plan

    def _turn(self, key: str) -> AbstractAsyncContextManager[None]:
        return self._turns.setdefault(key, asyncio.Lock())

    async def _key(self, route: Route) -> str:
        """Return a hash of all that a compilation of *route* depends on."""
        history, target = route.history, route.target
        graph = await self._histories.graph(history.name)
        facts = {
            "scripts": graph.digest,
            "options": asked_of(history),
            "driver": history.driver,
            "python": str(history.python),
            "shadow": history.shadow.place(target.dialect),
            "dialect": target.dialect,
            "major": route.major,
            "schema": target.schema,
            "version table": [target.version_table, target.version_table_schema],
            "order": [route.order.verb, route.order.to],
            "heads": sorted(route.heads),
            "libraries": libraries(),
        }
        return hashlib.sha256(canonical(facts).encode()).hexdigest()

    async def _recalled(self, history: History, key: str) -> Plan | None:
        if (found := self._found.get(key)) is None:
            async with self._store.reading() as connection:
                found = await plans.recall(connection, key)
        if found is None or await asyncio.to_thread(changed, history, found.sources):
            return None
        self._hold(key, found)
        return found.plan

    def _hold(self, key: str, found: Compilation) -> None:
        """Keep the newest plans at hand."""
        self._found.pop(key, None)
        self._found[key] = found
        for oldest in list(self._found)[:-AT_HAND]:
            del self._found[oldest]

    async def _keep(self, key: str, found: Compilation) -> None:
        """Keep nothing."""


class RecordedPlans(Plans):
    """Keeps every plan under its digest; a new one is an event."""

    def __init__(
        self,
        compiler: Compiler,
        histories: Histories,
        store: Store,
        *,
        log: EventLog,
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__(compiler, histories, store)
        self._log = log
        self._clock = clock

    async def _keep(self, key: str, found: Compilation) -> None:
        async with self._log.writing() as batch:
            is_new = await plans.save(batch.connection, found.plan, now=self._clock())
            await plans.remember(batch.connection, key, found)
            await batch.append(*([compiled(found.plan)] if is_new else []))


def changed(history: History, sources: Mapping[str, str]) -> bool:
    """Tell whether a file that a compilation has read is another one now."""
    folder = history.config.parent
    return any(digest_of(folder / name) != digest for name, digest in sources.items())


def digest_of(file: Path) -> str | None:
    """Return the sha256 of *file*; None where it cannot be read."""
    try:
        return file_digest(file)
    except OSError:
        return None


@cache
def libraries() -> tuple[str, ...]:
    """Return the versions of what turns scripts into SQL."""
    return (version("alembic"), version("sqlalchemy"))


def compiled(plan: Plan) -> Draft:
    """Return the event of a new plan."""
    return Draft(
        kind=Kind.PLAN_COMPILED,
        actor="service",
        history=plan.history,
        data={
            "plan": plan.digest,
            "dialect": plan.dialect,
            "before": sorted(plan.before),
            "after": sorted(plan.after),
            **{kind: sum(step.kind is kind for step in plan.steps) for kind in StepClass},
        },
    )
