from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_bench_compares_a_sweep_with_the_bare_loop() -> None:
    """The command sets itself up, and reports both times, their ratio and the memory."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--targets", "3", "--width", "2", "--rounds", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    named = {line.split("  ")[0] for line in done.stdout.splitlines()}
    assert {"sweep", "bare loop", "ratio", "memory"} <= named
