from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SIZES = {
    "targets": 3,
    "databases": 3,
    "tenants": 20,
    "width": 2,
    "rounds": 1,
    "statements": 3,
    "sessions": 3,
    "schemas": 2,
    "crowd": 2,
    "repeats": 1,
}


@pytest.mark.slow
def test_bench_prints_its_table() -> None:
    """The command sets itself up, and prints each figure beside what it must reach."""
    sizes = [word for name, size in SIZES.items() for word in (f"--{name}", str(size))]
    done = subprocess.run(
        [sys.executable, "-m", "bench", *sizes],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    *_, shown = done.stdout.partition("must reach")
    assert done.returncode == ("MISSED" in shown), done.stderr  # this machine may be busy
    for work in (
        "sweep of 3, nothing pending, over a bare loop",
        "sweep of 3, nothing pending, peak memory of the service",
        "status of 3 databases, new connections, over a bare loop",
        "status of 3 databases, open connections, over new ones",
        "status of 20 schemas in one database, over the best single query",
        "process memory, 20 targets configured",
        "levelhead status, 3 targets, over alembic current",
        "SELECT 1 through databricks-sql-connector, median",
        "SELECT 1 through a session of levelhead, median",
        "3 parallel sessions: all their statements succeed",
        "lag of the event loop, 2 Databricks targets, replayed: p99",
        "lag of the event loop, 2 Databricks targets, live: p99",
    ):
        assert work in shown
    assert "3 sessions  at least 3 sessions  yes" in shown
    assert " ".join(sizes) in shown.splitlines()[-1]
