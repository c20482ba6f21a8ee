"""Commands that look and change nothing: they work beside a running service."""

from __future__ import annotations

from datetime import datetime

from sync.cli.door import NOWHERE
from sync.cli.screen import Screen
from sync.cli.views import at_head, previews_table, runs_table, statuses_table
from sync.errors import AuditError
from sync.model import Order, RunQuery, Selection, TargetStatus
from sync.plan.model import Preview
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


async def show_previews(
    settings: Settings, order: Order, selection: Selection, screen: Screen
) -> int:
    """Show what an order would do to each target; 1 where there is no plan for one."""
    previews = await previews_now(settings, order, selection)
    screen.show(previews_table(previews), previews)
    return 0 if all(preview.problem is None for preview in previews) else 1


async def previews_now(
    settings: Settings, order: Order, selection: Selection
) -> tuple[Preview, ...]:
    """Return what an order would do, also where there is no control database yet."""
    try:
        async with Runtime.open_reading(settings) as runtime:
            return await runtime.preview(order, selection)
    except AuditError:
        async with Runtime.open(settings, url=NOWHERE) as runtime:
            return await runtime.preview(order, selection)


async def show_runs(settings: Settings, query: RunQuery, now: datetime, screen: Screen) -> int:
    """Show a page of runs, newest first."""
    async with Runtime.open_reading(settings) as runtime:
        runs = await runtime.runs(query)
    screen.show(runs_table(runs, now), runs)
    return 0
