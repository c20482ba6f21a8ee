"""The clock: it says when to sweep, and nothing else.

A missed or doubled tick is harmless: leases and locks give exclusivity, and a sweep looks
at everything anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import cast

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from providers.errors import LevelheadError
from sync.settings import Schedule

logger = logging.getLogger("levelhead")


@asynccontextmanager
async def ticking(
    schedule: Schedule, sweep: Callable[[], Awaitable[object]]
) -> AsyncIterator[None]:
    """Call *sweep* at once and then as *schedule* says, for as long as the block lasts.

    A sweep that is still going when the next is due is not started twice; ticks that were
    missed meanwhile become one. A sweep that is still going at the end is cancelled.
    """
    scheduler = AsyncIOScheduler(timezone=UTC)
    going: set[asyncio.Task[None]] = set()
    scheduler.add_job(
        guarded(sweep, going),
        trigger(schedule),
        next_run_time=datetime.now(UTC),
        coalesce=True,
        max_instances=1,
        misfire_grace_time=None,
    )
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)
        if going:  # APScheduler has cancelled it, and does not wait
            await asyncio.wait(going)


def trigger(schedule: Schedule) -> BaseTrigger:
    """Return what APScheduler calls the settings' `every` or `cron`, with the jitter."""
    jitter = schedule.jitter.total_seconds() or None
    if schedule.cron:
        cron = CronTrigger.from_crontab(schedule.cron, timezone=UTC)
        cron.jitter = jitter
        return cron
    assert schedule.every is not None  # noqa: S101 - the settings require one of the two
    return IntervalTrigger(seconds=schedule.every.total_seconds(), jitter=jitter, timezone=UTC)


def guarded(
    sweep: Callable[[], Awaitable[object]], going: set[asyncio.Task[None]]
) -> Callable[[], Awaitable[None]]:
    """Return *sweep* so that its failure is logged in one line, and the clock goes on.

    Its task is in *going* for as long as it lasts.
    """

    async def tick() -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        going.add(task)
        task.add_done_callback(going.discard)
        try:
            await sweep()
        except LevelheadError as error:
            logger.error("sweep: %s", error)  # noqa: TRY400 - one line for people, no traceback
        except asyncio.CancelledError:
            return  # the clock was stopped; APScheduler would log that as an error of ours

    return tick
