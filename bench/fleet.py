"""Many equal databases at head of the sample history, and the settings that name them."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from bench.commands import output_of
from bench.configuration import ROOT, configured
from providers.postgres.embedded import Server, throwaway_postgres

TEMPLATE = "fleet_template"
SPARE_CONNECTIONS = 20  # for the superuser, and for sessions that are still closing


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Databases with nothing pending, and a configuration that has them as targets."""

    urls: tuple[str, ...] = field(repr=False)
    config: Path  #: the `levelhead.toml`; the service's clock ticks every second
    api: str  #: where a service of this configuration answers
    postgres: int  #: the server's major version


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """Equal databases on a server of their own."""

    server: Server
    urls: tuple[str, ...] = field(repr=False)


@asynccontextmanager
async def running_fleet(*, targets: int, width: int) -> AsyncIterator[Fleet]:
    """Create *targets* databases on a server of their own; all is gone after the block.

    Args:
        targets: How many databases.
        width: How many of them a sweep looks at together.
    """
    async with running_databases(targets, connections=width) as databases:
        schedule = f'every = "1s", jitter = "0s", concurrency = {width}, warm = 0'
        with served(databases.urls, schedule) as (config, api):
            major = databases.server.major
            yield Fleet(urls=databases.urls, config=config, api=api, postgres=major)


@asynccontextmanager
async def running_databases(count: int, *, connections: int) -> AsyncIterator[Databases]:
    """Create *count* databases at head of the sample history; all is gone after the block.

    Args:
        count: How many databases.
        connections: How many sessions there may be, beside some spare ones.
    """
    async with throwaway_postgres(max_connections=connections + SPARE_CONNECTIONS) as server:
        yield Databases(server=server, urls=await _create_databases(server, count))


@contextmanager
def served(
    urls: Sequence[str], schedule: str, schemas: Sequence[str] = ()
) -> Iterator[tuple[Path, str]]:
    """Write the settings of a service; give the file, and where its API will answer."""
    port = _free_port()
    tables = (f"schedule = {{ {schedule} }}", f"api = {{ port = {port} }}")
    with configured(urls, *tables, schemas=schemas) as config:
        yield config, f"http://127.0.0.1:{port}/api/v1"


async def _create_databases(server: Server, targets: int) -> tuple[str, ...]:
    """Migrate one database with plain Alembic, and copy it *targets* times."""
    names = [f"fleet_{number:04}" for number in range(targets)]
    await run_on(server.url("postgres"), [f"CREATE DATABASE {TEMPLATE}"])
    await output_of(*alembic(server.url(TEMPLATE), "upgrade", "head"), cwd=ROOT)
    await run_on(
        server.url("postgres"), [f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}" for name in names]
    )
    return tuple(server.url(name) for name in names)


def alembic(url: str, *arguments: str) -> tuple[Sequence[str], dict[str, str]]:
    """Return a command of plain Alembic on the sample history, and its environment."""
    environ = os.environ | {"DATABASE_URL": url, "POSTGRES_PROVIDER": "local"}
    return (sys.executable, "-m", "alembic", *arguments), environ


async def run_on(url: str, statements: Sequence[str]) -> None:
    """Run *statements*, one after the other."""
    connection = await asyncpg.connect(url)
    try:
        for sql in statements:
            await connection.execute(sql)
    finally:
        await connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
