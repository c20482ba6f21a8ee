"""Bring a control database to the version that this code reads and writes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from sqlalchemy import Connection, func, inspect, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.errors import ControlDatabaseError
from sync.store.backends import Backend
from sync.store.schema import LATEST, MIGRATIONS
from sync.store.tables import versions

_CREATE_VERSIONS = (
    "CREATE TABLE IF NOT EXISTS control_versions "
    "(version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL)"
)


async def migrate(
    writing: Callable[[], AbstractAsyncContextManager[AsyncConnection]],
    backend: Backend,
    *,
    clock: Callable[[], datetime],
) -> None:
    """Apply what is pending, each migration in a transaction of its own.

    Safe when several services do it at once: they take turns.

    Raises:
        ControlDatabaseError: A newer levelhead made the database, or it refused.
    """
    version = -1
    while version < LATEST:
        async with writing() as connection:
            await backend.migrate_alone(connection)
            version = await _apply_next(connection, backend, clock())


async def _apply_next(connection: AsyncConnection, backend: Backend, at: datetime) -> int:
    """Apply the next migration, if there is one; return the version that was reached."""
    version = await _version(connection)
    _refuse_newer(version, backend)
    if version == LATEST:
        return version
    await connection.exec_driver_sql(_CREATE_VERSIONS)
    for sql in MIGRATIONS[version][connection.dialect.name]:
        await connection.exec_driver_sql(sql)
    await connection.execute(versions.insert().values(version=version + 1, applied_at=at))
    return version + 1


async def require_latest(connection: AsyncConnection, backend: Backend) -> None:
    """Refuse a database that this code cannot read.

    Raises:
        ControlDatabaseError: It has no tables of ours, or those of another version.
    """
    version = await _version(connection)
    _refuse_newer(version, backend)
    if version == 0:
        raise ControlDatabaseError(f"{backend.place} is empty; run levelhead serve to set it up")
    if version < LATEST:
        raise ControlDatabaseError(
            f"{backend.place} is of version {version}, this levelhead reads version {LATEST}; "
            "run levelhead serve to bring it up to date"
        )


def _refuse_newer(version: int, backend: Backend) -> None:
    if version > LATEST:
        raise ControlDatabaseError(
            f"{backend.place} is of version {version}, this levelhead knows versions up to "
            f"{LATEST}; update levelhead"
        )


async def _version(connection: AsyncConnection) -> int:
    """Return the version of the database; 0 where it has no tables of ours."""
    if not await connection.run_sync(_has_versions):
        return 0
    found: int | None = await connection.scalar(select(func.max(versions.c.version)))
    return found or 0


def _has_versions(connection: Connection) -> bool:
    return inspect(connection).has_table(versions.name)
