"""What is known about each target between two checks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from providers.types import Heads
from sync.model import Hold, Status, Wait
from sync.store.listed import texts
from sync.store.tables import targets
from sync.store.upsert import insert_or_replace

_FIND = select(targets).where(targets.c.target == bindparam("of"))
_FIND_TO_CHANGE = _FIND.with_for_update()


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetState:
    """One target as it was last seen, and what keeps the clock from it."""

    target: str
    status: Status
    heads: Heads | None = None  #: None: never read
    checked_at: datetime | None = None
    problem: str | None = None  #: one line: what keeps it from head
    passing: str | None = None  #: one line: what was in the way of the last look or run alone
    hold: Hold | None = None
    failed_scripts: str | None = None  #: digest of the graph at which a run failed on a statement
    failures: int = 0  #: how often in a row it was unreachable, starting or busy
    retry_at: datetime | None = None  #: the clock leaves it alone until then
    major: str | None = None  #: of its server, as `Session.server_major` tells; None: never read
    awaits: str | None = None  #: digest of the plan that needs an approval, or was rejected
    awaits_for: Wait | None = None  #: what that plan waits for; None with *awaits*
    awaits_scripts: str | None = None  #: digest of the graph at which that plan was made


async def save(connection: AsyncConnection, *states: TargetState) -> None:
    """Store all of *states* in place of what was known about their targets.

    Read them with `find_to_change` or `all_to_change` in the same transaction: whoever
    writes back what it read earlier may undo a hold.
    """
    rows = [_row(state) for state in sorted(states, key=lambda state: state.target)]
    await insert_or_replace(connection, targets, rows)


def _row(state: TargetState) -> dict[str, object]:
    hold = state.hold
    return {
        "target": state.target,
        "heads": state.heads,
        "status": state.status,
        "checked_at": state.checked_at,
        "problem": state.problem,
        "passing": state.passing,
        "hold_actor": hold.actor if hold else None,
        "hold_reason": hold.reason if hold else None,
        "hold_since": hold.since if hold else None,
        "failed_scripts": state.failed_scripts,
        "failures": state.failures,
        "retry_at": state.retry_at,
        "major": state.major,
        "awaits": state.awaits,
        "awaits_scripts": state.awaits_scripts,
        "awaits_for": state.awaits_for,
    }


async def touch(connection: AsyncConnection, names: Collection[str], at: datetime) -> None:
    """Store that all of *names* were looked at, and found as they are known to be.

    Whoever knows better by now, such as the end of a run, is left alone; so is whoever is about
    to, for this waits for nobody.
    """
    if names:
        told = targets.c.target.in_(texts(connection, names))
        older = targets.c.checked_at <= at
        change = targets.update().where(_free(told, older))
        await connection.execute(change.values(checked_at=at))


async def touch_each(connection: AsyncConnection, moments: Mapping[str, datetime]) -> None:
    """Do as `touch` for targets that were each looked at in a moment of their own."""
    if moments:
        at = bindparam("at", type_=targets.c.checked_at.type)
        told = targets.c.target == bindparam("name")
        rows = [{"name": name, "at": moment} for name, moment in moments.items()]
        older = targets.c.checked_at <= at
        change = targets.update().where(_free(told, older))
        await connection.execute(change.values(checked_at=at), rows)


def _free(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition that a row meets all of *conditions*, and nobody else holds it."""
    free = select(targets.c.target).where(*conditions).with_for_update(skip_locked=True)
    return targets.c.target.in_(free)


async def find(connection: AsyncConnection, target: str) -> TargetState | None:
    """Return what is known about *target*; None where it was never checked."""
    found = await connection.execute(_FIND, {"of": target})
    row = found.one_or_none()
    return None if row is None else _state(row)


async def find_to_change(connection: AsyncConnection, target: str) -> TargetState | None:
    """Do as `find`, and let nobody else change the row until the transaction ends."""
    found = await connection.execute(_FIND_TO_CHANGE, {"of": target})
    row = found.one_or_none()
    return None if row is None else _state(row)


async def all_to_change(
    connection: AsyncConnection, names: Collection[str]
) -> Mapping[str, TargetState]:
    """Do as `find_to_change` for several targets: name -> state of those that are known.

    Rows are taken in the order of their names, whoever asks: no deadlock.
    """
    found = await connection.execute(
        select(targets)
        .where(targets.c.target.in_(texts(connection, names)))
        .order_by(targets.c.target)
        .with_for_update()
    )
    return {row.target: _state(row) for row in found}


async def awaiting(connection: AsyncConnection, plan: str) -> tuple[str, ...]:
    """Return the names of the targets that wait for *plan*."""
    found = await connection.scalars(select(targets.c.target).where(targets.c.awaits == plan))
    return tuple(found)


async def waiting_for(connection: AsyncConnection, wait: Wait) -> tuple[str, ...]:
    """Return the names of the targets whose plan waits for that."""
    found = await connection.scalars(select(targets.c.target).where(targets.c.awaits_for == wait))
    return tuple(found)


async def all(  # noqa: A001 - it is called as targets.all(...)
    connection: AsyncConnection,
) -> tuple[TargetState, ...]:
    """Return what is known about every target, by name."""
    found = await connection.execute(select(targets).order_by(targets.c.target))
    return tuple(map(_state, found))


async def all_but(connection: AsyncConnection, names: Collection[str]) -> tuple[TargetState, ...]:
    """Return what is known about targets of other names."""
    others = select(targets).where(targets.c.target.not_in(texts(connection, names)))
    return tuple(map(_state, await connection.execute(others)))


def _state(row: Row[Any]) -> TargetState:
    held = row.hold_since is not None
    return TargetState(
        target=row.target,
        status=Status(row.status),
        heads=row.heads,
        checked_at=row.checked_at,
        problem=row.problem,
        passing=row.passing,
        hold=Hold(row.hold_actor, row.hold_reason, row.hold_since) if held else None,
        failed_scripts=row.failed_scripts,
        failures=row.failures,
        retry_at=row.retry_at,
        major=row.major,
        awaits=row.awaits,
        awaits_scripts=row.awaits_scripts,
        awaits_for=Wait(row.awaits_for) if row.awaits_for else None,
    )
