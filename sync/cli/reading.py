"""Commands that look and change nothing: they work beside a running service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sync.cli.failures import complain
from sync.cli.patterns import complaints, empty
from sync.cli.screen import Screen
from sync.cli.views import at_head, runs_table, statuses_table
from sync.errors import AuditError
from sync.lookout import lookout, lookout_beside
from sync.model import RunQuery, Selection, TargetStatus, TenantsStatus
from sync.settings import Settings


@dataclass(frozen=True, slots=True)
class Sighting:
    """Targets as they are now, and the patterns that some of them were found by."""

    targets: tuple[TargetStatus, ...]
    patterns: tuple[TenantsStatus, ...]


async def show_statuses(settings: Settings, selection: Selection, screen: Screen) -> int:
    """Check the targets live and show them; 1 where one is not at head, or cannot be found."""
    seen = await seen_now(settings, selection)
    screen.show(statuses_table(seen.targets), seen.targets)
    for line in empty(seen.patterns):
        screen.note(line)
    problems = tuple(complaints(seen.patterns))
    complain(problems)
    return 0 if all(map(at_head, seen.targets)) and not problems else 1


async def seen_now(settings: Settings, selection: Selection) -> Sighting:
    """Look at targets; put on record what was found where the control database is ours."""
    try:
        async with lookout(settings) as watch:
            found = await watch.check(selection)
            return Sighting(found, watch.fleet.statuses(selection))
    except AuditError:  # a service holds it, or it may not be written
        async with lookout_beside(settings) as watch:
            found = await watch.look(selection)
            return Sighting(found, watch.fleet.statuses(selection))


async def show_runs(settings: Settings, query: RunQuery, now: datetime, screen: Screen) -> int:
    """Show a page of runs, newest first."""
    async with lookout_beside(settings) as watch:
        runs = await watch.runs(query)
    screen.show(runs_table(runs, now), runs)
    return 0
