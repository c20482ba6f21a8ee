from __future__ import annotations

import subprocess
import sys

WITHOUT = """
import sys
sys.modules["databricks"] = None  # as if it were not installed
from providers.databricks.address import connect_arguments
from providers.errors import UnknownDialectError
from providers.registry import known_providers, load_provider
try:
    load_provider("databricks", known_providers())
except UnknownDialectError as error:
    print(error)
print(connect_arguments("databricks://token:t@h?http_path=p")["server_hostname"])
"""


def test_extra_not_installed() -> None:
    """Without the extra one line names it; only a target of this dialect needs it."""
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True
    )
    said, host = run.stdout.splitlines()
    assert said.startswith("the provider for 'databricks' needs 'databricks', which is not")
    assert said.endswith("installed; pip install 'levelhead[databricks]'")
    assert host == "h"
