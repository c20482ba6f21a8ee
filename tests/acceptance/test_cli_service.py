"""The service, and the command line beside it."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import stat
from pathlib import Path

import httpx
import pytest

from tests.support.cli import PATIENCE, Project, until
from tests.support.postgres import Databases


@pytest.fixture
async def project(tmp_path: Path, databases: Databases) -> Project:
    """Give a project with the empty target eu."""
    (eu,) = await databases(1)
    return Project.create(tmp_path, {"eu": eu})


async def at_head(project: Project) -> None:
    """Wait until the clock has brought every target to head."""

    async def is_at_head() -> bool:
        return (await project.run("status")).code == 0

    await until(is_at_head)


async def test_changes_go_through_the_service(project: Project) -> None:
    """Beside a service the command changes things by its API, in the name of the token."""
    async with project.serving() as service:
        await at_head(project)
        down = await project.run("downgrade", "eu", "-1")
        assert (down.code, down.out.splitlines()[-1][:21]) == (0, "eu: downgraded to b2 ")
        assert (await project.run("sync", "eu")).code == 5
        assert (await project.run("release", "eu", "--json")).json()["status"] == "behind"
        assert (await project.run("sync", "eu", "--json")).json()["runs"][0]["after"] == ["c3"]
        runs = (await project.run("runs", "--json")).json()
        assert [run["actor"] for run in runs] == ["token:first", "token:first", "clock"]
        check = await project.run("check")
        assert f"served at {service.url}" in check.out
    assert (await project.run("events", "--kind", "service.stopped")).out.count("\n") == 1


async def test_the_first_token(project: Project) -> None:
    """The first start writes an admin's key to a file of mode 0600, and prints only its place."""
    async with project.serving() as service:
        file = project.root / "levelhead.token"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        headers = {"Authorization": f"Bearer {file.read_text().strip()}"}
        async with httpx.AsyncClient(base_url=service.url, headers=headers) as client:
            assert (await client.get("/api/v1/tokens")).json()["items"][0]["name"] == "first"
    before = file.read_text()
    async with project.serving():
        assert file.read_text() == before


async def test_tokens_and_roles(project: Project) -> None:
    """A key that is wrong, revoked or too weak is one line and exit code 2."""
    async with project.serving():
        await at_head(project)
        key = (await project.run("token", "create", "ann")).out.strip()
        weak = await project.run("sync", LEVELHEAD_TOKEN=key)
        assert (weak.code, weak.err.count("\n")) == (2, 1)
        assert "needs the role operator; token ann has viewer" in weak.err
        wrong = await project.run("release", "eu", LEVELHEAD_TOKEN="lh_wrong")  # noqa: S106 - is wrong
        assert (wrong.code, "set LEVELHEAD_TOKEN" in wrong.err) == (2, True)
        assert (await project.run("token", "create", "ann")).code == 2
        assert (await project.run("token", "revoke", "bob")).code == 2
        (project.root / "levelhead.token").unlink()
        absent = await project.run("token", "revoke", "ann")
        assert (absent.code, "there is no token" in absent.err) == (2, True)


async def test_errors_of_the_service_keep_their_exit_code(project: Project) -> None:
    """What the service refuses ends as it would without a service."""
    async with project.serving():
        await at_head(project)
        unknown = await project.run("sync", "nope")
        assert (unknown.code, unknown.err) == (2, 'levelhead: there is no target "nope"\n')
        revision = await project.run("downgrade", "eu", "zzz")
        assert (revision.code, revision.err.count("\n")) == (4, 1)


async def test_an_order_during_a_run(project: Project) -> None:
    """`sync` during a run waits for that run; a downgrade is refused until it has ended."""
    project.add_script("d4", "c3", 'op.execute("SELECT pg_sleep(15)")')

    async def is_running() -> bool:
        return bool((await project.run("events", "--kind", "run.started")).lines())

    async with project.serving():
        await until(is_running)
        down, same = await asyncio.gather(
            project.run("downgrade", "eu", "-1"), project.run("sync", "--json")
        )
    assert (down.code, down.err.count("\n")) == (5, 1)
    assert "is under way" in down.err
    [run] = same.json()["runs"]
    assert (same.code, run["actor"], run["after"]) == (0, "clock", ["d4"])


async def test_a_second_service_is_refused(project: Project) -> None:
    """Two services on one SQLite control database: the second says who holds it, and exits 6."""
    async with project.serving() as service:
        second = await project.run("serve", "--port", "0")
    assert (second.code, second.out, second.err.count("\n")) == (6, "", 1)
    assert f"held by the service at {service.url} (process {service.process.pid})" in second.err


async def test_a_taken_port(project: Project) -> None:
    """Where the port is taken nothing is started: one line, exit code 2, no control database."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = await project.run("serve", "--port", str(port))
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert f"cannot listen on 127.0.0.1 port {port}: address already in use" in said.err
    assert not (project.root / "levelhead.db").exists()


async def test_sigterm_while_a_statement_runs(project: Project) -> None:
    """SIGTERM waits for the grace period and no longer; the next start settles what was left."""
    project.add_script("d4", "c3", 'op.execute("SELECT pg_sleep(60)")')

    async def is_in_the_fourth_step() -> bool:
        steps = await project.run("events", "--kind", "step.started")
        return len(steps.lines()) == 4

    async with asyncio.timeout(PATIENCE), project.serving():
        await until(is_in_the_fourth_step)
    [run] = (await project.run("runs", "--json")).json()
    assert run["state"] == "interrupted"
    project.add_script("d4", "c3")
    assert (await project.run("sync")).code == 0
    assert (await project.run("events", "verify")).code == 0


async def test_a_second_signal_ends_at_once(project: Project) -> None:
    """Whoever cannot wait for the grace period sends the signal again."""
    project.add_script("a1", None, 'op.execute("SELECT pg_sleep(60)")')

    async def is_in_a_step() -> bool:
        return bool((await project.run("events", "--kind", "step.started")).lines())

    process = await project.start("serve", "--port", "0")
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        assert b"listens" in await process.stdout.readline()
        await until(is_in_a_step)
        process.send_signal(signal.SIGTERM)
        while b"ending" not in await process.stdout.readline():
            pass
        refused = await project.run("sync")
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == -signal.SIGTERM
    assert (refused.code, refused.err.count("\n")) == (6, 1)
    assert "nothing was ordered" in refused.err


async def test_following_events(project: Project) -> None:
    """`events --follow --json` prints each event when it happens, one object a line."""
    await project.run("status")
    process = await project.start("events", "--follow", "--json")
    assert process.stdout is not None
    kinds = []
    async with asyncio.timeout(PATIENCE):
        await project.run("sync", "eu")
        while "run.succeeded" not in kinds:
            kinds.append(json.loads(await process.stdout.readline())["kind"])
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert kinds.index("run.requested") < kinds.index("run.started")
    assert (process.returncode, err) == (130, b"levelhead: interrupted\n")
