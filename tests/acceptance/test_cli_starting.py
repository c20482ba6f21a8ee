"""What the command line shows of a target whose server is starting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.proxy import Proxy, proxy
from tests.support.cli import PATIENCE, Project

SAID = "does not take connections yet (the database system is starting up); try again shortly"


@dataclass(frozen=True, slots=True)
class Cold:
    """A project with the target eu, whose server is starting."""

    project: Project
    server: Proxy


@pytest.fixture
async def cold(tmp_path: Path, database: str) -> AsyncIterator[Cold]:
    """Give a project whose only target is starting."""
    async with proxy(database) as server:
        server.is_starting = True
        yield Cold(Project.create(tmp_path, {"eu": server.url}), server)


async def test_status(cold: Cold) -> None:
    """`status` has a word for it, and exits 1: the target is not known to be at head."""
    said = await cold.project.run("status")
    assert (said.code, said.err) == (1, "")
    assert said.out.startswith("eu  app  postgresql  starting  -  c3  -  eu: 127.0.0.1:")
    assert said.out.endswith(f"{SAID}\n")
    [eu] = (await cold.project.run("status", "--json")).json()
    assert (eu["status"], eu["heads"]) == ("starting", None)
    assert eu["retry_at"]


async def test_check(cold: Cold) -> None:
    """`check` counts it as it counts what cannot be reached, and says that it is starting."""
    said = await cold.project.run("check")
    assert said.code == 3
    (line,) = [line for line in said.out.splitlines() if "target eu" in line]
    assert line.startswith("fail")
    assert line.endswith(SAID)


async def test_sync_waits(cold: Cold) -> None:
    """`sync` says for what it waits, and applies what is pending when the server has started."""
    process = await cold.project.start("sync")
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        assert await process.stdout.readline() == b"eu: starting; waits up to 300 s\n"
        cold.server.is_starting = False
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert out.decode().splitlines()[0] == "eu: 3 steps"


async def test_sync_gives_up(cold: Cold) -> None:
    """After `start_wait` the command exits 3 and says what to do."""
    file = cold.project.root / "levelhead.toml"
    file.write_text(f'{file.read_text()}\nstart_wait = "1s"\n')
    said = await cold.project.run("sync")
    assert (said.code, said.out) == (3, "eu: starting; waits up to 1 s\n")
    assert said.err == "eu: still starting after 1 s; ask again, or raise start_wait\n"
    [run] = (await cold.project.run("runs", "--json")).json()
    assert (run["state"], run["before"]) == ("failed", None)
