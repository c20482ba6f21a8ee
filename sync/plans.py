"""Finds the plan for an order: compiled once, kept, and compiled anew when its sources change."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from weakref import WeakValueDictionary

from sync.events.chain import Draft
from sync.events.kinds import Kind
from sync.events.log import EventLog
from sync.fresh import Fresh
from sync.histories import Histories
from sync.history import Graph
from sync.lints import Lints
from sync.plan.canonical import plan_of
from sync.plan.compiler import Compiler
from sync.plan.findings import Finding, counts, shown
from sync.plan.model import Compilation, Plan, StepClass
from sync.plan.processes import asked_of
from sync.plan.route import Route, of_any_schema, where
from sync.scripts import file_digest, scripts
from sync.settings import History
from sync.store import plans
from sync.store.engine import Store
from sync.store.text import canonical

#: Plans that are kept in memory.
AT_HAND = 64

#: What Alembic's context, SQLAlchemy's dialect and its engine's URL call the schema by name.
SCHEMA_NAMES = ("version_table_schema", "default_schema_name", "url.query")


@dataclass(frozen=True, slots=True)
class AtHand:
    """What was compiled, and the looks at what it was compiled from."""

    compilation: Compilation
    looks: Fresh[bool] = field(default_factory=Fresh)

    async def has_changed(self, history: History) -> bool:
        """Tell whether a file that the compilation has read is another one now."""
        look = partial(asyncio.to_thread, changed, history, self.compilation.sources)
        return await self.looks.get(look)


class Plans:
    """Finds plans; this one keeps nothing, `RecordedPlans` does."""

    def __init__(
        self, compiler: Compiler, histories: Histories, lints: Lints, store: Store
    ) -> None:
        self._compiler = compiler
        self._histories = histories
        self._lints = lints
        self._store = store
        self._found: dict[str, AtHand] = {}  #: the last ones, so that many targets read one
        self._own: set[str] = set()  #: keys of what comes out otherwise in each schema
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def known(self, route: Route) -> Plan | None:
        """Return the plan if it need not be compiled; None where it must be."""
        graph = await self._histories.graph(route.history.name)
        wide = of_any_schema(route)
        found = await self._recalled(wide, graph) if wide else None
        return found or await self._recalled(route, graph)

    async def plan(self, route: Route) -> Plan:
        """Return the plan for *route*; compile it where nobody has yet.

        Several who ask for the same wait for one compilation. Where the schema of the target
        makes no difference, it is the one for targets of any schema.

        Raises:
            UnknownRevisionError: The order's revision does not exist, or is ambiguous.
            ScriptError: A script or env.py fails, on a shadow too.
            ShadowError: The shadow that the history's settings name cannot be used.
        """
        graph = await self._histories.graph(route.history.name)
        wide = of_any_schema(route)
        found = await self._for_all(wide, graph) if wide else None
        return found or await self._for_one(route, graph)

    async def _for_one(self, route: Route, graph: Graph) -> Plan:
        async with self._turn(key_of(route, graph)):
            if known := await self._recalled(route, graph):
                return known
            return await self._entered(await self._compiler.compile(route), route, graph)

    async def _for_all(self, route: Route, graph: Graph) -> Plan | None:
        """Return the plan for targets of any schema; None where each needs its own."""
        key = key_of(route, graph)
        async with self._turn(key):
            if known := await self._recalled(route, graph):
                return known
            if key in self._own or await asyncio.to_thread(asks_for_schema, graph):
                return None
            if (found := await self._compiler.compile_for_all(route)) is None:
                self._own.add(key)
                return None
            return await self._entered(found, route, graph)

    async def _entered(self, compilation: Compilation, route: Route, graph: Graph) -> Plan:
        """Keep what was compiled for *route*, with what is found in it; return the plan."""
        found = bound(compilation, graph)
        lint = await self._lints.of(found.plan, route)
        findings = shown(lint, route.history.lint).findings
        await self._keep(key_of(route, graph), found, findings)
        return found.plan

    def _turn(self, key: str) -> AbstractAsyncContextManager[None]:
        return self._turns.setdefault(key, asyncio.Lock())

    async def _recalled(self, route: Route, graph: Graph) -> Plan | None:
        key = key_of(route, graph)
        found = self._found.get(key)
        if found is None or await found.has_changed(route.history):
            found = await self._stored(key)  # somebody may have compiled it anew
            if found is None or await found.has_changed(route.history):
                return None
        self._hold(key, found)
        return with_scripts(found.compilation.plan, graph)

    async def _stored(self, key: str) -> AtHand | None:
        async with self._store.reading() as connection:
            found = await plans.recall(connection, key)
        return None if found is None else AtHand(found)

    def _hold(self, key: str, found: AtHand) -> None:
        """Keep the newest plans at hand."""
        self._found.pop(key, None)
        self._found[key] = found
        for oldest in list(self._found)[:-AT_HAND]:
            del self._found[oldest]

    async def _keep(self, key: str, found: Compilation, findings: Sequence[Finding]) -> None:
        """Keep nothing."""


class RecordedPlans(Plans):
    """Keeps every plan under its digest; a new one is an event."""

    def __init__(
        self,
        compiler: Compiler,
        histories: Histories,
        lints: Lints,
        store: Store,
        *,
        log: EventLog,
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__(compiler, histories, lints, store)
        self._log = log
        self._clock = clock

    async def _keep(self, key: str, found: Compilation, findings: Sequence[Finding]) -> None:
        async with self._log.writing() as batch:
            is_new = await plans.save(batch.connection, found.plan, now=self._clock())
            await plans.remember(batch.connection, key, found)
            await batch.append(*([compiled(found.plan, findings)] if is_new else []))


def key_of(route: Route, graph: Graph) -> str:
    """Return a hash of all that a compilation of *route* depends on."""
    history, target = route.history, route.target
    facts = {
        "scripts": graph.digest,
        "options": asked_of(history),
        "driver": history.driver,
        "python": str(history.python),
        "shadow": history.shadow.place(target.dialect),
        "dialect": target.dialect,
        "major": route.major,
        "place": where(target),
        "version table": [target.version_table, target.version_table_schema],
        "order": [route.order.verb, route.order.to],
        "heads": sorted(route.heads),
        "libraries": libraries(),
    }
    return hashlib.sha256(canonical(facts).encode()).hexdigest()


def with_scripts(plan: Plan, graph: Graph) -> Plan:
    """Return *plan* with the files that are on disk now: several can come to the same SQL."""
    files = {revision.id: revision.digest for revision in graph.revisions.values()}
    if all(files.get(step.revision, step.script) == step.script for step in plan.steps):
        return plan
    steps = (replace(step, script=files.get(step.revision, step.script)) for step in plan.steps)
    return replace(plan, steps=tuple(steps))


def bound(found: Compilation, graph: Graph) -> Compilation:
    """Let the digest of a plan that was never compiled hang on the history's files.

    No shadow has shown what its scripts import; whoever approves it has read these.
    """
    plan = found.plan
    if plan.sources:
        return found
    signed = plan_of(plan.history, plan.dialect, plan.before, plan.steps, sources=graph.digest)
    return replace(found, plan=signed)


def asks_for_schema(graph: Graph) -> bool:
    """Tell whether a revision may learn its schema's name without asking the database.

    It could compare the name, and do something else for one tenant: two other names do not show it.
    """
    files = {revision.file for revision in graph.revisions.values()}
    found = (script for place in graph.locations for script in scripts(Path(place)))
    return any(
        word in script.read_text(errors="replace")
        for script in found
        if script.name in files
        for word in SCHEMA_NAMES
    )


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


def compiled(plan: Plan, findings: Sequence[Finding]) -> Draft:
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
            "findings": counts(findings),
        },
    )
