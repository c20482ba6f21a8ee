"""A Postgres server for the whole session, and fresh databases on it for each test."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote, urlsplit

import asyncpg
import pytest

from providers.postgres.embedded import throwaway_postgres

#: A superuser's URL of a server to use instead of starting one.
URL_VARIABLE = "LEVELHEAD_TEST_POSTGRES_URL"


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server that lets us create databases."""

    admin_url: str = field(repr=False)

    def url(self, database: str) -> str:
        """Return the superuser's URL of *database*."""
        return urlsplit(self.admin_url)._replace(path=f"/{quote(database, '')}").geturl()

    async def create_database(self, name: str, template: str = "template1") -> None:
        """Create *name* as a copy of *template*, which nobody may be connected to."""
        await self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')

    async def drop_database(self, *names: str) -> None:
        """Drop *names* and end their connections; a name that does not exist is no error."""
        await self._run(*(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)' for name in names))

    async def _run(self, *statements: str) -> None:
        connection = await asyncpg.connect(self.admin_url)
        try:
            for sql in statements:
                await connection.execute(sql)
        finally:
            await connection.close()


class Databases(Protocol):
    """Creates databases that are dropped after the test."""

    async def __call__(self, count: int, *, template: str = "template1") -> list[str]:
        """Create *count* copies of *template*, and return their URLs."""
        ...


@contextmanager
def _own_server() -> Iterator[Postgres]:
    """Run a server in an event loop of its own: each test has another, and outlives none."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        server = throwaway_postgres()
        started = runner.run(server.__aenter__())
        try:
            yield Postgres(started.url("postgres"))
        finally:
            runner.run(server.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Give the session's server: the one at LEVELHEAD_TEST_POSTGRES_URL, else our own."""
    if given := os.environ.get(URL_VARIABLE):
        yield Postgres(given)
    else:
        with _own_server() as server:
            yield server


@pytest.fixture
async def databases(postgres: Postgres) -> AsyncIterator[Databases]:
    """Give a function that creates databases; they are dropped after the test."""
    created: list[str] = []

    async def create(count: int, *, template: str = "template1") -> list[str]:
        names = [f"test_{secrets.token_hex(6)}" for _ in range(count)]
        for name in names:
            created.append(name)
            await postgres.create_database(name, template)
        return [postgres.url(name) for name in names]

    yield create
    if created:
        await postgres.drop_database(*created)


@pytest.fixture
async def database(databases: Databases) -> str:
    """Give the URL of a fresh, empty database."""
    (url,) = await databases(1)
    return url
