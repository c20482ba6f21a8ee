"""The service of the demo: what `levelhead serve` runs, in the process that shows it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from providers.errors import LevelheadError
from sync.cli.serving import build_server, ended_by_signal, known_hosts, on_record, url_of
from sync.model import Rollout
from sync.runtime import Runtime
from sync.schedule import ticking

T = TypeVar("T")


class Service:
    """API and clock at work; a signal ends both."""

    def __init__(self, runtime: Runtime, listener: socket.socket) -> None:
        self.address = url_of(listener)
        self._runtime = runtime
        self._listener = listener
        self._first: asyncio.Future[Rollout | None] = asyncio.get_running_loop().create_future()
        self._server: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run both for the block."""
        settings = self._runtime.settings
        hosts = known_hosts(settings.api.host, settings.api.allowed_hosts, self._listener)
        server = build_server(self._runtime, hosts, self._listener)
        with ended_by_signal(server):
            async with (
                on_record(self._runtime, self.address),
                ticking(settings.schedule, self._sweep),
            ):
                self._server = asyncio.create_task(server.serve(sockets=[self._listener]))
                try:
                    yield
                finally:
                    server.should_exit = True
                    await self._server

    async def first_rollout(self) -> Rollout | None:
        """Return what the clock's first sweep started; None where nothing was to do.

        Raises:
            LevelheadError: The sweep failed.
        """
        return await self._first

    async def until_ended(self, act: Coroutine[Any, Any, T]) -> T | None:
        """Do *act*, but no longer than the service runs; return None where it was cut short."""
        assert self._server is not None  # noqa: S101 - only called while running
        acting = asyncio.create_task(act)
        try:
            await asyncio.wait({self._server, acting}, return_when=asyncio.FIRST_COMPLETED)
            return acting.result() if acting.done() else None
        finally:
            acting.cancel()
            await asyncio.wait({acting})

    async def _sweep(self) -> Rollout | None:
        try:
            rollout = await self._runtime.sweep()
        except LevelheadError as error:
            if not self._first.done():
                self._first.set_exception(error)
            raise
        if not self._first.done():
            self._first.set_result(rollout)
        return rollout
