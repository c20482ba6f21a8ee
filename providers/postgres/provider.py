"""Opens sessions on Postgres, and surveys databases."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from providers.base import Provider, Session
from providers.errors import ConnectionLostError
from providers.postgres.address import located, on_database
from providers.postgres.connecting import close, connect_to_act
from providers.postgres.survey import Reader
from providers.postgres.warm import Warm
from providers.types import Survey, Target

if TYPE_CHECKING:
    from providers.postgres.shadow import Shadows


class PostgresProvider(Provider):
    """Postgres through asyncpg, one connection per session."""

    dialect: ClassVar[str] = "postgresql"
    fingerprints: ClassVar[bool] = True

    def __init__(self) -> None:
        self._warm = Warm()
        self._resources = AsyncExitStack()

    @cached_property
    def _shadows(self) -> Shadows:
        # Late: whoever only looks at databases needs neither this nor a server's binaries.
        from providers.postgres.shadow import Shadows  # noqa: PLC0415 - see above

        shadows = Shadows()
        self._resources.push_async_callback(shadows.aclose)
        return shadows

    @asynccontextmanager
    async def open(self, target: Target) -> AsyncIterator[Session]:
        """Open a session on *target*; see `Provider.open`.

        A transaction-mode pooler is refused with `AccessDeniedError`.
        """
        # Late: a survey needs no session.
        from providers.postgres.session import PostgresSession  # noqa: PLC0415 - see above

        connection = await connect_to_act(target)
        try:
            yield PostgresSession(connection, target)
        finally:
            await close(connection)

    def address(self, target: Target) -> str:
        """Return host, port and database; see `Provider.address`."""
        return located(target.url)

    def place(self, target: Target) -> str:
        """Return the URL: another user may see other things; see `Surveying.place`."""
        return target.url

    async def survey(self, targets: Sequence[Target]) -> Survey:
        """Return the heads of *targets*; see `Surveying.survey`."""
        place = self.place(targets[0])
        if kept := self._warm.take(place):
            with suppress(ConnectionLostError):  # it may have died long ago; a new one can tell
                return await self._survey(place, kept, targets)
        opened = Reader.open_for if len(targets) == 1 else Reader.open
        return await self._survey(place, await opened(targets[0]), targets)

    async def _survey(self, place: str, reader: Reader, targets: Sequence[Target]) -> Survey:
        try:
            survey = await reader.survey(targets)
        except BaseException:
            await reader.close()
            raise
        await self._warm.give(place, reader)
        return survey

    def keep_warm(self, most: int, idle: timedelta) -> None:
        """Keep connections of surveys open; see `Warming.keep_warm`."""
        self._warm.resize(most, idle)

    def in_database(self, target: Target, database: str) -> Target:
        """Return *target* in another database of its server; see `Spanning.in_database`."""
        return replace(
            target, url=on_database(target.url, database, target.url.partition("://")[0])
        )

    def shadow(
        self, target: Target, place: str | None, *, major: str
    ) -> AbstractAsyncContextManager[Target]:
        """Create an empty database, and drop it after the block; see `Shadowing.shadow`.

        Where no place is given, it is on a throwaway server of this provider's own.
        """
        return self._shadows.shadow(target, place, major=major)

    async def aclose(self) -> None:
        """Close what is open, and stop the throwaway servers; see `Provider.aclose`."""
        await self._warm.aclose()
        await self._resources.aclose()
