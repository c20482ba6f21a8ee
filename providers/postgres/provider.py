"""Opens sessions on Postgres, and surveys databases."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import ClassVar

from providers.base import Provider, Session
from providers.postgres.address import on_database
from providers.postgres.connecting import close, connect_to_act
from providers.postgres.session import PostgresSession
from providers.postgres.shadow import Shadows
from providers.postgres.survey import Reader
from providers.types import Survey, Target


class PostgresProvider(Provider):
    """Postgres through asyncpg, one connection per session."""

    dialect: ClassVar[str] = "postgresql"

    def __init__(self) -> None:
        self._shadows = Shadows()

    @asynccontextmanager
    async def open(self, target: Target) -> AsyncIterator[Session]:
        """Open a session on *target*; see `Provider.open`.

        A transaction-mode pooler is refused with `AccessDeniedError`.
        """
        connection = await connect_to_act(target)
        try:
            yield PostgresSession(connection, target)
        finally:
            await close(connection)

    def place(self, target: Target) -> str:
        """Return the URL: another user may see other things; see `Surveying.place`."""
        return target.url

    async def survey(self, targets: Sequence[Target]) -> Survey:
        """Return the heads of *targets*; see `Surveying.survey`."""
        opened = Reader.open_for if len(targets) == 1 else Reader.open
        reader = await opened(targets[0])
        try:
            return await reader.survey(targets)
        finally:
            await reader.close()

    def in_database(self, target: Target, database: str) -> Target:
        """Return *target* in another database of its server; see `Spanning.in_database`."""
        return replace(target, url=on_database(target.url, database, self.dialect))

    def shadow(
        self, target: Target, place: str | None, *, major: str
    ) -> AbstractAsyncContextManager[Target]:
        """Create an empty database, and drop it after the block; see `Shadowing.shadow`.

        Where no place is given, it is on a throwaway server of this provider's own.
        """
        return self._shadows.shadow(target, place, major=major)

    async def aclose(self) -> None:
        """Stop the throwaway servers; see `Provider.aclose`."""
        await self._shadows.aclose()
