"""Reads a live schema from the catalog, object by object, or hashes it on the server.

What is read is what ``pg_dump --schema-only`` shows, with these exceptions: owners and
privileges are left out, as a fleet has different names of roles; so are user mappings, which
name roles, and what of a subscription only superusers may read. Objects of extensions are left
out too; the extensions are told with their versions. Of a target with a schema of its own, only
what lies in that schema is read, the schema's own name left out: two schemas of one shape are
equal. The text of a function is text, and may name the schema still.

Names in a definition depend on the search path at the time when it is written, names in our
query on the search path at the time when that is read. So the query is declared as a cursor
with nothing but pg_catalog on the path, and fetched with the target's schema before it: no
object of that schema can take the place of one that the query means, and none of pg_catalog
that of one that a definition means. It is one message, hence one transaction, which ends with
it; the cursor outlives it with the rows and nothing else.
"""

# ruff: noqa: S608 - what a target says is put into it as literals and quoted names

from __future__ import annotations

from asyncpg import Connection, Record

from providers.postgres.catalog_others import (
    DATABASE_QUERIES,
    RARE_QUERIES,
    SCHEMA_QUERIES,
    rare_database_queries,
)
from providers.postgres.catalog_tables import RARE_TABLE_QUERIES, table_queries
from providers.postgres.catalog_types import RARE_TYPE_QUERIES, not_member, type_queries
from providers.postgres.sql import identifier, literal, version_table
from providers.postgres.versions import local_limits
from providers.snapshot import snapshot_of
from providers.types import Snapshot, Target

# Whatever the server writes, it shall write the same way in every session.
_SETTINGS = """
    SET LOCAL quote_all_identifiers = off; SET LOCAL standard_conforming_strings = on;
    SET LOCAL DateStyle = 'ISO, MDY'; SET LOCAL IntervalStyle = 'postgres';
    SET LOCAL TimeZone = 'UTC'; SET LOCAL lc_monetary = 'C'; SET LOCAL bytea_output = 'hex';
    SET LOCAL extra_float_digits = 1; SET LOCAL xmlbinary = 'base64';
    SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather = 0;
    SET LOCAL cursor_tuple_fraction = 1;
    SET LOCAL search_path = pg_catalog, pg_temp;
"""

#: Carries what the session itself understands by the name of the version table.
_VERSION_TABLE = "levelhead.version_table"

_CURSOR = "levelhead_catalog"

_UNION = "\nUNION ALL\n"

_ALL_SPACES = f"""
    SELECT n.oid, n.nspname, quote_ident(n.nspname) || '.' AS prefix
      FROM pg_namespace n
     WHERE left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'
       AND {not_member("pg_namespace", "n.oid")}
"""

_SPACE = "SELECT n.oid, n.nspname, '' AS prefix FROM pg_namespace n WHERE n.nspname"

_BEFORE = """
    WITH members AS MATERIALIZED (
        SELECT classid, objid FROM pg_depend
         WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
    ), spaces AS MATERIALIZED (
        {spaces}
    ), relations AS MATERIALIZED (
        SELECT c.oid::regclass::text AS name, c.*
          FROM spaces s JOIN pg_class c ON c.relnamespace = s.oid
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
           AND c.oid <> (SELECT current_setting('{version_table}')::oid)
           AND {own_relation} AND {own_type}
    ), objects (class, id, sub, kind, name, definition) AS MATERIALIZED (
"""

# A new database has a comment on its schema public. And where a varchar is compared with a
# list, one cast of the list becomes one of each of its items when a dump is restored: the
# same to Postgres, so both are told without.
_AFTER = """
    ), notes AS MATERIALIZED (
        SELECT class, id, sub, string_agg(told, '' ORDER BY told COLLATE "C") AS told
          FROM (SELECT classoid, objoid, objsubid, ', comment ' || quote_literal(description)
                  FROM pg_description
                 WHERE objoid >= 16384
                    OR objoid = (SELECT oid FROM pg_namespace WHERE nspname = 'public')
                       AND classoid = 'pg_namespace'::regclass
                       AND description <> 'standard public schema'
                 UNION ALL
                SELECT classoid, objoid, objsubid,
                       concat(', label ', provider, ' ', quote_literal(label))
                  FROM pg_seclabel
                 UNION ALL
                SELECT d.classid, d.objid, 0, ', depends on extension ' || quote_ident(e.extname)
                  FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
                 WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'x'
               ) AS each (class, id, sub, told)
         GROUP BY class, id, sub
    ), told AS (
        SELECT o.kind || ' ' || o.name AS name,
               CASE WHEN o.kind NOT IN ('function', 'procedure')
                     AND strpos(o.definition, ' (ARRAY[') > 0
                    THEN replace(replace(o.definition,
                         '''::character varying::text', '''::character varying'),
                         '''::character varying]::text[]', '''::character varying]')
                    ELSE o.definition END || coalesce(n.told, '') AS definition
          FROM objects o
          LEFT JOIN notes n ON n.class = o.class AND n.id = o.id AND n.sub = o.sub
    )
"""

# Planning the queries for rare things would take as long as all the rest. Nearly all of those
# things depend on something.
_RARE_DEPENDENTS = """EXISTS (
    SELECT FROM pg_depend WHERE objid >= 16384 AND classid IN (
        'pg_policy'::regclass, 'pg_statistic_ext'::regclass, 'pg_operator'::regclass,
        'pg_opfamily'::regclass, 'pg_opclass'::regclass, 'pg_collation'::regclass,
        'pg_conversion'::regclass, 'pg_ts_parser'::regclass, 'pg_ts_template'::regclass,
        'pg_ts_dict'::regclass, 'pg_ts_config'::regclass, 'pg_transform'::regclass,
        'pg_event_trigger'::regclass))"""

_RARE_LONERS = "".join(
    f" OR EXISTS (SELECT FROM {catalog})"
    for catalog in (
        "pg_cast WHERE oid >= 16384",
        "pg_language WHERE oid >= 16384",
        "pg_am WHERE oid >= 16384",
        "pg_foreign_data_wrapper",
        "pg_publication",
        "pg_subscription WHERE subname <> ''",  # not everybody may read its oid
    )
)

_ROWS = "SELECT name, definition FROM told WHERE definition IS NOT NULL"

# The same as `snapshot_of` makes of the rows. No backslash is in it: what that means is a
# setting that is read before ours are made.
_HASH = f"""
    SELECT encode(sha256(coalesce(string_agg(name || zero || definition || zero, ''
                                             ORDER BY name), '')), 'hex')
      FROM (SELECT convert_to(name, 'UTF8') AS name, convert_to(definition, 'UTF8') AS definition
              FROM ({_ROWS}) AS rows) AS bytes,
           decode('00', 'hex') AS zero
"""


async def read_fingerprint(connection: Connection, target: Target) -> str:
    """Return the hash of the target's schema, made by the server."""
    (row,) = await _fetch(connection, target, _HASH)
    return str(row[0])


async def read_snapshot(connection: Connection, target: Target) -> Snapshot:
    """Return the target's schema, object by object."""
    rows = await _fetch(connection, target, _ROWS)
    return snapshot_of(dict(rows))


async def _fetch(connection: Connection, target: Target, query: str) -> list[Record]:
    major = connection.get_server_version().major
    await connection.execute(_message(target, major, query))
    rows: list[Record] = await connection.fetch(f"FETCH ALL FROM {_CURSOR}")
    await connection.execute("CLOSE ALL")
    return rows


def _message(target: Target, major: int, query: str) -> str:
    """Return SQL that leaves a cursor with the rows of *query*, and nothing else."""
    return ";\n".join(
        [
            "CLOSE ALL",  # a call that was broken off may have left it
            _know_version_table(target),
            local_limits(target),
            _SETTINGS,
            f"DO {literal(_declaration(target, major, query))}",
            f"SET LOCAL search_path = {_path(target)}",
        ]
    )


def _know_version_table(target: Target) -> str:
    table = literal(version_table(target))
    return (
        f"SELECT pg_catalog.set_config('{_VERSION_TABLE}', coalesce("
        f"pg_catalog.to_regclass({table})::pg_catalog.oid::pg_catalog.text, '0'), true)"
    )


def _path(target: Target) -> str:
    own = "" if target.schema is None else f"{identifier(target.schema)}, "
    return f"{own}pg_catalog, pg_temp"


def _declaration(target: Target, major: int, query: str) -> str:
    begin = f"DECLARE {_CURSOR} NO SCROLL CURSOR WITH HOLD FOR {_before(target)}"
    usual, rare = _queries(target, major)
    return f"""BEGIN EXECUTE {literal(begin + _UNION.join(usual))}
        || CASE WHEN {_has_rare(target)} THEN {literal(_UNION + _UNION.join(rare))} ELSE '' END
        || {literal(_AFTER + query)}; END"""


def _before(target: Target) -> str:
    whole = target.schema is None
    return _BEFORE.format(
        spaces=_ALL_SPACES if whole else f"{_SPACE} = {literal(str(target.schema))}",
        version_table=_VERSION_TABLE,
        own_relation=not_member("pg_class", "c.oid"),
        own_type=not_member("pg_type", "c.reltype"),
    )


def _queries(target: Target, major: int) -> tuple[list[str], list[str]]:
    """Return the queries for what most schemas hold, and those for the rest."""
    usual = [*table_queries(major), *type_queries(major)]
    rare = [*RARE_TABLE_QUERIES, *RARE_TYPE_QUERIES, *RARE_QUERIES]
    if target.schema is None:
        return [*usual, *DATABASE_QUERIES], [*rare, *rare_database_queries(major)]
    return [*usual, *SCHEMA_QUERIES], rare


def _has_rare(target: Target) -> str:
    return _RARE_DEPENDENTS + (_RARE_LONERS if target.schema is None else "")
