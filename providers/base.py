"""The provider contract: all that levelhead asks of a database.

To add a database: subclass `Provider` and `Session`, register the dialect (in
`providers.registry`, or by an entry point of the group ``levelhead.providers``),
and pass ``tests/conformance``. No driver's object or exception leaves an adapter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Final, Protocol, runtime_checkable
from urllib.parse import urlsplit

from providers.types import (
    Heads,
    Outcome,
    Receipt,
    RunnerSupport,
    Snapshot,
    Statement,
    Survey,
    Target,
)

#: A place for shadows: the server of the target itself.
ON_TARGET: Final = "target"


class Session(ABC):
    """One open connection to one target, never shared between tasks.

    After `ConnectionLostError` the session is dead: open another.
    """

    @abstractmethod
    async def heads(self) -> Heads:
        """Return the revisions in the version table; `BASE` where it is empty or missing.

        Never creates anything on the target.

        Raises:
            AccessDeniedError: The version table may not be read.
            StatementError: What has its name is no version table.
            ConnectionLostError: The session died; nothing was changed.
        """

    @abstractmethod
    async def server_major(self) -> str:
        """Return the server's major version, as far as the SQL that it takes depends on it.

        Such as ``"15"``; empty where the database has no such thing.

        Raises:
            ConnectionLostError: The session died; nothing was changed.
        """

    @abstractmethod
    def lock(self, *, wait: timedelta) -> AbstractAsyncContextManager[None]:
        """Hold the target's migration lock, on this very session, for the block.

        Where the database has no such lock this does nothing: the lease in the
        control database is then the guard.

        Raises:
            LockBusyError: Somebody else held the lock for all of *wait*.
            ConnectionLostError: The session died, and any lock of it with it; raised at
                the end of the block too, where the block itself ended well.
        """

    @abstractmethod
    async def execute(self, statement: Statement, *, ticket: str) -> Receipt:
        """Send *statement* once, marked with *ticket*; it commits by itself.

        Raises:
            StatementError: The database refused it; it had no effect.
            ConnectError, AccessDeniedError: It was not taken; it had no effect.
            ConnectionLostError: No reply; ask `resolve` on a new session.
        """

    @abstractmethod
    async def resolve(self, statement: Statement, *, ticket: str) -> Outcome:
        """Tell what became of a statement whose reply was lost; never a guess.

        Raises:
            ConnectionLostError: The session died; nothing was changed.
        """

    @abstractmethod
    async def stamp(self, *, before: Heads, after: Heads) -> None:
        """Replace *before* by *after* in the version table, and read it back.

        Creates the version table where it is missing.

        Raises:
            StampConflictError: The table did not hold exactly *before*; unchanged.
            StatementError: The database refused; unchanged.
            ConnectError, AccessDeniedError: It was not taken; unchanged.
            ConnectionLostError: No reply; `heads` under the lock tells.
        """


class Provider(ABC):
    """One kind of database. One instance per process."""

    dialect: ClassVar[str]  #: the SQL that its targets take; see `providers.registry.DIALECTS`

    #: How long the clock leaves a target unlooked at when nothing calls for a look: where
    #: looking costs money, longer than the time from one sweep to the next.
    rest: ClassVar[timedelta] = timedelta(0)

    #: folder of a package with ``install``, ``rehearse`` and ``survey``: what Alembic has to know
    #: of the dialect; None: Alembic knows it. See `sync.plan.runner.extension`.
    extension: ClassVar[Path | None] = None

    #: Whether a session costs for as long as it is open, so that its time is put on record.
    metered: ClassVar[bool] = False

    @abstractmethod
    def open(self, target: Target) -> AbstractAsyncContextManager[Session]:
        """Open a session on *target*, and close it after the block.

        Raises:
            StartingError: The server is starting, which may take minutes; nothing was sent.
            ConnectError: Not reachable; nothing was sent, so trying again is safe.
            AccessDeniedError: Credentials or privileges; do not try again.
        """

    async def runner_support(self, target: Target) -> RunnerSupport:  # noqa: ARG002 - for adapters
        """Return what a runner needs to migrate *target* as this provider would, now.

        Raises:
            ConnectError, AccessDeniedError: There are no credentials for it; see `open`.
        """
        return RunnerSupport(extension=self.extension)

    def address(self, target: Target) -> str:
        """Return where *target*'s database is, with nothing that signs in; nothing is opened.

        Equal for URLs that lead to one database, as far as a URL tells. Schemas are not part of
        it where the target names them.

        Raises:
            ValueError: The URL cannot be read.
        """
        parts = urlsplit(target.url)
        return parts.netloc.rpartition("@")[2].lower() + parts.path

    async def aclose(self) -> None:
        """Release what outlives a session. Safe to call twice."""
        return


@runtime_checkable
class Transactional(Protocol):
    """Optional ability of a session: DDL rolls back."""

    async def apply(self, block: Sequence[Statement], *, before: Heads, after: Heads) -> None:
        """Run *block* in one transaction with its guard and its stamp; all or nothing.

        The guard holds the version rows and requires them to equal *before*.

        Raises:
            StampConflictError: The guard found other heads; nothing was changed.
            ContentionError: Another session was in the way; nothing was changed. The same may
                be applied again.
            StatementError: One statement failed (it is named); nothing was changed.
            ConnectionLostError: No reply to COMMIT; `heads` under the lock tells.
        """
        ...


@runtime_checkable
class Repairing(Protocol):
    """Optional ability of a session: to take away what a statement left behind that failed.

    Where a statement can fail half-way although nothing of it took effect.
    """

    async def remains(self, statement: Statement) -> tuple[Statement, ...]:
        """Return what has to be sent before *statement*, of which an earlier try has failed.

        Empty where nothing is left. Only ask it of a statement that was sent here: nobody can
        tell its remains from those of somebody else.

        Raises:
            ConnectionLostError: The session died; nothing was changed.
        """
        ...


@runtime_checkable
class Fingerprinting(Protocol):
    """Optional ability of a session: drift can be seen."""

    async def fingerprint(self) -> str:
        """Return a stable hash of the live schema, version table excluded.

        It is the hash of what `snapshot` returns, made by the server where that is less work.

        Raises:
            StatementError: A table was locked for longer than the target's `lock_timeout`.
            AccessDeniedError: The catalog may not be read.
            ConnectionLostError: The session died; nothing was changed.
        """
        ...

    async def snapshot(self) -> Snapshot:
        """Return the live schema itself, version table excluded, so that drift can be read.

        Raises:
            StatementError: A table was locked for longer than the target's `lock_timeout`.
            AccessDeniedError: The catalog may not be read.
            ConnectionLostError: The session died; nothing was changed.
        """
        ...


@runtime_checkable
class Surveying(Protocol):
    """Optional ability of a provider: to tell the heads of all targets in a database at once.

    It only reads, so it may do that on a connection that was open already. Nothing else is
    ever done on such a connection: a session is always a new one.
    """

    #: Whether its sessions are `Fingerprinting`; else a survey tells all that can be seen.
    fingerprints: ClassVar[bool]

    def place(self, target: Target) -> Hashable:
        """Return what is equal for those targets alone that one survey can be about."""
        ...

    async def survey(self, targets: Sequence[Target]) -> Survey:
        """Return the heads of *targets*, which share their place; see `Session.heads`.

        Whose heads cannot be read is left out, and the others are told; a survey of that target
        alone, or its session, says why.

        Raises:
            StartingError, ConnectError, AccessDeniedError: As `Provider.open`; what holds for
                the target that is named holds for all of them.
            ConnectionLostError: The connection died; nothing was changed.
        """
        ...


@runtime_checkable
class Versioning(Protocol):
    """Optional ability of a session: each table has versions, and an older one can be restored."""

    async def versions(self, words: Collection[str] | None) -> Mapping[str, int | None]:
        """Return the newest version of each table of the target's schema that *words* make up.

        The version table is among them, always; with None all are. *words* are in lower case,
        tables are named as SQL names them, in full. A version is None where a table has none, or
        it may not be read.

        Raises:
            AccessDeniedError, StatementError: Its tables cannot be listed.
            ConnectionLostError: The session died; nothing was changed.
        """
        ...


@runtime_checkable
class Listing(Protocol):
    """Optional ability of a session: to tell which schemas and databases there are beside it.

    What belongs to the system, and what new databases are copied from, is never among them,
    whatever is asked. Each of them raises:

        StatementError: The database refused the query; nothing was changed.
        AccessDeniedError: What is asked for may not be read.
        ConnectionLostError: The session died; nothing was changed.
    """

    async def schemas(self, like: str) -> tuple[str, ...]:
        """Return the schemas of this database whose names are LIKE *like*, in order.

        As in SQL: ``%`` stands for any text, ``_`` for any character, and a backslash takes
        the meaning of what follows. Case counts.
        """
        ...

    async def schemas_of(self, query: str) -> tuple[str, ...]:
        """Return the names of schemas that *query* gives, as it gives them: be it twice.

        It runs where it can change nothing.

        Raises:
            ConfigError: Its result is not one column of text without NULL.
        """
        ...

    async def databases(self, like: str) -> tuple[str, ...]:
        """Return the databases of this server whose names are LIKE *like*; see `schemas`."""
        ...

    async def databases_of(self, query: str) -> tuple[str, ...]:
        """Return the names of databases that *query* gives; see `schemas_of`."""
        ...


@runtime_checkable
class Spanning(Protocol):
    """Optional ability of a provider: a server holds several databases, and a URL names one."""

    def in_database(self, target: Target, database: str) -> Target:
        """Return *target* in another database of its server; nothing is opened."""
        ...


@runtime_checkable
class Warming(Protocol):
    """Optional ability of a provider: connections of surveys stay open for the next survey.

    Sessions know nothing of it: what anything was done on is closed. A connection that died
    while nobody used it is replaced, and nobody notices.
    """

    def keep_warm(self, most: int, idle: timedelta) -> None:
        """From now on keep up to *most* connections, each until nobody wanted it for *idle*.

        Without this call none is kept. `Provider.aclose` closes them.
        """
        ...


@runtime_checkable
class Shadowing(Protocol):
    """Optional ability of a provider: throwaway databases to compile plans on."""

    def shadow(
        self, target: Target, place: str | None, *, major: str
    ) -> AbstractAsyncContextManager[Target]:
        """Create an empty database like *target*'s, and drop it after the block.

        What is given to the block is *target* with another name and the URL of the new
        database, which has the target's schemas, empty. Its `Target.provider` says who opens
        it, which may be another one. *target* itself is not opened.

        Args:
            target: What the shadow is for.
            place: The URL of a server on which databases may be created; `ON_TARGET` for the
                target's own; None where the provider shall find one by itself.
            major: The target's, as `Session.server_major` told it.

        Raises:
            ShadowError: There is no place for one, or the place is not fit: another major
                version than the target's, not allowed to create databases, or not empty.
            ConnectError, AccessDeniedError: The place is not reachable.
        """
        ...
