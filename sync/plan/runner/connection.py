"""The runner's own connection to the target, made with a driver of the history's environment."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.url import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from .errors import RefusedError, UnreachableError

#: Drivers for Postgres, best first: psycopg serves synchronous and asynchronous env.py alike.
DRIVERS = ("psycopg", "psycopg2", "asyncpg")
#: Execution option of our own connection.
OURS = "levelhead"

ASYNC_ENV = re.compile(r"\b(async_engine_from_config|create_async_engine|AsyncEngine)\b")


def with_driver(url: str, wanted: str | None, env_py: Path) -> str:
    """Return *url* naming a driver that is installed here and that env.py can use.

    A driver in the URL stands. Else the history's setting, else the first that fits.
    """
    parsed = make_url(url)
    if "+" in parsed.drivername or parsed.get_backend_name() != "postgresql":
        return url
    driver = wanted or installed(suited(env_py))
    return rendered(parsed.set(drivername=f"postgresql+{driver}"))


def rendered(url: URL) -> str:
    """Return *url* as text, password included: it goes to env.py and the driver only."""
    return url.render_as_string(hide_password=False)


def suited(env_py: Path) -> tuple[str, ...]:
    """Return the drivers that env.py can use, best first: asynchronous ones where it is."""
    if ASYNC_ENV.search(env_py.read_text(encoding="utf-8")):
        return ("psycopg", "asyncpg")
    return DRIVERS


def installed(drivers: tuple[str, ...]) -> str:
    """Return the first of *drivers* that can be imported here."""
    for driver in drivers:
        if importlib.util.find_spec(driver):
            return driver
    raise RefusedError(
        "the history's environment has no Postgres driver that its env.py can use; "
        f"install one of {', '.join(drivers)}"
    )


def engine_like(given: Connection | None, url: str) -> Engine:
    """Return an engine for the target, with the driver that env.py itself connected with."""
    parsed = make_url(url)
    if given is not None and given.dialect.name == parsed.get_backend_name():
        parsed = parsed.set(drivername=given.engine.url.drivername)
    return create_engine(parsed, poolclass=NullPool, execution_options={OURS: True})


def is_ours(connection: Connection) -> bool:
    """Tell whether *connection* is the one on which everything happens."""
    return bool(connection.get_execution_options().get(OURS))


def connect(engine: Engine) -> Connection:
    """Open the connection on which everything happens."""
    try:
        return engine.connect()
    except DBAPIError as error:
        raise unreachable(error, "the runner") from error


def unreachable(error: DBAPIError, who: str) -> UnreachableError:
    """Return what it means that *who* could not connect; the driver's text may hold anything."""
    origin = error.orig.__cause__ or error.orig if error.orig else error
    return UnreachableError(f"{type(origin).__name__} while {who} connected; try again")
