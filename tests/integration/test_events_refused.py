"""What happens to the log when the control database refuses, or says nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from sync.errors import ControlDatabaseError
from sync.events.log import EventLog
from sync.model import EventQuery
from sync.store.engine import Store
from tests.support.control import Clock, Ids, a_draft, alter, as_superuser, sqlite_url
from tests.support.proxy import Loss, Proxy

NOBODY = 65534


@contextmanager
def write_protected(folder: Path) -> Iterator[None]:
    """Take away the right to write in *folder*, from root too."""
    names = [folder, *folder.iterdir()]
    for path in names:
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path in names:
            path.chmod(0o700 if path.is_dir() else 0o600)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that another user can reach, as those of `tmp_path` are not."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


async def test_read_only_file(folder: Path, clock: Clock) -> None:
    """A control file that may not be written is refused in one line, and stays as it was."""
    async with Store.open(sqlite_url(folder), clock=clock) as store:
        await EventLog(store, clock=clock, new_id=Ids()).record(a_draft())
    with write_protected(folder), pytest.raises(ControlDatabaseError, match="writable") as caught:
        async with Store.open(sqlite_url(folder), clock=clock) as store:
            await EventLog(store, clock=clock, new_id=str).record(a_draft())
    assert "\n" not in str(caught.value)
    async with Store.open(sqlite_url(folder), clock=clock) as store:
        assert await EventLog(store, clock=clock, new_id=str).verify() == 1


@pytest.mark.parametrize("control_url", ["postgresql"], indirect=True)
async def test_read_only_database(control_url: str, clock: Clock) -> None:
    """A control database that has become read-only refuses in one line, and loses nothing."""
    async with Store.open(control_url, clock=clock) as store:
        await EventLog(store, clock=clock, new_id=Ids()).record(a_draft())
    name = control_url.rpartition("/")[2].partition("?")[0]
    await as_superuser(control_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    async with Store.open(control_url, clock=clock) as store:
        log = EventLog(store, clock=clock, new_id=Ids())
        with pytest.raises(ControlDatabaseError, match="read-only"):
            await log.record(a_draft())
        assert await log.verify() == 1


@pytest.mark.parametrize("control_url", ["sqlite"], indirect=True)
async def test_full_disk(store: Store, log: EventLog) -> None:
    """A full disk refuses the event in one line; what was there stays, and it goes on later."""
    await log.record(a_draft())
    async with store.writing() as connection:
        pages = await connection.scalar(text("PRAGMA page_count"))
    await alter(store, f"PRAGMA max_page_count = {pages}")
    with pytest.raises(ControlDatabaseError, match="full; free some space"):
        await log.record(*(a_draft(data={"filler": "x" * 100_000}) for _ in range(5)))
    assert await log.verify() == 1
    await alter(store, f"PRAGMA max_page_count = {pages + 10_000}")
    await log.record(a_draft(data={"filler": "x" * 100_000}))
    assert await log.verify() == 2


@pytest.mark.parametrize("control_url", ["postgresql"], indirect=True)
async def test_backend_that_dies_before_commit(control_url: str, log: EventLog) -> None:
    """Where the server ended the session, the look-up says that nothing was stored."""
    await log.record(a_draft())

    async def lose() -> None:
        async with log.writing() as batch:
            await batch.append(a_draft(actor="lost"))
            pid = await batch.connection.scalar(text("SELECT pg_backend_pid()"))
            await as_superuser(control_url, f"SELECT pg_terminate_backend({pid})")

    with pytest.raises(ControlDatabaseError, match="nothing was stored"):
        await lose()
    await log.record(a_draft(actor="next"))
    assert await log.page(EventQuery(actor="lost")) == ()
    assert await log.verify() == 2


@pytest.mark.parametrize("control_url", ["postgresql"], indirect=True)
async def test_commit_whose_answer_is_lost(control_url: str, clock: Clock) -> None:
    """An event whose COMMIT got no answer is found by its id, and not recorded twice."""
    proxy = Proxy(control_url)
    async with proxy.listening(), Store.open(proxy.url, clock=clock) as store:
        log = EventLog(store, clock=clock, new_id=Ids())
        proxy.loss = Loss.ANSWER
        recorded = await log.record(a_draft(actor="ada"))
        assert proxy.loss is Loss.NOTHING
        assert await log.page(EventQuery(actor="ada")) == recorded
        assert await log.verify() == 1


@pytest.mark.parametrize("control_url", ["postgresql"], indirect=True)
async def test_commit_that_is_lost(control_url: str, clock: Clock) -> None:
    """An event whose COMMIT never arrived is refused, and the log goes on without a gap."""
    proxy = Proxy(control_url)
    async with proxy.listening(), Store.open(proxy.url, clock=clock) as store:
        log = EventLog(store, clock=clock, new_id=Ids())
        proxy.loss = Loss.COMMIT
        with pytest.raises(ControlDatabaseError, match="nothing was stored"):
            await log.record(a_draft())
        assert proxy.loss is Loss.NOTHING
        (event,) = await log.record(a_draft())
        assert event.sequence == 1
        assert await log.verify() == 1
