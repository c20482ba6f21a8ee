"""One database with many schemas, each with a version table at head of the sample history."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from bench.fleet import run_on, running_databases

#: All version tables of one transaction need a lock each: the server has room for 64 for each
#: connection that it takes.
_CONNECTIONS = 250
_AT_ONCE = 200

_SCHEMA = """
    CREATE SCHEMA {name};
    CREATE TABLE {name}.alembic_version (
        version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
    );
    INSERT INTO {name}.alembic_version VALUES ('{head}');
"""


@asynccontextmanager
async def running_schemas(count: int) -> AsyncIterator[tuple[str, tuple[str, ...]]]:
    """Create *count* schemas; give the database's URL and their names."""
    async with running_databases(1, connections=_CONNECTIONS) as databases:
        (url,) = databases.urls
        names = tuple(f"tenant_{number:05}" for number in range(count))
        await run_on(url, [*_parts(names, await _head(url)), "VACUUM ANALYZE"])
        yield url, names


def _parts(names: Sequence[str], head: str) -> Sequence[str]:
    return [
        "".join(_SCHEMA.format(name=name, head=head) for name in names[first : first + _AT_ONCE])
        for first in range(0, len(names), _AT_ONCE)
    ]


async def _head(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        head: str = await connection.fetchval("SELECT version_num FROM alembic_version")
        return head
    finally:
        await connection.close()
