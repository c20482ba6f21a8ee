"""Reads version tables: one, or all of many targets in one message to the server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache

from asyncpg import Connection
from asyncpg import exceptions as pg

from providers.postgres.sql import literal, version_table
from providers.types import BASE, Heads, Target

#: Version tables of one message. Each is locked (ACCESS SHARE) until all of them are read, and
#: a server has room for a few thousand locks.
AT_ONCE = 1000

#: How the server tells what it read: a DO block returns nothing.
_SETTING = "levelhead.heads"

# A block of its own for each table keeps what is wrong with one from the others, and costs no
# more than reading without. Where somebody holds a table, the others do not wait for long.
_BODY = """
    DECLARE
        names CONSTANT text[] := ARRAY[{names}]::text[];
        told text[] := '{{}}';
        head text;
        heads text;
    BEGIN
        PERFORM set_config('lock_timeout', '10ms', true);
        FOR place IN 1..cardinality(names) LOOP
            BEGIN
                EXECUTE 'SELECT version_num FROM ' || names[place] INTO STRICT head;
                heads := '[' || to_json(head) || ']';
            EXCEPTION
                WHEN no_data_found THEN
                    heads := '[]';
                WHEN too_many_rows THEN
                    EXECUTE 'SELECT json_agg(version_num) FROM ' || names[place] INTO heads;
                WHEN undefined_table THEN
                    heads := CASE WHEN to_regclass(names[place]) IS NULL THEN '[]' END;
                WHEN OTHERS THEN
                    heads := NULL;
            END;
            told := told || coalesce(heads, 'null');
        END LOOP;
        PERFORM set_config('{setting}', '[' || array_to_string(told, ',') || ']', false);
    END
"""


async def is_there(connection: Connection, target: Target) -> bool:
    """Tell whether *target* has a version table."""
    query = "SELECT to_regclass($1) IS NOT NULL"
    return bool(await connection.fetchval(query, version_table(target)))


async def read_heads(connection: Connection, target: Target) -> Heads:
    """Return the rows of *target*'s version table, which may be missing."""
    if not await is_there(connection, target):
        return BASE
    return await read_known(connection, target)


async def read_known(connection: Connection, target: Target) -> Heads:
    """Do as `read_heads` where the version table was there a moment ago, in one query."""
    query = f"SELECT version_num FROM {version_table(target)}"  # noqa: S608 - the name is quoted
    try:
        return frozenset(row[0] for row in await connection.fetch(query))
    except pg.UndefinedTableError:
        if await is_there(connection, target):
            raise  # it is a view of something that is not there
        return BASE


async def read_many(connection: Connection, targets: Sequence[Target]) -> Mapping[str, Heads]:
    """Return the heads by name of up to `AT_ONCE` targets; what cannot be read is left out."""
    names = ", ".join(literal(version_table(target)) for target in targets)
    body = literal(_BODY.format(names=names, setting=_SETTING))
    await connection.execute(f"SET statement_timeout = 0; DO {body}")
    told = json.loads(await connection.fetchval(f"SELECT current_setting('{_SETTING}')"))
    found = zip(targets, told, strict=True)
    return {target.name: _heads(*one) for target, one in found if one is not None}


@lru_cache(AT_ONCE)
def _heads(*revisions: str) -> Heads:
    """Return one object for equal heads: most targets stand at the same."""
    return frozenset(revisions)
