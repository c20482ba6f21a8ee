"""What is known of each pattern of tenants: who they were when it was last told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.store.tables import members, tenants
from sync.store.upsert import insert_or_replace


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantsState:
    """One pattern, as its database last answered."""

    pattern: str
    question: str  #: digest of what was asked, and where
    members: Mapping[str, str | None] = field(default_factory=lambda: MappingProxyType({}))
    #: schema or database -> its target; None: it was left out
    listed_at: datetime | None = None  #: None: there was never an answer
    left_out: str | None = None  #: one line: which of them are no targets, and why
    problem: str | None = None  #: one line: why there was no answer; None: there was
    failures: int = 0  #: how often in a row there was none
    retry_at: datetime | None = None  #: the clock does not ask until then

    def targets(self) -> frozenset[str]:
        """Return the names of the targets."""
        return frozenset(name for name in self.members.values() if name is not None)


async def all(connection: AsyncConnection) -> Mapping[str, TenantsState]:  # noqa: A001 - it is called as tenants.all(...)
    """Return what is known of every pattern, by name."""
    rows = await connection.execute(select(tenants))
    return await _states(connection, rows.all())


async def all_to_change(
    connection: AsyncConnection, patterns: Sequence[str]
) -> Mapping[str, TenantsState]:
    """Return what is known of *patterns*, and let nobody else change it in the meantime.

    Rows are taken in the order of their names, whoever asks: no deadlock.
    """
    rows = await connection.execute(
        select(tenants)
        .where(tenants.c.pattern.in_(patterns))
        .order_by(tenants.c.pattern)
        .with_for_update()
    )
    return await _states(connection, rows.all())


async def save(connection: AsyncConnection, old: TenantsState | None, new: TenantsState) -> None:
    """Store *new* in place of *old*; of the members only what differs."""
    before = old.members if old else {}
    gone = [name for name in before if name not in new.members]
    fresh = [
        {"pattern": new.pattern, "tenant": name, "target": target}
        for name, target in new.members.items()
        if name not in before or before[name] != target
    ]
    await insert_or_replace(connection, tenants, [_row(new)])
    await insert_or_replace(connection, members, fresh)
    for start in range(0, len(gone), CHUNK):
        chosen = members.c.tenant.in_(gone[start : start + CHUNK])
        await connection.execute(delete(members).where(members.c.pattern == new.pattern, chosen))


#: Names in one statement: databases bear only so many parameters.
CHUNK = 500


async def _states(
    connection: AsyncConnection, rows: Sequence[Row[Any]]
) -> Mapping[str, TenantsState]:
    found: dict[str, dict[str, str | None]] = {row.pattern: {} for row in rows}
    chosen = members.c.pattern.in_(list(found))
    for row in await connection.execute(select(members).where(chosen)):
        found[row.pattern][row.tenant] = row.target
    return {row.pattern: _state(row, found[row.pattern]) for row in rows}


def _state(row: Row[Any], known: Mapping[str, str | None]) -> TenantsState:
    return TenantsState(**row._mapping, members=known)  # noqa: SLF001 - SQLAlchemy's documented name for it


def _row(state: TenantsState) -> dict[str, object]:
    return {column.name: getattr(state, column.name) for column in tenants.c}
