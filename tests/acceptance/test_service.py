"""The life of a service: how it starts, what it survives, how it ends."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conformance.pooler import pooler
from tests.support.engine import execute, query, version
from tests.support.killing import all_stopped, held, in_doubt, ledger, make_targets, write_history
from tests.support.postgres import Databases
from tests.support.sample import Outcome
from tests.support.service import LEVELHEAD, SCHEDULE, Service, Site, until, write_site

ALL = ["r1", "r2", "r3", "r4"]


@pytest.fixture
async def urls(databases: Databases) -> dict[str, str]:
    """Give one target whose run can be stopped inside of step 2."""
    return await make_targets(databases, ["inside"])


@pytest.fixture
def site(tmp_path: Path, urls: dict[str, str]) -> Site:
    """Give a site with that target, and a control database in a file."""
    return write_site(write_history(tmp_path / "history"), urls, control='lease = "2s"')


@pytest.fixture
def patient(tmp_path: Path, urls: dict[str, str]) -> Site:
    """Give the same with a grace period that is longer than any test waits."""
    schedule = {**SCHEDULE, "grace": "1h"}
    return write_site(write_history(tmp_path / "history"), urls, schedule=schedule)


async def test_it_ends_at_once_while_idle(patient: Site) -> None:
    """SIGTERM between two sweeps ends it without waiting for anything; both ends are on record."""
    async with patient.served() as service:
        await service.all_current()
        assert await service.stop() == 0
    ends = await patient.run("events", "--json", "--kind", "service.stopped")
    assert ends.out.count('"service.stopped"') == 1


@pytest.mark.slow
async def test_it_gives_back_what_it_interrupts(
    tmp_path: Path, urls: dict[str, str], database: str
) -> None:
    """After the grace period a statement is cancelled and journaled; its lease is free at once."""
    control = f'url = "{database}"\nlease = "1h"'
    site = write_site(write_history(tmp_path / "history"), urls, control=control)
    async with held(urls, {"inside": "inside"}) as holds:
        async with site.served() as service:
            await all_stopped(holds)
            told = time.monotonic()
            assert await service.stop() == 0
            assert time.monotonic() - told >= 1  # the grace period
        assert await query(database, "SELECT holder FROM leases") == [(None,)]
        await holds["inside"].wait_for_end()
    assert await version(urls["inside"]) == {"r1"}
    async with site.served() as service:
        await service.all_current()
        events = await service.events()
    interrupted = [each for each in events if each["kind"].endswith(".interrupted")]
    assert [each["kind"] for each in interrupted] == ["step.interrupted", "run.interrupted"]
    assert in_doubt(events) == set()
    assert await ledger(urls["inside"]) == ALL


@pytest.mark.slow
async def test_it_lets_a_statement_end_in_time(patient: Site, urls: dict[str, str]) -> None:
    """What ends within the grace period is not interrupted: the whole run is."""
    async with held(urls, {"inside": "inside"}) as holds, patient.served() as service:
        await all_stopped(holds)
        ending = asyncio.create_task(service.stop())
        await asyncio.sleep(0.2)
        holds["inside"].let_go()
        assert await ending == 0
    assert await ledger(urls["inside"]) == ALL


@pytest.mark.slow
async def test_a_disk_that_fills_up(site: Site, urls: dict[str, str]) -> None:
    """What cannot be put on record is not done; the service goes on, and makes up for it later."""
    async with held(urls, {"inside": "inside"}) as holds, site.served() as service:
        await all_stopped(holds)
        with full_disk(service):
            holds["inside"].let_go()
            await service.has_said("its end is not on record")
            await service.has_said("ERROR levelhead: sweep: control database ")
            assert await version(urls["inside"]) == {"r1"}
            assert (await service.targets())["inside"]["heads"] is not None
        await service.all_current()
        assert in_doubt(await service.events()) == set()
        assert (await service.get("/events/verify"))["events"] > 0
        assert await service.stop() == 0
    assert await ledger(urls["inside"]) == ALL


@pytest.mark.slow
async def test_it_ends_in_order_on_a_full_disk(site: Site, urls: dict[str, str]) -> None:
    """A service that can put nothing on record any more still ends when told, with one line."""
    async with held(urls, {"inside": "inside"}) as holds, site.served() as service:
        await all_stopped(holds)
        with full_disk(service):
            assert await service.stop() == 6
        assert service.lines()[-1].startswith("levelhead: control database ")
        assert "Traceback" not in service.log.decode()


@pytest.mark.parametrize("blocks", [0, 8])  # not even the lock file; not the tables
async def test_a_disk_that_is_full_from_the_start(site: Site, blocks: int) -> None:
    """Where no control database can be made, one line says so, and nothing is started."""
    said = await shell(site, f"ulimit -f {blocks}; exec levelhead serve --port 0")
    assert (said.code, said.out, said.err.count("\n")) == (6, "", 1)
    assert f"{site.folder / 'levelhead.db'}" in said.err


@pytest.mark.slow
async def test_rights_that_are_taken_away(
    tmp_path: Path, urls: dict[str, str], database: str
) -> None:
    """Without the right to append events nothing is done; when it comes back, work goes on."""
    limited = await make_role(database)
    control = f'url = "{limited}"\nlease = "2s"'
    site = write_site(write_history(tmp_path / "history"), urls, control=control)
    async with held(urls, {"inside": "inside"}) as holds, site.served() as service:
        await all_stopped(holds)
        await execute(database, "REVOKE INSERT ON events FROM keeper")
        holds["inside"].let_go()
        await until(lambda: is_told(service, "inside", "control database: permission denied"))
        assert await version(urls["inside"]) == {"r1"}
        await execute(database, "GRANT INSERT ON events TO keeper")
        await service.all_current()
        assert in_doubt(await service.events()) == set()
        assert "Traceback" not in service.log.decode()
    assert await ledger(urls["inside"]) == ALL


async def test_a_read_only_control_database(
    tmp_path: Path, urls: dict[str, str], database: str
) -> None:
    """A control database that takes no writes is one line, and nothing is started."""
    await execute(
        database,
        "ALTER DATABASE {} SET default_transaction_read_only = on".format(
            f'"{database.rpartition("/")[2]}"'
        ),
    )
    site = write_site(write_history(tmp_path / "history"), urls, control=f'url = "{database}"')
    said = await site.run("serve", "--port", "0")
    assert (said.code, said.out) == (6, "")
    assert said.err == (
        "levelhead: control database: cannot execute CREATE TABLE in a read-only transaction; "
        "make it writable\n"
    )


@pytest.mark.slow
async def test_one_history_that_cannot_be_loaded(tmp_path: Path, databases: Databases) -> None:
    """It is named by /readyz and in its targets' status; the targets of others come to head."""
    urls = await make_targets(databases, ["good", "bad"])
    good, bad = write_history(tmp_path / "good"), write_history(tmp_path / "bad")
    script = bad.parent / "migrations" / "versions" / "r4.py"
    mended = script.read_text()
    script.write_text("def upgrade(:")
    more = f"""
        [[history]]
        name = "other"
        config = "{bad}"
        shadow = "none"
        [[target]]
        name = "bad"
        history = "other"
        url = "{urls["bad"]}"
    """
    async with write_site(good, {"good": urls["good"]}, more=more).served() as service:
        await until(lambda: stands(service, "good", "current"))
        reasons = (await service.client.get("/readyz")).json()["reasons"]
        assert reasons == ["history other: SyntaxError in r4.py, line 1: invalid syntax"]
        assert (await service.targets())["bad"]["problem"] == reasons[0]
        script.write_text(mended)
        await service.all_current()
        assert (await service.client.get("/readyz")).is_success


async def test_a_pooler_is_refused(tmp_path: Path, database: str) -> None:
    """A target behind a transaction-mode pooler is refused clearly, and left alone."""
    async with pooler(database, size=2) as url:
        site = write_site(write_history(tmp_path / "history"), {"pooled": url})
        for command in ("check", "status"):
            said = await site.run(command)
            assert said.code in {1, 3}
            assert "is a transaction-mode pooler" in said.out + said.err
    assert await query(database, "SELECT FROM pg_class WHERE relname = 'alembic_version'") == []


@pytest.mark.slow
async def test_two_services_that_start_at_once(
    tmp_path: Path, urls: dict[str, str], database: str
) -> None:
    """On one Postgres control database both start: one makes the tables and the first token."""
    site = write_site(write_history(tmp_path / "h"), urls, control=f'url = "{database}"')
    async with AsyncExitStack() as stack:
        starts = [stack.enter_async_context(site.served()) for _ in range(2)]
        one, other = await asyncio.gather(*starts)
        await one.all_current()
        assert len(await other.events(kind="token.created")) == 1
        assert len(await other.events(kind="service.started")) == 2
        await other.post("/sync")  # the token in the file is the one that counts
    assert await ledger(urls["inside"]) == ALL


async def test_a_token_file_that_cannot_be_written(site: Site) -> None:
    """Where the first key cannot be kept, no token is made, and the next start makes one."""
    file = site.folder / "levelhead.token"
    file.mkdir()
    said = await site.run("serve", "--port", "0")
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert f"token file {file}: is a directory" in said.err
    file.rmdir()
    async with site.served() as service:
        await service.post("/sync")


async def test_a_target_that_never_answers(tmp_path: Path) -> None:
    """A host that takes the connection and says nothing does not keep the service from ending."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/nothing"
        history, patience = write_history(tmp_path / "history"), 'connect_timeout = "1h"'
        site = write_site(history, {"silent": url}, target=patience)
        async with site.served() as service:
            connection, _ = await asyncio.to_thread(silent.accept)
            assert await service.stop() == 0
            connection.close()
            assert "Traceback" not in service.log.decode()


async def test_a_strange_host_is_refused(site: Site) -> None:
    """A request under a name that is not the service's gets a problem, whatever its token."""
    async with site.served() as service:
        headers = {"Host": "evil.example", "Authorization": f"Bearer {site.token}"}
        answer = await service.client.get("/targets", headers=headers)
    assert answer.status_code == httpx.codes.MISDIRECTED_REQUEST


async def test_every_mistake_at_once(site: Site) -> None:
    """`serve` names every mistake of its settings, each on a line with its key, and exits 2."""
    file = site.folder / "levelhead.toml"
    file.write_text(file.read_text().replace('every = "300ms"', 'every = "often"\nsometimes = 1'))
    said = await site.run("serve")
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 2)
    assert "schedule.every" in said.err
    assert "schedule.sometimes" in said.err


async def is_told(service: Service, target: str, problem: str) -> bool:
    """Tell whether people are told of a target's problem."""
    return str((await service.targets())[target]["problem"]).startswith(problem)


async def stands(service: Service, target: str, status: str) -> bool:
    """Tell whether a target has a status."""
    return bool((await service.targets())[target]["status"] == status)


async def make_role(database: str) -> str:
    """Make a role that may create tables; return the URL by which it comes to *database*."""
    await execute(
        database,
        """
        DROP ROLE IF EXISTS keeper;
        CREATE ROLE keeper LOGIN PASSWORD 'keeper';
        GRANT CREATE ON SCHEMA public TO keeper;
        """,
    )
    parts = urlsplit(database)
    return parts._replace(netloc=f"keeper:keeper@{parts.netloc.rpartition('@')[2]}").geturl()


async def shell(site: Site, command: str) -> Outcome:
    """Run a shell command at a site; it finds `levelhead`."""
    process = await asyncio.create_subprocess_shell(
        command,
        cwd=site.folder,
        env={"PATH": f"{LEVELHEAD.parent}{os.pathsep}{os.defpath}"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Outcome(process.returncode or 0, out.decode(), err.decode())


@contextmanager
def full_disk(service: Service) -> Iterator[None]:
    """Let no file of the service grow for the block."""
    pid = service.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        if service.process.returncode is None:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
