"""The command line where an extra is not installed."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
sys.modules[sys.argv.pop(1)] = None  # importing it fails from now on
from sync.cli.main import run
run()
"""


def ran_without(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end as if *module* were not installed."""
    return subprocess.run(
        [sys.executable, "-c", CODE, module, *arguments],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
