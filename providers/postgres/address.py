"""Reads the database URL: what asyncpg gets of it, and what an error may show of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

#: Options of libpq and of SQLAlchemy that asyncpg would send on as server settings.
_NOT_FOR_THE_SERVER = frozenset(
    {
        "async_fallback",
        "channel_binding",
        "connect_timeout",
        "fallback_application_name",
        "gssencmode",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "load_balance_hosts",
        "prepared_statement_cache_size",
        "prepared_statement_name_func",
        "requirepeer",
        "sslcompression",
        "sslsni",
        "tcp_user_timeout",
    }
)

#: SQLAlchemy's asyncpg dialect calls it `ssl`.
_RENAMED = {"ssl": "sslmode"}

_PORT = re.compile(r":\d+$")


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a URL that an error may show."""

    user: str
    server: str  #: host and port, or the socket's directory
    database: str


def asyncpg_url(url: str) -> str:
    """Return *url* as asyncpg reads it: no SQLAlchemy driver, no options unknown to it."""
    scheme, separator, rest = url.partition("://")
    base, mark, query = rest.partition("?")
    return scheme.partition("+")[0] + separator + base + mark + _options(query)


def on_database(url: str, database: str, dialect: str) -> str:
    """Return *url* with another database; one without a driver gets the name *dialect*.

    Args:
        url: A server's, with the options that reach it.
        database: Name of the database.
        dialect: Such as ``postgresql+asyncpg``: SQLAlchemy's, which chooses the driver.
    """
    scheme, _, rest = url.partition("://")
    base, _, query = rest.partition("?")
    authority = base.partition("/")[0]
    pairs = [
        (key, value)
        for key, value in parse_qsl(query, keep_blank_values=True)
        if key not in {"database", "dbname"}  # drivers differ in which of two names they take
    ]
    options = f"?{urlencode(pairs)}" if pairs else ""
    return f"{scheme if '+' in scheme else dialect}://{authority}/{quote(database, '')}{options}"


def address(url: str) -> Address:
    """Return what may be shown of *url*; parts that it leaves out get the driver's name for them.

    Raises:
        ValueError: It cannot be told where the password ends.
    """
    parts = urlsplit(url)
    if "@" in parts.path + parts.query + parts.fragment:
        raise ValueError("a reserved character (such as / ? # @) is not percent-encoded")
    given = dict(parse_qsl(parts.query))
    return Address(
        user=unquote(parts.username or given.get("user", "(default)")),
        server=parts.netloc.rpartition("@")[2] or given.get("host", "(default)"),
        database=unquote(parts.path.removeprefix("/")) or given.get("dbname", "(default)"),
    )


def located(url: str) -> str:
    """Return host, port and database of *url*, as the driver takes them.

    Raises:
        ValueError: It cannot be told where the password ends.
    """
    place, given = address(url), dict(parse_qsl(urlsplit(url).query))
    host, port = place.server.lower(), given.get("port", "5432")
    database = given.get("database", place.database)
    return f"{host if _PORT.search(host) else f'{host}:{port}'}/{database}"


def _options(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode(
        [(_RENAMED.get(key, key), value) for key, value in pairs if key not in _NOT_FOR_THE_SERVER]
    )
