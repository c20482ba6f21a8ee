"""Leases: which service may act on a target, until when, by the control database's clock.

The token of a target grows with every holder. Whoever acts confirms its token in the
transaction that stores the intent; a holder that was overtaken finds out there.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.errors import LeaseLostError
from sync.store.engine import Store
from sync.store.tables import leases
from sync.store.upsert import insert_absent

#: Part of a lease's time within which it is not renewed again.
_MOMENT = 0.1

_NOBODY = {"holder": None, "run": None, "expires_at": None}

_CHANGE = leases.update().where(leases.c.target == bindparam("of"))
_RELEASE = _CHANGE.where(leases.c.holder == bindparam("by"), leases.c.token == bindparam("under"))


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one service to act on one target."""

    target: str
    holder: str
    token: int  #: grows with every holder of the target
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Occupied:
    """Somebody holds the target, for the sake of a run."""

    run: str
    holder: str
    expires_at: datetime


class Leases:
    """The leases of one service; *holder* is its name, which no other service has."""

    def __init__(self, store: Store, *, holder: str, ttl: timedelta) -> None:
        self._store = store
        self._holder = holder
        self._ttl = ttl
        wanted = select(leases, store.now().label("now"))
        self._held = wanted.where(leases.c.target == bindparam("of")).with_for_update()

    async def acquire(
        self,
        connection: AsyncConnection,
        target: str,
        run: str,
        *,
        alive: Container[str] = (),
    ) -> Lease | Occupied:
        """Lease *target* for the run of id *run*, in the caller's transaction.

        *alive* are ids of runs that are going on in this service. What such a run holds it
        keeps, even if it could not renew it in time: nobody else has taken it.

        Returns:
            Occupied where the target is leased already, be it by this very service.
        """
        row = await self._held_row(connection, target) or await self._new_row(connection, target)
        is_ours = row.holder == self._holder and row.run in alive
        if row.holder is not None and (is_ours or row.expires_at > row.now):
            return Occupied(row.run, row.holder, row.expires_at)
        lease = Lease(target, self._holder, row.token + 1, row.now + self._ttl)
        await _set(connection, target, _row_of(lease) | {"run": run})
        return lease

    async def confirm(self, connection: AsyncConnection, lease: Lease) -> Lease:
        """Verify that *lease* stands, and renew it, in the caller's transaction.

        A lease that ran out stands as long as nobody took the target over. One that was renewed
        a moment ago is as good as new.

        Raises:
            LeaseLostError: Another service took it over, or it was released.
        """
        row = await self._held_row(connection, lease.target)
        if row is None or (row.holder, row.token) != (lease.holder, lease.token):
            raise LeaseLostError(
                f"{lease.target}: the lease went to another service; nothing more is done to "
                "it here"
            )
        renewed = replace(lease, expires_at=row.now + self._ttl)
        if renewed.expires_at - row.expires_at < self._ttl * _MOMENT:
            return replace(lease, expires_at=row.expires_at)
        await _set(connection, lease.target, _row_of(renewed))
        return renewed

    async def renew(self, lease: Lease) -> Lease:
        """Do as `confirm`, in a transaction of its own: the heartbeat.

        Raises:
            LeaseLostError: Another service took it over, or it was released.
            ControlDatabaseError: The control database refused; the lease may run out.
        """
        async with self._store.writing() as connection:
            return await self.confirm(connection, lease)

    async def release(self, connection: AsyncConnection, lease: Lease) -> bool:
        """Free the target, in the caller's transaction; False where it is ours no more."""
        ours = {"of": lease.target, "by": lease.holder, "under": lease.token}
        freed = await connection.execute(_RELEASE, _NOBODY | ours)
        return freed.rowcount == 1

    async def _held_row(self, connection: AsyncConnection, target: str) -> Row[Any] | None:
        """Find the row of *target*, and let nobody else change it until the transaction ends.

        Where it had to wait for the row, the time may be that of before: then it takes somebody's
        lease for younger than it is, never for older.
        """
        return (await connection.execute(self._held, {"of": target})).one_or_none()

    async def _new_row(self, connection: AsyncConnection, target: str) -> Row[Any]:
        """Make the row of a target that was never leased, and hold it."""
        await insert_absent(connection, leases, [{"target": target, "token": 0, **_NOBODY}])
        row = await self._held_row(connection, target)
        assert row is not None  # noqa: S101 - it was just put there, by us or another
        return row

    async def is_held(self, connection: AsyncConnection, target: str, run: str) -> bool:
        """Tell whether some service holds *target* for the run of id *run* at this moment."""
        wanted = select(leases.c.expires_at, self._store.now().label("now"))
        held = wanted.where(leases.c.target == target, leases.c.run == run)
        row = (await connection.execute(held)).one_or_none()
        return row is not None and row.expires_at > row.now

    async def abandon_all(self) -> None:
        """Free every target, whoever holds it.

        Only for a control database that a file lock gives to this process alone: every
        other holder is dead.
        """
        async with self._store.writing() as connection:
            await connection.execute(leases.update().values(_NOBODY))


def _row_of(lease: Lease) -> dict[str, object]:
    return {"holder": lease.holder, "token": lease.token, "expires_at": lease.expires_at}


async def _set(connection: AsyncConnection, target: str, values: dict[str, Any]) -> None:
    await connection.execute(_CHANGE, values | {"of": target})
