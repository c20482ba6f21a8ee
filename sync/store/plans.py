"""Plans under their digests, and which of them came out of which compilation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, exists, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.model import PlanQuery, PlanRecord, PlanState
from sync.plan.canonical import plan_from_text, plan_to_text
from sync.plan.model import Compilation, Plan
from sync.store import approvals, canaries, statements
from sync.store.tables import compilations, decisions, plans, proposals
from sync.store.text import canonical
from sync.store.upsert import insert_absent, insert_or_replace


async def save(connection: AsyncConnection, plan: Plan, *, now: datetime) -> bool:
    """Keep *plan* and its statements; tell whether it is new."""
    if await find(connection, plan.digest):
        return False
    sent = [sql for step in plan.steps for block in step.blocks for sql in block.statements]
    await statements.keep(connection, [*plan.prologue, *sent])
    row = {
        "digest": plan.digest,
        "history": plan.history,
        "dialect": plan.dialect,
        "body": plan_to_text(plan),
        "compiled_at": now,
    }
    await insert_absent(connection, plans, [row])
    return True


async def find(connection: AsyncConnection, digest: str) -> Plan | None:
    """Return the plan with this digest; None where there is none."""
    body: str | None = await connection.scalar(select(plans.c.body).where(plans.c.digest == digest))
    return plan_from_text(body) if body else None


async def starting_with(connection: AsyncConnection, beginning: str) -> tuple[str, ...]:
    """Return the first two digests that begin so."""
    begins = func.substr(plans.c.digest, 1, len(beginning)) == beginning
    found = await connection.scalars(select(plans.c.digest).where(begins).limit(2))
    return tuple(found)


async def record(connection: AsyncConnection, digest: str) -> PlanRecord | None:
    """Return what is known of a plan besides its steps; None where there is none."""
    found = await connection.execute(select(plans).where(plans.c.digest == digest))
    records = await _records(connection, found.all())
    return records[0] if records else None


async def page(connection: AsyncConnection, query: PlanQuery) -> tuple[PlanRecord, ...]:
    """Return the plans that match, newest first; none where `before` names no plan."""
    found = await connection.execute(
        select(plans)
        .outerjoin(decisions, decisions.c.plan == plans.c.digest)
        .where(*_conditions(query))
        .order_by(plans.c.compiled_at.desc(), plans.c.digest.desc())
        .limit(query.limit)
    )
    return await _records(connection, found.all())


def _conditions(query: PlanQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.history is not None:
        conditions.append(plans.c.history == query.history)
    if query.before is not None:
        age = (plans.c.compiled_at, plans.c.digest)
        other = select(*age).where(plans.c.digest == query.before).scalar_subquery()
        conditions.append(tuple_(*age) < other)
    if query.state is not None:
        conditions.append(_is(query.state))
    return conditions


def _is(state: PlanState) -> ColumnElement[bool]:
    if state in (PlanState.APPROVED, PlanState.REJECTED):
        return decisions.c.state == state
    proposed = exists().where(proposals.c.plan == plans.c.digest)
    asked = proposed if state is PlanState.PROPOSED else ~proposed
    return decisions.c.state.is_(None) & asked


async def _records(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> tuple[PlanRecord, ...]:
    digests = [row.digest for row in rows]
    said = await approvals.decisions_on(connection, digests)
    asked = await approvals.proposals_of(connection, digests)
    tried = await canaries.of_plans(connection, digests)
    found = []
    for row in rows:
        plan, decision = plan_from_text(row.body), said.get(row.digest)
        proposed = asked.get(row.digest, ())
        undecided = PlanState.PROPOSED if proposed else PlanState.COMPILED
        found.append(
            PlanRecord(
                digest=row.digest,
                history=row.history,
                dialect=row.dialect,
                before=plan.before,
                after=plan.after,
                steps=len(plan.steps),
                compiled_at=row.compiled_at,
                state=decision.state if decision else undecided,
                decision=decision,
                proposals=proposed,
                canary=tried.get(row.digest),
            )
        )
    return tuple(found)


async def remember(connection: AsyncConnection, key: str, found: Compilation) -> None:
    """Remember that a compilation of *key* gives this plan, which is kept."""
    row = {"key": key, "plan": found.plan.digest, "sources": canonical(found.sources)}
    await insert_or_replace(connection, compilations, [row])


async def recall(connection: AsyncConnection, key: str) -> Compilation | None:
    """Return what a compilation of *key* gave; None where there was none."""
    query = (
        select(plans.c.body, compilations.c.sources)
        .join(plans, plans.c.digest == compilations.c.plan)
        .where(compilations.c.key == key)
    )
    row = (await connection.execute(query)).one_or_none()
    return Compilation(plan_from_text(row.body), json.loads(row.sources)) if row else None
