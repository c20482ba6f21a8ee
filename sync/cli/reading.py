"""Commands that look and change nothing: they work beside a running service."""

from __future__ import annotations

from datetime import datetime

from sync.cli.door import NOWHERE
from sync.cli.screen import Screen
from sync.cli.views import at_head, runs_table, statuses_table
from sync.errors import AuditError
from sync.model import RunQuery, Selection, TargetStatus
from sync.runtime import Runtime
from sync.settings import Settings


async def show_statuses(settings: Settings, selection: Selection, screen: Screen) -> int:
    """Check the targets live and show them; 1 where one is not at head."""
    statuses = await statuses_now(settings, selection)
    screen.show(statuses_table(statuses), statuses)
    return 0 if all(map(at_head, statuses)) else 1


async def statuses_now(settings: Settings, selection: Selection) -> tuple[TargetStatus, ...]:
    """Look at targets; put on record what was found where the control database is ours."""
    try:
        async with Runtime.open(settings, url=NOWHERE) as runtime:
            return await runtime.check(selection)
    except AuditError:  # a service holds it, or it may not be written
        async with Runtime.open_reading(settings) as runtime:
            return await runtime.look(selection)


async def show_runs(settings: Settings, query: RunQuery, now: datetime, screen: Screen) -> int:
    """Show a page of runs, newest first."""
    async with Runtime.open_reading(settings) as runtime:
        runs = await runtime.runs(query)
    screen.show(runs_table(runs, now), runs)
    return 0
