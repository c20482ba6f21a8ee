"""What tells one version table from another, however its URL is spelled."""

from __future__ import annotations

from sqlalchemy.engine import URL

from providers.types import Target
from sync.settings.values import parse_url

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS = {"databricks": "443", "postgresql": "5432"}

#: The database of a URL that names none, where it is not that of the user's name.
_DATABASES = {"databricks": "", "lakebase": "databricks_postgres"}

#: Where names of schemas are the same in any case.
_FOLDED = frozenset({"databricks"})


def version_table_of(target: Target) -> tuple[str | None, ...]:
    """Return what two targets with the same version table have in common, and no others."""
    url = parse_url(target.url)
    within = target.version_table_schema or target.schema or parameter(url, "schema")
    if url.get_backend_name() in _FOLDED:
        return (*_place(url), within.lower(), target.version_table.lower())
    return (*_place(url), within, target.version_table)


def place_of(target: Target) -> tuple[str | None, ...]:
    """Return the server and database of a target: nothing secret is in it."""
    return _place(parse_url(target.url))


def _place(url: URL) -> tuple[str | None, ...]:
    dialect = url.get_backend_name()
    host = parameter(url, "host") or (url.host or "localhost").lower()
    port = (
        parameter(url, "port")
        or parameter(url, "_port")
        or str(url.port or _PORTS.get(dialect, ""))
    )
    return (
        dialect,
        "localhost" if host in _LOOPBACK else host,
        port,
        url.database or _DATABASES.get(dialect, url.username),
        parameter(url, "catalog").lower(),
        parameter(url, "instance") or parameter(url, "endpoint"),
    )


def parameter(url: URL, name: str) -> str:
    """Return what the query of *url* says; empty where it does not."""
    return ",".join(url.normalized_query.get(name, ()))
