"""The portability report of the sample history, as docs/how-to/portability.md shows it.

``python -m tests.support.portability`` writes it there.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from providers.databricks.provider import DatabricksProvider
from sync.cli.portability import portability_text
from sync.plan.processes import Runners
from sync.settings import History

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to" / "portability.md"
BEGIN, END = "<!-- begin report: python -m tests.support.portability -->", "<!-- end report -->"


async def report() -> str:
    """Return the report, as `levelhead portability` prints it."""
    assert DatabricksProvider.extension is not None
    history = History(name="app", config=ROOT / "alembic.ini")
    runners = Runners(timeout=timedelta(minutes=1), secrets=())
    found = await runners.survey(history, "databricks", DatabricksProvider.extension)
    return portability_text(found)


def rewritten(page: str, text: str) -> str:
    """Return *page* with the report as it should be."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n```\n{text}\n```\n{END}{tail}"


if __name__ == "__main__":
    known = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(rewritten(known, asyncio.run(report())), encoding="utf-8")
