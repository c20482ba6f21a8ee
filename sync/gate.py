"""The gate: no plan is applied to a target of policy ``approve`` that nobody has read.

What is approved is a digest, wherever it is used: all that would be sent, and of live steps
the script. Whoever asks for a plan does not approve it, unless the settings say otherwise.

A stamp needs no approval: it sends nothing of the scripts, and is what an operator has left
when something went wrong. A downgrade does: it can lose more than an upgrade.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from providers.types import Policy, Target
from sync.errors import (
    ApprovalNeededError,
    OwnRequestError,
    PlanChangedError,
    PlanRejectedError,
    PlanStaleError,
)
from sync.executor import Runner
from sync.model import Decision, PlanState, Proposal, Run
from sync.plan.conversation import Conversation
from sync.plan.model import Plan, StepClass
from sync.plan.route import Route
from sync.plans import Plans
from sync.store import approvals, plans
from sync.store.engine import Store

#: So many characters of a digest tell one plan from another, for people.
SHORT = 12


class Gate:
    """What a plan must pass before anything of it is done."""

    def __init__(self, store: Store, *, four_eyes: bool) -> None:
        self._store = store
        self._four_eyes = four_eyes

    async def passed(self, run: Run, target: Target, plan: Plan) -> Decision | None:
        """Return the approval of *plan*; None where it needs none.

        Raises:
            ApprovalNeededError: Nobody has decided yet.
            PlanRejectedError: Somebody rejected it.
            OwnRequestError: Whoever asked for the run has approved it, and nobody else.
        """
        if target.policy is not Policy.APPROVE or not plan.steps:
            return None
        async with self._store.reading() as connection:
            said = await approvals.decision(connection, plan.digest)
            if said is None:
                raise await self._needed(connection, target, plan)
        if said.state is PlanState.REJECTED:
            raise PlanRejectedError(rejection(target.name, plan.digest, said), plan=plan.digest)
        if self._four_eyes and said.actor == run.actor:
            raise OwnRequestError(
                f"{target.name}: plan {short(plan.digest)} was approved by {said.actor}, who asks "
                "for this run; let somebody else ask, or the clock"
            )
        return said

    async def _needed(
        self, connection: AsyncConnection, target: Target, plan: Plan
    ) -> ApprovalNeededError:
        unused = await approvals.last_unused(connection, target.name)
        old = await plans.find(connection, unused) if unused else None
        waits = f"plan {short(plan.digest)} waits for an approval"
        text = f"{waits}; see levelhead plan {target.name}"
        if old is not None and old.digest != plan.digest:
            text = f"{what_became_of(old, plan)}; {waits}"
        return ApprovalNeededError(f"{target.name}: {text}", plan=plan.digest)


async def require_no_rejection(connection: AsyncConnection, target: Target, plan: Plan) -> None:
    """Look at the last word on an approved *plan* once more, where its start is put on record.

    Raises:
        PlanRejectedError: Somebody rejects it now.
    """
    said = await approvals.decision(connection, plan.digest)
    if said and said.state is PlanState.REJECTED:
        raise PlanRejectedError(rejection(target.name, plan.digest, said), plan=plan.digest)


def what_became_of(old: Plan, new: Plan) -> str:
    """Return why an approval does not count for the plan that is made now."""
    if old.before == new.before:
        return f"approved plan {short(old.digest)} no longer matches the scripts or the order"
    stood, stands = (", ".join(sorted(heads)) or "base" for heads in (old.before, new.before))
    return f"approved plan {short(old.digest)} begins at {stood}, the target stands at {stands} now"


def approved_only(runner: Runner, plan: Plan, target: Target, plans: Plans, route: Route) -> Runner:
    """Return *runner* for an approved plan: it runs live steps as they were approved, no other.

    A step that was approved as SQL never turns into its script: nobody has read what that
    would send here.
    """

    @asynccontextmanager
    async def start(part: slice) -> AsyncIterator[Conversation]:
        for step in plan.steps[part]:
            if step.kind is not StepClass.LIVE:
                raise PlanStaleError(
                    f"{target.name}: the SQL that was approved for {step.revision} does not fit "
                    "here: its script saw another schema, or another text of it was applied in part"
                )
        known = await plans.known(route)
        if known is None or known.digest != plan.digest:
            raise PlanChangedError(
                f"{target.name}: the scripts changed since plan {short(plan.digest)} was approved; "
                "ask again for the new plan"
            )
        async with runner(part) as talk:
            yield talk

    return start


def proposal_of(run: Run, error: ApprovalNeededError, at: datetime) -> Proposal:
    """Return the wish that *run* leaves behind."""
    return Proposal(plan=error.plan, target=run.target, actor=run.actor, run=run.id, at=at)


def rejection(target: str, digest: str, said: Decision) -> str:
    """Return in one line who rejected a plan, and why."""
    why = f": {said.reason}" if said.reason else ""
    return f"{target}: plan {short(digest)} was rejected by {said.actor}{why}"


def short(digest: str) -> str:
    """Return as much of a digest as people read."""
    return digest[:SHORT]
