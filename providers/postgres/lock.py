"""The migration lock: a session-level advisory lock that anybody can take too.

Its key is one bigint, derived in SQL so that no two programs can disagree::

    hashtextextended(concat_ws(':', 'levelhead', current_database(), SCHEMA, TABLE), 0)

TABLE is the version table's name, `alembic_version` unless configured; SCHEMA is
the version table's schema where one is configured, else the target's schema, else
`current_schema()`. Whoever migrates by hand takes it on the connection that runs
the SQL, outside any transaction, by polling `pg_try_advisory_lock(key)`.

It is polled, never waited for, because a session that waits inside the server holds
a snapshot: CREATE INDEX CONCURRENTLY on the holder's side would wait for it, and it
for the holder, and the server cannot see that deadlock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from asyncpg import Connection

from providers.errors import ConnectionLostError, LockBusyError, ProviderError
from providers.postgres.errors import reading
from providers.postgres.sql import literal, version_schema
from providers.types import Target

_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.05, 0.2, 1.5  # seconds, seconds, factor

#: Seconds to wait for a statement that was cancelled to end, before the connection is cut.
_RELEASE_PATIENCE = 3.0

_HOLDER = """
    SELECT format('pid %s, %s', l.pid, coalesce(nullif(a.application_name, ''), 'unnamed'))
      FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND (l.classid::bigint << 32) | l.objid::bigint = $1
"""


def key_expression(target: Target) -> str:
    """Return the SQL expression for the key of *target*'s lock."""
    schema = version_schema(target)
    place = "current_schema()" if schema is None else literal(schema)
    table = literal(target.version_table)
    parts = f"'levelhead', current_database(), {place}, {table}"
    return f"hashtextextended(concat_ws(':', {parts}), 0)"


@asynccontextmanager
async def held(connection: Connection, target: Target, wait: timedelta) -> AsyncIterator[None]:
    """Hold the lock of *target* on *connection* for the block.

    Raises:
        LockBusyError: It was not free for all of *wait*; zero tries once.
        ConnectionLostError: The session died. Where the block itself ended well, the
            lock may have been gone before that.
    """
    with reading(target.name):
        key = await connection.fetchval(f"SELECT {key_expression(target)}")
    await _acquire(connection, target, key, wait)
    try:
        yield
    except BaseException:
        with suppress(ProviderError):  # the block's own error is the one that matters
            await _release(connection, target, key)
        raise
    await _release(connection, target, key)


async def _acquire(connection: Connection, target: Target, key: int, wait: timedelta) -> None:
    now = asyncio.get_running_loop().time
    deadline = now() + wait.total_seconds()
    pause = _FIRST_PAUSE
    while not await _try(connection, target, key):
        if now() >= deadline:
            raise await _busy(connection, target, key, wait)
        await asyncio.sleep(min(pause, max(deadline - now(), 0)))
        pause = min(pause * _GROWTH, _LONGEST_PAUSE)


async def _try(connection: Connection, target: Target, key: int) -> bool:
    with reading(target.name):
        return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1)", key))


async def _release(connection: Connection, target: Target, key: int) -> None:
    try:
        with reading(target.name):
            async with asyncio.timeout(_RELEASE_PATIENCE):
                await connection.fetchval("SELECT pg_advisory_unlock($1)", key)
    except ConnectionLostError:
        connection.terminate()  # the server gives the lock back when it notices
        raise


async def _busy(connection: Connection, target: Target, key: int, wait: timedelta) -> LockBusyError:
    with reading(target.name):
        holder = await connection.fetchval(_HOLDER, key)
    return LockBusyError(
        f"the migration lock was not free for {wait.total_seconds():g} s"
        f" (held by {holder or 'another session'}); try again when it has finished",
        target=target.name,
    )
