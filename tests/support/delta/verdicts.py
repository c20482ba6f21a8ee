"""What Delta Lake said to each directive, kept in a file: the reference needs no Spark."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.support.databricks_rows import Row

#: Written by ``python -m tests.support.delta.trials``, and checked by tests/delta.
_FILE = Path(__file__).with_name("verdicts.json")

#: Of a judge that takes all that a directive sends, as it is.
TAKES = "takes it"


def verdicts() -> dict[str, str]:
    """Return call -> what Delta Lake said."""
    found: dict[str, str] = json.loads(_FILE.read_text(encoding="utf-8"))
    return found


def write(found: Mapping[str, str]) -> None:
    """Keep *found*, as `verdicts` gives it."""
    _FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def verdict(row: Row) -> str:
    """Return what Delta Lake said to *row*, as Markdown."""
    return verdicts().get(row.call, "was not asked yet").replace("|", "\\|")
