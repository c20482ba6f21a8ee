"""Scripts that do what no script should: each gives one line, and the target stays whole."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from sync.model import RunState, Status
from tests.support.engine import (
    at,
    events,
    execute,
    kinds,
    opened_runtime,
    ordered_one,
    query,
    settings_for,
    status,
    swept,
    tables,
    texts,
    version,
)
from tests.support.histories import Scripts

#: The interpreter that the tests' environment was made from.
BASE_PYTHON = Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")

NEVER_CONFIGURES = "print('nothing to do here')\n"
CONFIGURES_ONLY = """\
from alembic import context

context.configure(connection=context.config.attributes["connection"])
"""
OFFLINE = """\
from alembic import context

context.configure(url=context.config.get_main_option("sqlalchemy.url"))
with context.begin_transaction():
    context.run_migrations()
"""
RAISES = """
op.create_table("part")
raise RuntimeError("no such luck")
"""
HANGS = """
import os, pathlib, time

op.create_table("part")
pathlib.Path("hanging").write_text(str(os.getpid()))
time.sleep(600)
"""
PRINTS = """
import sys

for _ in range(100):
    print("x" * 50_000)
    print("y" * 50_000, file=sys.stderr)
op.create_table("whole")
"""
LEAVES_A_PROCESS = """
import subprocess
import sys

sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
process = subprocess.Popen(sleep, start_new_session=True)
open("left", "w").write(str(process.pid))
op.create_table("whole")
"""
SECOND_CONNECTION = """
from alembic import context

other = sa.create_engine(context.config.get_main_option("sqlalchemy.url"))
with other.begin() as connection:
    connection.execute(sa.text("CREATE TABLE unseen ()"))
op.create_table("seen")
"""
HUGE = """
op.execute("CREATE TABLE huge AS SELECT '" + "x" * 10_000_000 + "'::text AS body")
"""


async def run_of(scripts: Scripts, url: str) -> tuple[RunState, str | None]:
    """Sweep once; return how the run ended."""
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        (run,) = await swept(runtime)
        assert await runtime.verify() > 0
        assert run.error is None or "\n" not in run.error
        return run.state, run.error


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            RAISES,
            "history app: RuntimeError: no such luck (a2.py, line 12, in upgrade)",
        ),
        (
            "import sys\nsys.exit(3)",
            "history app: a script called sys.exit(3) (a2.py, line 12, in upgrade)",
        ),
        (
            "raise KeyboardInterrupt",
            "history app: KeyboardInterrupt (a2.py, line 11, in upgrade)",
        ),
        (
            "import nowhere",
            (
                "history app: ModuleNotFoundError: No module named 'nowhere' "
                "(a2.py, line 11, in upgrade)"
            ),
        ),
        (
            "1 / 0",
            "history app: ZeroDivisionError: division by zero (a2.py, line 11, in upgrade)",
        ),
    ],
    ids=["raises", "exits", "interrupts", "imports", "divides"],
)
async def test_a_script_that_fails_by_itself(
    scripts: Scripts, url: str, body: str, error: str
) -> None:
    """Its step is rolled back, those before it stand, and the line names file and place."""
    scripts.add_tables("a1")
    scripts.add("a2", body)
    assert await run_of(scripts, url) == (RunState.FAILED, error)
    assert await tables(url) == {"alembic_version", "a1"}
    assert await version(url) == {"a1"}


async def test_a_syntax_error(scripts: Scripts, url: str) -> None:
    """A script that is no Python is named with its line, and stops its history's clock only."""
    scripts.add_tables("a1")
    scripts.write("a2", "def upgrade(:\n    pass\n")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        assert await runtime.sweep() is None
        found = await status(runtime)
        line = "history app: SyntaxError in a2.py, line 1: invalid syntax"
        assert (found.status, found.problem) == (Status.UNKNOWN, line)
        assert await runtime.ready() == (line,)
        scripts.remove("a2")
        assert [run.after for run in await swept(runtime)] == [at("a1")]


async def test_a_script_that_hangs(scripts: Scripts, url: str) -> None:
    """Its process is killed when its time is over, and all that it did is gone."""
    scripts.add("a1", HANGS)
    settings = settings_for(scripts, [url], schedule='script_timeout = "2s"')
    async with opened_runtime(settings) as runtime:
        (run,) = await swept(runtime)
        assert (run.state, run.error) == (
            RunState.INTERRUPTED,
            (
                "history app: db-1: a script ran for more than 2 s and was ended; "
                "mend it or raise schedule.script_timeout"
            ),
        )
        assert (await kinds(runtime, run=run.id))[-2:] == ["step.interrupted", "run.interrupted"]
        assert await runtime.sweep() is None
    assert not is_alive(scripts.folder / "hanging")
    async with asyncio.timeout(90):
        while await query(url, SESSIONS) != [(0,)]:  # noqa: ASYNC110 - the server's own pace
            await asyncio.sleep(0.05)
    assert await tables(url) == set()


SESSIONS = """SELECT count(*) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""


def is_alive(file: Path) -> bool:
    """Tell whether the process whose id *file* holds still exists."""
    return Path("/proc", file.read_text()).exists()


async def test_a_script_that_ends_the_process(scripts: Scripts, url: str) -> None:
    """A runner that ends without a word leaves a doubt, which the next run settles."""
    scripts.add("a1", 'op.create_table("part")\nimport os\nos._exit(7)')
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        (run,) = await swept(runtime)
        assert (run.state, run.error) == (
            RunState.INTERRUPTED,
            "db-1: the runner ended with status 7 without a word",
        )
        assert "step.interrupted" in await kinds(runtime, run=run.id)
        assert await runtime.sweep() is None
        scripts.add("a1", 'op.create_table("whole")', after=None)
        assert (await ordered_one(runtime)).state is RunState.SUCCEEDED
        settled = await events(runtime, run=run.id, kind="run.resolved")
        assert [event.data["outcome"] for event in settled] == ["absent"]
    assert await tables(url) == {"alembic_version", "whole"}


async def test_a_script_that_prints_megabytes(scripts: Scripts, url: str) -> None:
    """What scripts print is read and forgotten: it neither blocks nor breaks the talk."""
    scripts.add("a1", PRINTS)
    assert await run_of(scripts, url) == (RunState.SUCCEEDED, None)
    assert await tables(url) == {"alembic_version", "whole"}


async def test_a_script_that_leaves_a_process_behind(scripts: Scripts, url: str) -> None:
    """A process that holds the runner's output open does not hold the run."""
    scripts.add("a1", LEAVES_A_PROCESS)
    async with asyncio.timeout(60):
        assert await run_of(scripts, url) == (RunState.SUCCEEDED, None)
    assert is_alive(scripts.folder / "left")
    os.kill(int((scripts.folder / "left").read_text()), signal.SIGKILL)


@pytest.mark.parametrize(
    ("env", "error"),
    [
        (NEVER_CONFIGURES, "env.py ended without calling context.run_migrations()"),
        (CONFIGURES_ONLY, "env.py ended without calling context.run_migrations()"),
        (
            "raise LookupError('no settings')",
            "LookupError: no settings (env.py, line 1, in <module>)",
        ),
        (
            "import nowhere",
            "ModuleNotFoundError: No module named 'nowhere' (env.py, line 1, in <module>)",
        ),
    ],
    ids=["does nothing", "only configures", "raises", "imports"],
)
async def test_an_env_py_that_migrates_nothing(
    scripts: Scripts, url: str, env: str, error: str
) -> None:
    """Where env.py does not come to its migrations, the run fails and says so."""
    scripts.write_env(env)
    scripts.add_tables("a1")
    history = 'attributes = { connection = "{connection}" }'
    async with opened_runtime(settings_for(scripts, [url], history=history)) as runtime:
        (run,) = await swept(runtime)
        assert (run.state, run.error) == (RunState.FAILED, f"history app: {error}")
        assert await runtime.sweep() is None
    assert await tables(url) == set()


async def test_an_env_py_that_thinks_of_offline_mode(scripts: Scripts, url: str) -> None:
    """An env.py that gives a URL instead of a connection gets our connection all the same."""
    scripts.write_env(OFFLINE)
    scripts.add_tables("a1")
    assert await run_of(scripts, url) == (RunState.SUCCEEDED, None)
    assert await version(url) == {"a1"}


async def test_an_interpreter_without_alembic(
    scripts: Scripts, url: str, bare_python: Path
) -> None:
    """A history whose Python has no Alembic is told so in one line."""
    scripts.add_tables("a1")
    settings = settings_for(scripts, [url], history=f'python = "{bare_python}"')
    async with opened_runtime(settings) as runtime:
        assert await runtime.sweep() is None
        assert (await status(runtime)).problem == (
            f"history app: {BASE_PYTHON}: No module named 'alembic'; "
            "install alembic there, or see `python` of the history"
        )
        assert [e.history for e in await events(runtime, kind="history.failed")] == ["app"]


@pytest.fixture
def bare_python(tmp_path: Path) -> Path:
    """Give an interpreter that has nothing installed."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{BASE_PYTHON}" -I -S "$@"\n')
    python.chmod(0o755)
    return python


async def test_an_interpreter_that_is_gone(scripts: Scripts, url: str, bare_python: Path) -> None:
    """An interpreter that vanished after the settings were read is named."""
    scripts.add_tables("a1")
    settings = settings_for(scripts, [url], history=f'python = "{bare_python}"')
    await asyncio.to_thread(bare_python.unlink)
    async with opened_runtime(settings) as runtime:
        await runtime.sweep()
        assert (await status(runtime)).problem == (
            f"history app: cannot start {bare_python}: No such file or directory; "
            "see `python` of the history"
        )


async def test_a_connection_that_a_script_makes_itself(scripts: Scripts, url: str) -> None:
    """What would go over a script's own connection could not be journaled, so there is none."""
    scripts.add("a1", SECOND_CONNECTION)
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        (run,) = await swept(runtime)
        assert (run.state, run.after) == (RunState.FAILED, at())
        assert run.error == (
            "history app: a script opens a connection of its own, which cannot be journaled; "
            "use op.get_bind(), or op.get_context().autocommit_block()"
        )
    assert await tables(url) == set()


async def test_a_huge_statement(scripts: Scripts, url: str, control_url: str) -> None:
    """Ten megabytes of SQL pass through the talk and into the statement table whole."""
    scripts.add("a1", HUGE)
    async with opened_runtime(settings_for(scripts, [url], control=control_url)) as runtime:
        assert [(run.state, run.error) for run in await swept(runtime)] == [
            (RunState.SUCCEEDED, None)
        ]
        (commit,) = await events(runtime, kind="transaction.started")
        sent = await texts(runtime, commit)
        assert max(map(len, sent)) > 10_000_000
    assert await query(url, "SELECT length(body) FROM huge") == [(10_000_000,)]


@asynccontextmanager
async def closing_connection(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Close *connection* after the block."""
    try:
        yield
    finally:
        await connection.close()


async def test_a_script_that_waits_for_a_table(scripts: Scripts, url: str) -> None:
    """lock_timeout of the target ends a step that waits for others, and says how to read it."""
    await execute(url, "CREATE TABLE busy ()")
    scripts.add("a1", 'op.execute("ALTER TABLE busy ADD COLUMN id integer")')
    settings = settings_for(scripts, [url], target='lock_timeout = "100ms"')
    other = await asyncpg.connect(url)
    await other.execute("BEGIN; LOCK TABLE busy")
    async with opened_runtime(settings) as runtime, closing_connection(other):
        (run,) = await swept(runtime)
        assert run.error == (
            "db-1: revision a1: canceling statement due to lock timeout (LockNotAvailable)"
        )
