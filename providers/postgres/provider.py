"""Opens sessions on Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import ClassVar

import asyncpg
from asyncpg import exceptions as pg

from providers.base import Provider, Session
from providers.errors import AccessDeniedError
from providers.postgres.address import Address, address, asyncpg_url
from providers.postgres.errors import DRIVER_ERRORS, opening
from providers.postgres.pooler import is_shared
from providers.postgres.session import PostgresSession
from providers.postgres.shadow import Shadows
from providers.postgres.sql import identifier
from providers.postgres.versions import NO_LIMITS
from providers.types import Target

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


class PostgresProvider(Provider):
    """Postgres through asyncpg, one connection per session."""

    dialect: ClassVar[str] = "postgresql"

    def __init__(self) -> None:
        self._shadows = Shadows()

    @asynccontextmanager
    async def open(self, target: Target) -> AsyncIterator[Session]:
        """Open a session on *target*; see `Provider.open`.

        A transaction-mode pooler is refused with `AccessDeniedError`.
        """
        connection = await _connect(target)
        try:
            yield PostgresSession(connection, target)
        finally:
            await _close(connection)

    def shadow(
        self, target: Target, place: str | None, *, major: str
    ) -> AbstractAsyncContextManager[Target]:
        """Create an empty database, and drop it after the block; see `Shadowing.shadow`.

        Where no place is given, it is on a throwaway server of this provider's own.
        """
        return self._shadows.shadow(target, place, major=major)

    async def aclose(self) -> None:
        """Stop the throwaway servers; see `Provider.aclose`."""
        await self._shadows.aclose()


async def _connect(target: Target) -> asyncpg.Connection:
    with opening(target.name, Address("?", "the server", "?")):
        place = address(target.url)
    with opening(target.name, place):
        async with asyncio.timeout(target.connect_timeout.total_seconds()):
            connection = await _dial(target)
            try:
                await _prepare(connection, target, place)
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


async def _prepare(connection: asyncpg.Connection, target: Target, place: Address) -> None:
    if await is_shared(connection, lambda: _dial(target)):
        raise AccessDeniedError(
            f"{place.server} is a transaction-mode pooler, where a session cannot hold a lock;"
            " give the URL of the server itself, or of a session-mode pool",
            target=target.name,
        )
    await connection.execute("; ".join([*_SETTINGS, *_search_path(target)]))
    if connection.get_server_version().major >= _CHECK_CLIENT_SINCE:
        with suppress(pg.InvalidParameterValueError):  # the server's system cannot do it
            await connection.execute(_CHECK_CLIENT)


def _search_path(target: Target) -> list[str]:
    return [] if target.schema is None else [f"SET search_path = {identifier(target.schema)}"]


async def _close(connection: asyncpg.Connection) -> None:
    try:
        async with asyncio.timeout(_CLOSE_PATIENCE):
            await connection.close()
    except DRIVER_ERRORS:
        connection.terminate()
