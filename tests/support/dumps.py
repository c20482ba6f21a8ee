"""What pg_dump writes of a database, to compare it with another."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from providers.postgres.embedded import bundled_binaries, system_binaries

#: What pg_dump makes up anew for each dump.
PASSING = re.compile(r"^\\(un)?restrict .*\n", re.MULTILINE)


async def dump(url: str, *options: str) -> str:
    """Return a database as pg_dump writes it."""
    process = await asyncio.create_subprocess_exec(
        str(pg_dump()), *options, url, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return PASSING.sub("", said.decode())


def pg_dump() -> Path:
    """Return the pg_dump that lies beside the server's binaries."""
    places = (place / "pg_dump" for place in (system_binaries(), bundled_binaries()) if place)
    return next(place for place in places if place.exists())
