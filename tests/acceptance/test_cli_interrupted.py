"""Ctrl-C while a command still imports what it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import PATIENCE, Project, Said

#: Runs a command, and sends the process a signal when a module is about to be imported.
CODE = """
import os, signal, sys
_, module, *arguments = sys.argv
class Finger:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finger())
sys.argv[1:] = arguments
from sync.cli.main import run
run()
"""


@pytest.mark.parametrize(
    ("command", "module"),
    [
        ("--help", "typer"),
        ("status", "sync.model"),
        ("status", "sync.cli.reading"),
        ("status", "sqlalchemy.orm"),
        ("sync", "sqlglot"),
        ("serve", "pydantic_core"),
    ],
)
def test_before_anything_is_done(tmp_path: Path, command: str, module: str) -> None:
    """Whatever is being imported, the command says one line, ends with 130 and leaves nothing."""
    Project.create(tmp_path, {"eu": "postgresql://u@127.0.0.1:1/d"})
    assert pressed(tmp_path, module, command) == Said(130, "", "levelhead: interrupted\n")
    assert not (tmp_path / "levelhead.db").exists()


@pytest.mark.parametrize(
    ("command", "module"),
    [("status", "aiosqlite"), ("status", "providers.postgres.connecting"), ("serve", "fastapi")],
)
def test_when_it_has_begun(tmp_path: Path, command: str, module: str) -> None:
    """It says and does the same where what the command works with is imported later."""
    Project.create(tmp_path, {"eu": "postgresql://u@127.0.0.1:1/d"})
    assert pressed(tmp_path, module, command) == Said(130, "", "levelhead: interrupted\n")


def pressed(folder: Path, module: str, command: str) -> Said:
    """Run a command to its end, and press Ctrl-C when it imports *module*."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, module, command],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    return Said(done.returncode, done.stdout, done.stderr)
