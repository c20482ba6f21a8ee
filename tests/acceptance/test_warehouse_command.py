"""`levelhead warehouse`, and targets on it."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from tests.support.cli import PATIENCE, Project
from tests.support.extras import ran_without

VARIABLE = "LEVELHEAD_WAREHOUSE_TOKEN"
TOKEN = "s3cret/with?marks"  # noqa: S105 - of warehouses that live as long as a test
WITH_TOKEN = {VARIABLE: TOKEN}


@dataclass(frozen=True, slots=True)
class Started:
    """A warehouse's process, and what it said when it was ready."""

    process: Process
    where: str  #: its first line
    url: str
    token: str | None  #: None: it was not shown

    async def end(self, number: signal.Signals) -> None:
        """End it in good order."""
        self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            out, errors = await self.process.communicate()
        assert (self.process.returncode, out, errors) == (0, b"", b"")


@asynccontextmanager
async def started(root: Path, *arguments: str, **environ: str) -> AsyncIterator[Started]:
    """Run `levelhead warehouse` for the block, or until it ends."""
    process = await Project(root).start("warehouse", *arguments, **environ)
    try:
        yield await told_by(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def told_by(process: Process) -> Started:
    """Read until the last line that says how to reach it."""
    assert process.stdout is not None
    text = ""
    async with asyncio.timeout(PATIENCE):
        while not (url := re.search(r'^url = "(.*)"$', text, re.MULTILINE)):
            line = await process.stdout.readline()
            assert line, await process.communicate()
            text += line.decode()
    token = re.search(rf"^export {VARIABLE}=(.+)$", text, re.MULTILINE)
    return Started(process, text.partition("\n")[0], url[1], token and token[1])


async def comes_to_head(project: Project, **environ: str) -> None:
    """Bring the project's target to head, and see that it stands there."""
    synced = await project.run("sync", **environ)
    assert (synced.code, synced.err) == (0, "")
    await stands_at_head(project, **environ)


async def stands_at_head(project: Project, **environ: str) -> None:
    """See that the project's target is a warehouse at head."""
    (target,) = (await project.run("status", "--json", **environ)).json()
    assert (target["provider"], target["status"]) == ("databricks", "current")


async def test_what_it_says_is_all_that_a_target_needs(tmp_path: Path) -> None:
    """With the two lines it prints a target comes to head, and it leaves nothing on disk."""
    async with started(tmp_path) as warehouse:
        assert warehouse.where.endswith(" keeps everything in memory")
        assert warehouse.token is not None
        assert warehouse.token not in warehouse.url
        assert not any(tmp_path.iterdir())  # noqa: ASYNC240 - an empty folder
        project = Project.create(tmp_path, {"lake": warehouse.url})
        await comes_to_head(project, **{VARIABLE: warehouse.token})


async def test_a_token_that_is_given_is_not_shown(tmp_path: Path) -> None:
    """It takes the token from its variable, whatever signs are in it, and keeps it to itself."""
    async with started(tmp_path, **WITH_TOKEN) as warehouse:
        assert warehouse.token is None
        for written in (TOKEN, quote(TOKEN, "")):
            assert written not in warehouse.where + warehouse.url
        await comes_to_head(Project.create(tmp_path, {"lake": warehouse.url}), **WITH_TOKEN)


async def test_a_directory_outlives_the_process(tmp_path: Path) -> None:
    """After kill -9 the next one on the directory has everything, on the port asked for."""
    options = ("--directory", str(tmp_path / "kept"), "--catalog", "Dev", "--port")
    async with started(tmp_path, *options, "0", **WITH_TOKEN) as first:
        assert first.where.endswith(f" keeps everything in {tmp_path / 'kept'}")
        assert "&catalog=dev&" in first.url
        project = Project.create(tmp_path, {"lake": first.url})
        await comes_to_head(project, **WITH_TOKEN)
    async with started(tmp_path, *options, port_of(first), **WITH_TOKEN) as second:
        assert second.url == first.url
        await stands_at_head(project, **WITH_TOKEN)


def port_of(warehouse: Started) -> str:
    """Return where it listens."""
    (port,) = re.findall(r"127\.0\.0\.1:(\d+)", warehouse.where)
    return str(port)


async def test_https(tmp_path: Path) -> None:
    """With certificate and key it speaks https; the target names the authority."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    own, key, trusted = (tmp_path / f"{name}.pem" for name in ("own", "key", "authority"))
    issued.cert_chain_pems[0].write_to_path(own)
    issued.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(trusted)
    files = ("--certificate", str(own), "--key", str(key))
    async with started(tmp_path, *files, **WITH_TOKEN) as warehouse:
        assert " https://127.0.0.1:" in warehouse.where
        url = f"{warehouse.url}&_tls_trusted_ca_file={quote(str(trusted), '')}"
        await comes_to_head(Project.create(tmp_path, {"lake": url}), **WITH_TOKEN)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_is_no_failure(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end it in good order, also while somebody is connected."""
    async with started(tmp_path) as warehouse:
        _, writer = await asyncio.open_connection("127.0.0.1", int(port_of(warehouse)))
        await warehouse.end(number)
        writer.close()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--port", "70000"], ["--port", "65535"]),
        (["--directory", "/proc/nowhere"], ["/proc/nowhere", "choose another directory"]),
        (["--directory", "levelhead.toml"], ["levelhead.toml", "choose another directory"]),
        (["--directory", "junk"], ["junk", "warehouse.duckdb", "choose another directory"]),
        (["--certificate", "own.pem"], ["--key is missing"]),
        (["--key", "key.pem"], ["--certificate is missing"]),
        (["--certificate", "a.pem", "--key", "b.pem"], ["a.pem", "b.pem", "no such file"]),
        (["--catalog", "my catalog"], ["--catalog", "'my catalog'", "choose a name"]),
        (["--catalog", "system"], ["'system'", "choose a name"]),
    ],
    ids=lambda value: " ".join(value) if value[0].startswith("--") else None,
)
async def test_bad_input(tmp_path: Path, arguments: list[str], parts: list[str]) -> None:
    """What it cannot start with is one line that names it."""
    project = Project.create(tmp_path, {})
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "warehouse.duckdb").write_text("not a database")
    await refuses(project, arguments, parts)


async def refuses(project: Project, arguments: list[str], parts: list[str], **environ: str) -> None:
    """See that the command ends with one line that has all *parts*, and exit code 2."""
    said = await project.run("warehouse", *arguments, **environ)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1), said
    assert all(part in said.err for part in parts), said.err


async def test_a_token_that_no_client_can_send(tmp_path: Path) -> None:
    """It is refused, and not repeated."""
    said = await Project(tmp_path).run("warehouse", **{VARIABLE: "s3cret token"})
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert VARIABLE in said.err
    assert "s3cret" not in said.err


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """The line names address and port, and says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        where = f"cannot listen on 127.0.0.1 port {port}: address already in use"
        await refuses(Project(tmp_path), ["--port", port], [where, "choose another port"])


async def test_a_directory_that_is_in_use(tmp_path: Path) -> None:
    """Two warehouses do not share one."""
    options = ["--directory", str(tmp_path / "kept")]
    async with started(tmp_path, *options):
        await refuses(Project(tmp_path), options, ["kept: another warehouse uses this directory"])


def test_without_the_extra() -> None:
    """Where what it needs is not installed, one line says what to install."""
    outcome = ran_without("duckdb", "warehouse")
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert outcome.stderr == (
        "levelhead: a local SQL warehouse needs 'duckdb', which is not installed; "
        "pip install 'levelhead[warehouse]'\n"
    )
