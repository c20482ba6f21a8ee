"""One session of the connector, whose calls block, for callers that may not be blocked.

A statement is handed over without waiting for its end, and then asked about: so no thread is
held while it runs, its id is known at once, and it can be cancelled at any time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeAlias, TypeVar

from databricks.sql import exc
from databricks.sql.backend.types import CommandState
from databricks.sql.client import Connection as Driver
from databricks.sql.client import Cursor

from providers.databricks.threads import Threads
from providers.tasks import undisturbed

Result = TypeVar("Result")
Row: TypeAlias = tuple[Any, ...]

#: Seconds for a call in flight to end, and for a good-bye, before they are left to themselves.
_PATIENCE = 3.0

_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.01, 1.0, 1.5  # seconds, seconds, factor

#: What the warehouse says of an end that the connector reports without a word.
_ENDS = {CommandState.CANCELLED: "[OPERATION_CANCELED] It was cancelled. SQLSTATE: HY008"}

_PENDING = {CommandState.PENDING, CommandState.RUNNING}


class Connection:
    """One open session. Its errors are the connector's own; see `errors`."""

    def __init__(self, driver: Driver, threads: Threads) -> None:
        self._driver = driver
        self._threads = threads
        self._call: Future[Any] | None = None  #: the last call to the connector
        self._usable = True

    async def send(self, sql: str) -> Cursor:
        """Hand *sql* to the warehouse, once; return what `wait` needs, when it was taken.

        Where the caller gives up, the statement is cancelled at the warehouse.
        """
        self._need_usable()
        cursor = self._driver.cursor()
        try:
            await self._run(lambda: cursor.execute_async(sql))
        except asyncio.CancelledError:
            await undisturbed(self._stop(cursor))
            raise
        return cursor

    async def wait(self, cursor: Cursor) -> None:
        """Return when the statement has ended well.

        Where the caller gives up, the statement is cancelled at the warehouse.
        """
        try:
            state = await self._end_of(cursor)
        except asyncio.CancelledError:
            await undisturbed(self._stop(cursor))
            raise
        if state is not CommandState.SUCCEEDED:
            reason = _ENDS.get(state, "")
            raise exc.ServerOperationError(reason)  # type: ignore[no-untyped-call]  # the driver's

    async def fetch(self, cursor: Cursor) -> list[Row]:
        """Return the rows of a statement that has ended well."""

        def rows() -> list[Row]:
            with cursor:
                cursor.get_async_execution_result()  # type: ignore[no-untyped-call]  # the driver's
                return [tuple(row) for row in cursor.fetchall()]

        return await self._run(rows)

    async def query(self, sql: str) -> list[Row]:
        """Return the rows of *sql*."""
        cursor = await self.send(sql)
        await self.wait(cursor)
        return await self.fetch(cursor)

    async def close(self) -> None:
        """Say good-bye; where the network holds it up, the thread goes on by itself."""
        self._usable = False
        ended = self._threads.start(self._driver.close)
        await undisturbed(_settled(ended))

    async def _end_of(self, cursor: Cursor) -> CommandState:
        pause = _FIRST_PAUSE
        while (state := await self._run(cursor.get_query_state)) in _PENDING:
            await asyncio.sleep(pause)
            pause = min(pause * _GROWTH, _LONGEST_PAUSE)
        return state

    async def _run(self, call: Callable[[], Result]) -> Result:
        self._need_usable()
        self._call = self._threads.start(call)
        return await asyncio.wrap_future(self._call)

    def _need_usable(self) -> None:
        if not self._usable:
            reason = "the session is closed"
            raise exc.InterfaceError(reason)  # type: ignore[no-untyped-call]  # the driver's

    async def _stop(self, cursor: Cursor) -> None:
        """Cancel what *cursor* runs, once the call in flight has let go of the connection."""
        if self._call is not None:
            await _settled(self._call)
        if (self._call is None or self._call.done()) and cursor.active_command_id is not None:
            self._call = self._threads.start(cursor.cancel)
            await _settled(self._call)  # where it failed, a dead session shows at its next use
        self._usable = self._call is None or self._call.done()


async def _settled(call: Future[Any]) -> None:
    """Wait for *call* to end, well or not, but not for ever."""
    ended, _ = await asyncio.wait([asyncio.wrap_future(call)], timeout=_PATIENCE)
    for each in ended:
        if not each.cancelled():
            each.exception()  # asyncio wants it looked at
