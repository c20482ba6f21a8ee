"""Plans under their digests, and which of them came out of which compilation."""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.plan.canonical import plan_from_text, plan_to_text
from sync.plan.model import Compilation, Plan
from sync.store import statements
from sync.store.tables import compilations, plans
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
