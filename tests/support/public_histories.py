"""Histories of public packages: where each is, what it is told, and an environment for it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from sync.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]

#: A folder for each package: its pins, and what its history needs beside it.
FOLDERS = ROOT / "tests" / "histories"

#: Where the environments are made; git ignores it.
ENVIRONMENTS = ROOT / ".venv-histories"

#: Alembic itself, as the history's own interpreter has it: ini, url, hook, command, revision.
ALEMBIC = """
import importlib, sys
from alembic import command
from alembic.config import Config

ini, url, hook, verb, to = sys.argv[1:]
config = Config(ini)
config.set_main_option("sqlalchemy.url", url)
if hook:
    sys.path.insert(0, ".")
    module, _, name = hook.partition(":")
    getattr(importlib.import_module(module), name)(config)
getattr(command, verb)(config, to)
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PublicHistory:
    """The migrations of a package that others publish, and how levelhead is told of them."""

    name: str
    package: str  #: as it is installed; the folder of its pins has the same name
    ini: str = ""  #: the package's own alembic.ini, from site-packages; else ours beside the pins
    driver: str = "psycopg"
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    hook: str = ""
    version_table: str = "alembic_version"
    way_down: str = "base"  #: from where it comes up again; below, Alembic itself fails

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        return ENVIRONMENTS / self.package / "bin" / "python"

    @property
    def config(self) -> Path:
        """Its alembic.ini."""
        if not self.ini:
            return FOLDERS / self.package / "alembic.ini"
        (packages,) = self.python.parent.parent.glob("lib/python3*/site-packages")
        return packages / self.ini

    def pins(self) -> dict[str, str]:
        """Return the version of each package in its environment."""
        text = self.requirements.read_text()
        return dict(re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE))

    @property
    def requirements(self) -> Path:
        """The file of its pins."""
        return FOLDERS / self.package / "requirements.txt"

    def table(self) -> str:
        """Return its table for levelhead.toml."""
        keys = {
            "name": self.name,
            "config": str(self.config),
            "python": str(self.python),
            "driver": self.driver,
            "version_table": self.version_table,
            "hook": self.hook,
        }
        lines = [f'{key} = "{value}"' for key, value in keys.items() if value]
        env = ", ".join(f'{name} = "{value}"' for name, value in self.env.items())
        return "\n".join(["[[history]]", *lines, f"env = {{ {env} }}"])

    def settings(self, folder: Path, urls: Sequence[str]) -> Settings:
        """Write levelhead.toml into *folder*, with a target for each URL, and read it."""
        targets = [
            f'[[target]]\nname = "db-{place}"\nhistory = "{self.name}"\nurl = "{url}"'
            for place, url in enumerate(urls, start=1)
        ]
        file = folder / "levelhead.toml"
        file.write_text("\n\n".join([self.table(), *targets]))
        return load_settings(file, {}, folder)

    async def migrate_plainly(self, url: str, command: str, to: str) -> None:
        """Run Alembic itself: *command* is ``upgrade`` or ``downgrade``."""
        address = url.replace("postgresql:", f"postgresql+{self.driver}:")
        arguments = (str(self.config), address, self.hook, command, to)
        env = {name: value.replace("{url}", address) for name, value in self.env.items()}
        await run(
            str(self.python),
            "-P",
            "-c",
            ALEMBIC,
            *arguments,
            cwd=self.config.parent,
            env=os.environ | env,
        )

    async def prepare(self) -> None:
        """Make its environment, unless exactly this was installed there before."""
        stamp = ENVIRONMENTS / self.package / "levelhead-pins"
        wanted = hashlib.sha256(self.requirements.read_bytes() + sys.version.encode()).hexdigest()
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        await uv("venv", "--clear", "--python", sys.executable, str(stamp.parent))
        index = os.environ.get("PIP_INDEX_URL") or await configured_index()
        await uv(
            *("pip", "install", "--system-certs", "--no-deps", "--require-hashes"),
            *("--compile-bytecode", "--python", str(self.python), "-r", str(self.requirements)),
            *(("--default-index", index) if index else ()),
        )
        stamp.write_text(wanted)


async def uv(*arguments: str) -> None:
    """Run uv, which speaks only when it fails."""
    await run(str(Path(sys.executable).with_name("uv")), "--quiet", *arguments)


async def configured_index() -> str:
    """Return where pip is told to look for packages; empty where it is told nothing."""
    command = (sys.executable, "-m", "pip", "config", "get", "global.index-url")
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    said, _ = await process.communicate()
    return said.decode().strip()


async def run(*command: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> None:
    """Run a command that succeeds."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


HISTORIES = (
    PublicHistory(
        name="optuna", package="optuna", ini="optuna/storages/_rdb/alembic.ini", way_down="v3.0.0.c"
    ),
    PublicHistory(
        name="quetz-server", package="quetz-server", driver="psycopg2", way_down="0653794b6252"
    ),
    PublicHistory(
        name="argilla-server",
        package="argilla-server",
        ini="argilla_server/alembic.ini",
        driver="asyncpg",
        env={
            "ARGILLA_DATABASE_URL": "{url}",
            "ARGILLA_HOME_PATH": str(ENVIRONMENTS / "argilla-server" / "home"),
            "HF_HUB_OFFLINE": "1",
        },
    ),
    PublicHistory(
        name="mlflow-store",
        package="mlflow",
        hook="base_tables:create",
        way_down="6953534de441",
        env={"MLFLOW_DISABLE_TELEMETRY": "true"},
    ),
    PublicHistory(
        name="mlflow-auth",
        package="mlflow",
        ini="mlflow/server/auth/db/migrations/alembic.ini",
        env={"MLFLOW_DISABLE_TELEMETRY": "true"},
        version_table="alembic_version_auth",
    ),
)
