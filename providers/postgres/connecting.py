"""Opens and closes connections; refuses a transaction-mode pooler in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

import asyncpg
from asyncpg import exceptions as pg

from providers.errors import AccessDeniedError
from providers.postgres.address import Address, address, asyncpg_url
from providers.postgres.errors import DRIVER_ERRORS, opening
from providers.postgres.pooler import backend, is_shared
from providers.postgres.sql import identifier
from providers.postgres.versions import NO_LIMITS
from providers.types import Target

#: What is asked first on a new connection; it tells which server process has answered.
Greeting: TypeAlias = Callable[[asyncpg.Connection], Awaitable[int]]

#: Seconds for a polite good-bye, before the connection is cut.
_CLOSE_PATIENCE = 3.0

# A server that lost us must notice, or it goes on working and holding the lock.
_SETTINGS = (
    NO_LIMITS,
    "SET idle_in_transaction_session_timeout = 0",
    "SET default_transaction_isolation = 'read committed'",  # the guard reads after it waited
    "SET tcp_keepalives_idle = 30",
    "SET tcp_keepalives_interval = 10",
    "SET tcp_keepalives_count = 3",
)
_CHECK_CLIENT = "SET client_connection_check_interval = '2s'"
_CHECK_CLIENT_SINCE = 14


async def connect_to_read(target: Target, greeting: Greeting) -> asyncpg.Connection:
    """Open a connection as the server gives it, and greet it; errors as `Provider.open`."""

    async def greeted(connection: asyncpg.Connection, place: Address) -> None:
        await _refuse_pooler(connection, target, place, greeting)

    return await _connect(target, greeted)


async def connect_to_act(target: Target) -> asyncpg.Connection:
    """Open a connection with all that a session relies on; errors as `Provider.open`."""

    async def prepared(connection: asyncpg.Connection, place: Address) -> None:
        await _refuse_pooler(connection, target, place, backend)
        await _prepare(connection, target)

    return await _connect(target, prepared)


async def close(connection: asyncpg.Connection) -> None:
    """Close *connection*, which may be dead."""
    try:
        async with asyncio.timeout(_CLOSE_PATIENCE):
            await connection.close()
    except DRIVER_ERRORS:
        connection.terminate()


async def _connect(
    target: Target, begin: Callable[[asyncpg.Connection, Address], Awaitable[None]]
) -> asyncpg.Connection:
    with opening(target.name, Address("?", "the server", "?")):
        place = address(target.url)
    with opening(target.name, place):
        async with asyncio.timeout(target.connect_timeout.total_seconds()):
            connection = await _dial(target)
            try:
                await begin(connection, place)
            except BaseException:
                connection.terminate()
                raise
    return connection


async def _dial(target: Target) -> asyncpg.Connection:
    return await asyncpg.connect(
        asyncpg_url(target.url),
        timeout=target.connect_timeout.total_seconds(),
        statement_cache_size=0,  # migrations change the types that a cached plan knows
        server_settings={"application_name": "levelhead"},
    )


async def _refuse_pooler(
    connection: asyncpg.Connection, target: Target, place: Address, greeting: Greeting
) -> None:
    if await is_shared(connection, greeting, lambda: _dial(target)):
        raise AccessDeniedError(
            f"{place.server} is a transaction-mode pooler, where a session cannot hold a lock;"
            " give the URL of the server itself, or of a session-mode pool",
            target=target.name,
        )


async def _prepare(connection: asyncpg.Connection, target: Target) -> None:
    await connection.execute("; ".join([*_SETTINGS, *_search_path(target)]))
    if connection.get_server_version().major >= _CHECK_CLIENT_SINCE:
        with suppress(pg.InvalidParameterValueError):  # the server's system cannot do it
            await connection.execute(_CHECK_CLIENT)


def _search_path(target: Target) -> list[str]:
    return [] if target.schema is None else [f"SET search_path = {identifier(target.schema)}"]
