"""What a command imports: a command that looks starts fast because it leaves out what acts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import Project

#: Runs a command, and says at the end which modules it has imported.
CODE = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))
from sync.cli.main import run
run()
"""

#: What only acting, serving or compiling takes.
HEAVY = frozenset(
    {"alembic", "apscheduler", "databricks", "fastapi", "httpx", "pydantic_settings", "rich"}
    | {"sqlglot", "starlette", "uvicorn"}
    | {"providers.postgres.session", "providers.postgres.shadow"}
    | {"sqlalchemy.dialects.postgresql", "sync.engine", "sync.executor", "sync.plan.compiler"}
    | {"sync.plan.processes", "sync.runtime"}
)


@pytest.fixture
async def project(tmp_path: Path, database: str) -> Project:
    """Give a project whose target was looked at: its history and its schema are known."""
    project = Project.create(tmp_path, {"eu": database})
    assert (await project.run("sync")).code == 0
    assert (await project.run("status")).code == 0
    return project


@pytest.mark.parametrize("command", ["status", "runs", "events"])
def test_a_command_that_looks(project: Project, command: str) -> None:
    """It imports neither what acts, serves or compiles, nor a driver that nothing here needs."""
    assert not HEAVY & imported(project, command)


def imported(project: Project, *arguments: str) -> set[str]:
    """Return what a command has imported when it ends; it succeeds."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *arguments],
        cwd=project.root,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))
