"""Live steps: the history's own scripts, accompanied act by act."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from providers.errors import StatementError
from sync.errors import PlanChangedError, RunError
from sync.journal import Journal
from sync.plan.conversation import About, Conversation, End, Failed, Note, Sent
from sync.plan.model import Step
from sync.plan.processes import steps_of


async def begun(talk: Conversation, steps: Sequence[Step]) -> None:
    """Hear the runner's first word: it stands at the target, and is about to run *steps*.

    Raises:
        StampConflictError: The target was not where the first step begins.
        PlanChangedError: The scripts have changed since the plan was made.
        LevelheadError: env.py failed.
    """
    word = await talk.hear()
    if isinstance(word, Failed):
        raise word.error
    if not isinstance(word, About):
        raise RunError(f"the runner began with {word!r}")
    found = [(s.revision, s.before, s.after, s.script) for s in steps_of(word.facts["path"])]
    if found != [(s.revision, s.before, s.after, s.script) for s in steps]:
        raise PlanChangedError("the scripts have changed since the plan was made; sync again")


async def accompany(talk: Conversation, journal: Journal) -> None:
    """Write down what a runner does that has begun, and let it do that.

    Raises:
        LevelheadError: A step failed; the steps before it stand.
    """
    await talk.go("")
    await attend_to_end(talk, journal, "run")


async def attend(
    talk: Conversation, journal: Journal, about: About, facts: Mapping[str, Any]
) -> None:
    """Write down one act of the runner, let it happen, and write down how it ended."""
    async with journal.action(
        about.noun, revision=about.revision, sqls=about.sqls, **facts
    ) as action:
        await talk.go(action.ticket, await standing(journal, about))
        with located(about):
            action.note(**await attend_to_end(talk, journal, about.noun))


@contextmanager
def located(about: About) -> Iterator[None]:
    """Have the error of a step say which revision it was."""
    try:
        yield
    except StatementError as error:
        if about.noun == "step":
            said = str(error).removeprefix(f"{error.target}: ")
            error.args = (f"{error.target}: revision {about.revision}: {said}",)
        raise


async def attend_to_end(talk: Conversation, journal: Journal, noun: str) -> Mapping[str, Any]:
    """Attend to all that the runner does within an act; return the facts of its end."""
    while isinstance(word := await talk.hear(), (About, Note)):
        await attend_inner(talk, journal, word)
    if isinstance(word, Failed):
        raise word.error
    if isinstance(word, End):
        raise RunError(f"the runner ended in the middle of {noun}")
    return word.facts


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
        await journal.remark(word.verb, word.revision, word.facts)
        return
    try:
        await attend(talk, journal, word, word.facts)
    except StatementError:
        if word.noun == "step":
            raise
