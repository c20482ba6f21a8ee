"""Looks at what commands on indexes left behind that run concurrently.

They are several transactions, so that they are not undone when they fail: an index stays
that is INVALID. No query uses it, but every write pays for it, and its name is taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from asyncpg import Connection

from providers.types import Outcome

_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_CREATE_CONCURRENTLY = re.compile(
    r"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?P<tolerant>IF\s+NOT\s+EXISTS\s+)?"
    rf"(?P<name>{_NAME})\s+ON\s+(?:ONLY\s+)?(?P<table>{_NAME}(?:\s*\.\s*{_NAME})*)",
    re.IGNORECASE,
)

_DROP_CONCURRENTLY = re.compile(
    rf"\s*DROP\s+INDEX\s+CONCURRENTLY\s+(?P<tolerant>IF\s+EXISTS\s+)?"
    rf"(?P<name>{_NAME}(?:\s*\.\s*{_NAME})?)",
    re.IGNORECASE,
)
_CONCURRENTLY = re.compile(r"\s*(?:CREATE|REINDEX)\b.*\bCONCURRENTLY\b", re.IGNORECASE | re.DOTALL)

# An index lives in the schema of its table, which need not be on the search path.
_STATE = """
    SELECT CASE WHEN t.oid IS NULL THEN 'hidden'
                WHEN i.indexrelid IS NULL THEN 'missing'
                WHEN i.indisvalid THEN 'valid'
                ELSE 'invalid' END
      FROM (SELECT to_regclass($2)::oid) AS asked (oid)
      LEFT JOIN pg_class t ON t.oid = asked.oid
      LEFT JOIN pg_class c ON c.relnamespace = t.relnamespace
                          AND c.relname = (parse_ident($1))[1]
      LEFT JOIN pg_index i ON i.indexrelid = c.oid
"""


_DROPPED_STATE = """
    SELECT CASE WHEN i.indexrelid IS NULL THEN 'missing'
                WHEN i.indisvalid THEN 'valid'
                ELSE 'invalid' END
      FROM (SELECT to_regclass($1)::oid) AS asked (oid)
      LEFT JOIN pg_index i ON i.indexrelid = asked.oid
"""

# Of sessions of others, one may be told no more than that they are building something.
_IS_BEING_BUILT = """
    SELECT EXISTS (SELECT FROM pg_stat_progress_create_index p
                    WHERE p.datid = (SELECT oid FROM pg_database WHERE datname = current_database())
                      AND coalesce(p.index_relid = i.indexrelid, true))
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
     WHERE t.oid = to_regclass($2) AND c.relname = (parse_ident($1))[1]
"""
_QUALIFIED = """
    SELECT format('%I.%I', n.nspname, (parse_ident($1))[1])
      FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
     WHERE t.oid = to_regclass($2)
"""
_INVALID = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1"


class IndexState(StrEnum):
    """How an index stands."""

    MISSING = "missing"
    VALID = "valid"
    INVALID = "invalid"  #: a build was broken off, or is still going on
    HIDDEN = "hidden"  #: its table cannot be found from here


@dataclass(frozen=True, slots=True)
class ConcurrentIndex:
    """The index that a CREATE INDEX CONCURRENTLY makes."""

    name: str  #: as written
    table: str  #: as written
    tolerant: bool  #: IF NOT EXISTS: an index of that name is no error


@dataclass(frozen=True, slots=True)
class DroppedIndex:
    """The index that a DROP INDEX CONCURRENTLY takes away."""

    name: str  #: as written
    tolerant: bool  #: IF EXISTS: that there is none is no error


def dropped_index(sql: str) -> DroppedIndex | None:
    """Return the index that *sql* drops concurrently; None where it drops none."""
    found = _DROP_CONCURRENTLY.match(sql)
    return DroppedIndex(found["name"], found["tolerant"] is not None) if found else None


def concurrent_index(sql: str) -> ConcurrentIndex | None:
    """Return the index that *sql* builds concurrently; None where it builds none, or unnamed."""
    found = _CREATE_CONCURRENTLY.match(sql)
    if found is None:
        return None
    return ConcurrentIndex(found["name"], found["table"], found["tolerant"] is not None)


async def index_state(connection: Connection, index: ConcurrentIndex) -> IndexState:
    """Return how *index* stands now."""
    return IndexState(await connection.fetchval(_STATE, index.name, index.table))


async def is_dropped(connection: Connection, index: DroppedIndex) -> Outcome:
    """Tell what became of DROP INDEX CONCURRENTLY, which runs no more.

    Broken off it leaves an INVALID index, and can be sent again as it is. An index that is
    missing may have been missing before: that matters unless it is tolerated.
    """
    state = IndexState(await connection.fetchval(_DROPPED_STATE, index.name))
    if state is not IndexState.MISSING:
        return Outcome.ABSENT
    return Outcome.APPLIED if index.tolerant else Outcome.UNKNOWN


async def is_created(connection: Connection, index: ConcurrentIndex) -> Outcome:
    """Tell what became of CREATE INDEX CONCURRENTLY, which runs no more.

    A valid index may be older than the statement: that matters unless it is tolerated.
    """
    state = await index_state(connection, index)
    if state is IndexState.MISSING or (
        state is IndexState.INVALID and not await is_being_built(connection, index)
    ):
        return Outcome.ABSENT
    certain = state is IndexState.VALID and index.tolerant
    return Outcome.APPLIED if certain else Outcome.UNKNOWN


async def is_being_built(connection: Connection, index: ConcurrentIndex) -> bool:
    """Tell whether some session may be building *index* at this moment."""
    return bool(await connection.fetchval(_IS_BEING_BUILT, index.name, index.table))


async def removal(connection: Connection, index: ConcurrentIndex) -> str | None:
    """Return SQL that drops what is left of *index*; None where nothing is left to drop."""
    if await index_state(connection, index) is not IndexState.INVALID:
        return None
    if await is_being_built(connection, index):
        return None
    name = await connection.fetchval(_QUALIFIED, index.name, index.table)
    return f"DROP INDEX CONCURRENTLY IF EXISTS {name}"


async def left_invalid(connection: Connection, sql: str) -> list[str]:
    """Return the INVALID indexes that a failed *sql* may have left; it did not say their names.

    REINDEX CONCURRENTLY builds under another name (``_ccnew``), and so does Postgres for an
    index without one.
    """
    if _CONCURRENTLY.match(sql) is None:
        return []
    return [row[0] for row in await connection.fetch(_INVALID)]
