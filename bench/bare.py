"""The yardstick: connect, read the version table, close; so many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg


async def read_all(urls: Sequence[str], *, width: int) -> list[str]:
    """Return the revision of each database, in the order of *urls*, *width* at a time."""
    limit = asyncio.Semaphore(width)

    async def read(url: str) -> str:
        async with limit:
            connection = await asyncpg.connect(url)
            try:
                revision: str = await connection.fetchval("SELECT version_num FROM alembic_version")
                return revision
            finally:
                await connection.close()

    return await asyncio.gather(*map(read, urls))
