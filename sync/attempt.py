"""One run on one target, under its lease: settle, act, and put on record how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from providers.base import Session
from providers.errors import LevelheadError, StampConflictError, StartingError
from providers.types import Heads, Target
from sync import executor
from sync.closing import Closing
from sync.delay import Delays
from sync.drifts import look_after_run, look_under_lock
from sync.endings import (
    Ending,
    ending,
    in_doubt,
    still_running,
)
from sync.engine import Engine
from sync.errors import AuditError, CanaryPendingError, LeaseLostError
from sync.events.chain import Draft
from sync.executor import Executor, Runner
from sync.fingerprints import Sight
from sync.gate import approved_only, require_no_rejection
from sync.history import Graph
from sync.journal import Journal
from sync.lease import Lease
from sync.meter import Meter, MeteredProviders
from sync.model import Decision, Run, RunState, Trail, Verb
from sync.orders import is_at_head, is_to_head, require_one_head
from sync.orphans import settle_all
from sync.plan.canonical import plan_of
from sync.plan.conversation import Conversation
from sync.plan.lint import refusal
from sync.plan.model import Plan
from sync.plan.route import Route
from sync.settlement import Settlement, settle_by_stamp
from sync.store import runs
from sync.store.runs import RunChange
from sync.visit import Visit, visiting


@dataclass(slots=True)
class Attempt:
    """One run, its target, and the lease that it holds."""

    engine: Engine
    run: Run
    target: Target
    trail: Trail  #: whose runs tell of the target
    lease: Lease
    turn: asyncio.Semaphore  #: how many runs go on at once
    delays: Delays  #: where it waits for a target that is starting
    began: bool = field(default=False, init=False)  #: ``run.started`` is, or is about to be, stored
    plan: Plan | None = field(default=None, init=False)  #: None: nothing of it was begun
    scripts: str | None = field(default=None, init=False)  #: digest of the graph that it follows
    start: Heads | None = field(default=None, init=False)  #: where a migration began
    schema: Sight | None = field(default=None, init=False)  #: what it left
    approval: Decision | None = field(default=None, init=False)  #: of its plan; None: not needed
    is_canary: bool = field(default=False, init=False)  #: it tries its plan for others
    proof: Sight | None = field(default=None, init=False)  #: what a canary left
    meter: Meter = field(default_factory=Meter, init=False)  #: counts what it costs

    def __post_init__(self) -> None:
        """Have every session of this run counted."""
        providers = MeteredProviders(self.engine.providers, self.meter)
        self.engine = replace(self.engine, providers=providers)

    async def carry_out(self) -> None:
        """Do what the run is for, and put on record how it ended, whatever happens.

        Raises:
            AuditError: The end could not be put on record; the next service settles it.
        """
        try:
            async with self._lease_kept():
                end = Ending(RunState.SUCCEEDED, await self._act_once_started())
        except StartingError as error:
            end = ending(error, None)  # there is nothing to see
        except Exception as error:  # noqa: BLE001 - any error is an end, and is put on record
            await self._end_where_it_stands(ending(error, None))
            return
        except asyncio.CancelledError as error:
            await self._end(ending(error, None))
            raise
        await self._end(end)

    async def recover(self) -> None:
        """Find out how far the run came whose service is gone; do nothing to the target."""
        journal = self._journal(replace(self.run, id=self.engine.log.new_id(), actor="service"))
        try:
            graph = await self.engine.histories.graph(self.target.history)
            async with self._lease_kept(), self.turn, self._locked() as session:
                settled = await self._settle(session, journal, graph)
            end = Ending(RunState.SUCCEEDED, settled.heads)
            if settled.left:
                end = ending(in_doubt(self.target, settled), settled.heads)
        except LevelheadError as error:
            end = ending(error, None)
        await self._closing().give_back(end)

    async def _act_once_started(self) -> Heads:
        """Act in turn; let others act while the target is starting, or another is the canary."""
        while True:
            try:
                async with self.turn:
                    return await self._act_where_it_stands()
            except StartingError as error:
                if self.began:
                    raise
                await self.delays.sit_out(self.run, self.target, self.lease, error)
            except CanaryPendingError as error:
                await self.delays.wait_for_canary(self.run, self.lease, error)

    async def _act_where_it_stands(self) -> Heads:
        """Act; look once more where somebody else moved the target before anything was done.

        Only head is the same from wherever one goes: ``-1`` would be one revision more.
        """
        try:
            return await self._act()
        except StampConflictError:
            if self.began or not is_to_head(self.run.order):
                raise
            return await self._act()

    async def _act(self) -> Heads:
        order, journal = self.run.order, self._journal(self.run)
        graph = await self.engine.histories.graph(self.target.history)
        self.scripts = graph.digest
        require_one_head(order, graph)
        async with visiting(self.engine.providers, self.target) as visit:
            heads = await self._move(visit, journal, graph)
            self.schema = await look_after_run(self.engine, visit, heads)
            if self.is_canary:
                self.proof = self.schema or await look_under_lock(self.engine, visit, heads)
            return heads

    async def _move(self, visit: Visit, journal: Journal, graph: Graph) -> Heads:
        order, session = self.run.order, await visit.session()
        settled = await self._settle(session, journal, graph, going=self.run)
        if settled.running:  # a person can tell of what has ended, and of nothing else
            raise still_running(self.target, settled)
        if order.verb is Verb.STAMP:
            return await self._stamp(session, journal, graph, settled)
        if settled.unknown:
            raise in_doubt(self.target, settled)
        self.start = settled.heads
        if is_at_head(order, graph, settled.heads):
            plan = plan_of(graph.history, self.target.dialect, settled.heads, ())
            return await executor.do_nothing(plan, journal, self._begin)
        route = await self._route(session, settled.heads)
        plan = await self._plan(visit, route)
        self.approval = await self.engine.gate.passed(self.run, self.target, plan)
        passage = await self.engine.canaries.passage(self.run, visit, plan, route)
        plan, self.is_canary = passage.plan, passage.is_canary
        self.approval = self.approval or passage.approval
        runner = await self._runner(plan)
        if self.approval:
            runner = approved_only(runner, plan, self.target, self.engine.plans, route)
        replayed = Executor(
            plan=plan,
            visit=visit,
            journal=journal,
            runner=runner,
            approver=self.approval.actor if self.approval else None,
        )
        return await replayed.carry_out(self._begin)

    async def _route(self, session: Session, heads: Heads) -> Route:
        history = self.engine.histories[self.target.history]
        return Route(history, self.target, self.run.order, heads, await session.server_major())

    async def _plan(self, visit: Visit, route: Route) -> Plan:
        """Return the plan for *route*; while it is compiled, others may work on the target.

        Raises:
            StampConflictError: Somebody did.
            PlanRefusedError: A rule found something that the settings refuse.
        """
        plans = self.engine.plans
        if (plan := await plans.known(route)) is None:
            plan = await visit.away(route.heads, plans.plan(route))
        lint = await self.engine.lints.of(plan, route)
        if refused := refusal(lint, plan, route.history.lint):
            raise refused
        return plan

    async def _runner(self, plan: Plan) -> Runner:
        """Return what starts runners for live steps of *plan*."""
        provider = await self.engine.providers.of(self.target)

        @asynccontextmanager
        async def start(part: slice) -> AsyncIterator[Conversation]:
            async with self.engine.runners.migrate(
                self.engine.histories[self.target.history],
                self.target,
                self.run.order,
                plan.before,
                support=await provider.runner_support(self.target),
                part=part,
                known=plan.steps[part.start].known,
            ) as talk:
                with self.meter.counting(provider):
                    yield talk

        return start

    async def _stamp(
        self, session: Session, journal: Journal, graph: Graph, settled: Settlement
    ) -> Heads:
        history = self.engine.histories[self.target.history]
        plan = await self.engine.runners.path(
            history, self.target.dialect, self.run.order, settled.heads
        )
        heads = await executor.stamp(session, plan, journal, self._begin)
        await settle_by_stamp(journal, graph, heads, settled.unknown)
        return heads

    async def _begin(self, plan: Plan) -> None:
        """Put the plan on record before anything of it is done.

        Raises:
            PlanRejectedError: Somebody has rejected it since its approval was read.
        """
        changed = RunChange(
            state=RunState.RUNNING,
            plan=plan.digest,
            before=plan.before,
            approver=self.approval.actor if self.approval else None,
        )

        async def work(connection: AsyncConnection) -> tuple[None, Sequence[Draft]]:
            if self.approval:
                await require_no_rejection(connection, self.target, plan)
            await runs.update(connection, self.run.id, changed)
            return None, ()

        await self.engine.log.share(self.target.name, work)
        self.began, self.plan = True, plan

    async def _settle(
        self, session: Session, journal: Journal, graph: Graph, *, going: Run | None = None
    ) -> Settlement:
        return await settle_all(self.engine, self.target, session, journal, graph, going=going)

    def _journal(self, run: Run) -> Journal:
        engine = self.engine
        return Journal(
            engine.store, engine.log, engine.leases, lease=self.lease, run=run, trail=self.trail
        )

    @asynccontextmanager
    async def _locked(self) -> AsyncIterator[Session]:
        async with (
            self.engine.providers.open(self.target) as session,
            session.lock(wait=self.target.lock_wait),
        ):
            yield session

    async def _heads(self) -> Heads | None:
        """Look where a failed run left the target; None where it cannot be seen."""
        try:
            async with self.engine.providers.open(self.target) as session:
                return await session.heads()
        except LevelheadError:
            return None

    @asynccontextmanager
    async def _lease_kept(self) -> AsyncIterator[None]:
        """Renew the lease during the block; stop the block when it is lost.

        Raises:
            LeaseLostError: Another service took the target over.
        """
        lost: list[LeaseLostError] = []
        try:
            async with asyncio.timeout(None) as scope:
                beat = asyncio.create_task(self._beat(scope, lost))
                try:
                    yield
                finally:
                    beat.cancel()
        except TimeoutError:
            if lost:
                raise lost[0] from None
            raise

    async def _beat(self, scope: asyncio.Timeout, lost: list[LeaseLostError]) -> None:
        while True:
            await asyncio.sleep(self.engine.heartbeat.total_seconds())
            try:
                await self.engine.leases.renew(self.lease)
            except LeaseLostError as error:
                lost.append(error)
                scope.reschedule(asyncio.get_running_loop().time())
                return
            except AuditError:
                continue  # the next act confirms the lease by itself, or does not happen

    async def _end_where_it_stands(self, end: Ending) -> None:
        """Put on record how a failed run ended, and where: whoever stops the look loses no more."""
        heads: Heads | None = None
        try:
            heads = await self._heads()
        finally:
            await self._end(replace(end, heads=heads))

    async def _end(self, end: Ending) -> None:
        """Put on record how the run ended, and give the target back."""
        self.engine.canaries.elections.forget(self.run)
        await self._closing().close(replace(end, scripts=self.scripts))

    def _closing(self) -> Closing:
        return Closing(
            engine=self.engine,
            run=self.run,
            target=self.target,
            lease=self.lease,
            meter=self.meter,
            began=self.began,
            plan=self.plan,
            start=self.start,
            schema=self.schema,
            proof=self.proof,
        )
