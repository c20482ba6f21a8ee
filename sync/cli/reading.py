"""Commands that look and change nothing: they work beside a running service."""

from __future__ import annotations

from datetime import datetime

from sync.cli.screen import Screen
from sync.cli.views import at_head, previews_table, runs_table, statuses_table
from sync.model import Order, RunQuery, Selection
from sync.runtime import Runtime
from sync.settings import Settings


async def show_statuses(settings: Settings, selection: Selection, screen: Screen) -> int:
    """Check the targets live and show them; 1 where one is not at head."""
    async with Runtime.open_reading(settings) as runtime:
        statuses = await runtime.check(selection)
    screen.show(statuses_table(statuses), statuses)
    return 0 if all(map(at_head, statuses)) else 1


async def show_previews(
    settings: Settings, order: Order, selection: Selection, screen: Screen
) -> int:
    """Show what an order would do to each target; 1 where there is no plan for one."""
    async with Runtime.open_reading(settings) as runtime:
        previews = await runtime.preview(order, selection)
    screen.show(previews_table(previews), previews)
    return 0 if all(preview.problem is None for preview in previews) else 1


async def show_runs(settings: Settings, query: RunQuery, now: datetime, screen: Screen) -> int:
    """Show a page of runs, newest first."""
    async with Runtime.open_reading(settings) as runtime:
        runs = await runtime.runs(query)
    screen.show(runs_table(runs, now), runs)
    return 0
