"""Migration environment of the sample schema: async SQLAlchemy, online and offline.

On Databricks SQLAlchemy is synchronous.

The URL is `sqlalchemy.url` where the caller has set it. A hand-run leaves it unset, and
POSTGRES_PROVIDER says where the URL comes from:

    local (the default)   DATABASE_URL; without it PGUSER, PGPASSWORD, PGHOST, PGPORT and
                          PGDATABASE over postgresql+asyncpg://postgres@127.0.0.1:5432/app
    databricks            DATABASE_URL; without it DATABRICKS_HOST, DATABRICKS_HTTP_PATH,
                          DATABRICKS_TOKEN, DATABRICKS_CATALOG and DATABRICKS_SCHEMA
    lakebase              DATABASE_URL; without it DATABRICKS_HOST, DATABRICKS_TOKEN,
                          LAKEBASE_INSTANCE or LAKEBASE_ENDPOINT, and PGDATABASE

Without DATABRICKS_TOKEN, what Databricks' own tools have been set up with signs in.

A hand-run holds the lock that levelhead holds, so the two never migrate a database at once.
Databricks has no lock: there, see to it that nobody else migrates.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from logging.config import fileConfig
from urllib.parse import urlsplit

from alembic import context
from alembic.util import CommandError
from sqlalchemy import URL, Connection, create_engine, make_url
from sqlalchemy.exc import ArgumentError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

import app.models  # noqa: F401 - registers every model with Base.metadata
from app.db.base import Base

# levelhead's key: database, then schema and name of the version table.
LOCK_KEY = (
    "hashtextextended(concat_ws(':', 'levelhead', "
    "current_database(), current_schema(), 'alembic_version'), 0)"
)
LOCK_POLL = 0.2  # seconds; a blocking wait would hang beside CREATE INDEX CONCURRENTLY

# The client must not send a statement twice, nor call home while it connects.
CLIENT_OPTIONS: Mapping[str, object] = {
    "_enable_v3_retries": False,
    "_retry_stop_after_attempts_count": 1,
    "enable_telemetry": False,
}

config = context.config


def whole_number(text: str, source: str) -> int:
    """Read digits."""
    if not text.isdecimal():
        raise CommandError(f"{source} is {text!r}; write a whole number")
    return int(text)


def parse_url(text: str, source: str) -> URL:
    """Read a URL; an error does not show it, for it may hold a password."""
    try:
        return make_url(text)
    except ArgumentError:
        raise CommandError(f"{source} is no URL; write postgresql://user@host/database") from None


def local_url(environ: Mapping[str, str]) -> URL:
    """Return the URL of a server that is reached directly."""
    if text := environ.get("DATABASE_URL"):
        return parse_url(text, "DATABASE_URL")
    return URL.create(
        "postgresql+asyncpg",
        username=environ.get("PGUSER", "postgres"),
        password=environ.get("PGPASSWORD"),
        host=environ.get("PGHOST", "127.0.0.1"),
        port=whole_number(environ.get("PGPORT", "5432"), "PGPORT"),
        database=environ.get("PGDATABASE", "app"),
    )


def databricks_url(environ: Mapping[str, str]) -> URL:
    """Return the URL of a schema on a SQL warehouse."""
    if text := environ.get("DATABASE_URL"):
        return own_url(text, "databricks")
    needed = ("DATABRICKS_HOST", "DATABRICKS_HTTP_PATH")
    if missing := [name for name in needed if not environ.get(name)]:
        raise CommandError(f"POSTGRES_PROVIDER is 'databricks'; set {', '.join(missing)}")
    names = {
        "http_path": environ["DATABRICKS_HTTP_PATH"],
        "catalog": environ.get("DATABRICKS_CATALOG", "main"),
        "schema": environ.get("DATABRICKS_SCHEMA", "default"),
    }
    return workspace_url("databricks", environ).update_query_dict(names)


def lakebase_url(environ: Mapping[str, str]) -> URL:
    """Return the URL of a database on Lakebase; what logs in there is minted later."""
    if text := environ.get("DATABASE_URL"):
        return own_url(text, "lakebase")
    names = {"instance": "LAKEBASE_INSTANCE", "endpoint": "LAKEBASE_ENDPOINT"}
    given = {key: environ[name] for key, name in names.items() if environ.get(name)}
    if not environ.get("DATABRICKS_HOST") or len(given) != 1:
        line = "set DATABRICKS_HOST, and one of LAKEBASE_INSTANCE and LAKEBASE_ENDPOINT"
        raise CommandError(f"POSTGRES_PROVIDER is 'lakebase'; {line}")
    database = environ.get("PGDATABASE", "databricks_postgres")
    return workspace_url("lakebase", environ).set(database=database).update_query_dict(given)


def own_url(text: str, provider: str) -> URL:
    """Read DATABASE_URL, which is for that provider."""
    url = parse_url(text, "DATABASE_URL")
    if url.get_backend_name() != provider:
        line = f"DATABASE_URL begins with {url.drivername}://"
        raise CommandError(f"POSTGRES_PROVIDER is {provider!r}, but {line}; correct one of them")
    return url


def workspace_url(drivername: str, environ: Mapping[str, str]) -> URL:
    """Return the URL of a workspace, with the token where there is one."""
    text = environ["DATABRICKS_HOST"]
    try:
        place = urlsplit(text if "://" in text else f"https://{text}")
        url = URL.create(drivername, host=place.hostname, port=place.port)
    except ValueError:
        raise CommandError(f"DATABRICKS_HOST is {text!r}; write a host, or host:port") from None
    token = environ.get("DATABRICKS_TOKEN")
    return url.set(username="token", password=token) if token else url


PROVIDERS: Mapping[str, Callable[[Mapping[str, str]], URL]] = {
    "databricks": databricks_url,
    "lakebase": lakebase_url,
    "local": local_url,
}


def provider_url(environ: Mapping[str, str]) -> URL:
    """Return the URL that the provider named by POSTGRES_PROVIDER gives."""
    name = environ.get("POSTGRES_PROVIDER") or "local"
    if name not in PROVIDERS:
        choices = ", ".join(sorted(PROVIDERS))
        raise CommandError(f"POSTGRES_PROVIDER is {name!r}; choose one of: {choices}")
    return PROVIDERS[name](environ)


def database_url() -> URL:
    """Return the URL to migrate."""
    text = config.get_main_option("sqlalchemy.url")
    url = parse_url(text, "sqlalchemy.url") if text else provider_url(os.environ)
    return for_asyncpg(url) if url.drivername in {"postgresql", "postgresql+asyncpg"} else url


def for_asyncpg(url: URL) -> URL:
    """Return *url* with the driver named; asyncpg calls `sslmode` just `ssl`."""
    query = {"ssl" if key == "sslmode" else key: value for key, value in url.query.items()}
    return url.set(drivername="postgresql+asyncpg", query=query)


def make_engine(url: URL) -> AsyncEngine:
    """Return an engine for one connection."""
    try:
        return create_async_engine(url, poolclass=NullPool)
    except (ArgumentError, InvalidRequestError, ImportError) as error:
        raise CommandError(f"cannot use {url.drivername}: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """Return what *error*, or the driver's error inside it, says; without the hints below."""
    text = str(getattr(error, "orig", error)) or type(error).__name__
    return text.splitlines()[0]


@asynccontextmanager
async def connected(url: URL) -> AsyncIterator[AsyncConnection]:
    """Connect for the block."""
    connection = make_engine(url).connect()
    try:
        await connection.start()
    except Exception as error:
        place = URL.create(url.drivername, host=url.host, port=url.port, database=url.database)
        raise CommandError(f"cannot connect to {place}: {first_line(error)}") from error
    try:
        yield connection
    finally:
        await connection.close()


def ask(connection: Connection, question: str) -> bool:
    """Put a question about the lock.

    By the driver and committed at once: neither the wait nor what Alembic does may find
    itself in a transaction that somebody else began.
    """
    driver = connection.connection
    cursor = driver.cursor()
    cursor.execute(f"SELECT {question}({LOCK_KEY})")
    [(answer,)] = cursor.fetchall()
    cursor.close()
    driver.commit()
    return bool(answer)


@asynccontextmanager
async def migration_lock(connection: AsyncConnection, patience: int) -> AsyncIterator[None]:
    """Hold levelhead's migration lock on *connection*; wait *patience* seconds for it."""
    deadline = time.monotonic() + patience
    while not await connection.run_sync(ask, "pg_try_advisory_lock"):
        if time.monotonic() >= deadline:
            raise CommandError(
                f"somebody else is migrating this database; waited {patience} s, try again later"
            )
        await asyncio.sleep(LOCK_POLL)
    yield
    # Not after a failure: the connection may be dead then, and closing it frees the lock.
    await connection.run_sync(ask, "pg_advisory_unlock")


def migrate(connection: Connection) -> None:
    """Run what Alembic was called for; each revision commits for itself, as in levelhead."""
    context.configure(
        connection=connection, target_metadata=Base.metadata, transaction_per_migration=True
    )
    with context.begin_transaction():
        context.run_migrations()


def signed(url: URL) -> URL:
    """Return the URL that logs into Lakebase now; TLS is up to the variables that are set here."""
    try:
        from providers.lakebase.by_hand import signed as sign  # noqa: PLC0415 - needed nowhere else

        found = sign(url.render_as_string(hide_password=False))
    except Exception as error:
        raise CommandError(f"cannot use lakebase: {first_line(error)}") from error
    os.environ.update(found.environment)
    return for_asyncpg(parse_url(found.url, "lakebase"))


def load_databricks_rules() -> None:
    """Teach Alembic what it does not know of Databricks; a runner has done so."""
    if config.attributes.get("levelhead.lock_held", False):
        return
    try:
        from providers.databricks.ddl import install  # noqa: PLC0415 - needed nowhere else
    except ImportError as error:
        raise CommandError(f"cannot use databricks: {first_line(error)}") from error
    log = logging.getLogger("alembic")
    install(
        lambda kind, detail: log.warning("skipped %s: %s", kind, detail),
        lambda kind, detail: log.info("noted %s: %s", kind, detail),
    )


@contextmanager
def connected_to_databricks(url: URL) -> Iterator[Connection]:
    """Connect for the block."""
    try:
        arguments = client_arguments(url)
        connection = create_engine(url, poolclass=NullPool, connect_args=arguments).connect()
    except Exception as error:
        place = URL.create(url.drivername, host=url.host, port=url.port)
        raise CommandError(f"cannot connect to {place}: {first_line(error)}") from error
    with connection:
        yield connection


def client_arguments(url: URL) -> dict[str, object]:
    """Return what the client gets beside what the dialect takes from the URL.

    A runner sees to that by itself. By hand it is the port too, and a token for each request.
    """
    if config.attributes.get("levelhead.lock_held", False):
        return dict(CLIENT_OPTIONS)
    from providers.databricks.signing import arguments  # noqa: PLC0415 - needed nowhere else

    return arguments(url.render_as_string(hide_password=False))


def migrate_databricks(url: URL) -> None:
    """Connect and migrate; there is no lock to take."""
    load_databricks_rules()
    with connected_to_databricks(url) as connection:
        migrate(connection)


async def migrate_online(url: URL) -> None:
    """Connect, lock where that is ours to do, and migrate."""
    patience = whole_number(config.get_main_option("lock_wait", "30"), "lock_wait")
    async with connected(url) as connection:
        held = config.attributes.get("levelhead.lock_held", False)
        if held or connection.dialect.name != "postgresql":
            await connection.run_sync(migrate)
            return
        async with migration_lock(connection, patience):
            await connection.run_sync(migrate)


def write_sql(url: URL) -> None:
    """Write the SQL of what Alembic was called for, and connect to nothing."""
    if url.get_backend_name() == "databricks":
        load_databricks_rules()
    is_lakebase = url.get_backend_name() == "lakebase"
    context.configure(
        url=URL.create("postgresql") if is_lakebase else url,
        target_metadata=Base.metadata,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},  # other styles double each % in the text
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if config.config_file_name is not None:
    fileConfig(config.config_file_name, disable_existing_loggers=False)

database = database_url()
if context.is_offline_mode():
    write_sql(database)
elif database.get_backend_name() == "databricks":
    migrate_databricks(database)
elif database.get_backend_name() == "lakebase":
    asyncio.run(migrate_online(signed(database)))
else:
    asyncio.run(migrate_online(database))
