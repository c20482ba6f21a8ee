"""Looks at what CREATE INDEX CONCURRENTLY left behind: it is not undone when it fails."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from asyncpg import Connection

_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_CREATE_CONCURRENTLY = re.compile(
    r"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?P<tolerant>IF\s+NOT\s+EXISTS\s+)?"
    rf"(?P<name>{_NAME})\s+ON\s+(?:ONLY\s+)?(?P<table>{_NAME}(?:\s*\.\s*{_NAME})*)",
    re.IGNORECASE,
)

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


def concurrent_index(sql: str) -> ConcurrentIndex | None:
    """Return the index that *sql* builds concurrently; None where it builds none, or unnamed."""
    found = _CREATE_CONCURRENTLY.match(sql)
    if found is None:
        return None
    return ConcurrentIndex(found["name"], found["table"], found["tolerant"] is not None)


async def index_state(connection: Connection, index: ConcurrentIndex) -> IndexState:
    """Return how *index* stands now."""
    return IndexState(await connection.fetchval(_STATE, index.name, index.table))
