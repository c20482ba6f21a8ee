"""Live steps: the history's own scripts, accompanied act by act."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from providers.errors import OvertakenError, StatementError
from sync.errors import PlanChangedError, RunError
from sync.journal import Journal
from sync.plan.conversation import About, Conversation, End, Failed, Note, Sent, Word
from sync.plan.model import Step
from sync.plan.processes import steps_of
from sync.retries import Retries


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


@dataclass(slots=True)
class Company:
    """Writes down what a runner does that has begun, and lets it do that."""

    talk: Conversation
    journal: Journal
    retries: Retries

    async def accompany(self) -> None:
        """Let the runner go, and attend to it until its run is over.

        Raises:
            LevelheadError: A step failed; the steps before it stand.
        """
        await self.talk.go("")
        await self._attend_to_end("run")

    async def _attend(self, about: About) -> None:
        """Write down one act of the runner, let it happen, and write down how it ended."""
        async with self.journal.action(
            about.noun, revision=about.revision, sqls=about.sqls, **about.facts
        ) as action:
            await self.talk.go(action.ticket, await standing(self.journal, about))
            with located(about):
                action.note(**await self._attend_to_end(about.noun))

    async def _attend_to_end(self, noun: str) -> Mapping[str, Any]:
        """Attend to all that the runner does within an act; return the facts of its end."""
        while isinstance(word := await self.talk.hear(), (About, Note)):
            await self._attend_inner(word)
        if isinstance(word, Failed):
            raise word.error
        if isinstance(word, End):
            raise RunError(f"the runner ended in the middle of {noun}")
        return word.facts

    async def _attend_inner(self, word: About | Note) -> None:
        """Attend to what the runner says in the middle of an act.

        A script may survive the failure of a statement and go on. The runner does not survive
        the failure of a step.
        """
        if isinstance(word, Note):
            await self.journal.remark(word.verb, word.revision, word.facts)
            return
        try:
            await (self._insist(word) if word.noun == "statement" else self._attend(word))
        except StatementError:
            if word.noun == "step":
                raise

    async def _insist(self, about: About) -> None:
        """Attend to a statement that commits alone; again where another commit came before it.

        The runner looks at the version table ahead of each retry: the session there is its own.

        Raises:
            StampConflictError: Whoever came first has migrated the target; the runner is done.
            StatementError: It failed, and the script hears of it.
        """

        async def look() -> None:
            nonlocal about
            about = told_again(await self.talk.let_try_again())

        try:
            await self.retries.insist(
                lambda: self._attend(about),
                partial(self.journal.tell_retry, about.revision),
                look=look,
                only=OvertakenError,
            )
        except OvertakenError:
            await self.talk.leave_failed()
            raise


def told_again(word: Word) -> About:
    """Return what the runner is about to send again.

    Raises:
        LevelheadError: Its look at the version table failed, or found another revision there.
    """
    if isinstance(word, Failed):
        raise word.error
    if not isinstance(word, About):
        raise RunError(f"the runner was to send a statement again, and said {word!r}")
    return word


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


async def standing(journal: Journal, about: About) -> tuple[Sent, ...]:
    """Return what stands already of the step that is about to begin; of other acts, nothing."""
    if about.noun != "step" or about.revision is None:
        return ()
    return await journal.applied(about.revision, frozenset(about.facts["after"]))
