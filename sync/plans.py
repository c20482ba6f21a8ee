"""Finds the plan for an order: compiled once, kept, and compiled anew when its sources change."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from weakref import WeakValueDictionary

from providers.types import Heads, Target
from sync.events.chain import Draft
from sync.events.kinds import Kind
from sync.events.log import EventLog
from sync.histories import Histories
from sync.model import Order
from sync.plan.compiler import Compiler
from sync.plan.model import Compilation, Plan, StepClass
from sync.plan.processes import asked_of
from sync.settings import History
from sync.store import plans
from sync.store.engine import Store
from sync.store.text import canonical


class Plans:
    """Finds plans; this one keeps nothing, `RecordedPlans` does."""

    def __init__(self, compiler: Compiler, histories: Histories, store: Store) -> None:
        self._compiler = compiler
        self._histories = histories
        self._store = store
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def known(self, target: Target, order: Order, heads: Heads, *, major: str) -> Plan | None:
        """Return the plan if it need not be compiled; None where it must be."""
        history, key = await self._key(target, order, heads, major)
        return await self._recalled(history, key)

    async def plan(self, target: Target, order: Order, heads: Heads, *, major: str) -> Plan:
        """Return what *order* means for *target* at *heads*; compile it where nobody has yet.

        Several who ask for the same wait for one compilation.

        Raises:
            UnknownRevisionError: The order's revision does not exist, or is ambiguous.
            ScriptError: A script or env.py fails, on a shadow too.
            ShadowError: The shadow that the history's settings name cannot be used.
        """
        history, key = await self._key(target, order, heads, major)
        async with self._turn(key):
            if known := await self._recalled(history, key):
                return known
            found = await self._compiler.compile(history, target, order, heads, major=major)
            await self._keep(key, found)
            return found.plan

    def _turn(self, key: str) -> AbstractAsyncContextManager[None]:
        return self._turns.setdefault(key, asyncio.Lock())

    async def _key(
        self, target: Target, order: Order, heads: Heads, major: str
    ) -> tuple[History, str]:
        """Return the history, and a hash of all that a compilation depends on."""
        history = self._histories[target.history]
        graph = await self._histories.graph(target.history)
        facts = {
            "scripts": graph.digest,
            "options": asked_of(history),
            "driver": history.driver,
            "python": str(history.python),
            "shadow": history.shadow,
            "dialect": target.dialect,
            "major": major,
            "schema": target.schema,
            "version table": [target.version_table, target.version_table_schema],
            "order": asdict(order),
            "heads": sorted(heads),
            "libraries": [version("alembic"), version("sqlalchemy")],
        }
        return history, hashlib.sha256(canonical(facts).encode()).hexdigest()

    async def _recalled(self, history: History, key: str) -> Plan | None:
        async with self._store.reading() as connection:
            found = await plans.recall(connection, key)
        if found is None or await asyncio.to_thread(changed, history, found.sources):
            return None
        return found.plan

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
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return None


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
