"""Tells what would bring the tables of a run back; sends nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from providers.errors import ConfigError
from providers.types import BASE, Outcome
from sync.cli.screen import Screen
from sync.events.chain import Event
from sync.events.kinds import Kind
from sync.lookout import Lookout, lookout_beside
from sync.model import EventQuery, Run
from sync.restore import Part, RestorePlan, restore_plan
from sync.resume import standing_of
from sync.settings import Settings

#: Events are read so many at a time.
_PAGE = 1000

_ALWAYS = (
    "RESTORE takes back all that anybody has written to a table since then, not the run alone.",
    "It needs the files of that version, which VACUUM removes when no version of the last 7 days",
    "(delta.deletedFileRetentionDuration) has them; predictive optimization runs it by itself.",
    "UNDROP works for tables of Unity Catalog, for 7 days unless their schema or catalog is set to",
    "another recovery period, and takes the last that was dropped of a name.",
    "Look at each statement before you send it.",
    'Set policy = "observe" before: the clock would bring the target to head again.',
    "Stamp at the end: the next run would pass over what it takes for applied, in the middle of a",
    "revision too. It holds the target until levelhead release.",
)


async def show_restore_plan(settings: Settings, beginning: str, screen: Screen) -> int:
    """Print the statements that restore what a run touched, and what they cannot bring back.

    Raises:
        ConfigError: No run, or several, have an id that begins so; or it has recorded no versions.
    """
    async with lookout_beside(settings) as watch:
        run = await watch.run_called(beginning)
        found = await planned(watch, run)
    screen.tell("\n".join(lines(found, run)), found)
    return 0


async def planned(watch: Lookout, run: Run) -> RestorePlan:
    """Return what restores the tables that *run* touched.

    Where it went on in the middle of a revision, it leads ahead of the run that had begun that:
    nothing else is a place that the scripts know.

    Raises:
        ConfigError: It has recorded no versions.
    """
    parts = [await part_of(watch, run)]
    first = run
    while earlier := await runs_ahead(watch, first):
        parts = [*[await part_of(watch, each) for each in earlier], *parts]
        first = earlier[0]
    await watch.fleet.recall()
    target = watch.fleet.get(run.target)
    version_table = target.version_table if target else "alembic_version"
    return restore_plan(parts, version_table, first.before or BASE)


async def part_of(watch: Lookout, run: Run) -> Part:
    """Return what *run* has recorded and sent.

    Raises:
        ConfigError: It has recorded no versions.
    """
    events = await events_of(watch, EventQuery(run=run.id))
    images = [event for event in events if event.kind == Kind.IMAGES_RECORDED]
    if not images:
        raise ConfigError(
            f"run {run.id} has no before-images: it did nothing, or its target keeps no versions"
        )
    versions = cast("Mapping[str, int | None]", images[0].data["versions"])
    texts = [await watch.statement(digest) for digest in sent(events)]
    return Part(run.id, versions, list(filter(None, texts)))


async def runs_ahead(watch: Lookout, run: Run) -> Sequence[Run]:
    """Return the runs in whose half of a revision *run* began, oldest first."""
    begun = await watch.newest_events(EventQuery(run=run.id, kind=Kind.RUN_STARTED, limit=1))
    steps = cast("Sequence[Mapping[str, Any]]", begun[0].data["steps"]) if begun else ()
    if not steps:
        return ()
    told = await events_of(watch, EventQuery(target=run.target, revision=steps[0]["revision"]))
    stamps = await events_of(watch, EventQuery(target=run.target, kind=Kind.STAMP_SUCCEEDED))
    last = max((each.sequence for each in stamps if each.sequence < begun[0].sequence), default=0)
    earlier = [event for event in told if last < event.sequence < begun[0].sequence]
    ids = standing_of(earlier, frozenset(steps[0]["after"])).senders()
    return [found for each in ids if (found := await watch.run(each))]


async def events_of(watch: Lookout, query: EventQuery) -> Sequence[Event]:
    """Return every event that matches *query*, oldest first."""
    found: list[Event] = []
    after = 0
    while page := await watch.events(replace(query, after=after, limit=_PAGE)):
        found += page
        after = page[-1].sequence
    return found


def sent(events: Sequence[Event]) -> Iterator[str]:
    """Yield the digests of the texts that may have had an effect, in the order of sending."""
    without = {event.ticket for event in events if had_no_effect(event)}
    for event in events:
        if event.ticket not in without:
            yield from cast("Sequence[str]", event.data.get("statements", ()))


def had_no_effect(event: Event) -> bool:
    """Tell whether *event* says that its statement failed, or was found not to have happened."""
    is_absent = event.data.get("outcome") == Outcome.ABSENT
    return event.kind == Kind.STATEMENT_FAILED or (
        event.kind == Kind.STATEMENT_RESOLVED and is_absent
    )


def lines(plan: RestorePlan, run: Run) -> Iterator[str]:
    """Yield *plan* as SQL that can be kept in a file."""
    yield f"-- before run {plan.since} on {run.target}"
    if plan.since != plan.run:
        yield f"-- which began the revision that run {plan.run} went on with"
    yield from (f"{statement};" for statement in plan.statements)
    yield from (f"-- not restored: {remark}" for remark in plan.remarks)
    yield from (f"-- {remark}" for remark in _ALWAYS)
    yield from (f"-- then: levelhead stamp {run.target} {revision}" for revision in plan.stamp)
