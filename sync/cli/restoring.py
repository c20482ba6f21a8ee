"""Tells what would bring the tables of a run back; sends nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from providers.errors import ConfigError
from sync.cli.screen import Screen
from sync.events.chain import Event
from sync.events.kinds import Kind
from sync.lookout import Lookout, lookout_beside
from sync.model import EventQuery, Run
from sync.restore import RestorePlan, restore_plan
from sync.settings import Settings

#: Events are read so many at a time.
_PAGE = 1000

#: Ends of a statement that had no effect.
_WITHOUT_EFFECT = frozenset({Kind.STATEMENT_FAILED})

_ALWAYS = (
    "RESTORE takes back all that anybody has written to a table since then, not the run alone.",
    "It needs the files of that version, which VACUUM removes when no version of the last 7 days",
    "(delta.deletedFileRetentionDuration) has them; predictive optimization runs it by itself.",
    "UNDROP works for tables of Unity Catalog, for 7 days unless their schema or catalog is set to",
    "another recovery period, and takes the last that was dropped of a name.",
    "Look at each statement before you send it.",
    'Set policy = "observe" before: the clock would bring the target to head again.',
)


async def show_restore_plan(settings: Settings, run_id: str, screen: Screen) -> int:
    """Print the statements that restore what a run touched, and what they cannot bring back.

    Raises:
        ConfigError: There is no such run, or it has recorded no versions.
    """
    async with lookout_beside(settings) as watch:
        run = await watch.run(run_id)
        if run is None:
            raise ConfigError(f"there is no run {run_id}; levelhead runs shows them")
        found = await planned(watch, run)
    screen.tell("\n".join(lines(found, run)), found)
    return 0


async def planned(watch: Lookout, run: Run) -> RestorePlan:
    """Return what restores the tables that *run* touched.

    Raises:
        ConfigError: It has recorded no versions.
    """
    events = await events_of(watch, run)
    images = [event for event in events if event.kind == Kind.IMAGES_RECORDED]
    if not images:
        raise ConfigError(
            f"run {run.id} has no before-images: it did nothing, or its target keeps no versions"
        )
    versions = cast("Mapping[str, int | None]", images[0].data["versions"])
    texts = [await watch.statement(digest) for digest in sent(events)]
    target = watch.settings.targets.get(run.target)
    version_table = target.version_table if target else "alembic_version"
    return restore_plan(run.id, versions, list(filter(None, texts)), version_table)


async def events_of(watch: Lookout, run: Run) -> Sequence[Event]:
    """Return every event of *run*, oldest first."""
    found: list[Event] = []
    after = 0
    while page := await watch.events(EventQuery(run=run.id, after=after, limit=_PAGE)):
        found += page
        after = page[-1].sequence
    return found


def sent(events: Sequence[Event]) -> Iterator[str]:
    """Yield the digests of the texts that may have had an effect, in the order of sending."""
    without = {event.ticket for event in events if event.kind in _WITHOUT_EFFECT}
    for event in events:
        if event.ticket not in without:
            yield from cast("Sequence[str]", event.data.get("statements", ()))


def lines(plan: RestorePlan, run: Run) -> Iterator[str]:
    """Yield *plan* as SQL that can be kept in a file."""
    yield f"-- before run {run.id} on {run.target}"
    yield from (f"{statement};" for statement in plan.statements)
    yield from (f"-- not restored: {remark}" for remark in plan.remarks)
    yield from (f"-- {remark}" for remark in _ALWAYS)
