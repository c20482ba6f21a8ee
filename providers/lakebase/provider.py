"""Opens sessions on Lakebase: those of Postgres, logged into with minted credentials."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar, TypeVar
from urllib.parse import quote, unquote, urlsplit

from asyncpg import exceptions as pg

from providers.base import ON_TARGET, Provider, Session
from providers.errors import AccessDeniedError
from providers.lakebase.address import Address, address
from providers.lakebase.errors import minting, reading, refused_login
from providers.lakebase.grants import Grant, Grants
from providers.lakebase.signed import environment, postgres_url, verified_url
from providers.postgres.provider import PostgresProvider
from providers.types import RunnerSupport, Survey, Target

Result = TypeVar("Result")

#: What a login is refused with because of who logs in.
_NOT_LET_IN = (pg.InvalidPasswordError, pg.InvalidAuthorizationSpecificationError)


def _now() -> datetime:
    return datetime.now(UTC)


class LakebaseProvider(Provider):
    """Postgres at Databricks. Sessions, plans and shadows are those of Postgres."""

    dialect: ClassVar[str] = "postgresql"
    fingerprints: ClassVar[bool] = True

    def __init__(self, clock: Callable[[], datetime] = _now) -> None:
        self._postgres = PostgresProvider()
        self._grants = Grants(clock)

    @asynccontextmanager
    async def open(self, target: Target) -> AsyncIterator[Session]:
        """Open a session on *target*; see `Provider.open`.

        A login that was refused with a credential of an earlier one is tried once more with a
        new one.
        """
        async with AsyncExitStack() as stack:
            yield await self._logged_in(target, stack)

    def address(self, target: Target) -> str:
        """Return instance or endpoint, and database; see `Provider.address`."""
        place = address(target.url)
        return f"{place.workspace.lower()}/{place.instance or place.endpoint}/{place.database}"

    def place(self, target: Target) -> str:
        """Return the URL: another identity may see other things; see `Surveying.place`."""
        return target.url

    async def survey(self, targets: Sequence[Target]) -> Survey:
        """Return the heads of *targets*; see `Surveying.survey`.

        A login is tried again as `open` does.
        """
        return await self._surveyed(_place(targets[0]), targets)

    def keep_warm(self, most: int, idle: timedelta) -> None:
        """Keep connections of surveys open; see `Warming.keep_warm`."""
        self._postgres.keep_warm(most, idle)

    def in_database(self, target: Target, database: str) -> Target:
        """Return *target* in another database of its instance; see `Spanning.in_database`."""
        parts = urlsplit(target.url)
        return replace(target, url=parts._replace(path=f"/{quote(database, '')}").geturl())

    async def runner_support(self, target: Target) -> RunnerSupport:
        """Return how a runner logs in; see `Provider.runner_support`."""
        place = _place(target)
        grant = await self._grant(target, place)
        return RunnerSupport(
            url=postgres_url(place, grant),
            environment=environment(place),
            secrets=frozenset({grant.password}),
        )

    @asynccontextmanager
    async def shadow(
        self, target: Target, place: str | None, *, major: str
    ) -> AsyncIterator[Target]:
        """Create an empty database, and drop it after the block; see `Shadowing.shadow`.

        One beside the target is reached as the target is, whatever driver a runner has.
        """
        own = _place(target)
        if place != ON_TARGET:
            model = _signed(target, f"{own.scheme}://")
            async with self._postgres.shadow(model, place, major=major) as made:
                yield made
            return
        model = _signed(target, verified_url(own, await self._grant(target, own)))
        async with self._postgres.shadow(model, place, major=major) as made:
            database = unquote(urlsplit(made.url).path.removeprefix("/"))
            yield replace(self.in_database(target, database), name=made.name)

    async def aclose(self) -> None:
        """Stop the throwaway servers; see `Provider.aclose`."""
        await self._postgres.aclose()

    async def _logged_in(self, target: Target, stack: AsyncExitStack) -> Session:
        place = _place(target)

        async def enter(url: str) -> Session:
            return await stack.enter_async_context(self._postgres.open(_signed(target, url)))

        return await self._with_login(target, place, enter)

    async def _surveyed(self, place: Address, targets: Sequence[Target]) -> Survey:
        async def ask(url: str) -> Survey:
            return await self._postgres.survey([_signed(target, url) for target in targets])

        return await self._with_login(targets[0], place, ask)

    async def _with_login(
        self, target: Target, place: Address, use: Callable[[str], Awaitable[Result]]
    ) -> Result:
        """Return what *use* makes of a URL that logs in; again where an earlier grant did not."""
        earlier = self._grants.kept(place)
        grant = await self._grant(target, place)
        try:
            return await use(verified_url(place, grant))
        except AccessDeniedError as error:
            if not isinstance(error.__cause__, _NOT_LET_IN):
                raise
            self._grants.forget(place, grant)
            if grant is not earlier:
                raise refused_login(target.name, place, grant) from error
        return await self._with_login(target, place, use)

    async def _grant(self, target: Target, place: Address) -> Grant:
        with minting(target.name, place):
            return await self._grants.grant(place, target.connect_timeout.total_seconds())


def _place(target: Target) -> Address:
    with reading(target.name):
        return address(target.url)


def _signed(target: Target, url: str) -> Target:
    """Return *target* as Postgres knows it."""
    return replace(target, url=url, provider=None)
