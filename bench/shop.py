"""Empty databases for the history of twenty revisions, made anew before each turn."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from bench.commands import output_of
from bench.twenty import VARIABLE, write_twenty
from providers.postgres.embedded import (
    Server,
    bundled_binaries,
    system_binaries,
    throwaway_postgres,
)

CONTROL = "control"
SPARE_CONNECTIONS = 50  # for the control database, the superuser, and sessions still closing


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """One server, the history, and the settings of a service with all databases as targets."""

    server: Server
    names: tuple[str, ...]  #: of the databases
    ini: Path  #: the history's `alembic.ini`
    config: Path  #: the `levelhead.toml`
    script: Path = field(repr=False)  #: what `alembic upgrade head --sql` prints

    def url(self, name: str) -> str:
        """Return the URL of a database."""
        return self.server.url(name)

    def environ(self, name: str) -> dict[str, str]:
        """Return what Alembic needs to migrate a database by hand."""
        return {**os.environ, VARIABLE: self.url(name)}


@asynccontextmanager
async def running_shop(*, targets: int, width: int) -> AsyncIterator[Shop]:
    """Start a server and write everything else; all is gone after the block."""
    async with throwaway_postgres(max_connections=width + SPARE_CONNECTIONS) as server:
        with tempfile.TemporaryDirectory(prefix="levelhead-bench-") as directory:
            folder = Path(directory)
            names = tuple(f"shop_{number:04}" for number in range(targets))
            shop = Shop(
                server=server,
                names=names,
                ini=write_twenty(folder / "history"),
                config=folder / "levelhead.toml",
                script=folder / "upgrade.sql",
            )
            shop.config.write_text("\n".join(_settings(shop, width)))
            await on_server(server, f"CREATE DATABASE {CONTROL}")
            await renew(shop, names[:1])
            shop.script.write_text(await output_of(*alembic(shop, names[0], "head", "--sql")))
            yield shop


async def renew(shop: Shop, names: Sequence[str]) -> None:
    """Put an empty database in the place of each, and have the server write down all it must."""
    for name in names:
        await on_server(shop.server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await on_server(shop.server, f"CREATE DATABASE {name} TEMPLATE template0")
    await on_server(shop.server, "CHECKPOINT")


async def on_server(server: Server, sql: str) -> None:
    """Send one statement to the server."""
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def alembic(shop: Shop, name: str, *revision: str) -> tuple[Sequence[str], dict[str, str]]:
    """Return the command that migrates a database by hand, and its environment."""
    command = (sys.executable, "-m", "alembic", "-c", str(shop.ini), "upgrade", *revision)
    return command, shop.environ(name)


def psql(shop: Shop, name: str) -> tuple[Sequence[str], dict[str, str]]:
    """Return the command that runs the printed SQL on a database, and its environment."""
    options = ("-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(shop.script))
    return (_psql(), *options, shop.url(name)), dict(os.environ)


def _psql() -> str:
    places = [system_binaries(), bundled_binaries()]
    beside = (place / "psql" for place in places if place)
    found = shutil.which("psql") or next((str(path) for path in beside if path.exists()), None)
    if found is None:
        raise SystemExit("psql is not installed on this machine, and it is one of the peers")
    return found


def _settings(shop: Shop, width: int) -> list[str]:
    targets = [
        f'[[target]]\nname = "{name}"\nhistory = "shop"\nurl = "{shop.url(name)}"'
        for name in shop.names
    ]
    return [
        f'[control]\nurl = "{shop.url(CONTROL)}"',
        f"[schedule]\nruns = {width}",
        f'[[history]]\nname = "shop"\nconfig = "{shop.ini}"\nenv = {{ {VARIABLE} = "{{url}}" }}',
        *targets,
    ]
