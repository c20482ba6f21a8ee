"""One session on a SQL warehouse as a session of the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from time import monotonic

from providers.base import Session
from providers.databricks.address import Address
from providers.databricks.connection import Connection
from providers.databricks.errors import reading, sending, standing, waiting
from providers.databricks.heads import read_heads
from providers.databricks.history import outcome_of
from providers.databricks.listing import as_query, own_catalogs, own_schemas
from providers.databricks.sql import creation, mark, move, version_table
from providers.databricks.threads import Threads
from providers.databricks.versions import read_versions
from providers.errors import (
    ConnectionLostError,
    OvertakenError,
    StampConflictError,
    StatementError,
)
from providers.names import matching, need_one_column, need_texts
from providers.types import Heads, Outcome, Receipt, Statement, Target
from providers.workspace.rest import ERRORS, Api

#: Seconds for one answer of the query history.
_HISTORY_PATIENCE = 30.0


class DatabricksSession(Session):
    """A session on one schema of a warehouse. Nothing rolls back, so it is not `Transactional`.

    It is `Listing`, where databases are catalogs, and `Versioning`.
    """

    def __init__(
        self, connection: Connection, target: Target, place: Address, threads: Threads, api: Api
    ) -> None:
        self._connection = connection
        self._target = target
        self._place = place
        self._threads = threads
        self._api = api
        self._table = version_table(target, place)

    async def heads(self) -> Heads:
        """Return the revisions in the version table; see `Session.heads`."""
        return frozenset(await self._rows() or ())

    async def server_major(self) -> str:
        """Return that there is none: a warehouse is always current; see `Session.server_major`."""
        return ""

    @asynccontextmanager
    async def lock(self, *, wait: timedelta) -> AsyncIterator[None]:  # noqa: ARG002 - the contract's; there is nothing to wait for
        """Do nothing: a warehouse has no lock that a session could hold; see `Session.lock`."""
        yield

    async def execute(self, statement: Statement, *, ticket: str) -> Receipt:
        """Send *statement* once; see `Session.execute`.

        Raises:
            AccessDeniedError: The token is not accepted any more; the statement had no effect.
            ConnectError: The session was gone before; the statement was not sent.
        """
        started = monotonic()
        sql = f"{mark(ticket)} {statement.sql}"
        with sending(self._target.name, ticket=ticket, sql=statement.sql):
            cursor = await self._connection.send(sql)
        remote_id = cursor.query_id
        with waiting(self._target.name, ticket=ticket, sql=statement.sql), standing():
            await self._connection.wait(cursor)
        return Receipt(ticket, timedelta(seconds=monotonic() - started), remote_id)

    async def resolve(self, statement: Statement, *, ticket: str) -> Outcome:  # noqa: ARG002 - the contract's; the ticket says it all here
        """Tell by the query history what became of a statement; see `Session.resolve`.

        UNKNOWN where it is not shown, and where the history may not be read.
        """
        with reading(self._target.name):
            await self._connection.query("SELECT 1")  # a dead session has to say so
        try:
            return await self._threads.run(
                lambda: outcome_of(
                    self._api, self._place.warehouse, mark(ticket), timeout=_HISTORY_PATIENCE
                )
            )
        except ERRORS as error:
            line = "the query history gave no answer; try again"
            raise ConnectionLostError(line, target=self._target.name, ticket=ticket) from error

    async def stamp(self, *, before: Heads, after: Heads) -> None:
        """Replace *before* by *after* in one statement, and read it back; see `Session.stamp`.

        Raises:
            AccessDeniedError: The token is not accepted any more; unchanged.
        """
        rows = await self._rows()
        self._guard(rows or [], before)
        if rows is None:
            await self._change(creation(self._table, self._target.version_table))
        changed = await self._move(before, after) if before != after else 0
        self._compare(await self._rows() or [], before, after, changed)

    async def schemas(self, like: str) -> tuple[str, ...]:
        """Return the schemas of the catalog LIKE *like*; see `Listing.schemas`.

        The warehouse's own LIKE is another one, so all are asked for.
        """
        return matching(own_schemas(await self._texts("SHOW SCHEMAS")), like)

    async def schemas_of(self, query: str) -> tuple[str, ...]:
        """Return the schemas that *query* gives; see `Listing.schemas_of`."""
        return own_schemas(await self._texts(as_query(query)))

    async def databases(self, like: str) -> tuple[str, ...]:
        """Return the catalogs LIKE *like*; see `Listing.databases`."""
        return matching(own_catalogs(await self._texts("SHOW CATALOGS")), like)

    async def databases_of(self, query: str) -> tuple[str, ...]:
        """Return the catalogs that *query* gives; see `Listing.databases_of`."""
        return own_catalogs(await self._texts(as_query(query)))

    async def _texts(self, query: str) -> tuple[str, ...]:
        with reading(self._target.name):
            rows = await self._connection.query(query)
        for row in rows:
            need_one_column(
                [f"column {place}" for place, _ in enumerate(row, 1)], self._target.name
            )
        return need_texts([row[0] for row in rows], self._target.name)

    async def versions(self, words: Collection[str] | None) -> Mapping[str, int | None]:
        """Return the newest versions of tables; see `Versioning.versions`."""
        return await read_versions(self._connection, self._target, self._place, words)

    async def _rows(self) -> list[str] | None:
        """Return the rows of the version table, which may be double; None where it is missing."""
        return await read_heads(self._connection, self._target, self._place)

    async def _move(self, before: Heads, after: Heads) -> int:
        """Return the number of rows that were changed; none where somebody else was quicker."""
        try:
            return await self._change(move(self._table, before, after))
        except OvertakenError:
            if frozenset(await self._rows() or ()) != before:
                return 0
            raise

    async def _change(self, sql: str) -> int:
        """Run a statement of our own; return the number of rows that it changed."""
        with sending(self._target.name, sql=sql):
            cursor = await self._connection.send(sql)
        with waiting(self._target.name, sql=sql):
            await self._connection.wait(cursor)
            rows = await self._connection.fetch(cursor)
        return int(rows[0][0]) if rows else 0

    def _guard(self, rows: list[str], before: Heads) -> None:
        found = frozenset(rows)
        if found != before:
            raise StampConflictError(target=self._target.name, expected=before, found=found)
        if len(rows) != len(found):
            raise self._odd(f"holds a head twice: {sorted(rows)}; delete the double row")

    def _compare(self, rows: list[str], before: Heads, after: Heads, changed: int) -> None:
        """Check what was read back: a primary key is not enforced here, and nothing was locked."""
        if changed != len(before ^ after):
            found = frozenset(rows)
            raise StampConflictError(target=self._target.name, expected=before, found=found)
        if sorted(rows) != sorted(after):
            raise self._odd(f"did not keep {sorted(after)}: it holds {sorted(rows)}")

    def _odd(self, what: str) -> StatementError:
        return StatementError(f"the version table {what}", target=self._target.name)
