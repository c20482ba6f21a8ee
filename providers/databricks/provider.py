"""Opens sessions on Databricks SQL warehouses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Hashable, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from math import ceil
from pathlib import Path
from typing import Any, ClassVar

from databricks import sql
from databricks.sql import exc
from databricks.sql.client import Connection as Driver

from providers.base import Provider, Session
from providers.databricks.address import (
    Address,
    address,
    connect_arguments,
    need_catalog,
    with_options,
    without_login,
)
from providers.databricks.connection import Connection
from providers.databricks.errors import asks_for_patience, is_denied, opening
from providers.databricks.history import state_of
from providers.databricks.session import DatabricksSession
from providers.databricks.shadow import shadow_of
from providers.databricks.signing import renewing
from providers.databricks.sql import use
from providers.databricks.survey import at, place_of, survey
from providers.databricks.threads import Threads
from providers.errors import AccessDeniedError, ConnectError, StartingError
from providers.types import RunnerSupport, Survey, Target
from providers.workspace.rest import Api, authorities
from providers.workspace.tokens import Tokens

#: What Alembic has to know of the dialect; loaded in runners only.
_RULES = Path(__file__).with_name("ddl")

#: Seconds for one answer, once a session is open; a statement may run for longer than that.
_ANSWER_PATIENCE = 60.0

#: Seconds to ask how a warehouse is that did not open.
_STATE_PATIENCE = 2.0

#: Seconds between two tries while a warehouse starts.
_PAUSE = 0.5

#: Seconds between the beginnings of two dials. The connector reads the system's certificates
#: for each, some 20 ms during which no other thread runs; many at once would hold up the loop.
_BETWEEN_DIALS = 0.04

#: States from which an unsuccessful start is one that goes on.
_ON_ITS_WAY = frozenset({"STARTING", "STOPPED", "STOPPING"})

# The connector logs each failure that we report as an error, with the warehouse's own text,
# which may hold data; and that its older retries are deprecated, at every open.
logging.getLogger("databricks.sql").setLevel(logging.CRITICAL)


class DatabricksProvider(Provider):
    """SQL warehouses through databricks-sql-connector; its calls run in threads of its own."""

    dialect: ClassVar[str] = "databricks"
    extension: ClassVar[Path | None] = _RULES
    fingerprints: ClassVar[bool] = False
    metered: ClassVar[bool] = True
    rest: ClassVar[timedelta] = timedelta(hours=1)  # a look wakes a warehouse, and keeps it awake

    def __init__(self) -> None:
        self._threads = Threads()
        self._tokens = Tokens()
        self._next_dial = 0.0  #: when the next session may begin to open, by the loop's clock

    @asynccontextmanager
    async def open(self, target: Target) -> AsyncIterator[Session]:
        """Open a session on *target*; see `Provider.open`.

        A warehouse that is stopped starts then; where that takes longer than the target's
        connect_timeout, that is a `StartingError`.
        """
        with opening(target.name, None):
            place = at(target)
        async with self._connected(target, place) as connection:
            await _need_catalog(connection, target, place)
            api = Api(place.login, self._tokens)
            yield DatabricksSession(connection, target, place, self._threads, api)

    def address(self, target: Target) -> str:
        """Return workspace, catalog and schema, whichever warehouse; see `Provider.address`."""
        place = at(target)
        server = place.server.removesuffix(":443")
        return f"{server}/{place.catalog or ''}/{place.schema or ''}".lower()

    def place(self, target: Target) -> Hashable:
        """Return what one session of a warehouse can read; see `Surveying.place`."""
        return place_of(target)

    async def survey(self, targets: Sequence[Target]) -> Survey:
        """Return the heads of *targets* in one session; see `Surveying.survey`.

        Whose catalog or schema is missing is left out too.
        """
        with opening(targets[0].name, None):
            own = at(targets[0])
        place = own if len(targets) == 1 else replace(own, catalog=None, schema=None)
        async with self._connected(targets[0], place) as connection:
            await _need_catalog(connection, targets[0], own)
            return await survey(connection, targets)

    @asynccontextmanager
    async def _connected(self, target: Target, place: Address) -> AsyncIterator[Connection]:
        connection = await self._connect(target, place)
        try:
            yield connection
        finally:
            await connection.close()

    async def runner_support(self, target: Target) -> RunnerSupport:
        """Return how a runner connects, and Alembic's rules for the dialect.

        A token of the URL is all that it needs; else it gets one for each request, and what
        they are made of stays here.
        """
        given = connect_arguments(target.url)
        if target.schema is not None:
            given["schema"] = target.schema
        if limits := _settings(target):
            given["session_configuration"] = limits
        login = address(target.url).login
        if login.token is not None:
            return RunnerSupport(connect_arguments=given, extension=self.extension)

        async def renew() -> str:
            with opening(target.name, None):
                return await self._threads.run(lambda: self._tokens.secret(login))

        return RunnerSupport(
            connect_arguments=given,
            extension=self.extension,
            url=without_login(target.url),
            secrets=frozenset(filter(None, (login.secret,))),
            renew=renew,
        )

    def in_database(self, target: Target, database: str) -> Target:
        """Return *target* in another catalog; see `Spanning.in_database`."""
        return replace(target, url=with_options(target.url, {"catalog": database}))

    def shadow(
        self,
        target: Target,
        place: str | None,
        *,
        major: str,  # noqa: ARG002 - the contract's; a warehouse is always current
    ) -> AbstractAsyncContextManager[Target]:
        """Create an empty schema, and drop it after the block; see `Shadowing.shadow`.

        Where no place is given, it is in a local warehouse of its own.
        """
        return shadow_of(target, place, self.open)

    async def aclose(self) -> None:
        """Let the threads end; see `Provider.aclose`."""
        self._threads.close()

    async def _connect(self, target: Target, place: Address) -> Connection:
        try:
            async with asyncio.timeout(target.connect_timeout.total_seconds()):
                while (connection := await self._try(target, place)) is None:  # noqa: ASYNC110 - a warehouse tells nobody
                    await asyncio.sleep(_PAUSE)
                return connection
        except TimeoutError as error:
            raise await self._delay(target, place) from error

    async def _try(self, target: Target, place: Address) -> Connection | None:
        """Open a session; None where the warehouse asks for another try."""
        with opening(target.name, place):
            try:
                connection = Connection(await self._dial(target, place), self._threads)
                return await _prepared(connection, place)
            except exc.RequestError as error:
                if asks_for_patience(error):
                    return None
                if is_denied(error):
                    self._tokens.forget(place.login)
                raise

    async def _turn(self) -> None:
        """Wait until it is this session's turn to begin to open."""
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next_dial)
        self._next_dial = turn + _BETWEEN_DIALS
        await asyncio.sleep(turn - now)

    async def _dial(self, target: Target, place: Address) -> Driver:
        await self._turn()
        dialling = self._threads.start(lambda: _dial(target, place, self._tokens))
        try:
            driver = await asyncio.wrap_future(dialling)
        except asyncio.CancelledError:
            dialling.add_done_callback(self._discard)
            raise
        if not _sends_once(driver):
            self._threads.start(driver.close)
            raise AccessDeniedError(
                "this databricks-sql-connector may send a statement twice;"
                " install one that levelhead was tested with: pip install 'levelhead[databricks]'",
                target=target.name,
            )
        return driver

    def _discard(self, late: Future[Driver]) -> None:
        """Close a session that nobody waits for any more."""
        if not late.cancelled() and late.exception() is None:
            with suppress(RuntimeError):  # no thread is left when the provider was closed
                self._threads.start(late.result().close)

    async def _delay(self, target: Target, place: Address) -> ConnectError:
        """Return why a session did not open in time."""
        api = Api(place.login, self._tokens)
        state = await self._threads.run(
            lambda: state_of(api, place.warehouse, timeout=_STATE_PATIENCE)
        )
        if state in _ON_ITS_WAY:
            line = f"the warehouse at {place.server} is starting; try again shortly"
            return StartingError(line, target=target.name)
        known = "" if state is None else f" (it is {state})"
        return ConnectError(
            f"{place.server} did not open a session in time{known};"
            " check the network, try again later, or raise connect_timeout",
            target=target.name,
        )


async def _prepared(connection: Connection, place: Address) -> Connection:
    """Make sure that catalog and schema exist: a warehouse opens sessions without looking."""
    try:
        if (statement := use(place.catalog, place.schema)) is not None:
            await connection.query(statement)
    except BaseException:
        await connection.close()
        raise
    return connection


async def _need_catalog(connection: Connection, target: Target, place: Address) -> None:
    """Refuse the session where it is in no catalog that we know the rules of."""
    if place.catalog is None:
        with opening(target.name, place):
            rows = await connection.query("SELECT current_catalog()")
            need_catalog(str(rows[0][0]))


def _dial(target: Target, place: Address, tokens: Tokens) -> Driver:
    authorities(place.trusted)  # the connector stumbles over a bad file
    given = connect_arguments(target.url)
    arguments: dict[str, Any] = {
        **given,
        **renewing(place.login, tokens),
        "schema": place.schema,
        "session_configuration": _settings(target),
        "use_cloud_fetch": False,  # results of ours are small; storage has another address
        "_socket_timeout": target.connect_timeout.total_seconds(),
    }
    driver = sql.connect(**arguments)
    # The connector has one limit for all requests, and no other way to change it later.
    transport: Any = driver.session.backend._transport  # type: ignore[attr-defined]  # noqa: SLF001 - see above
    transport.setTimeout(float(str(given.get("_socket_timeout", _ANSWER_PATIENCE))) * 1000)
    return driver


def _settings(target: Target) -> dict[str, str]:
    """Return the settings of the session; without a limit of ours the warehouse's own holds."""
    if not target.statement_timeout:
        return {}
    return {"STATEMENT_TIMEOUT": str(ceil(target.statement_timeout / timedelta(seconds=1)))}


def _sends_once(driver: Driver) -> bool:
    """Tell whether the connector does as it was told: later ones may know no such argument."""
    return getattr(driver.session.backend, "enable_v3_retries", True) is False
