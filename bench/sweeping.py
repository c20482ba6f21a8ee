"""The engine's own sweep over targets at head."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.rounds import Act
from sync.model import Selection, Status
from sync.runtime import Runtime
from sync.settings import load_settings


@asynccontextmanager
async def sweeping(config: Path) -> AsyncIterator[Act[object]]:
    """Yield the sweep of a runtime; afterwards make sure that it found nothing pending."""
    settings = load_settings(config, {}, config.parent)
    async with Runtime.open(settings, url="") as runtime:
        yield runtime.sweep
        found = {status.status for status in await runtime.statuses(Selection())}
        if found != {Status.CURRENT}:
            raise SystemExit(f"not every target was current: {', '.join(sorted(found))}")
