"""Bad input, each in one line: who, what, found, and what to do next. Never a traceback."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.support.cli import Project, Said

SECRET = "hunter2-and-more"  # noqa: S105 - a password that opens nothing


@pytest.fixture
async def project(tmp_path: Path, database: str) -> Project:
    """Give a project with the empty target eu."""
    return Project.create(tmp_path, {"eu": database})


def one_line(said: Said, code: int, *parts: str) -> None:
    """Require that a command failed with *code* and one line that has all of *parts*."""
    assert (said.code, said.err.count("\n")) == (code, 1), said
    assert all(part in said.err for part in parts), said.err
    assert SECRET not in said.err + said.out


async def test_an_unknown_target(project: Project) -> None:
    """A target that is not configured is named, with the one that was meant."""
    commands = (("status", "eux"), ("sync", "eux"), ("downgrade", "eux", "-1"), ("release", "eux"))
    for command in commands:
        one_line(await project.run(*command), 2, 'there is no target "eux"', 'mean "eu"?')


async def test_bad_toml(project: Project) -> None:
    """A file that is not TOML: where it stops being TOML."""
    (project.root / "levelhead.toml").write_text("[control\n")
    one_line(await project.run("status"), 2, "levelhead.toml: is not TOML", "line 1")
    check = await project.run("check")
    assert (check.code, check.lines()[0][:2]) == (2, ["fail", "configuration"])


async def test_no_configuration(tmp_path: Path) -> None:
    """Without a file: where one was looked for, and how to name another."""
    said = await Project(tmp_path).run("status")
    one_line(said, 2, f"there is no {tmp_path}/levelhead.toml", "--config", "LEVELHEAD_CONFIG")


async def test_a_missing_variable(project: Project) -> None:
    """An environment variable that is not set: which, and for what."""
    project.configure({"eu": "postgresql://u:${EU_PASSWORD}@127.0.0.1/d"})
    one_line(await project.run("sync"), 2, 'target "eu".url', "EU_PASSWORD is not set")


async def test_a_wrong_password(project: Project, database: str) -> None:
    """A target that refuses the password, which is not repeated."""
    parts = urlsplit(database)
    netloc = f"{parts.username}:{SECRET}@{parts.hostname}:{parts.port}"
    project.configure({"eu": parts._replace(netloc=netloc).geturl()})
    one_line(await project.run("sync"), 3, "eu: ", "password")
    status = await project.run("status")
    assert (status.code, status.lines()[0][3]) == (1, "unreachable")
    assert SECRET not in status.out
    check = await project.run("check")
    assert (check.code, SECRET in check.out) == (3, False)


async def test_a_host_that_is_down(project: Project, database: str) -> None:
    """A target that nobody serves does not keep the others from head."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    down = f"postgresql://u:{SECRET}@127.0.0.1:{port}/d"
    project.configure({"down": down, "eu": database})
    one_line(await project.run("sync"), 3, "down: ")
    down_status, eu = (await project.run("status", "--json")).json()
    assert (down_status["status"], down_status["heads"]) == ("unreachable", None)
    assert eu["status"] == "current"


async def test_a_revision_nobody_knows(project: Project, database: str) -> None:
    """A version table with a strange revision: which, and what to do."""
    await project.run("sync")
    connection = await asyncpg.connect(database)
    await connection.execute("UPDATE alembic_version SET version_num = 'ffff'")
    await connection.close()
    status = await project.run("status")
    assert (status.code, status.lines()[0][3:5]) == (1, ["unknown", "ffff"])
    assert "eu: at revision ffff, which history app does not have" in status.out
    one_line(await project.run("sync"), 4, "ffff")
    assert "ffff" in (await project.run("check")).out


async def test_two_heads(project: Project) -> None:
    """A history with two heads: both, and how to go on."""
    project.add_script("d4", "b2")
    one_line(await project.run("sync"), 4, "eu: ", "head")
    status = await project.run("status")
    assert (status.code, "2 heads (c3, d4)" in status.out) == (1, True)
    check = await project.run("check")
    assert (check.code, "2 heads: c3, d4" in check.out) == (4, True)


async def test_a_script_with_a_syntax_error(project: Project) -> None:
    """A script that is not Python: its file and line."""
    project.add_script("d4", "c3", "op.execute(")
    one_line(await project.run("sync"), 4, "history app: ", "d4.py")
    assert (await project.run("status")).code == 1
    assert (await project.run("check")).code == 4


async def test_a_script_that_raises(project: Project) -> None:
    """A script that fails in the middle: the steps before it stand, its own are rolled back."""
    up = 'op.execute("CREATE TABLE half (id int)")\n    raise ValueError("no such thing")'
    project.add_script("d4", "c3", up)
    one_line(await project.run("sync"), 4, "eu: ", "d4.py")
    [eu] = (await project.run("status", "--json")).json()
    assert (eu["heads"], eu["pending"]) == (["c3"], ["d4"])


async def test_a_statement_that_fails(project: Project) -> None:
    """A statement that the database refuses: the database's reason."""
    project.add_script("d4", "c3", 'op.execute("CREATE TABLE t_a1 (id int)")')
    one_line(await project.run("sync"), 3, "eu: ", '"t_a1" already exists')


async def test_an_unknown_revision(project: Project) -> None:
    """A revision that the history does not have: which."""
    await project.run("sync")
    one_line(await project.run("downgrade", "eu", "zzz"), 4, "eu: ", "'zzz'")


async def test_a_read_only_control_database(project: Project) -> None:
    """A control database in a folder that does not exist cannot be made."""
    toml = project.root / "levelhead.toml"
    toml.write_text(toml.read_text().replace("sqlite:///", "sqlite:///absent/"))
    one_line(await project.run("sync"), 6, "absent")
    assert (await project.run("check")).code == 6


async def test_nothing_was_recorded_yet(project: Project) -> None:
    """Before the first change there is no log to read: the line says so."""
    for command in ("runs", "events", "token"):
        arguments = (command, "list") if command == "token" else (command,)
        one_line(await project.run(*arguments), 6, "levelhead.db")
