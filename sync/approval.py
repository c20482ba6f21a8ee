"""Plans as people decide on them: found, shown whole, approved and rejected."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from sync.engine import Engine
from sync.errors import (
    OwnRequestError,
    UnknownPlanError,
)
from sync.events.chain import Draft
from sync.events.kinds import Kind
from sync.gate import rejection, short
from sync.model import Decision, PlanQuery, PlanRecord, PlanState
from sync.plan.findings import Finding, Lint
from sync.plan.locks import locks
from sync.plan.model import Plan, Preview
from sync.store import approvals, plans, targets

_KINDS = {PlanState.APPROVED: Kind.PLAN_APPROVED, PlanState.REJECTED: Kind.PLAN_REJECTED}


@dataclass(frozen=True, slots=True)
class StatementLock:
    """A table lock that a statement of a plan is known to take."""

    revision: str
    block: int  #: place in the step's blocks, from 0
    statement: int  #: place in the block, from 0
    mode: str  #: as Postgres names it: ``"SHARE ROW EXCLUSIVE"``
    on: str  #: the table


@dataclass(frozen=True, slots=True)
class PlanDetails:
    """A plan whole, what was said of it, and what is known of its statements."""

    record: PlanRecord
    plan: Plan
    locks: tuple[StatementLock, ...]
    findings: tuple[Finding, ...] = ()  #: what somebody should look at first
    unasked: tuple[str, ...] = ()  #: one line each: which rules were not applied, and why


class Approvals:
    """The plans of the control database, and what people say of them."""

    def __init__(self, engine: Engine, *, four_eyes: bool) -> None:
        self._log = engine.log
        self._lints = engine.lints
        self._clock = engine.clock
        self._four_eyes = four_eyes

    async def approve(self, digest: str, *, actor: str, reason: str | None = None) -> PlanRecord:
        """Let runs apply the plan, on every target that asks for it.

        Raises:
            UnknownPlanError: There is no such plan.
            OwnRequestError: *actor* has asked for it.
        """
        record = await self.record(digest)
        if self._four_eyes and actor in {proposal.actor for proposal in record.proposals}:
            raise OwnRequestError(
                f"plan {short(digest)}: {actor} asked for it, so somebody else must approve it; "
                "or set four_eyes = false in [approval]"
            )
        return await self._decide(record, PlanState.APPROVED, actor, reason)

    async def reject(self, digest: str, *, actor: str, reason: str | None = None) -> PlanRecord:
        """Let no run apply the plan, until somebody approves it after all.

        Raises:
            UnknownPlanError: There is no such plan.
        """
        record = await self.record(digest)
        return await self._decide(record, PlanState.REJECTED, actor, reason)

    async def details(self, digest: str) -> PlanDetails:
        """Return the plan whole.

        Raises:
            UnknownPlanError: There is no such plan.
        """
        record = await self.record(digest)
        async with self._log.store.reading() as connection:
            plan = await plans.find(connection, digest)
        assert plan is not None  # noqa: S101 - plans are never removed
        lint = await self._lints.recorded(digest) or Lint(())
        return PlanDetails(record, plan, locks_of(plan), lint.findings, lint.unasked)

    async def shown(self, plan: Plan, preview: Preview) -> PlanDetails:
        """Return *plan* as `details` does, also where it is not kept: then nobody decided on it."""
        async with self._log.store.reading() as connection:
            found = await plans.record(connection, plan.digest)
        record = found or self._fresh(plan)
        return PlanDetails(record, plan, locks_of(plan), preview.findings, preview.unasked)

    def _fresh(self, plan: Plan) -> PlanRecord:
        return PlanRecord(
            digest=plan.digest,
            history=plan.history,
            dialect=plan.dialect,
            before=plan.before,
            after=plan.after,
            steps=len(plan.steps),
            compiled_at=self._clock(),
            state=PlanState.COMPILED,
        )

    async def record(self, digest: str) -> PlanRecord:
        """Return what is known of a plan besides its steps.

        Raises:
            UnknownPlanError: There is no such plan.
        """
        async with self._log.store.reading() as connection:
            found = await plans.record(connection, digest)
        if found is None:
            raise unknown(digest)
        return found

    async def page(self, query: PlanQuery) -> tuple[PlanRecord, ...]:
        """Return the plans that match, newest first."""
        async with self._log.store.reading() as connection:
            return await plans.page(connection, query)

    async def whole(self, beginning: str) -> str:
        """Return the digest that begins so, in whichever case.

        Raises:
            UnknownPlanError: None does, or several do.
        """
        async with self._log.store.reading() as connection:
            found = await plans.starting_with(connection, beginning.lower())
        if len(found) > 1:
            raise UnknownPlanError(f"several plans begin with {beginning}; give more of the digest")
        if not found:
            raise unknown(beginning)
        return found[0]

    async def _decide(
        self, record: PlanRecord, state: PlanState, actor: str, reason: str | None
    ) -> PlanRecord:
        said = Decision(state=state, actor=actor, at=self._clock(), reason=reason)
        event = Draft(
            kind=_KINDS[state],
            actor=actor,
            history=record.history,
            data={"plan": record.digest, "reason": reason},
        )
        async with self._log.writing() as batch:
            await approvals.decide(batch.connection, record.digest, said)
            await tell_targets(batch.connection, record.digest, said)
            await batch.append(event)
        return replace(record, state=state, decision=said)


async def tell_targets(connection: AsyncConnection, digest: str, said: Decision) -> None:
    """Let the clock turn to the targets that waited, or let their status say why not."""
    waiting = await targets.awaiting(connection, digest)
    states = (await targets.all_to_change(connection, waiting)).values()
    still = [state for state in states if state.awaits == digest]
    if said.state is PlanState.APPROVED:
        told = [
            replace(s, awaits=None, awaits_scripts=None, awaits_for=None, problem=None)
            for s in still
        ]
    else:
        told = [replace(s, problem=rejection(s.target, digest, said)) for s in still]
    await targets.save(connection, *told)


def locks_of(plan: Plan) -> tuple[StatementLock, ...]:
    """Return the locks that the statements of *plan* are known to take."""
    return tuple(
        StatementLock(step.revision, block, place, lock.mode, lock.on)
        for step in plan.steps
        for block, together in enumerate(step.blocks)
        for place, sql in enumerate(together.statements)
        for lock in locks(sql, plan.dialect)
    )


def unknown(digest: str) -> UnknownPlanError:
    """Return the error for a digest that no plan has."""
    return UnknownPlanError(f"there is no plan {digest}; see levelhead plans")
