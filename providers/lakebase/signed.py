"""From what was minted to what Postgres drivers take: a URL, and TLS that verifies everything."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from importlib import import_module
from urllib.parse import quote, urlencode

from providers.lakebase.address import Address
from providers.lakebase.grants import Grant
from providers.workspace.login import host_in


def postgres_url(place: Address, grant: Grant) -> str:
    """Return the URL that logs in with *grant*; TLS is up to `environment`."""
    user, password = quote(grant.role, ""), quote(grant.password, "")
    host, database = f"{host_in(grant.host)}:{place.port}", quote(place.database, "")
    return f"{place.scheme}://{user}:{password}@{host}/{database}"


def verified_url(place: Address, grant: Grant) -> str:
    """Return the same URL with TLS in it, as asyncpg itself reads it."""
    options = {"sslmode": "verify-full", "sslrootcert": _authorities(place)}
    return f"{postgres_url(place, grant)}?{urlencode(options)}"


def environment(place: Address) -> Mapping[str, str]:
    """Return the variables that have any driver of Postgres verify certificate and host name.

    Options of a URL would not do: SQLAlchemy hands them on, and drivers differ in their names.
    """
    return {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": _authorities(place)}


def _authorities(place: Address) -> str:
    """Return a file with certificate authorities: libpq knows no system's, and wants one."""
    return place.roots or ssl.get_default_verify_paths().cafile or import_module("certifi").where()
