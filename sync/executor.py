"""Carries out one order on one target, every act bracketed by its events.

Each step is a live step: the history's own scripts run in a runner process, which says
what it is about to do and waits until that is written down.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from providers.base import Session
from providers.errors import StatementError
from providers.types import Heads, RunnerSupport, Target
from sync.errors import RunError
from sync.journal import Journal
from sync.model import Order
from sync.plan.canonical import plain, plan_of
from sync.plan.conversation import About, Conversation, End, Failed, Note, Sent, Word
from sync.plan.model import Plan
from sync.plan.processes import Runners, steps_of
from sync.settings import History

#: Is told the plan of a run before anything of it is done.
Begin: TypeAlias = Callable[[Plan], Awaitable[None]]


async def migrate(
    runners: Runners,
    history: History,
    target: Target,
    order: Order,
    heads: Heads,
    *,
    support: RunnerSupport,
    journal: Journal,
    begin: Begin,
) -> Heads:
    """Let a runner bring *target* from *heads* to where *order* says; return the heads there.

    Raises:
        StampConflictError: The target was no longer at *heads*; nothing was done.
        LevelheadError: A step failed; the steps before it stand.
    """
    async with runners.migrate(history, target, order, heads, support=support) as talk:
        about = opening(await talk.hear())
        plan = plan_of(history.name, target.dialect, heads, steps_of(about.facts["path"]))
        await begin(plan)
        await attend(talk, journal, about, facts_of(plan))
        return plan.after


def opening(word: Word) -> About:
    """Return the runner's first word, which announces the run and its path."""
    if isinstance(word, Failed):
        raise word.error
    if not isinstance(word, About):
        raise RunError(f"the runner began with {word!r}")
    return word


def facts_of(plan: Plan) -> dict[str, Any]:
    """Return what ``run.started`` says of *plan*: it is the intent of all its steps."""
    return {
        "plan": plan.digest,
        "before": sorted(plan.before),
        "after": sorted(plan.after),
        "steps": [plain(step) for step in plan.steps],
    }


async def attend(
    talk: Conversation, journal: Journal, about: About, facts: Mapping[str, Any]
) -> None:
    """Write down one act of the runner, let it happen, and write down how it ended."""
    async with journal.action(
        about.noun, revision=about.revision, sqls=about.sqls, **facts
    ) as action:
        await talk.go(action.ticket, await standing(journal, about))
        while isinstance(word := await talk.hear(), (About, Note)):
            await attend_inner(talk, journal, word)
        if isinstance(word, Failed):
            raise word.error
        if isinstance(word, End):
            raise RunError(f"the runner ended in the middle of {about.noun}")
        action.note(**word.facts)


async def standing(journal: Journal, about: About) -> tuple[Sent, ...]:
    """Return what stands already of the step that is about to begin; of other acts, nothing."""
    if about.noun != "step" or about.revision is None:
        return ()
    return await journal.applied(about.revision, frozenset(about.facts["after"]))


async def attend_inner(talk: Conversation, journal: Journal, word: About | Note) -> None:
    """Attend to what the runner says in the middle of an act.

    A script may survive the failure of a statement and go on. The runner does not survive
    the failure of a step.
    """
    if isinstance(word, Note):
        await journal.skipped(word.revision, word.facts)
        return
    try:
        await attend(talk, journal, word, word.facts)
    except StatementError:
        if word.noun == "step":
            raise


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
