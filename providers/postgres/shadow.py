"""Shadows on Postgres: databases with a name of their own, made from template0, dropped after use.

On a configured server nothing is touched but databases that were created here. Their names
say what they are and when they were made, so that what a killed process left can be found: the
next shadow on that server drops those that are a day old, belong to the same role, and have no
session.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace

import asyncpg
from asyncpg import exceptions as pg

from providers.base import ON_TARGET
from providers.errors import (
    ConfigError,
    ConnectionLostError,
    ProviderError,
    ShadowError,
    StatementError,
)
from providers.postgres.address import Address, address, asyncpg_url, on_database
from providers.postgres.embedded import Server, binaries_of, throwaway_postgres
from providers.postgres.errors import DRIVER_ERRORS, opening, sending
from providers.postgres.sql import identifier, literal
from providers.tasks import undisturbed
from providers.types import Target

_log = logging.getLogger("levelhead")

#: Seconds for one statement; older servers copy a template file by file.
_PATIENCE = 60.0

#: What the server says of itself and of the database that its URL names.
_FACTS = """
    SELECT to_char(now() AT TIME ZONE 'utc', 'YYYYMMDDHH24MISS') AS now,
           pg_encoding_to_char(encoding) AS encoding, datcollate AS collation, datctype AS ctype
      FROM pg_database WHERE datname = current_database()
"""

#: A shadow's name holds the server's time, in UTC.
_FORGOTTEN = """
    SELECT datname FROM pg_database AS found
     WHERE datname ~ '^levelhead_shadow_[0-9]{14}_[0-9a-f]{12}$'
       AND datname < 'levelhead_shadow_'
           || to_char(now() AT TIME ZONE 'utc' - interval '1 day', 'YYYYMMDDHH24MISS')
       AND pg_get_userbyid(datdba) = current_user
       AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = found.datname)
"""

_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"

#: Where a session is, and the first thing there that a new database does not have.
_CONTENTS = """
    SELECT current_database() AS name, (
        SELECT concat_ws('.', nspname, relname)
          FROM pg_namespace LEFT JOIN pg_class ON relnamespace = pg_namespace.oid
         WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
           AND (nspname <> 'public' OR relname IS NOT NULL)
         ORDER BY 1 LIMIT 1
    ) AS found
"""

_NOT_ALLOWED = "42501"  # SQLSTATE


class Shadows:
    """Makes shadows; keeps the servers of its own until it is closed."""

    def __init__(self) -> None:
        self._servers = OwnServers()

    @asynccontextmanager
    async def shadow(
        self, target: Target, place: str | None, *, major: str
    ) -> AsyncIterator[Target]:
        """Create an empty database, and drop it after the block; see `Shadowing.shadow`."""
        wanted = replace(target, name=f"shadow of {target.name}")
        server = _Place(await self._url(wanted, place, major), wanted)
        async with AsyncExitStack() as made:
            database = await undisturbed(server.create(major, made))
            url = on_database(server.url, database, target.url.partition("://")[0])
            shadow = replace(wanted, url=url)
            await _prepare(shadow, database)
            yield shadow

    async def aclose(self) -> None:
        """Stop the servers; safe to call twice."""
        await self._servers.aclose()

    async def _url(self, wanted: Target, place: str | None, major: str) -> str:
        if place is not None:
            return wanted.url if place == ON_TARGET else place
        try:
            return (await self._servers.of(major)).url("postgres")
        except ConfigError as error:
            raise _unfit(wanted, str(error)) from error


@dataclass(frozen=True, slots=True)
class _Running:
    """A server, and what ends it."""

    server: Server
    stack: AsyncExitStack


class OwnServers:
    """Throwaway servers, one for each major version, started when they are needed first."""

    def __init__(self) -> None:
        self._running: dict[str, _Running] = {}
        self._lock = asyncio.Lock()

    async def of(self, major: str) -> Server:
        """Return a running server of that major version.

        Raises:
            ConfigError: Its binaries are not installed, or it did not start.
        """
        async with self._lock:
            found = self._running.get(major)
            if found is not None and not await found.server.is_listening():
                await self._end(major)
                found = None
            if found is None:
                found = self._running[major] = await _started(major)
            return found.server

    async def aclose(self) -> None:
        """Stop them all; safe to call twice."""
        async with self._lock:
            for major in tuple(self._running):
                await self._end(major)

    async def _end(self, major: str) -> None:
        await self._running.pop(major).stack.aclose()


async def _started(major: str) -> _Running:
    stack = AsyncExitStack()
    server = await stack.enter_async_context(throwaway_postgres(binaries=await binaries_of(major)))
    return _Running(server, stack)


class _Place:
    """A server on which databases are created and dropped, through the one that its URL names."""

    def __init__(self, url: str, wanted: Target) -> None:
        self.url = url
        self._wanted = wanted
        self._address = _address(replace(wanted, url=url))

    async def create(self, major: str, made: AsyncExitStack) -> str:
        """Create an empty database, have *made* drop it, and return its name.

        Raises:
            ShadowError: The server is of another major version, or refuses.
        """
        async with _session(replace(self._wanted, url=self.url)) as session:
            self._need_major(major, session)
            try:
                with sending(self._wanted.name):
                    await _drop_forgotten(session)
                    name = await _create(session)
            except (StatementError, ConnectionLostError) as error:
                raise self._refusal(error) from error
        made.push_async_callback(self._drop, name)
        return name

    def _need_major(self, major: str, session: asyncpg.Connection) -> None:
        found = str(session.get_server_version().major)
        if found != major:
            line = f"{self._address.server} is Postgres {found}, the target is Postgres {major}"
            raise _unfit(self._wanted, line)

    def _refusal(self, error: ProviderError) -> ShadowError:
        if isinstance(error, StatementError) and error.code == _NOT_ALLOWED:
            place = self._address
            line = f'user "{place.user}" may not create databases on {place.server}'
            return _unfit(self._wanted, line)
        return ShadowError(str(error))

    async def _drop(self, name: str) -> None:
        try:
            await undisturbed(self._dropped(name))
        except ProviderError as error:  # the work on the shadow is done: let it count
            _log.warning("database %s on %s is left over: %s", name, self._address.server, error)

    async def _dropped(self, name: str) -> None:
        async with _session(replace(self._wanted, url=self.url)) as session:
            with sending(self._wanted.name):
                await session.execute(_END_SESSIONS, name)
                await session.execute(f"DROP DATABASE IF EXISTS {identifier(name)}")


async def _drop_forgotten(session: asyncpg.Connection) -> None:
    """Drop what a killed process of the same role left here."""
    for row in await session.fetch(_FORGOTTEN):
        with suppress(pg.PostgresError):  # somebody else was quicker, or came to use it
            await session.execute(f"DROP DATABASE IF EXISTS {identifier(row['datname'])}")


async def _create(session: asyncpg.Connection) -> str:
    """Create a database with the encoding and locale of the one that the session is on."""
    facts = await session.fetchrow(_FACTS)
    name = f"levelhead_shadow_{facts['now']}_{secrets.token_hex(6)}"
    await session.execute(
        f"CREATE DATABASE {identifier(name)} TEMPLATE template0"
        f" ENCODING {literal(facts['encoding'])}"
        f" LC_COLLATE {literal(facts['collation'])} LC_CTYPE {literal(facts['ctype'])}"
    )
    return name


async def _prepare(shadow: Target, database: str) -> None:
    """Make sure that *shadow* leads to the new database, which is empty; create its schemas."""
    async with _session(shadow) as session:
        try:
            with sending(shadow.name):
                _need_empty(shadow, database, await session.fetchrow(_CONTENTS))
                for schema in {shadow.schema, shadow.version_table_schema} - {None}:
                    await session.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(str(schema))}")
        except (StatementError, ConnectionLostError) as error:
            raise ShadowError(str(error)) from error


def _need_empty(shadow: Target, database: str, contents: asyncpg.Record) -> None:
    server = address(shadow.url).server
    if contents["name"] != database:
        line = f'{server} leads to database "{contents["name"]}" whatever the name in the URL'
        raise _unfit(shadow, line)
    if contents["found"] is not None:
        line = f"a new database on {server} is not empty, it holds {contents['found']}"
        raise _unfit(shadow, line)


@asynccontextmanager
async def _session(place: Target) -> AsyncIterator[asyncpg.Connection]:
    """Open a connection to what *place* names, without any of the target's settings."""
    known = _address(place)
    patience = place.connect_timeout.total_seconds()
    with opening(place.name, known):
        session = await asyncpg.connect(
            asyncpg_url(place.url),
            timeout=patience,
            command_timeout=_PATIENCE,
            statement_cache_size=0,  # a pooler may stand before the server
            server_settings={"application_name": "levelhead"},
        )
    try:
        yield session
    finally:
        with suppress(*DRIVER_ERRORS):
            await session.close(timeout=patience)


def _address(place: Target) -> Address:
    with opening(place.name, Address("?", "the server", "?")):
        return address(place.url)


def _unfit(wanted: Target, line: str) -> ShadowError:
    advice = f'set shadow of history "{wanted.history}" to another place'
    return ShadowError(f"{wanted.name}: {line}; {advice}")
