from __future__ import annotations

import asyncio
import socket
import sqlite3
import stat
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi, PGDialect_asyncpg

from providers.errors import ConfigError
from sync.errors import ControlDatabaseError
from sync.store.backends import control_file
from sync.store.engine import Store
from sync.store.schema import LATEST
from sync.store.tables import metadata
from tests.support.control import START, Clock, alter, as_superuser, sqlite_url


async def versions(store: Store) -> list[int]:
    """Return the versions of the schema that were applied."""
    async with store.reading() as connection:
        found = await connection.scalars(text("SELECT version FROM control_versions ORDER BY 1"))
        return list(found)


async def test_opening_twice_migrates_once(control_url: str, clock: Clock) -> None:
    """A control database that is up to date is opened as it is."""
    for _ in range(2):
        async with Store.open(control_url, clock=clock) as store:
            assert await versions(store) == list(range(1, LATEST + 1))


@pytest.mark.parametrize("control_url", ["postgresql"], indirect=True)
async def test_services_that_start_at_once(control_url: str, clock: Clock) -> None:
    """Several services that open an empty database at once migrate it once."""

    async def start() -> list[int]:
        async with Store.open(control_url, clock=clock) as store:
            return await versions(store)

    found = await asyncio.gather(*(start() for _ in range(5)))
    assert found == [list(range(1, LATEST + 1))] * 5


async def test_schema_is_what_queries_see(store: Store) -> None:
    """The migrations make exactly the tables and columns that the code names."""

    def tables(connection: Connection) -> dict[str, set[str]]:
        found = inspect(connection)
        return {
            name: {column["name"] for column in found.get_columns(name)}
            for name in found.get_table_names()
        }

    async with store.reading() as connection:
        made = await connection.run_sync(tables)
    assert made == {name: set(table.c.keys()) for name, table in metadata.tables.items()}


async def test_newer_database_is_refused(control_url: str, clock: Clock) -> None:
    """A database of a newer levelhead is neither read nor written."""
    async with Store.open(control_url, clock=clock) as store:
        await alter(store, f"INSERT INTO control_versions VALUES ({LATEST + 1}, '{START}')")
    with pytest.raises(ControlDatabaseError, match="update levelhead"):
        async with Store.open(control_url, clock=clock):
            pass
    with pytest.raises(ControlDatabaseError, match="update levelhead"):
        async with Store.open_reading(control_url):
            pass


async def test_reading_beside_a_writer(control_url: str, clock: Clock) -> None:
    """A reader sees what is committed, while a transaction is under way, and cannot write."""
    async with (
        Store.open(control_url, clock=clock) as store,
        Store.open_reading(control_url) as reader,
        store.writing() as connection,
    ):
        await connection.exec_driver_sql("INSERT INTO statements VALUES ('d', 'SELECT 1')")
        async with reader.reading() as other:
            assert await other.scalar(text("SELECT count(*) FROM statements")) == 0
        with pytest.raises(ControlDatabaseError, match=r"read-?only"):
            await alter(reader, "DELETE FROM statements")


async def test_reading_of_an_empty_database(control_url: str) -> None:
    """Reading sets nothing up: it says what would."""
    if path := control_file(control_url):
        path.touch()
    with pytest.raises(ControlDatabaseError, match="is empty; run levelhead serve"):
        async with Store.open_reading(control_url):
            pass


async def test_reading_of_an_old_database(control_url: str, clock: Clock) -> None:
    """Reading does not migrate: it says what would."""
    async with Store.open(control_url, clock=clock) as store:
        await alter(store, "DELETE FROM control_versions WHERE version > 0")
        await alter(store, f"INSERT INTO control_versions VALUES (-1, '{START}')")
    with pytest.raises(ControlDatabaseError, match=f"reads version {LATEST}; run levelhead serve"):
        async with Store.open_reading(control_url):
            pass


async def test_reading_of_a_missing_file(tmp_path: Path) -> None:
    """Reading does not create a control file."""
    with pytest.raises(ControlDatabaseError, match="does not exist yet; run levelhead serve"):
        async with Store.open_reading(sqlite_url(tmp_path)):
            pass
    assert modes_in(tmp_path) == {}


def modes_in(folder: Path) -> dict[str, int]:
    """Return file name -> mode."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def test_file_is_its_owners_alone(tmp_path: Path, clock: Clock) -> None:
    """The control file and what SQLite puts beside it are created with mode 0600."""
    async with Store.open(sqlite_url(tmp_path), clock=clock) as store:
        await versions(store)
        modes = modes_in(tmp_path)
    names = ("control.db", "control.db-wal", "control.db-shm")
    assert modes == dict.fromkeys(names, 0o600)


async def test_odd_file_name(tmp_path: Path, clock: Clock) -> None:
    """A path may hold what has a meaning in URLs."""
    folder = tmp_path / "a b%20#c"
    folder.mkdir()
    async with Store.open(f"sqlite:///{folder}/ü.db", clock=clock):
        assert (folder / "ü.db").exists()
    async with Store.open_reading(f"sqlite:///{folder}/ü.db") as store:
        assert await versions(store) == list(range(1, LATEST + 1))


async def test_transaction_is_undone_by_an_error(store: Store) -> None:
    """What a transaction did is gone when its block raises, and the next one works."""

    async def fail() -> None:
        async with store.writing() as connection:
            await connection.exec_driver_sql("INSERT INTO statements VALUES ('d', 'x')")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    async with store.reading() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM statements")) == 0


async def test_cancelled_writer_lets_the_next_one_in(store: Store) -> None:
    """A task cancelled in the middle of a transaction leaves nothing behind, and no lock."""
    inside = asyncio.Event()

    async def write() -> None:
        async with store.writing() as connection:
            await connection.exec_driver_sql("INSERT INTO statements VALUES ('d', 'x')")
            inside.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(write())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await alter(store, "INSERT INTO statements VALUES ('d', 'y')")
    async with store.reading() as connection:
        assert await connection.scalar(text("SELECT sql FROM statements")) == "y"


async def test_sqlite_goes_by_the_clock_it_is_given(tmp_path: Path) -> None:
    """With one service, its clock is the control database's clock."""
    async with (
        Store.open(sqlite_url(tmp_path), clock=lambda: START) as store,
        store.reading() as connection,
    ):
        assert await connection.scalar(select(store.now())) == START


async def test_postgres_goes_by_its_own_clock(database: str) -> None:
    """With several services, the server's clock counts; it goes on during a transaction."""
    async with (
        Store.open(database, clock=lambda: START) as store,
        store.reading() as connection,
    ):
        query = select(store.now())
        first, second = [(await connection.execute(query)).scalar_one() for _ in range(2)]
        assert first < second
        assert first.tzinfo is UTC


async def test_postgres_ends_connections_at_rest(database: str) -> None:
    """A connection that the server has ended meanwhile is replaced, and nobody notices."""
    async with Store.open(database, clock=lambda: START) as store:
        await alter(store, "INSERT INTO statements VALUES ('d', 'x')")
        async with store.reading() as connection:
            before = await connection.scalar(text("SELECT pg_backend_pid()"))
        await end_sessions(database)
        async with store.reading() as connection:
            assert await connection.scalar(text("SELECT pg_backend_pid()")) != before
        await alter(store, "INSERT INTO statements VALUES ('e', 'y')")


async def test_postgres_is_asked_after_a_long_rest(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that rested long and does not answer any more is replaced."""

    def unanswered(_self: object, _connection: object) -> bool:
        raise AsyncAdapt_asyncpg_dbapi.InterfaceError("cut")  # type: ignore[no-untyped-call] # SQLAlchemy's own

    async with Store.open(database, clock=lambda: START) as store:
        async with store.reading() as connection:
            before = await connection.scalar(text("SELECT pg_backend_pid()"))
        monkeypatch.setattr("sync.store.backends._LONG", -1.0)
        monkeypatch.setattr(PGDialect_asyncpg, "do_ping", unanswered)
        async with store.reading() as connection:
            assert await connection.scalar(text("SELECT pg_backend_pid()")) != before


async def end_sessions(url: str) -> None:
    """End every other session on the database, and wait until each client was told."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()
    await asyncio.sleep(0.05)


async def refusal(url: str) -> str:
    """Return what opening *url* says; it is one line without the URL and its password."""
    with pytest.raises(ControlDatabaseError) as caught:
        async with Store.open(url, clock=lambda: datetime.now(UTC)):
            pass
    message = str(caught.value)
    assert "\n" not in message
    assert url not in message
    assert "hunter2" not in message
    assert caught.value.__cause__ is None
    return message


async def test_file_that_is_no_database(tmp_path: Path) -> None:
    """Another kind of file is refused, and left as it is."""
    (tmp_path / "control.db").write_text("hello" * 1000)
    assert "not a database" in await refusal(sqlite_url(tmp_path))
    assert (tmp_path / "control.db").read_text() == "hello" * 1000


async def test_missing_folder(tmp_path: Path) -> None:
    """No folder is created for a control file."""
    assert "No such file or directory" in await refusal(sqlite_url(tmp_path / "nowhere"))


async def test_locked_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that holds the file's write lock is waited for, and then named as the reason."""
    monkeypatch.setattr("sync.store.backends.PATIENCE", 0.1)
    async with Store.open(sqlite_url(tmp_path), clock=lambda: START):
        pass
    other = sqlite3.connect(tmp_path / "control.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert "is locked; another process" in await refusal(sqlite_url(tmp_path))
    finally:
        other.close()


async def test_wrong_password(database: str) -> None:
    """A wrong password is said without saying it."""
    await as_superuser(database, "CREATE ROLE stranger LOGIN PASSWORD 'other'")
    parts = urlsplit(database)
    host = parts.netloc.rpartition("@")[2]
    try:
        message = await refusal(parts._replace(netloc=f"stranger:hunter2@{host}").geturl())
    finally:
        await as_superuser(database, "DROP ROLE stranger")
    assert "password authentication failed" in message
    assert "look at user and password" in message


async def test_missing_database(database: str) -> None:
    """A database that does not exist is named."""
    message = await refusal(urlsplit(database)._replace(path="/nowhere").geturl())
    assert '"nowhere" does not exist; look at url under [control]' in message


async def test_server_that_is_down() -> None:
    """A server that does not answer is said to be out of reach."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    message = await refusal(f"postgresql://ada:hunter2@127.0.0.1:{port}/control")
    assert "see that the server runs" in message


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:hun/ter2@127.0.0.1/control",
        "postgresql://ada:hunter2@127.0.0.1:port/control",
    ],
)
async def test_url_that_the_driver_cannot_read(url: str) -> None:
    """A driver that quotes the URL in its error is not quoted."""
    message = await refusal(url)
    assert "hun" not in message
    assert "port" not in message


@pytest.mark.parametrize(
    "url",
    ["mysql://ada:hunter2@db/control", "sqlite://", "sqlite:///:memory:", "control.db", ""],
)
async def test_url_of_no_control_database(url: str) -> None:
    """A URL that names neither a file nor a Postgres database is a mistake in the settings."""
    with pytest.raises(ConfigError, match=r"url under \[control\]") as caught:
        async with Store.open(url, clock=lambda: START):
            pass
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///levelhead.db", Path("levelhead.db")),
        ("sqlite:////var/lib/levelhead.db", Path("/var/lib/levelhead.db")),
        ("postgresql://db/control", None),
        ("sqlite:///:memory:", None),
    ],
)
def test_control_file(url: str, path: Path | None) -> None:
    """Three slashes begin a relative path, four an absolute one."""
    assert control_file(url) == path
