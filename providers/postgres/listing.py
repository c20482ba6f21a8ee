"""Which schemas and databases there are, but for those of the server itself."""

from __future__ import annotations

from collections.abc import Iterable

from asyncpg import Connection

from providers.names import need_one_column, need_texts

#: Databases that a server, or whoever hosts it, keeps for itself.
SYSTEM_DATABASES = frozenset(
    {"azure_maintenance", "azure_sys", "cloudsqladmin", "postgres", "rdsadmin"}
)

#: How the names of shadows begin: they are nobody's tenants.
SHADOWS = "levelhead_shadow_"

_SCHEMAS = 'SELECT nspname FROM pg_namespace WHERE nspname LIKE $1 ORDER BY nspname COLLATE "C"'
_DATABASES = """
    SELECT datname FROM pg_database
     WHERE datname LIKE $1 AND datallowconn AND NOT datistemplate
     ORDER BY datname COLLATE "C"
"""
_CLOSED = """
    SELECT datname FROM pg_database
     WHERE datname = ANY($1) AND (datistemplate OR NOT datallowconn)
"""


async def schemas(connection: Connection, like: str) -> tuple[str, ...]:
    """Return the schemas whose names are LIKE *like*, in order."""
    return named(row[0] for row in await connection.fetch(_SCHEMAS, like))


async def databases(connection: Connection, like: str) -> tuple[str, ...]:
    """Return the databases whose names are LIKE *like*, in order."""
    return tuple(filter(is_own, (row[0] for row in await connection.fetch(_DATABASES, like))))


async def owned(connection: Connection, found: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the databases *found* that are not the server's own."""
    closed = {row[0] for row in await connection.fetch(_CLOSED, list(found))}
    return tuple(name for name in found if is_own(name) and name not in closed)


def named(found: Iterable[str]) -> tuple[str, ...]:
    """Return those of the schemas *found* that are not the server's own."""
    return tuple(
        name for name in found if not name.startswith("pg_") and name != "information_schema"
    )


def is_own(database: str) -> bool:
    """Tell whether a database is neither the server's nor a shadow."""
    return database not in SYSTEM_DATABASES and not database.startswith(SHADOWS)


async def texts_of(connection: Connection, query: str, target: str) -> tuple[str, ...]:
    """Return the texts that *query* gives; it runs in a transaction that only reads.

    Raises:
        ConfigError: Its result is not one column of text without NULL.
    """
    async with connection.transaction(readonly=True):
        prepared = await connection.prepare(query)
        need_one_column([column.name for column in prepared.get_attributes()], target)
        return need_texts([row[0] for row in await prepared.fetch()], target)
