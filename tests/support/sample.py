"""A copy of the sample project in which a test works as its developer would."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import asyncpg

CHECKOUT = Path(__file__).resolve().parents[2]
PARTS = ("alembic", "alembic.ini", "app", "justfile", "bootstrap.py", "pyproject.toml")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a shell command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Sample:
    """The copy, and the database that its DATABASE_URL names."""

    root: Path
    url: str

    async def run(self, command: str, **environ: str) -> str:
        """Run a shell command that succeeds; return what it printed."""
        outcome = await self.attempt(command, **environ)
        assert outcome.code == 0, f"{command}\n{outcome.out}\n{outcome.err}"
        return outcome.out

    async def attempt(self, command: str, **environ: str) -> Outcome:
        """Run a shell command in the copy, with an environment of nothing but its needs."""
        process = await asyncio.create_subprocess_shell(
            command,
            cwd=self.root,
            env=self._environ() | environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await process.communicate()
        finally:
            if process.returncode is None:  # the test was cancelled
                process.kill()
                await process.wait()
        return Outcome(process.returncode or 0, out.decode(), err.decode())

    async def query(self, sql: str) -> list[tuple[object, ...]]:
        """Return the rows that *sql* gives; several statements give none."""
        connection = await asyncpg.connect(self.url)
        try:
            return [tuple(row.values()) for row in await connection.fetch(sql)]
        finally:
            await connection.close()

    async def execute(self, sql: str) -> None:
        """Run one or several statements."""
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    async def columns(self, table: str) -> dict[str, str]:
        """Return column name -> "type" or "type null"; empty where there is no such table."""
        rows = await self.query(
            "SELECT column_name, data_type || CASE is_nullable WHEN 'YES' THEN ' null' ELSE '' END"
            f" FROM information_schema.columns WHERE table_name = '{table}'"
        )
        return {str(name): str(kind) for name, kind in rows}

    async def version(self) -> set[object]:
        """Return the revisions that the version table holds."""
        return {revision for (revision,) in await self.query("SELECT * FROM alembic_version")}

    def write(self, path: str, text: str) -> None:
        """Create or replace a file."""
        (self.root / path).write_text(text)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace the one place in a file that reads *old*."""
        text = (self.root / path).read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
        self.write(path, text.replace(old, new))

    def script(self, slug: str) -> Path:
        """Return the one revision file whose name ends with *slug*."""
        (found,) = (self.root / "alembic" / "versions").glob(f"*_{slug}.py")
        return found

    def revision(self, slug: str) -> str:
        """Return the id of the revision whose file name ends with *slug*."""
        text = self.script(slug).read_text()
        return text.partition("Revision ID: ")[2].partition("\n")[0]

    def fill(self, slug: str, functions: str) -> None:
        """Replace `upgrade` and `downgrade` of an empty revision by *functions*."""
        head, found, _ = self.script(slug).read_text().partition("def upgrade")
        assert found
        self.script(slug).write_text(head + functions)

    def _environ(self) -> dict[str, str]:
        tools = Path(sys.executable).parent  # uv, just and their project's environment
        return {
            "PATH": f"{tools}{os.pathsep}{os.defpath}",
            "DATABASE_URL": self.url,
            "UV_CACHE_DIR": str(self.root / ".uv-cache"),
            "UV_OFFLINE": "1",
        }


def copy_sample(root: Path, url: str) -> Sample:
    """Copy the project to *root*; its .venv is the one that runs the test."""
    root.mkdir()
    for part in PARTS:
        source = CHECKOUT / part
        if source.is_dir():
            shutil.copytree(source, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, root / part)
    (root / ".venv").symlink_to(sys.prefix)
    return Sample(root, url)
