"""Puts on record which files a run has applied, where its end is put on record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from providers.types import Heads
from sync.model import Run, Verb
from sync.plan.model import Step
from sync.plan.processes import steps_of
from sync.store import applied


@dataclass(frozen=True, slots=True)
class Course:
    """What a run was about to do."""

    steps: tuple[Step, ...]
    after: Heads


async def follow(
    connection: AsyncConnection, run: Run, course: Course, heads: Heads | None
) -> None:
    """Keep what *run* has applied on its course, and forget what it took back.

    *heads* is where it left its target: the version table tells how far it came. Where
    nobody knows, nothing is kept until somebody does.
    """
    if run.order.verb is Verb.STAMP:
        if heads == course.after:
            await applied.forget_all(connection, run.target)
        return
    done = passed(course.steps, heads)
    files = {step.revision: step.script for step in done if step.is_up}
    back = [step.revision for step in done if not step.is_up]
    await applied.forget(connection, run.target, back)
    await applied.record(connection, run.target, run.history, list(files.items()))


def passed(steps: Sequence[Step], heads: Heads | None) -> Sequence[Step]:
    """Return the steps that a target at *heads* has behind it; none where it is elsewhere."""
    ends = [step.after for step in steps]
    return steps[: ends.index(heads) + 1] if heads in ends else ()


async def follow_orphan(connection: AsyncConnection, run: Run, heads: Heads) -> None:
    """Do the same for a run whose service is gone: its first event has its steps."""
    if said := await applied.begun(connection, run.id):
        course = Course(steps_of(said["steps"]), frozenset(said["after"]))
        await follow(connection, run, course, heads)
