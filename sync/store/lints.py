"""What was found in plans, under the plans' digests."""

from __future__ import annotations

import json
from dataclasses import asdict

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.plan.findings import Finding, Lint
from sync.store.tables import lints
from sync.store.text import canonical
from sync.store.upsert import insert_or_replace


async def save(connection: AsyncConnection, plan: str, lint: Lint) -> None:
    """Keep what was found in the plan with this digest; what was found before is replaced."""
    await insert_or_replace(connection, lints, [{"plan": plan, "body": canonical(asdict(lint))}])


async def find(connection: AsyncConnection, plan: str) -> Lint | None:
    """Return what was found in the plan with this digest; None where nobody has looked."""
    body = await connection.scalar(select(lints.c.body).where(lints.c.plan == plan))
    if body is None:
        return None
    said = json.loads(body)
    return Lint(**{**said, "findings": tuple(Finding(**each) for each in said["findings"])})
