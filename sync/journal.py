"""The journal of one run: every act on its target stands between two events.

The intent is stored before the act; if it cannot be stored, the act does not happen. An
intent without an end is a doubt, and whoever runs next on the target resolves it first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain
from time import monotonic
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from providers.errors import (
    ConnectionLostError,
    ContentionError,
    LevelheadError,
    StatementError,
)
from providers.types import Heads, Outcome
from sync.errors import AuditError, RunnerLostError
from sync.events.chain import JSON, Draft, Event
from sync.events.kinds import Kind
from sync.events.log import EventLog, event_from, told_of
from sync.lease import Lease, Leases
from sync.model import EventQuery, Run, Trail
from sync.plan.conversation import Sent
from sync.resume import Standing, standing_of
from sync.store import statements
from sync.store.engine import Store
from sync.store.tables import events, intents

#: The ends of steps that are replayed are stored together, but not later than this.
PACE = timedelta(seconds=1)

#: More events than a step has.
EVERY = 1_000_000

_NOTHING: Mapping[str, JSON] = {}

#: After these nobody knows yet what became of the act.
_DOUBTFUL = (ConnectionLostError, RunnerLostError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """An act that began and has no known end."""

    noun: str  #: run, step, transaction, statement or stamp
    ticket: str
    run: str
    revision: str | None
    facts: Mapping[str, JSON]  #: of the intent
    statements: tuple[str, ...]  #: digests of what was about to be sent
    sqls: tuple[str, ...]  #: the texts of the same


class Action:
    """An act under way: its ticket, and what its end will tell."""

    def __init__(self, ticket: str) -> None:
        self.ticket = ticket
        self.facts: dict[str, JSON] = {}

    def note(self, **facts: JSON) -> None:
        """Add facts to the event that ends the act."""
        self.facts.update(facts)


class Journal:
    """Writes down what one run does to its target, under its lease."""

    def __init__(
        self,
        store: Store,
        log: EventLog,
        leases: Leases,
        *,
        lease: Lease,
        run: Run,
        trail: Trail | None = None,
    ) -> None:
        self._store = store
        self._log = log
        self._leases = leases
        self._lease = lease
        self._run = run
        self.trail = trail or Trail(run.target)  #: whose journal goes on here
        self._told: list[Draft] = []  #: ends of steps that are not stored yet
        self._stored_at = monotonic()
        self._standings: dict[tuple[str, Heads], Standing] = {}  #: as read, until more is sent

    @asynccontextmanager
    async def action(
        self,
        noun: str,
        *,
        revision: str | None = None,
        sqls: Sequence[str] = (),
        **facts: JSON,
    ) -> AsyncIterator[Action]:
        """Store the intent of an act, let it happen in the block, and store its end.

        The end is `<noun>.succeeded`; `<noun>.interrupted` where the connection or the
        runner was lost or the task was cancelled, which leaves a doubt; `<noun>.failed` for
        every other error. It is stored even if the lease was lost meanwhile, and even if
        the task is cancelled while it is being stored.

        Raises:
            LeaseLostError: Another service holds the target; the block did not run.
            ControlDatabaseError: The intent was not stored, and the block did not run; or
                the block succeeded, and its end was not stored: a doubt.
        """
        action = Action(self._log.new_id())
        await self._intend(self._draft(noun, "started", action.ticket, revision), facts, sqls)
        try:
            yield action
        except BaseException as error:
            end = "interrupted" if _in_doubt(error) else "failed"
            draft = self._draft(noun, end, action.ticket, revision)
            await _noting(error, self._end(draft, action.facts, error))
            raise
        draft = self._draft(noun, "succeeded", action.ticket, revision)
        await _to_the_end(self._end(draft, action.facts))

    async def resolve(self, doubt: Doubt, outcome: Outcome) -> None:
        """Store what became of an act in doubt; UNKNOWN leaves it in doubt.

        Raises:
            LeaseLostError: Another service holds the target and resolves it.
            ControlDatabaseError: Nothing was stored.
        """
        draft = self._draft(doubt.noun, "resolved", doubt.ticket, doubt.revision)
        data = {"outcome": outcome.value, "resolver": self._run.id}
        async with self._log.writing() as batch:
            lease = await self._leases.confirm(batch.connection, self._lease)
            await batch.append(replace(draft, run=doubt.run, data=data))
        self._lease = lease

    async def doubts(self) -> tuple[Doubt, ...]:
        """Return what earlier runs left in doubt on the target, oldest first.

        Raises:
            ChainBrokenError: An intent cannot be read as it was written.
            ControlDatabaseError: The control database refused.
        """
        async with self._store.reading() as connection:
            found = await connection.execute(
                select(events)
                .join(intents, intents.c.sequence == events.c.sequence)
                .where(told_of(self.trail), events.c.run != self._run.id)
                .order_by(intents.c.sequence)
            )
            begun = [event_from(row) for row in found]
            kept = await statements.texts(connection, chain.from_iterable(map(_digests, begun)))
        return tuple(_doubt(intent, kept) for intent in begun)

    @property
    def target(self) -> str:
        """The name of the target that the run is about."""
        return self._run.target

    async def remark(self, verb: str, revision: str | None, facts: Mapping[str, JSON]) -> None:
        """Store what is to be known of a directive: *verb* is ``skipped`` or ``noted``."""
        await self._log.record(self._remark(Kind(f"directive.{verb}"), revision, facts))

    async def imaged(self, versions: Mapping[str, int | None]) -> None:
        """Store the versions of tables that the run is about to touch, by name."""
        facts: JSON = dict(versions)
        await self._log.record(self._remark(Kind.IMAGES_RECORDED, None, {"versions": facts}))

    def _remark(self, kind: Kind, revision: str | None, facts: Mapping[str, JSON]) -> Draft:
        return Draft(
            kind=kind,
            actor=self._run.actor,
            target=self._run.target,
            history=self._run.history,
            run=self._run.id,
            revision=revision,
            data=facts,
        )

    async def tell_success(self, revision: str, **facts: JSON) -> None:
        """Tell that a step succeeded which the intent of the run covers.

        It is stored with whatever is stored next, but no later than `PACE` after the last.
        """
        self._told.append(self._draft("step", "succeeded", None, revision, facts))
        if monotonic() - self._stored_at > PACE.total_seconds():
            await self._log.record(*self._told)
            self._has_told()

    async def tell_failure(self, revision: str, error: LevelheadError) -> None:
        """Tell that a step failed which the intent of the run covers; the run fails with it."""
        end = "interrupted" if _in_doubt(error) else "failed"
        await self._end(self._draft("step", end, None, revision), {}, error)

    async def tell_retry(
        self, revision: str | None, error: ContentionError, number: int, pause: timedelta
    ) -> None:
        """Tell that a transaction of a step is applied again after *pause*.

        Raises:
            LeaseLostError: Another service holds the target; it must not be applied again.
            ControlDatabaseError: Nothing was stored; it must not either.
        """
        draft = self._draft("step", "retried", None, revision)
        async with self._log.writing() as batch:
            lease = await self._leases.confirm(batch.connection, self._lease)
            told = await _facts_of(batch.connection, error)
            facts = {**told, "number": number, "pause": round(pause.total_seconds(), 3)}
            await batch.append(*self._told, replace(draft, data=facts))
        self._lease = lease
        self._has_told()

    def _has_told(self) -> None:
        """Forget what was told: it is stored."""
        self._told, self._stored_at = [], monotonic()

    async def applied(self, revision: str, after: Heads) -> tuple[Sent, ...]:
        """Return what earlier runs made final of a step that leads to *after*, in order.

        Empty where the step was never begun, reached its end, or was settled by a person.
        """
        return (await self._standing(revision, after)).prefix()

    async def tried(self, revision: str, after: Heads) -> tuple[str, ...]:
        """Return the texts that earlier runs sent for a step that leads to *after*, in vain.

        Of some nobody has seen the end. Empty where `applied` is empty for want of a step.
        """
        if not (digests := (await self._standing(revision, after)).tried()):
            return ()
        async with self._store.reading() as connection:
            texts = await statements.texts(connection, digests)
        return tuple(texts[digest] for digest in digests)

    async def _standing(self, revision: str, after: Heads) -> Standing:
        if (revision, after) not in self._standings:
            self._standings[revision, after] = await self._read_standing(revision, after)
        return self._standings[revision, after]

    async def _read_standing(self, revision: str, after: Heads) -> Standing:
        stamps = await self._log.newest(EventQuery(kind=Kind.STAMP_SUCCEEDED, limit=1), self.trail)
        last = max((event.sequence for event in stamps), default=0)
        told = EventQuery(revision=revision, after=last, limit=EVERY)
        return standing_of(await self._log.page(told, self.trail), after)

    def _draft(
        self,
        noun: str,
        end: str,
        ticket: str | None,
        revision: str | None,
        facts: Mapping[str, JSON] = _NOTHING,
    ) -> Draft:
        return Draft(
            kind=Kind(f"{noun}.{end}"),
            actor=self._run.actor,
            target=self._run.target,
            history=self._run.history,
            run=self._run.id,
            revision=revision,
            ticket=ticket,
            data=facts,
        )

    async def _intend(self, draft: Draft, facts: Mapping[str, JSON], sqls: Sequence[str]) -> None:
        """Store the intent of an act, under the lease."""

        async def work(connection: AsyncConnection) -> tuple[Lease, Sequence[Draft]]:
            lease = await self._leases.confirm(connection, self._lease)
            kept = await statements.keep(connection, sqls)
            data = {**facts, "statements": kept} if kept else facts
            return lease, (*self._told, replace(draft, data=data))

        self._lease = await self._log.share(self._run.target, work)
        self._has_told()
        if sqls:
            self._standings.clear()

    async def _end(
        self,
        draft: Draft,
        facts: Mapping[str, JSON],
        error: BaseException | None = None,
    ) -> None:
        """Store the end of an act. It is a fact, so no lease is asked for."""

        async def work(connection: AsyncConnection) -> tuple[None, Sequence[Draft]]:
            told = await _facts_of(connection, error) if error else {}
            return None, (*self._told, replace(draft, data={**facts, **told}))

        await self._log.share(self._run.target, work)
        self._has_told()


def _in_doubt(error: BaseException) -> bool:
    """Tell whether nobody knows yet what became of an act that ended with *error*."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(_in_doubt, error.exceptions))
    return isinstance(error, _DOUBTFUL) or not isinstance(error, Exception)


async def _facts_of(connection: AsyncConnection, error: BaseException) -> dict[str, JSON]:
    """Return what an event may tell of *error*.

    The text of an error that is not ours could hold anything, so only its name is told.
    """
    facts: dict[str, JSON] = {"error": type(error).__name__}
    if isinstance(error, LevelheadError):
        facts["message"] = str(error)
    if isinstance(error, StatementError):
        facts |= {"code": error.code, "objects": error.objects}
        if error.sql is not None:
            (facts["statement"],) = await statements.keep(connection, (error.sql,))
    return facts


async def _noting(error: BaseException, end: Coroutine[Any, Any, None]) -> None:
    """Store the end of an act that raised *error*; if that is refused, *error* comes first."""
    try:
        await _to_the_end(end)
    except AuditError as refusal:
        error.add_note(f"its end is not in the audit log: {refusal}")


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Finish *work* although this task is cancelled, and be cancelled then.

    It is bounded: the control database's own limits end it.
    """
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled


def _digests(intent: Event) -> Sequence[str]:
    return cast("Sequence[str]", intent.data.get("statements", ()))


def _doubt(intent: Event, kept: Mapping[str, str]) -> Doubt:
    digests = _digests(intent)
    return Doubt(
        noun=intent.kind.partition(".")[0],
        ticket=cast("str", intent.ticket),
        run=cast("str", intent.run),
        revision=intent.revision,
        facts={name: value for name, value in intent.data.items() if name != "statements"},
        statements=tuple(digests),
        sqls=tuple(kept[digest] for digest in digests),
    )
