"""Values that cross the provider boundary: frozen, driver-free, without behaviour."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

#: The rows of a version table: several where the history has branches.
Heads: TypeAlias = frozenset[str]

#: No revision applied: the version table is empty or missing.
BASE: Heads = frozenset()


class Policy(StrEnum):
    """What the clock may do to a target."""

    APPLY = "apply"  #: check it and apply what is pending
    APPROVE = "approve"  #: check it; nobody applies a plan that nobody approved
    OBSERVE = "observe"  #: check it; only a person applies
    OFF = "off"  #: leave it alone altogether


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One database, or one schema of it, that levelhead keeps at head of one history."""

    name: str  #: unique; the key in every run and event
    history: str  #: name of the history it follows
    dialect: str  #: SQLAlchemy dialect name without driver: the SQL that it takes
    url: str = field(repr=False)  #: may hold a password: never logged, stored or shown
    schema: str | None = None  #: None: whatever the server's search path says
    version_table: str = "alembic_version"
    version_table_schema: str | None = None  #: None: `schema`, else the search path
    tenants: str | None = None  #: the pattern that it was found by; None: it is named itself
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    provider: str | None = None  #: who opens it; None: the one with the dialect's name
    policy: Policy = Policy.APPLY
    check_every: timedelta | None = None  #: None: as often as its provider says
    connect_timeout: timedelta = timedelta(seconds=10)
    start_wait: timedelta = timedelta(minutes=5)  #: patience of a run for a server that starts
    lock_wait: timedelta = timedelta(seconds=30)  #: patience for the migration lock
    lock_timeout: timedelta = timedelta(seconds=5)  #: patience for one table lock
    statement_timeout: timedelta = timedelta(0)  #: zero: no limit


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement, exactly as it is sent: literal, without parameters."""

    sql: str
    transactional: bool = True  #: False where it must stand outside a transaction


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the database reported about a statement that succeeded."""

    ticket: str
    elapsed: timedelta
    remote_id: str | None = None  #: the database's own id for it; None where it has none


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSupport:
    """What a runner needs to migrate a target as its provider would."""

    #: for SQLAlchemy's ``connect_args``, beyond what the URL says; may hold secrets
    connect_arguments: Mapping[str, object] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )
    #: what its connections are made with instead of the target's; None: the target's own
    url: str | None = field(default=None, repr=False)
    #: variables that a driver reads by itself; they win over the history's
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    #: what must never be seen anywhere, beside the password in *url*
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    #: gives a token that is valid now, for each of its requests; None: what it has is enough
    renew: Callable[[], Awaitable[str]] | None = field(default=None, repr=False)
    #: folder of a package with ``install`` and ``rehearse``; see `sync.plan.runner.extension`
    extension: Path | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """What one look at a database told of many targets in it."""

    major: str  #: of the server, as `Session.server_major` tells
    heads: Mapping[str, Heads]  #: name of the target -> its heads; not of those it could not read


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A live schema, object by object, in words that a person can compare."""

    #: kind, a space, name -> what it is, as in ``"column users.email"``: ``"text not null"``
    objects: Mapping[str, str]
    fingerprint: str  #: hash of *objects*, as `Fingerprinting.fingerprint` returns it


class Outcome(StrEnum):
    """What became of a statement whose reply never arrived."""

    APPLIED = "applied"
    ABSENT = "absent"
    RUNNING = "running"  #: it goes on, and has no outcome yet: ask again later
    UNKNOWN = "unknown"  #: nobody can tell; a person must look
