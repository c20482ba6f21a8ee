"""One fixture, `judge`: every test here runs on Spark with Delta Lake, and on a real workspace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sql.client import Cursor

from tests.support.delta.judges import WORKSPACE, Judge, delta, workspace
from tests.support.delta.trials import fresh_schema
from tests.support.histories import Scripts


@pytest.fixture(scope="session")
def spark() -> Iterator[Judge]:
    """Give Spark with Delta Lake; it takes its time to start."""
    with delta() as running:
        yield running


@pytest.fixture(params=["delta", "workspace"])
def judge(request: pytest.FixtureRequest) -> Judge:
    """Give each judge in turn; a workspace where its variable is set."""
    if request.param == "delta":
        running: Judge = request.getfixturevalue("spark")
        running.told.clear()
        return running
    found = workspace()
    if found is None:
        pytest.skip(f"no real workspace was asked: {WORKSPACE} is not set")
    return found


@pytest.fixture
def place(judge: Judge) -> Iterator[tuple[str, Cursor]]:
    """Give a fresh schema, and a cursor in it."""
    with fresh_schema(judge) as made:
        yield made


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    """Give a folder for settings; the histories are elsewhere."""
    return Scripts(tmp_path / "history")
