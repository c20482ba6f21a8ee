"""The portability report: what becomes of each revision on another kind of database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from providers.errors import ConfigError
from providers.registry import known_providers, load_provider
from sync.cli.screen import Screen
from sync.cli.words import count, one_line
from sync.plan.portability import Fate, Outcome, Portability, Surveyed
from sync.plan.processes import Runners
from sync.settings import Settings


async def show_portability(settings: Settings, name: str, dialect: str, screen: Screen) -> int:
    """Show what would become of a history; 1 where something of it is refused."""
    if (history := settings.histories.get(name)) is None:
        raise ConfigError(f"there is no history {name}")
    provider = await asyncio.to_thread(load_provider, dialect, known_providers())
    if provider.extension is None:
        raise ConfigError(
            f"there are no rules for {dialect}: Alembic writes its SQL by itself, and skips nothing"
        )
    runners = Runners(timeout=settings.schedule.script_timeout, secrets=settings.secrets())
    found = await runners.survey(history, dialect, provider.extension)
    screen.tell(portability_text(found), found)
    return 0 if found.holds else 1


def portability_text(found: Portability) -> str:
    """Return the report."""
    return "\n".join(_lines(found))


def _lines(found: Portability) -> Iterator[str]:
    counts = found.counts()
    yield (
        f"{found.history} on {found.dialect}: {count(len(found.revisions), 'revision')}, "
        f"{count(counts[Fate.SENT], 'statement')}, {counts[Fate.SKIPPED]} skipped, "
        f"{counts[Fate.NOTED]} noted, {counts[Fate.REFUSED]} refused"
    )
    for place, revision in enumerate(found.revisions, start=1):
        yield from _revision(place, revision)
    if found.kinds:
        yield "what is skipped:"
        yield from (f"   {kind}: {lost}" for kind, lost in found.kinds.items())


def _revision(place: int, revision: Surveyed) -> Iterator[str]:
    yield f"{place}. {revision.revision}  {one_line(revision.message)}"
    yield from (f"   {_outcome(outcome)}" for outcome in revision.outcomes)


def _outcome(outcome: Outcome) -> str:
    kind = f"{outcome.kind}: " if outcome.kind else ""
    return f"{outcome.fate}: {kind}{one_line(outcome.text)}"
