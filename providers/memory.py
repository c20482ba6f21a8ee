"""A database in memory, for tests and for trying things out: every fault can be scripted.

It knows two statements, ``CREATE TABLE name`` and ``DROP TABLE name``, takes down any other
without effect, and answers one query, ``VALUES ('a'), ('b')``. All databases of one provider
last as long as it does; the URL ``memory://orders`` names one.
"""

from __future__ import annotations

import asyncio
import re
from ast import literal_eval
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from itertools import count
from time import monotonic
from typing import ClassVar

from providers.base import Provider, Session
from providers.errors import (
    AccessDeniedError,
    ConnectError,
    ConnectionLostError,
    ContentionError,
    LockBusyError,
    StampConflictError,
    StartingError,
    StatementError,
)
from providers.names import matching, need_one_column, need_texts
from providers.snapshot import snapshot_of
from providers.types import BASE, Heads, Outcome, Receipt, Snapshot, Statement, Survey, Target

#: How the URLs of shadows begin.
_SHADOW = "memory://shadow/"

#: How the URL of a database begins.
_DATABASE = "memory://"

#: What databases keep for themselves.
_SYSTEM = frozenset({"information_schema"})

_TABLE_STATEMENT = re.compile(r"\s*(CREATE|DROP)\s+TABLE\s+(\w+)", re.IGNORECASE)
_VALUES = re.compile(r"VALUES\s*(\(.*\))\s*(;|--.*)?", re.IGNORECASE | re.DOTALL)


class Where(StrEnum):
    """The call that a fault strikes."""

    OPEN = "open"
    LIST = "list"  #: any method of `Listing`
    HEADS = "heads"
    LOCK = "lock"
    EXECUTE = "execute"
    STAMP = "stamp"
    APPLY = "apply"
    FINGERPRINT = "fingerprint"  #: and snapshot


class What(StrEnum):
    """What goes wrong."""

    REFUSE = "refuse"  #: `ConnectError`
    START = "start"  #: `StartingError`
    DENY = "deny"  #: `AccessDeniedError`
    BUSY = "busy"  #: `LockBusyError` after the whole wait
    FAIL = "fail"  #: `StatementError`; no effect
    CONTEND = "contend"  #: `ContentionError`; no effect
    LOSE = "lose"  #: the session dies before anything happened
    LOSE_REPLY = "lose-reply"  #: the session dies when it was done
    HANG = "hang"  #: nothing happens until the session is cut, or the caller gives up


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong once."""

    where: Where
    what: What
    sql: str = ""  #: strikes only where the SQL contains this


@dataclass(slots=True)
class MemoryDatabase:
    """What one URL stands for. Tests may look at it, and script its faults."""

    tables: set[str] = field(default_factory=set)  #: as ``schema.table``
    schemas: set[str] = field(default_factory=lambda: {"public", *_SYSTEM})
    versions: dict[str, Heads] = field(default_factory=dict)  #: version table -> its rows
    statements: list[str] = field(default_factory=list)  #: all that had an effect, in order
    tickets: set[str] = field(default_factory=set)  #: of statements that had an effect
    faults: list[Fault] = field(default_factory=list)  #: those still to strike, in order
    sessions: set[MemorySession] = field(default_factory=set)  #: open ones
    holders: dict[str, MemorySession] = field(default_factory=dict)  #: version table -> holder

    def cut(self) -> None:
        """End every open session, as a server does that is stopped."""
        for session in tuple(self.sessions):
            session.die()

    def take_fault(self, where: Where, sql: str = "") -> What | None:
        """Return what goes wrong now, and forget it; None where nothing does."""
        for fault in self.faults:
            if fault.where is where and fault.sql in sql:
                self.faults.remove(fault)
                return fault.what
        return None


class MemoryProvider(Provider):
    """Databases in memory, shared by all sessions of one provider."""

    dialect: ClassVar[str] = "memory"
    fingerprints: ClassVar[bool] = True

    def __init__(self) -> None:
        self._databases: dict[str, MemoryDatabase] = {}
        self._shadows = count(1)

    def databases(self) -> tuple[str, ...]:
        """Return the names of all databases but shadows, in order."""
        urls = (url for url in self._databases if not url.startswith(_SHADOW))
        return tuple(sorted(url.removeprefix(_DATABASE) for url in urls))

    def in_database(self, target: Target, database: str) -> Target:
        """Return *target* in another database; see `Spanning.in_database`."""
        return replace(target, url=f"{_DATABASE}{database}")

    def database(self, url: str) -> MemoryDatabase:
        """Return the database that *url* names, made on first use."""
        return self._databases.setdefault(url, MemoryDatabase())

    @asynccontextmanager
    async def open(self, target: Target) -> AsyncIterator[Session]:
        """Open a session on *target*; see `Provider.open`."""
        if target.url.startswith(_SHADOW) and target.url not in self._databases:
            raise ConnectError("there is no such database any more", target=target.name)
        database = self.database(target.url)
        await _fail_to_open(database, target)
        session = MemorySession(database, target, self.databases)
        database.sessions.add(session)
        try:
            yield session
        finally:
            session.die()

    def place(self, target: Target) -> str:
        """Return the URL; see `Surveying.place`."""
        return target.url

    async def survey(self, targets: Sequence[Target]) -> Survey:
        """Return the heads of *targets*; see `Surveying.survey`."""
        found: dict[str, Heads] = {}
        async with self.open(targets[0]):
            for target in targets:
                session = MemorySession(self.database(target.url), target, self.databases)
                with suppress(AccessDeniedError):
                    found[target.name] = await session.heads()
        return Survey("", found)

    @asynccontextmanager
    async def shadow(
        self,
        target: Target,
        place: str | None,  # noqa: ARG002 - the contract's; there is but one place
        *,
        major: str,  # noqa: ARG002 - the contract's; there are no versions
    ) -> AsyncIterator[Target]:
        """Give an empty database for the block; see `Shadowing.shadow`."""
        shadow = replace(
            target, name=f"shadow of {target.name}", url=f"{_SHADOW}{next(self._shadows)}"
        )
        self.database(shadow.url)
        try:
            yield shadow
        finally:
            del self._databases[shadow.url]


async def _fail_to_open(database: MemoryDatabase, target: Target) -> None:
    fault = database.take_fault(Where.OPEN)
    if fault is What.DENY:
        raise AccessDeniedError("wrong password", target=target.name)
    if fault is What.START:
        raise StartingError("the database is starting; try again shortly", target=target.name)
    if fault is What.HANG:
        await asyncio.sleep(target.connect_timeout.total_seconds())
    if fault is not None:
        raise ConnectError("cannot reach the database", target=target.name)


class MemorySession(Session):
    """A session on a database in memory; also `Transactional`, `Fingerprinting`, `Listing`."""

    def __init__(
        self, database: MemoryDatabase, target: Target, databases: Callable[[], tuple[str, ...]]
    ) -> None:
        self._database = database
        self._databases = databases
        self._target = target
        self._dead = asyncio.Event()
        self._schema = target.schema or "public"
        self._version_table = (
            f"{target.version_table_schema or self._schema}.{target.version_table}"
        )

    def die(self) -> None:
        """End the session, as a server does that is stopped; its lock is free at once."""
        self._dead.set()
        self._database.sessions.discard(self)
        self._unlock()

    async def heads(self) -> Heads:
        """Return the revisions in the version table; see `Session.heads`."""
        fault = await self._begin(Where.HEADS)
        if fault is What.DENY:
            raise AccessDeniedError("the version table may not be read", target=self._target.name)
        return self._rows()

    async def server_major(self) -> str:
        """Return that there is none; see `Session.server_major`."""
        return ""

    @asynccontextmanager
    async def lock(self, *, wait: timedelta) -> AsyncIterator[None]:
        """Hold the migration lock on this session; see `Session.lock`."""
        fault = await self._begin(Where.LOCK)
        await self._acquire(wait, busy=fault is What.BUSY)
        try:
            yield
        finally:
            self._unlock()
        if self._dead.is_set():
            raise self._lost()

    async def execute(self, statement: Statement, *, ticket: str) -> Receipt:
        """Take *statement* down and carry it out; see `Session.execute`."""
        started = monotonic()
        fault = await self._begin(Where.EXECUTE, statement.sql, ticket)
        self._refuse(fault, statement, ticket)
        self._database.tables = self._after(statement, self._database.tables, ticket)
        self._database.statements.append(statement.sql)
        self._database.tickets.add(ticket)
        self._end(fault, ticket)
        return Receipt(ticket, timedelta(seconds=monotonic() - started))

    async def resolve(self, statement: Statement, *, ticket: str) -> Outcome:  # noqa: ARG002 - the contract's; the ticket says it all here
        """Tell what became of *statement*; see `Session.resolve`. Always known here."""
        await self._alive()
        return Outcome.APPLIED if ticket in self._database.tickets else Outcome.ABSENT

    async def stamp(self, *, before: Heads, after: Heads) -> None:
        """Replace *before* by *after*; see `Session.stamp`."""
        fault = await self._begin(Where.STAMP)
        self._refuse(fault)
        self._guard(before)
        self._database.versions[self._version_table] = after
        self._end(fault)

    async def apply(self, block: Sequence[Statement], *, before: Heads, after: Heads) -> None:
        """Run *block* in one transaction; see `Transactional.apply`."""
        fault = await self._begin(Where.APPLY, "\n".join(part.sql for part in block))
        self._guard(before)
        self._refuse(fault, block[-1] if block else None)
        tables = self._database.tables
        for statement in block:
            tables = self._after(statement, tables)
        self._database.tables = tables
        self._database.statements.extend(part.sql for part in block)
        self._database.versions[self._version_table] = after
        self._end(fault)

    async def fingerprint(self) -> str:
        """Return a hash of the tables; see `Fingerprinting.fingerprint`."""
        return (await self.snapshot()).fingerprint

    async def snapshot(self) -> Snapshot:
        """Return the tables; see `Fingerprinting.snapshot`."""
        await self._begin(Where.FINGERPRINT)
        own = f"{self._schema}." if self._target.schema else ""
        names = [name for name in self._database.tables if name.startswith(own)]
        return snapshot_of({f"table {name.removeprefix(own)}": "permanent" for name in names})

    async def schemas(self, like: str) -> tuple[str, ...]:
        """Return the schemas LIKE *like*; see `Listing.schemas`."""
        await self._begin(Where.LIST)
        return matching(self._database.schemas - _SYSTEM, like)

    async def schemas_of(self, query: str) -> tuple[str, ...]:
        """Return the schemas that *query* gives; see `Listing.schemas_of`."""
        return tuple(name for name in await self._asked(query) if name not in _SYSTEM)

    async def databases(self, like: str) -> tuple[str, ...]:
        """Return the databases LIKE *like*; see `Listing.databases`."""
        await self._begin(Where.LIST)
        return matching(self._databases(), like)

    async def databases_of(self, query: str) -> tuple[str, ...]:
        """Return the databases that *query* gives; see `Listing.databases_of`."""
        return await self._asked(query)

    async def _asked(self, query: str) -> tuple[str, ...]:
        """Return the texts that a query gives."""
        await self._begin(Where.LIST, query)
        values = _VALUES.fullmatch(query)
        if values is None:
            raise self._refused(Statement(query), "42601", "it is no query known here")
        rows: list[tuple[object, ...]] = literal_eval(f"[{_with_commas(values[1])}]")
        for row in rows:
            need_one_column([f"column{place}" for place, _ in enumerate(row, 1)], self._target.name)
        return need_texts([row[0] for row in rows], self._target.name)

    async def _begin(self, where: Where, sql: str = "", ticket: str | None = None) -> What | None:
        """Let other tasks run, and return what is to go wrong with this call."""
        await self._alive()
        fault = self._database.take_fault(where, sql)
        if fault is What.HANG:
            await self._dead.wait()
        if fault is What.LOSE:
            self.die()
        if self._dead.is_set():
            raise self._lost(ticket)
        return fault

    def _refuse(
        self, fault: What | None, statement: Statement | None = None, ticket: str | None = None
    ) -> None:
        """Raise what a fault says about a statement; None: it is our own."""
        sql = statement.sql if statement else None
        name = self._target.name
        if fault is What.CONTEND:
            reason = "another session was in the way"
            raise ContentionError(reason, target=name, ticket=ticket, code="55P03", sql=sql)
        if fault is What.FAIL:
            reason = "it was told to fail"
            raise StatementError(reason, target=name, ticket=ticket, code="XX000", sql=sql)

    def _end(self, fault: What | None, ticket: str | None = None) -> None:
        if fault is What.LOSE_REPLY:
            self.die()
            raise self._lost(ticket)

    async def _alive(self) -> None:
        await asyncio.sleep(0)
        if self._dead.is_set():
            raise self._lost()

    def _rows(self) -> Heads:
        return self._database.versions.get(self._version_table, BASE)

    def _guard(self, before: Heads) -> None:
        if (found := self._rows()) != before:
            raise StampConflictError(target=self._target.name, expected=before, found=found)

    def _after(self, statement: Statement, tables: set[str], ticket: str | None = None) -> set[str]:
        """Return what *statement* makes of *tables*."""
        known = _TABLE_STATEMENT.match(statement.sql)
        if known is None:
            return tables
        table = f"{self._schema}.{known[2]}"
        creates = known[1].upper() == "CREATE"
        if creates == (table in tables):
            code, reason = ("42P07", "exists already") if creates else ("42P01", "does not exist")
            raise self._refused(statement, code, f'table "{known[2]}" {reason}', ticket)
        return tables ^ {table}

    async def _acquire(self, wait: timedelta, *, busy: bool) -> None:
        deadline = monotonic() + wait.total_seconds()
        while busy or self._version_table in self._database.holders:
            if monotonic() >= deadline:
                reason = f"the migration lock was not free for {wait.total_seconds():g} s"
                raise LockBusyError(reason, target=self._target.name)
            await asyncio.sleep(0.01)
            await self._alive()
        self._database.holders[self._version_table] = self

    def _unlock(self) -> None:
        if self._database.holders.get(self._version_table) is self:
            del self._database.holders[self._version_table]

    def _lost(self, ticket: str | None = None) -> ConnectionLostError:
        return ConnectionLostError("the connection broke", target=self._target.name, ticket=ticket)

    def _refused(
        self, statement: Statement, code: str, reason: str, ticket: str | None = None
    ) -> StatementError:
        return StatementError(
            reason, target=self._target.name, ticket=ticket, code=code, sql=statement.sql
        )


def _with_commas(rows: str) -> str:
    """Return rows of SQL literals as tuples of Python's."""
    return rows.replace(")", ",)").replace("NULL", "None")
