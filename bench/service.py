"""The memory of a real service that does nothing but sweep."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from bench.configuration import FIRST
from bench.fleet import Fleet
from bench.memory import peak_of

_POLL = 0.2  # seconds
_ANSWER = 60  # seconds: the service has other things to do
_PATIENCE = 1200  # seconds for all sweeps together


async def peak_memory(fleet: Fleet, *, sweeps: int) -> float:
    """Return the most memory, in MiB, that the process `levelhead serve` held at a time.

    The runner process that reads the history for the first sweep is not part of it.

    Args:
        fleet: Whose configuration it serves.
        sweeps: How many sweeps it is watched for.
    """
    async with _serving(fleet) as process, asyncio.timeout(_PATIENCE):
        await _watch(process, fleet, sweeps)
        return peak_of(process.pid)


@asynccontextmanager
async def _serving(fleet: Fleet) -> AsyncIterator[Process]:
    with _log(fleet).open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(Path(sys.executable).with_name("levelhead"), "serve", "--config", fleet.config),
            cwd=fleet.config.parent,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _watch(process: Process, fleet: Fleet, sweeps: int) -> None:
    """Wait until the targets were looked at in *sweeps* sweeps.

    A sweep writes down all that it saw at once, so that one target tells.
    """
    seen: set[str] = set()
    async with httpx.AsyncClient(base_url=fleet.api, timeout=_ANSWER) as client:
        while len(seen) <= sweeps:  # the first value may stem from before
            await asyncio.sleep(_POLL)
            if process.returncode is not None:
                raise SystemExit(f"levelhead serve ended:\n{_log(fleet).read_text()}")
            try:
                target = (await client.get(f"/targets/{FIRST}")).json()
            except httpx.ConnectError:
                continue  # it is still starting
            seen |= {target["checked_at"] or ""} - {""}


def _log(fleet: Fleet) -> Path:
    return fleet.config.with_name("service.log")
