"""Commands of peers, and many acts at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")


async def output_of(
    command: Sequence[str | Path], environ: Mapping[str, str], cwd: Path | None = None
) -> str:
    """Run a command that succeeds; return what it printed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=environ,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"{command[0]} failed:\n{errors.decode()}")
    return out.decode()


async def each(act: Callable[[Item], Awaitable[object]], items: Sequence[Item], width: int) -> None:
    """Do *act* with every item, *width* at a time."""
    limit = asyncio.Semaphore(width)

    async def one(item: Item) -> None:
        async with limit:
            await act(item)

    async with asyncio.TaskGroup() as group:
        for item in items:
            group.create_task(one(item))
