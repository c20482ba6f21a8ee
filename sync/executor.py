"""Carries out one plan on one target, every act bracketed by its events.

A step whose statements are known is replayed by the service itself. A live step is the
history's own script: it runs in a runner process, which says what it is about to do and
waits until that is written down.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from providers.base import Session
from providers.types import Heads, Statement
from sync.images import before_images
from sync.journal import Action, Journal
from sync.live import Company, begun
from sync.plan.canonical import plain
from sync.plan.conversation import Conversation
from sync.plan.model import Plan, Step, StepClass
from sync.replay import is_replayed, is_replayed_whole, remains, repair, replay
from sync.retries import Retries
from sync.visit import Visit

#: Is told the plan of a run before anything of it is done.
Begin: TypeAlias = Callable[[Plan], Awaitable[None]]

#: Starts a runner for a part of the plan's steps.
Runner: TypeAlias = Callable[[slice], AbstractAsyncContextManager[Conversation]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """Carries out one plan: the target's session, its journal, and where runners come from."""

    plan: Plan
    visit: Visit
    journal: Journal
    runner: Runner
    retries: Retries = field(default_factory=Retries)
    approver: str | None = None  #: who approved the plan; None where nobody had to

    async def carry_out(self, begin: Begin) -> Heads:
        """Bring the target from where the plan begins to where it ends; return the heads there.

        Raises:
            StampConflictError: The target was no longer where the plan begins. Where *begin*
                was not called yet, nothing was done.
            LevelheadError: A step failed; the steps before it stand.
        """
        async with AsyncExitStack() as stack:
            images = await before_images(await self.visit.session(), self.plan)
            end = await self._live_ahead()
            talk = await stack.enter_async_context(self._begun(slice(0, end))) if end else None
            await begin(self.plan)
            async with self._run_action() as action:
                if images is not None:
                    await self.journal.imaged(images)
                if talk:
                    await self._accompany(talk)
                    await stack.aclose()
                await self._go_on(end)
                action.note(heads=sorted(self.plan.after))
        return self.plan.after

    async def _live_ahead(self) -> int:
        """Return how many live steps come first; none where something is to be repaired first."""
        end = end_of_live(self.plan.steps, 0)
        if end and await remains(self.plan.steps[0], await self.visit.session(), self.journal):
            return 0
        return end

    def _run_action(self) -> AbstractAsyncContextManager[Action]:
        facts = facts_of(self.plan)
        if self.approver is not None:
            facts["approver"] = self.approver
        return self.journal.action("run", **facts)

    async def _go_on(self, done: int) -> None:
        """Carry out all steps that follow on the first *done*."""
        prepared: Session | None = None
        while done < len(self.plan.steps):
            session = await self.visit.session()
            if session is not prepared:
                await prepare(session, self.plan)
                prepared = session
            done = await self._advance(session, done)

    async def _advance(self, session: Session, done: int) -> int:
        """Carry out what comes next: a replay, or live steps; return how many are done then."""
        step = self.plan.steps[done]
        if await self._is_replayed(step, session):
            await replay(step, session, self.journal, self.retries)
            return done + 1
        end = max(done + 1, end_of_live(self.plan.steps, done))
        async with self._begun(slice(done, end)) as talk:
            await self._accompany(talk)
        return end

    async def _accompany(self, talk: Conversation) -> None:
        await Company(talk, self.journal, self.retries).accompany()

    async def _is_replayed(self, step: Step, session: Session) -> bool:
        """Repair what *step* has left behind earlier, and tell whether it is replayed."""
        if is_replayed_whole(step, session):
            return True
        await repair(step, session, self.journal)
        return step.kind is not StepClass.LIVE and await is_replayed(step, session, self.journal)

    @asynccontextmanager
    async def _begun(self, part: slice) -> AsyncIterator[Conversation]:
        """Start a runner for live steps; it needs the target's lock for itself."""
        await self.visit.leave()
        async with self.runner(part) as talk:
            await begun(talk, self.plan.steps[part])
            yield talk


async def prepare(session: Session, plan: Plan) -> None:
    """Send what env.py sends ahead of the scripts; it may be sent again and again."""
    for sql in plan.prologue:
        await session.execute(Statement(sql, transactional=False), ticket=plan.digest)


def end_of_live(steps: Sequence[Step], start: int) -> int:
    """Return where the live steps end that begin at *start*; *start* itself where none does."""
    place = start
    while place < len(steps) and steps[place].kind is StepClass.LIVE:
        place += 1
    return place


def facts_of(plan: Plan) -> dict[str, Any]:
    """Return what ``run.started`` says of *plan*: it is the intent of all its steps."""
    return {
        "plan": plan.digest,
        "before": sorted(plan.before),
        "after": sorted(plan.after),
        "steps": [{**plain(step), "class": step.kind} for step in plan.steps],
    }


async def stamp(session: Session, plan: Plan, journal: Journal, begin: Begin) -> Heads:
    """Set the version table as *plan* says, under the lock that the caller holds."""
    await begin(plan)
    async with journal.action("run", **facts_of(plan)) as action:
        before, after = sorted(plan.before), sorted(plan.after)
        async with journal.action("stamp", before=before, after=after):
            await session.stamp(before=plan.before, after=plan.after)
        action.note(heads=sorted(plan.after))
    return plan.after


async def do_nothing(plan: Plan, journal: Journal, begin: Begin) -> Heads:
    """Write down that a target stands already where it should."""
    await begin(plan)
    async with journal.action("run", **facts_of(plan)) as action:
        action.note(heads=sorted(plan.after))
    return plan.after
