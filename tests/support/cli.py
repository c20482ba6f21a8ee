"""A small project on disk, and the command line as a person or a script runs it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-c", "from sync.cli.main import run; run()")

#: Seconds after which a command counts as hung.
PATIENCE = 60

ENV = """
from alembic import context
from sqlalchemy import create_engine
engine = create_engine(context.config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""

SCRIPT = """
from alembic import op
revision = {name!r}
down_revision = {below!r}
def upgrade():
    {up}
def downgrade():
    op.execute("DROP TABLE t_{name}")
"""


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    def json(self) -> Any:  # noqa: ANN401 - whatever the document holds
        """Return stdout as JSON."""
        return json.loads(self.out)

    def lines(self) -> list[list[str]]:
        """Return the words of each line of stdout."""
        return [line.split() for line in self.out.splitlines()]


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with `levelhead.toml` and one history, `app`, of the revisions it was given."""

    root: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def create(cls, root: Path, targets: Mapping[str, str], control: str | None = None) -> Project:
        """Write a project whose history has the revisions a1, b2 and c3.

        Args:
            root: Where; it exists.
            targets: Name -> URL. Each target has its name as the label ``region``.
            control: URL of the control database; None: a SQLite file in *root*.
        """
        project = cls(root)
        (root / "migrations" / "versions").mkdir(parents=True)
        (root / "migrations" / "env.py").write_text(ENV)
        (root / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n")
        for name, below in (("a1", None), ("b2", "a1"), ("c3", "b2")):
            project.add_script(name, below)
        project.configure(targets, control)
        return project

    def configure(self, targets: Mapping[str, str], control: str | None = None) -> None:
        """Write `levelhead.toml`."""
        tables = [
            "[control]",
            f'url = "{control or "sqlite:///levelhead.db"}"',
            "[schedule]",
            'every = "1h"',
            'jitter = "0s"',
            'grace = "5s"',
            '[[history]]\nname = "app"\nconfig = "alembic.ini"\nshadow = "none"',
            *(target_table(name, url) for name, url in targets.items()),
        ]
        self.toml.write_text("\n".join(tables))

    @property
    def toml(self) -> Path:
        """The configuration file."""
        return self.root / "levelhead.toml"

    def setting(self, line: str) -> str:
        """Add a line to the table of the history; return what the file held before."""
        known = self.toml.read_text()
        place = 'config = "alembic.ini"'
        self.toml.write_text(known.replace(place, f"{place}\n{line}"))
        return known

    def add_script(self, name: str, below: str | None, up: str | None = None) -> None:
        """Write a revision file; *up* is the body of ``upgrade``."""
        up = up or f'op.execute("CREATE TABLE t_{name} (id int)")'
        file = self.root / "migrations" / "versions" / f"{name}.py"
        file.write_text(SCRIPT.format(name=name, below=below, up=up))

    async def run(self, *arguments: str, **environ: str) -> Said:
        """Run a command until it ends."""
        process = await self.start(*arguments, **environ)
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
        assert process.returncode is not None
        return Said(process.returncode, out.decode(), err.decode())

    async def start(self, *arguments: str, **environ: str) -> Process:
        """Start a command."""
        return await asyncio.create_subprocess_exec(
            *COMMAND,
            *arguments,
            cwd=self.root,
            env=self._environ() | environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
        )

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Service]:
        """Run `levelhead serve` for the block; SIGTERM ends it, with exit code 0."""
        process = await self.start("serve", "--port", "0")
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            said = (await process.stdout.readline()).decode()
        if not said:
            _, err = await process.communicate()
            raise AssertionError(err.decode())
        try:
            yield Service(process, said.split()[-1])
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(PATIENCE):
                _, err = await process.communicate()
        assert process.returncode == 0, err.decode()

    def _environ(self) -> dict[str, str]:
        # Without its bytecode every command takes two times as long to start.
        dropped = ("LEVELHEAD_", "PYTHONDONTWRITEBYTECODE")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        checkout = str(Path(__file__).parents[2])
        return {**kept, "PYTHONPATH": checkout, "PYTHONWARNINGS": "default", **self.environ}


@dataclass(frozen=True, slots=True)
class Service:
    """A running `levelhead serve`."""

    process: Process
    url: str


def target_table(name: str, url: str) -> str:
    """Return the table of a target."""
    return (
        f'[[target]]\nname = "{name}"\nhistory = "app"\nurl = "{url}"\n'
        f'labels = {{ region = "{name}" }}\nconnect_timeout = "3s"'
    )


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until *condition* holds; what it looks at happens in another process."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110 - another process sets no event here
            await asyncio.sleep(0.1)
