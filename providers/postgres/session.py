"""One asyncpg connection as a session of the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from time import monotonic

from asyncpg import Connection
from asyncpg import exceptions as pg

from providers.base import Session
from providers.errors import ProviderError, StampConflictError, StatementError
from providers.postgres.errors import DRIVER_ERRORS, reading, sending
from providers.postgres.fingerprint import read_fingerprint, read_snapshot
from providers.postgres.heads import read_heads
from providers.postgres.indexes import (
    IndexState,
    concurrent_index,
    dropped_index,
    index_state,
    is_created,
    is_dropped,
    left_invalid,
    removal,
)
from providers.postgres.listing import databases, named, owned, schemas, texts_of
from providers.postgres.lock import held
from providers.postgres.versions import (
    CONFLICT,
    NOT_KEPT,
    found_heads,
    guard,
    lifted_limits,
    limits,
    local_limits,
    transaction,
)
from providers.types import Heads, Outcome, Receipt, Snapshot, Statement, Target

_IS_RUNNING = """
    SELECT EXISTS (SELECT FROM pg_stat_activity
                    WHERE pid <> pg_backend_pid() AND state = 'active'
                      AND left(query, length($1)) = $1)
"""


class PostgresSession(Session):
    """A session on one Postgres database.

    It is `Transactional`, `Repairing`, `Fingerprinting` and `Listing` too.

    Between calls no transaction is open, and no timeout of the target's is in force: those
    are for migrations, not for reading heads and polling the lock. What a script sets for its
    session holds until the session is closed.
    """

    def __init__(self, connection: Connection, target: Target) -> None:
        self._connection = connection
        self._target = target

    async def heads(self) -> Heads:
        """Return the revisions in the version table; see `Session.heads`."""
        with reading(self._target.name):
            return await read_heads(self._connection, self._target)

    async def server_major(self) -> str:
        """Return the server's major version; see `Session.server_major`."""
        return str(self._connection.get_server_version().major)

    def lock(self, *, wait: timedelta) -> AbstractAsyncContextManager[None]:
        """Hold the migration lock on this session; see `Session.lock`."""
        return held(self._connection, self._target, wait)

    async def execute(self, statement: Statement, *, ticket: str) -> Receipt:
        """Send *statement* once, outside a transaction; see `Session.execute`.

        What runs CONCURRENTLY is the exception to "no effect": where it failed and left an
        INVALID index behind, the error says so; see `remains`.
        """
        try:
            return await self._send(statement, ticket)
        except StatementError as error:
            await self._mention_remains(error, statement)
            raise

    async def resolve(self, statement: Statement, *, ticket: str) -> Outcome:
        """Tell what became of *statement*; see `Session.resolve`.

        RUNNING where it still runs; under the lock it does not, for the session that runs it
        would hold that. Otherwise Postgres can tell for CREATE and DROP INDEX CONCURRENTLY
        alone, and not always.
        """
        with reading(self._target.name):
            if await self._connection.fetchval(_IS_RUNNING, _mark(ticket)):
                return Outcome.RUNNING
            if created := concurrent_index(statement.sql):
                return await is_created(self._connection, created)
            if dropped := dropped_index(statement.sql):
                return await is_dropped(self._connection, dropped)
        return Outcome.UNKNOWN

    async def remains(self, statement: Statement) -> tuple[Statement, ...]:
        """Return what drops the INVALID index that *statement* left; see `Repairing.remains`."""
        index = concurrent_index(statement.sql)
        if index is None:
            return ()
        with reading(self._target.name):
            sql = await removal(self._connection, index)
        return () if sql is None else (Statement(sql, transactional=False),)

    async def stamp(self, *, before: Heads, after: Heads) -> None:
        """Replace *before* by *after*; see `Session.stamp`."""
        await self._commit((), before, after)

    async def apply(self, block: Sequence[Statement], *, before: Heads, after: Heads) -> None:
        """Run *block* in one transaction; see `Transactional.apply`."""
        try:
            await self._commit(block, before, after)
        except StatementError as error:
            named = await self._named(error, block, before)
            raise named from error.__cause__

    async def fingerprint(self) -> str:
        """Return a hash of the live schema; see `Fingerprinting.fingerprint`.

        What is hashed `providers.postgres.fingerprint` says. It depends on the server's major
        version, as that says how an expression is written.

        Raises:
            StatementError: A table was locked for longer than the target's `lock_timeout`.
            ConnectionLostError: The session died; nothing was changed.
        """
        with reading(self._target.name):
            return await read_fingerprint(self._connection, self._target)

    async def snapshot(self) -> Snapshot:
        """Return the live schema, object by object; see `Fingerprinting.snapshot`.

        Raises:
            StatementError: A table was locked for longer than the target's `lock_timeout`.
            ConnectionLostError: The session died; nothing was changed.
        """
        with reading(self._target.name):
            return await read_snapshot(self._connection, self._target)

    async def schemas(self, like: str) -> tuple[str, ...]:
        """Return the schemas LIKE *like*; see `Listing.schemas`."""
        with reading(self._target.name):
            return await schemas(self._connection, like)

    async def schemas_of(self, query: str) -> tuple[str, ...]:
        """Return the schemas that *query* gives; see `Listing.schemas_of`."""
        with reading(self._target.name):
            return named(await texts_of(self._connection, query, self._target.name))

    async def databases(self, like: str) -> tuple[str, ...]:
        """Return the databases LIKE *like*; see `Listing.databases`."""
        with reading(self._target.name):
            return await databases(self._connection, like)

    async def databases_of(self, query: str) -> tuple[str, ...]:
        """Return the databases that *query* gives; see `Listing.databases_of`."""
        with reading(self._target.name):
            found = await texts_of(self._connection, query, self._target.name)
            return await owned(self._connection, found)

    async def _send(self, statement: Statement, ticket: str) -> Receipt:
        with sending(self._target.name, ticket=ticket, sql=statement.sql):
            async with self._limited():
                started = monotonic()
                await self._connection.execute(f"{_mark(ticket)} {statement.sql}")
                return Receipt(ticket, timedelta(seconds=monotonic() - started))

    @asynccontextmanager
    async def _limited(self) -> AsyncIterator[None]:
        await self._connection.execute(limits(self._target))
        try:
            yield
        except Exception:  # not a cancellation: what still runs would be waited for
            await self._lift_limits()
            raise
        await self._lift_limits()

    async def _lift_limits(self) -> None:
        with suppress(*DRIVER_ERRORS):  # a dead session shows at its next use
            await self._connection.execute(lifted_limits(self._target))

    async def _mention_remains(self, error: StatementError, statement: Statement) -> None:
        with suppress(ProviderError), reading(self._target.name):
            if hint := await self._remains_of(statement):
                error.args = (f"{error}; {hint}",)

    async def _remains_of(self, statement: Statement) -> str:
        """Say what a failed *statement* left behind; nothing where there is nothing."""
        index = concurrent_index(statement.sql)
        if index is None:
            names = ", ".join(await left_invalid(self._connection, statement.sql))
            return f"these indexes are INVALID now: {names}; drop what it left" if names else ""
        if await index_state(self._connection, index) is not IndexState.INVALID:
            return ""
        return f"it left the INVALID index {index.name} behind, which the next try drops first"

    async def _commit(self, block: Sequence[Statement], before: Heads, after: Heads) -> None:
        message = transaction(self._target, block, before, after)
        with sending(self._target.name):
            try:
                await self._connection.execute(message)
            except pg.UnknownPostgresError as error:
                self._raise_own(error, before)
                raise

    def _raise_own(self, error: pg.PostgresError, before: Heads) -> None:
        """Raise what our own guard and stamp meant by *error*; return where it is not theirs."""
        name = self._target.name
        if error.sqlstate == CONFLICT:
            found = found_heads(error)
            raise StampConflictError(target=name, expected=before, found=found) from error
        if error.sqlstate == NOT_KEPT:
            reason = "the version table did not keep the heads written to it; look for a trigger"
            raise StatementError(reason, target=name, code=NOT_KEPT) from error

    async def _named(
        self, error: StatementError, block: Sequence[Statement], before: Heads
    ) -> StatementError:
        """Return *error* with its statement; as it is where it does not come a second time."""
        try:
            await self._rehearse(block, before)
        except StatementError as again:
            return again if again.code == error.code else error
        except ProviderError:
            return error
        return error

    async def _rehearse(self, block: Sequence[Statement], before: Heads) -> None:
        """Run *block* statement by statement in a transaction that is rolled back."""
        async with self._rolled_back():
            await self._run(local_limits(self._target))
            await self._run(guard(self._target, before))
            for statement in block:
                await self._run(statement.sql, sql=statement.sql)

    @asynccontextmanager
    async def _rolled_back(self) -> AsyncIterator[None]:
        await self._run("BEGIN")
        try:
            yield
        except Exception:
            await self._run("ROLLBACK")
            raise
        except BaseException:  # cancelled: no transaction may stay open
            self._connection.terminate()
            raise
        await self._run("ROLLBACK")

    async def _run(self, text: str, *, sql: str | None = None) -> None:
        with sending(self._target.name, sql=sql):
            await self._connection.execute(text)


def _mark(ticket: str) -> str:
    """Return the comment by which a running statement is found in pg_stat_activity."""
    return f"/* levelhead:{ticket} */"
