"""Rollouts: the runs that one trigger started, and the targets that it left out."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.model import Order, Rollout, Run, Skip, Verb
from sync.store import runs
from sync.store.tables import rollouts, skips
from sync.store.tables import runs as runs_table


async def insert(connection: AsyncConnection, rollout: Rollout) -> None:
    """Store a new rollout with what it skipped; its runs are stored by `runs.insert`."""
    await connection.execute(
        rollouts.insert().values(
            id=rollout.id,
            actor=rollout.actor,
            verb=rollout.order.verb,
            destination=rollout.order.to,
            requested_at=rollout.requested_at,
        )
    )
    for each in rollout.skipped:
        await skip(connection, rollout.id, each)


async def skip(connection: AsyncConnection, rollout_id: str, skipped: Skip) -> None:
    """Add a target that the rollout left out."""
    await connection.execute(
        skips.insert().values(rollout=rollout_id, target=skipped.target, reason=skipped.reason)
    )


async def find(connection: AsyncConnection, rollout_id: str) -> Rollout | None:
    """Return the rollout with its runs and skips, by target name; None where there is none."""
    found = await connection.execute(select(rollouts).where(rollouts.c.id == rollout_id))
    row = found.one_or_none()
    if row is None:
        return None
    started = await _runs(connection, rollout_id)
    return Rollout(
        id=row.id,
        actor=row.actor,
        order=Order(Verb(row.verb), row.destination),
        requested_at=row.requested_at,
        runs=started,
        skipped=await _skipped(connection, rollout_id),
        warehouse_seconds=cost_of(started),
    )


def cost_of(started: Iterable[Run]) -> float | None:
    """Return what runs have used of warehouses, in seconds; None where none has any."""
    known = [run.warehouse_seconds for run in started if run.warehouse_seconds is not None]
    return round(sum(known), 1) if known else None


async def _runs(connection: AsyncConnection, rollout_id: str) -> tuple[Run, ...]:
    found = await connection.execute(
        select(runs_table)
        .where(runs_table.c.rollout == rollout_id)
        .order_by(runs_table.c.target, runs_table.c.id)
    )
    return tuple(map(runs.run_from, found))


async def _skipped(connection: AsyncConnection, rollout_id: str) -> tuple[Skip, ...]:
    found = await connection.execute(
        select(skips).where(skips.c.rollout == rollout_id).order_by(skips.c.target)
    )
    return tuple(Skip(row.target, row.reason) for row in found)
