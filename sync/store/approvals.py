"""What people said of plans, and who wants which plan on which target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from sqlalchemy import Row, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.model import Decision, PlanState, Proposal
from sync.store.tables import decisions, proposals, runs
from sync.store.upsert import insert_or_replace


async def decide(connection: AsyncConnection, plan: str, decision: Decision) -> None:
    """Keep *decision* in place of what was said of the plan before."""
    row = {
        "plan": plan,
        "state": decision.state,
        "actor": decision.actor,
        "at": decision.at,
        "reason": decision.reason,
    }
    await insert_or_replace(connection, decisions, [row])


async def decision(connection: AsyncConnection, plan: str) -> Decision | None:
    """Return the last word on a plan; None where nobody has said any."""
    return (await decisions_on(connection, [plan])).get(plan)


async def decisions_on(connection: AsyncConnection, plans: Iterable[str]) -> Mapping[str, Decision]:
    """Return the last word on each of *plans* of which there is one, by digest."""
    found = await connection.execute(select(decisions).where(decisions.c.plan.in_(list(plans))))
    return {row.plan: _decision(row) for row in found}


async def propose(connection: AsyncConnection, proposal: Proposal) -> None:
    """Keep *proposal*; one by the same actor for the same target counts as asked again."""
    row = {
        "plan": proposal.plan,
        "target": proposal.target,
        "actor": proposal.actor,
        "run": proposal.run,
        "at": proposal.at,
    }
    await insert_or_replace(connection, proposals, [row])


async def proposals_of(
    connection: AsyncConnection, plans: Iterable[str]
) -> Mapping[str, tuple[Proposal, ...]]:
    """Return the proposals of each of *plans* that has any, by digest, target and actor."""
    found = await connection.execute(
        select(proposals)
        .where(proposals.c.plan.in_(list(plans)))
        .order_by(proposals.c.plan, proposals.c.target, proposals.c.actor)
    )
    several = groupby(map(_proposal, found), key=lambda each: each.plan)
    return {plan: tuple(each) for plan, each in several}


async def last_unused(connection: AsyncConnection, target: str) -> str | None:
    """Return the plan that was last proposed for *target*, if it was approved and never run."""
    newest = await connection.execute(
        select(
            proposals.c.plan,
            exists().where(runs.c.target == target, runs.c.plan == proposals.c.plan).label("ran"),
            decisions.c.state,
        )
        .outerjoin(decisions, decisions.c.plan == proposals.c.plan)
        .where(proposals.c.target == target)
        .order_by(proposals.c.at.desc())
        .limit(1)
    )
    row = newest.one_or_none()
    is_unused = row is not None and row.state == PlanState.APPROVED and not row.ran
    return row.plan if row is not None and is_unused else None


def _decision(row: Row[Any]) -> Decision:
    return Decision(state=PlanState(row.state), actor=row.actor, at=row.at, reason=row.reason)


def _proposal(row: Row[Any]) -> Proposal:
    return Proposal(plan=row.plan, target=row.target, actor=row.actor, run=row.run, at=row.at)
