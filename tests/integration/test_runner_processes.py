"""The process in which other people's scripts run: what it sees, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from providers.types import RunnerSupport, Target
from sync.model import Order, Verb
from sync.plan.conversation import About, Failed
from sync.plan.processes import Runners
from sync.settings import Settings
from tests.support.engine import at, execute, query, settings_for, tables
from tests.support.histories import Scripts

TELLS = """
import json, os, pathlib, sys

import app
import sync

pathlib.Path("told.json").write_text(json.dumps({
    "environ": dict(os.environ),
    "modules": [app.__file__, sync.__file__],
    "argv": pathlib.Path(f"/proc/{os.getpid()}/cmdline").read_text().split(chr(0)),
    "first environ": pathlib.Path(f"/proc/{os.getpid()}/environ").read_text(),
    "input": sys.stdin.read(),
}))
"""
WAITS = """
import os, pathlib, time

op.create_table("a1")
pathlib.Path("pid").write_text(str(os.getpid()))
time.sleep(600)
"""
BUSY = """
import os, pathlib

pathlib.Path("pid").write_text(str(os.getpid()))
op.execute("CREATE TABLE a1 AS SELECT 1 AS id FROM pg_sleep(600)")
"""
SESSIONS = """SELECT pid FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""


async def migrated(settings: Settings, *, stop_at: str | None = None) -> list[str]:
    """Talk with a runner that migrates db-1 to head, and return the nouns of its acts.

    Where *stop_at* is the noun of an act, the talk ends there as if the service went away.
    """
    target: Target = settings.targets["db-1"]
    runners = Runners(timeout=settings.schedule.script_timeout, secrets=settings.secrets())
    nouns: list[str] = []
    async with runners.migrate(
        settings.histories["app"], target, Order(Verb.SYNC), at(), support=RunnerSupport()
    ) as talk:
        while len(nouns) < 3:
            word = await talk.hear()
            assert isinstance(word, About), word
            nouns.append(word.noun)
            if word.noun == stop_at:
                return nouns
            await talk.go("ticket")
        await talk.hear()
    return nouns


async def test_scripts_see_their_own_world(
    scripts: Scripts, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their folder, their modules, an allowlisted environment with `env` on top, and no input."""
    monkeypatch.setenv("LEVELHEAD_TOKEN", "not-theirs")
    monkeypatch.setenv("PGPASSWORD", "not-theirs")
    for name in ("app", "sync"):
        (scripts.folder / f"{name}.py").write_text("")
    scripts.add("a1", TELLS)
    settings = settings_for(scripts, [url], history='env = { APP_URL = "{url}", MODE = "x" }')
    assert await migrated(settings) == ["run", "step", "transaction"]
    told = json.loads((scripts.folder / "told.json").read_text())
    assert "not-theirs" not in json.dumps(told)
    assert told["environ"]["MODE"] == "x"
    assert told["environ"]["APP_URL"].partition("://")[2] == url.partition("://")[2]
    assert told["modules"] == [str(scripts.folder / f"{name}.py") for name in ("app", "sync")]
    assert told["input"] == ""
    assert url not in told["first environ"]
    assert [Path(part).name for part in told["argv"][1:]] == ["boot.py", ""]


async def test_nothing_happens_before_it_is_told_to(scripts: Scripts, url: str) -> None:
    """A runner that announced its run and hears nothing leaves the target as it was."""
    scripts.add_tables("a1")
    assert await migrated(settings_for(scripts, [url]), stop_at="run") == ["run"]
    assert await tables(url) == set()


async def test_a_target_that_moved_meanwhile_is_left_alone(scripts: Scripts, url: str) -> None:
    """Each step requires the heads that the plan starts from, in its own transaction."""
    scripts.add_tables("a1", "a2")
    settings = settings_for(scripts, [url])
    runners = Runners(timeout=settings.schedule.script_timeout, secrets=())
    async with runners.migrate(
        settings.histories["app"],
        settings.targets["db-1"],
        Order(Verb.SYNC),
        at(),
        support=RunnerSupport(),
    ) as talk:
        await talk.hear()
        await execute(url, "CREATE TABLE alembic_version (version_num text)")
        await execute(url, "INSERT INTO alembic_version VALUES ('a1')")
        await talk.go("ticket")
        while isinstance(word := await talk.hear(), About):
            await talk.go("ticket")
    assert isinstance(word, Failed)
    assert str(word.error) == ("db-1: expected heads [], found ['a1']; run levelhead status db-1")
    assert await tables(url) == {"alembic_version"}


async def test_no_commit_before_it_is_told_to(scripts: Scripts, url: str) -> None:
    """A COMMIT that was announced and not allowed is never sent."""
    scripts.add_tables("a1")
    nouns = await migrated(settings_for(scripts, [url]), stop_at="transaction")
    assert nouns == ["run", "step", "transaction"]
    assert await tables(url) == set()


@pytest.mark.parametrize("body", [WAITS, BUSY], ids=["in Python", "in a statement"])
async def test_it_ends_with_its_service(scripts: Scripts, url: str, body: str) -> None:
    """When the pipe closes, the process ends at once and the server undoes what it did."""
    scripts.add("a1", body)
    settings = settings_for(scripts, [url])
    task = asyncio.create_task(migrated(settings))
    pid = await written(scripts.folder / "pid")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not is_alive(pid)
    async with asyncio.timeout(90):
        while await query(url, SESSIONS):  # noqa: ASYNC110 - the server's own pace
            await asyncio.sleep(0.05)
    assert await tables(url) == set()


async def test_it_ends_when_its_pipe_does(scripts: Scripts, url: str) -> None:
    """Nobody has to kill a runner whose service was killed: end of input is its end."""
    scripts.add("a1", WAITS)
    settings = settings_for(scripts, [url])
    runners = Runners(timeout=settings.schedule.script_timeout, secrets=())
    async with runners.migrate(
        settings.histories["app"],
        settings.targets["db-1"],
        Order(Verb.SYNC),
        at(),
        support=RunnerSupport(),
    ) as talk:
        for _ in range(2):
            await talk.hear()
            await talk.go("ticket")
        pid = await written(scripts.folder / "pid")
        stdin = talk._process.stdin
        assert stdin is not None
        stdin.close()
        assert await talk._process.wait() == ORPHANED
    assert not is_alive(pid)


ORPHANED = 69


async def test_an_interrupt_of_the_terminal_is_not_for_it(scripts: Scripts, url: str) -> None:
    """Ctrl-C reaches the service alone, which ends its runners in order."""
    scripts.add("a1", "import os, pathlib\npathlib.Path('group').write_text(str(os.getpgid(0)))")
    await migrated(settings_for(scripts, [url]))
    group = int((scripts.folder / "group").read_text())
    assert group != os.getpgid(0)


def is_alive(pid: int) -> bool:
    """Tell whether a process exists."""
    return Path(f"/proc/{pid}").exists()


async def written(file: Path) -> int:
    """Wait until a script has written its process id to *file*, and return it."""
    async with asyncio.timeout(90):
        while not (text := read(file)):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.02)
    return int(text)


def read(file: Path) -> str:
    """Return what *file* holds; nothing where it does not exist yet."""
    return file.read_text() if file.exists() else ""
