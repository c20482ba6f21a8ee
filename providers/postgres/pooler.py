"""Finds out whether a transaction-mode pooler stands between us and the server.

Such a pooler gives each transaction whatever server session is free. A lock of the
session would then be held by nobody in particular, and its settings by everybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from asyncpg import Connection
from asyncpg import exceptions as pg

#: Seconds for a second connection. It waits where a session-mode pool has no more than ours.
_PATIENCE = 2.0

#: Prepared in one server session, looked for in another.
_SYMPTOMS = (pg.InvalidSQLStatementNameError, pg.DuplicatePreparedStatementError)


async def is_shared(
    connection: Connection,
    greeting: Callable[[Connection], Awaitable[int]],
    dial: Callable[[], Awaitable[Connection]],
) -> bool:
    """Tell whether transactions of *connection* run in server sessions that others use too.

    Args:
        connection: A new one.
        greeting: Asks `backend` of it, on its own or beside something else.
        dial: Opens another connection to the same place. It is used only where the server
            process is not the one that answered at sign-on: then something stands in between,
            which may be a session-mode pooler, and that does no harm.
    """
    try:
        first = await greeting(connection)
        if first == connection.get_server_pid():
            return False
        return first != await backend(connection) or await _meets(connection, first, dial)
    except _SYMPTOMS:
        return True


async def _meets(
    connection: Connection, first: int, dial: Callable[[], Awaitable[Connection]]
) -> bool:
    """Tell whether a second connection gets our server process, or moves us to another."""
    try:
        async with asyncio.timeout(_PATIENCE):
            other = await dial()
    except TimeoutError:
        return False
    try:
        async with asyncio.timeout(_PATIENCE):
            return await backend(other) == first or await backend(connection) != first
    except TimeoutError:
        return False
    finally:
        other.terminate()


async def backend(connection: Connection) -> int:
    """Return the id of the server process that answers."""
    return int(await connection.fetchval("SELECT pg_backend_pid()"))
