"""Runs: one attempt each to carry out one order on one target."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    false,
    func,
    not_,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from providers.types import Heads
from sync.errors import ControlDatabaseError
from sync.model import Order, Run, RunQuery, RunState, Trail, Verb
from sync.store.listed import texts
from sync.store.tables import runs

#: States of a run that may have to be taken up again after a restart.
OPEN = (RunState.REQUESTED, RunState.DELAYED, RunState.RUNNING, RunState.INTERRUPTED)

#: Those of them that may still come to their end by themselves.
MOVING = OPEN[:-1]

# One look into the index for each target, however many runs there are.
_LAST = text("""
    WITH RECURSIVE known (target) AS (
        SELECT min(target) FROM runs
        UNION ALL
        SELECT (SELECT min(runs.target) FROM runs WHERE runs.target > known.target)
        FROM known WHERE known.target IS NOT NULL
    )
    SELECT known.target, (
        SELECT runs.id FROM runs WHERE runs.target = known.target
        ORDER BY runs.requested_at DESC, runs.id DESC LIMIT 1
    ) AS id
    FROM known WHERE known.target IS NOT NULL
""")


_INSERT = runs.insert()
_CHANGE = runs.update().where(runs.c.id == bindparam("of"))
_CHANGE_MOVING = _CHANGE.where(runs.c.state.in_(MOVING))
_FIND = select(runs).where(runs.c.id == bindparam("of"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChange:
    """What became known about a run; None leaves a field as it is.

    A run that succeeds after all loses the error that it had while it was interrupted.
    """

    state: RunState | None = None
    ended_at: datetime | None = None
    plan: str | None = None
    before: Heads | None = None
    after: Heads | None = None
    approver: str | None = None
    error: str | None = None


async def insert(connection: AsyncConnection, run: Run) -> None:
    """Store a new run."""
    row = {
        "id": run.id,
        "rollout": run.rollout,
        "target": run.target,
        "history": run.history,
        "actor": run.actor,
        "verb": run.order.verb,
        "destination": run.order.to,
        "state": run.state,
        "requested_at": run.requested_at,
        "ended_at": run.ended_at,
        "plan": run.plan,
        "before": run.before,
        "after": run.after,
        "approver": run.approver,
        "error": run.error,
        "warehouse_seconds": run.warehouse_seconds,
        "address": run.address,
    }
    await connection.execute(_INSERT, row)


async def update(connection: AsyncConnection, run_id: str, change: RunChange) -> None:
    """Write down what became known about a run.

    Raises:
        ControlDatabaseError: There is no such run.
    """
    changed = await connection.execute(_CHANGE, _changed(run_id, change))
    if changed.rowcount != 1:
        raise ControlDatabaseError(f"control database: no run {run_id} to change")


async def update_moving(connection: AsyncConnection, run_id: str, change: RunChange) -> None:
    """Do as `update`, unless somebody has written down by now how the run ended."""
    await connection.execute(_CHANGE_MOVING, _changed(run_id, change))


async def pay(connection: AsyncConnection, run_id: str, seconds: float) -> None:
    """Add to what a run has used of warehouses: whoever settles it may pay for it once more."""
    held = select(runs.c.warehouse_seconds).where(runs.c.id == run_id).with_for_update()
    paid = await connection.scalar(held) or 0
    change = runs.update().where(runs.c.id == run_id)
    await connection.execute(change.values(warehouse_seconds=round(paid + seconds, 1)))


def _changed(run_id: str, change: RunChange) -> dict[str, Any]:
    given = {name: getattr(change, name) for name in RunChange.__slots__}
    values = {name: value for name, value in given.items() if value is not None}
    if change.state is RunState.SUCCEEDED:
        values["error"] = None
    return {**values, "of": run_id}


async def find(connection: AsyncConnection, run_id: str) -> Run | None:
    """Return the run; None where there is none."""
    row = (await connection.execute(_FIND, {"of": run_id})).one_or_none()
    return None if row is None else run_from(row)


async def starting_with(connection: AsyncConnection, beginning: str) -> tuple[Run, ...]:
    """Return the first two runs whose ids begin so."""
    begins = func.substr(runs.c.id, 1, len(beginning)) == beginning
    found = await connection.execute(select(runs).where(begins).limit(2))
    return tuple(map(run_from, found))


async def page(connection: AsyncConnection, query: RunQuery) -> tuple[Run, ...]:
    """Return the runs that match, newest first; none where `before` names no run."""
    found = await connection.execute(
        select(runs)
        .where(*_conditions(query))
        .order_by(runs.c.requested_at.desc(), runs.c.id.desc())
        .limit(query.limit)
    )
    return tuple(map(run_from, found))


def _conditions(query: RunQuery) -> list[ColumnElement[bool]]:
    wanted = {
        runs.c.target: query.target,
        runs.c.history: query.history,
        runs.c.state: query.state,
        runs.c.rollout: query.rollout,
    }
    conditions = [column == value for column, value in wanted.items() if value is not None]
    if query.before is not None:
        age = (runs.c.requested_at, runs.c.id)
        other = select(*age).where(runs.c.id == query.before).scalar_subquery()
        conditions.append(tuple_(*age) < other)
    return conditions


async def open_runs(connection: AsyncConnection) -> tuple[Run, ...]:
    """Return the runs whose end is not known, oldest first."""
    found = await connection.execute(
        select(runs).where(runs.c.state.in_(OPEN)).order_by(runs.c.requested_at, runs.c.id)
    )
    return tuple(map(run_from, found))


async def open_runs_of(connection: AsyncConnection, trail: Trail) -> tuple[Run, ...]:
    """Return the runs of *trail* whose end is not known, oldest first."""
    wanted = select(runs).where(runs.c.id.in_(runs_of(trail)), runs.c.state.in_(OPEN))
    found = await connection.execute(wanted.order_by(runs.c.requested_at, runs.c.id))
    return tuple(map(run_from, found))


def runs_of(trail: Trail) -> Select[tuple[str]]:
    """Return the query for the ids of the runs of *trail*."""
    is_elsewhere = and_(runs.c.address.is_not(None), runs.c.address.in_(trail.others))
    by_name = and_(runs.c.target == trail.target, not_(is_elsewhere))
    return select(runs.c.id).where(or_(by_name, _is_here(trail)))


def _is_here(trail: Trail) -> ColumnElement[bool]:
    return false() if trail.address is None else runs.c.address == trail.address


async def former_addresses(connection: AsyncConnection, target: str) -> frozenset[str]:
    """Return where the runs of targets of this name were."""
    wanted = select(runs.c.address).where(runs.c.target == target, runs.c.address.is_not(None))
    return frozenset(await connection.scalars(wanted.distinct()))


async def last_addresses(connection: AsyncConnection, names: Collection[str]) -> Mapping[str, str]:
    """Return target name -> where its newest run was, for those of *names* that have such a run."""
    wanted = (
        select(runs.c.target, runs.c.address)
        .where(runs.c.target.in_(texts(connection, names)), runs.c.address.is_not(None))
        .group_by(runs.c.target, runs.c.address)
        .order_by(func.max(runs.c.requested_at))
    )
    return {row.target: row.address for row in await connection.execute(wanted)}


async def former_names(connection: AsyncConnection, trail: Trail) -> Sequence[str]:
    """Return other names under which runs at the address have no end yet, sorted."""
    wanted = select(runs.c.target).where(_is_here(trail), runs.c.target != trail.target)
    found = await connection.scalars(wanted.where(runs.c.state.in_(OPEN)).distinct())
    return sorted(found)


async def is_open(connection: AsyncConnection, run_id: str) -> bool:
    """Tell whether it is not on record how the run ended."""
    wanted = select(runs.c.id).where(runs.c.id == run_id, runs.c.state.in_(OPEN))
    return await connection.scalar(wanted) is not None


async def last_runs(connection: AsyncConnection) -> Mapping[str, str]:
    """Return target name -> id of its newest run, for each target that has one."""
    return {row.target: row.id for row in await connection.execute(_LAST)}


def run_from(row: Row[Any]) -> Run:
    """Return the run that a row of the table tells of."""
    return Run(
        id=row.id,
        rollout=row.rollout,
        target=row.target,
        history=row.history,
        actor=row.actor,
        order=Order(Verb(row.verb), row.destination),
        state=RunState(row.state),
        requested_at=row.requested_at,
        ended_at=row.ended_at,
        plan=row.plan,
        before=row.before,
        after=row.after,
        approver=row.approver,
        error=row.error,
        warehouse_seconds=row.warehouse_seconds,
        address=row.address,
    )
