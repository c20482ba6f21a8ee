"""Settles what earlier runs left on a target, and closes their records."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from providers.base import Session
from providers.types import Target
from sync.applied import follow_orphan
from sync.canary_ends import judge_orphans
from sync.endings import about, orphan_change, settled_end
from sync.engine import Engine
from sync.events.chain import Event
from sync.events.kinds import Kind
from sync.history import Graph
from sync.journal import Journal
from sync.model import EventQuery, Run
from sync.settlement import Settlement, settle
from sync.store import canaries, runs


async def settle_all(
    engine: Engine,
    target: Target,
    session: Session,
    journal: Journal,
    graph: Graph,
    *,
    going: Run | None = None,
) -> Settlement:
    """Settle what earlier runs left in doubt on *target*, and put on record how they ended.

    Runs are its own whose trail is that of *journal*, whatever it was called then.
    *session* holds the lock of the target. *going* is the run that is not an earlier one; without
    it, all are.
    """
    spared = going.id if going else None
    settled = await settle(session, journal, graph)
    async with engine.store.reading() as connection:
        unended = await runs.open_runs_of(connection, journal.trail)
        chosen = await canaries.under_way(connection, target.name)
    for orphan in unended:
        if orphan.id != spared:
            await _close(engine, replace(orphan, target=target.name), settled)
    await judge_orphans(engine, target, session, settled, chosen, going=spared)
    return settled


async def _close(engine: Engine, orphan: Run, settled: Settlement) -> None:
    """Put on record how a run ended whose service is gone: as it said, if it still said that."""
    now = engine.clock()
    if await _last(engine, orphan, Kind.RUN_SUCCEEDED):
        settled = replace(settled, reached=settled.reached | {orphan.id})
    if failed := await _last(engine, orphan, Kind.RUN_FAILED):
        orphan = replace(orphan, error=cast("str | None", failed.data.get("message")))
    began = await _last(engine, orphan, Kind.RUN_STARTED)
    async with engine.log.writing() as batch:
        change = orphan_change(orphan, settled_end(orphan, settled), now)
        await runs.update(batch.connection, orphan.id, change)
        await follow_orphan(batch.connection, orphan, settled.heads)
        if not began:  # nothing of it was journaled, so nothing was resolved
            await batch.append(about(orphan, Kind.RUN_RESOLVED, outcome="absent"))


async def _last(engine: Engine, run: Run, kind: Kind) -> Event | None:
    """Return the newest event of *kind* about *run*; None where there is none."""
    found = await engine.log.newest(EventQuery(run=run.id, kind=kind, limit=1))
    return found[0] if found else None
