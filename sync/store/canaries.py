"""Canaries: which target tries a plan for all others, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.model import Canary, CanaryState
from sync.store.tables import canaries
from sync.store.text import canonical
from sync.store.upsert import insert_if_absent

_UNDER_WAY = select(canaries).where(
    canaries.c.target == bindparam("of"), canaries.c.state == CanaryState.CHOSEN
)


async def find(connection: AsyncConnection, plan: str) -> Canary | None:
    """Return what is known of a plan's canary; None where nobody has asked for one."""
    return (await of_plans(connection, [plan])).get(plan)


async def of_plans(connection: AsyncConnection, plans: Iterable[str]) -> Mapping[str, Canary]:
    """Return what is known of the canary of each of *plans* that has any, by digest."""
    found = await connection.execute(select(canaries).where(canaries.c.plan.in_(list(plans))))
    return {row.plan: _canary(row) for row in found}


async def under_way(connection: AsyncConnection, target: str) -> tuple[Canary, ...]:
    """Return the canaries of *target* that nobody has judged."""
    found = await connection.execute(_UNDER_WAY, {"of": target})
    return tuple(map(_canary, found))


async def choose(connection: AsyncConnection, canary: Canary) -> bool:
    """Keep *canary* where its plan has none; False where another transaction was first."""
    if await insert_if_absent(connection, canaries, _row(canary)):
        return True
    return await _replace(connection, canary, CanaryState.MISSING)


async def miss(connection: AsyncConnection, canary: Canary) -> None:
    """Keep why no target can be the canary of a plan; the first who says it sets the time."""
    if await insert_if_absent(connection, canaries, _row(canary)):
        return
    await connection.execute(
        canaries.update()
        .where(canaries.c.plan == canary.plan, canaries.c.state == CanaryState.MISSING)
        .values(reason=canary.reason)
    )


async def judge(connection: AsyncConnection, canary: Canary) -> bool:
    """Keep what came of a canary that was under way; False where somebody else has judged."""
    return await _replace(connection, canary, CanaryState.CHOSEN)


async def drop(connection: AsyncConnection, canary: Canary) -> None:
    """Forget a canary that proved nothing, so that another target can be one."""
    await connection.execute(
        canaries.delete().where(
            canaries.c.plan == canary.plan,
            canaries.c.run == canary.run,
            canaries.c.state == CanaryState.CHOSEN,
        )
    )


async def _replace(connection: AsyncConnection, canary: Canary, old: CanaryState) -> bool:
    changed = await connection.execute(
        canaries.update()
        .where(canaries.c.plan == canary.plan, canaries.c.state == old)
        .values(_row(canary))
    )
    return changed.rowcount == 1


def _row(canary: Canary) -> dict[str, object]:
    return {
        "plan": canary.plan,
        "state": canary.state,
        "target": canary.target,
        "run": canary.run,
        "after": canary.after,
        "expected": canary.expected,
        "difference": canonical(canary.difference),
        "reason": canary.reason,
        "at": canary.at,
    }


def _canary(row: Row[Any]) -> Canary:
    return Canary(
        plan=row.plan,
        state=CanaryState(row.state),
        at=row.at,
        target=row.target,
        run=row.run,
        after=row.after,
        expected=row.expected,
        difference=tuple(json.loads(row.difference)),
        reason=row.reason,
    )
