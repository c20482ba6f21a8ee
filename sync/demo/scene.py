"""What the demo is played on: throwaway databases, a warehouse, and a configuration."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Awaitable, Mapping
from pathlib import Path

from providers.postgres.embedded import Server
from providers.types import Statement, Target
from sync.cli.warehouse import Warehouse
from sync.errors import ScriptError
from sync.pool import Providers
from sync.settings import Settings, load_settings

HISTORY = "app"

#: Targets of the demo. Each has a label of the same name.
BEHIND, AT_BASE, BY_HAND = DATABASES = ("eu", "us", "jp")
LAKE = "lake"  #: the one on a SQL warehouse

_TARGET = """
[[target]]
name = "{name}"
history = "app"
url = "file:{name}.url"
labels = {{ region = "{name}" }}
"""

_RESTLESS = """\
check_every = "0s"  # without it once an hour: a look wakes a warehouse, but this one never sleeps
"""

_SETTINGS = """\
[control]
url = "sqlite:///levelhead.db"

[schedule]
every = "5s"
jitter = "0s"

[[history]]
name = "app"
config = {config}
"""


async def prepare(server: Server, starting: Awaitable[Warehouse]) -> Settings:
    """Create the databases, write a `levelhead.toml` beside the server's data, and load it.

    The server's directory goes away with the server, however the demo ends: so does all
    that the demo writes.

    Raises:
        ConfigError: The warehouse did not start.
    """
    await _create_databases(server, *DATABASES)
    warehouse = await starting
    urls = {name: server.url(name) for name in DATABASES} | {LAKE: warehouse.target_url()}
    folder = server.directory / "demo"
    folder.mkdir(mode=0o700)
    return load_settings(_write(folder, urls), {}, folder)


def _write(folder: Path, urls: Mapping[str, str]) -> Path:
    """Write the configuration of targets with these URLs; return its file."""
    for name, url in urls.items():
        (folder / f"{name}.url").write_text(url)
    config = json.dumps(str(sample_config()), ensure_ascii=False)
    targets = "".join(_TARGET.format(name=name) for name in urls)
    file = folder / "levelhead.toml"
    file.write_text(_SETTINGS.format(config=config) + targets + _RESTLESS, encoding="utf-8")
    return file


def sample_config() -> Path:
    """Return the sample history's `alembic.ini`: the wheel's copy, else the repository's."""
    packaged = Path(__file__).with_name("sample") / "alembic.ini"
    return packaged if packaged.is_file() else Path(__file__).parents[2] / "alembic.ini"


async def upgrade_by_hand(settings: Settings, target: str, to: str) -> None:
    """Move a target as somebody does who has never heard of levelhead.

    Raises:
        ScriptError: Alembic failed; the message ends with its last line.
    """
    config = settings.histories[HISTORY].config
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alembic", "-c", str(config), "upgrade", to),
        cwd=config.parent,
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "DATABASE_URL": settings.targets[target].url,
        },
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:  # interrupted
            process.kill()
            await process.wait()
    if process.returncode:
        last = output.decode(errors="replace").strip().rpartition("\n")[2]
        raise ScriptError(f"alembic upgrade {to}: {last}", history=HISTORY)


async def _create_databases(server: Server, *names: str) -> None:
    target = Target(name="demo", history=HISTORY, dialect="postgresql", url=server.url("postgres"))
    providers = Providers()
    try:
        async with providers.open(target) as session:
            for name in names:
                create = Statement(f'CREATE DATABASE "{name}"', transactional=False)
                await session.execute(create, ticket=name)
    finally:
        await providers.aclose()
