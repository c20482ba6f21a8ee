"""What can be asked without carrying anything out: where targets stand, and what was recorded."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta

from providers.errors import ConfigError
from providers.types import Target
from sync.addresses import Addresses
from sync.checks import Checks
from sync.drifts import Drifts
from sync.edits import Edit, Edits
from sync.events.chain import Event
from sync.events.log import EventLog
from sync.fleet import Fleet
from sync.histories import Ask, Histories, RecordedHistories
from sync.history import Graph
from sync.instruments import Instruments, new_id, now
from sync.model import EventQuery, Rollout, Run, RunQuery, Selection, TargetStatus, Token
from sync.pool import Providers
from sync.renames import Renames
from sync.settings import History, Settings
from sync.sights import Sights
from sync.status import Patience
from sync.store import rollouts, runs, statements, tokens
from sync.store.backends import control_file
from sync.store.engine import Store
from sync.store.filelock import NOWHERE, Holder, hold


class Lookout:
    """Looks at targets and at the control database."""

    def __init__(self, settings: Settings, instruments: Instruments) -> None:
        self.settings = settings
        self._instruments = instruments
        self._width = settings.schedule.concurrency
        self.fleet = Fleet(instruments, settings.targets, settings.tenants, width=self._width)
        self._addresses = Addresses(instruments.providers, self.fleet)
        self._renames = Renames(instruments, self.fleet, self._addresses)
        self._edits = Edits(instruments, self.fleet)
        self._drifts = Drifts(instruments, self.fleet)
        self._checks = self._checks_of(instruments)

    async def statuses(self, selection: Selection) -> tuple[TargetStatus, ...]:
        """Return the selected targets as they were at their last check."""
        await self.fleet.recall()
        return await self._checks.recorded(self.fleet.select(selection))

    async def target(self, name: str) -> Target:
        """Return one target; where nobody knows it yet, ask who the tenants are.

        Raises:
            UnknownTargetError: There is none of this name.
        """
        await self.fleet.recall()
        if name not in self.fleet:
            await self.fleet.ask(Selection((name,)))
        return self.fleet.one(name)

    async def check(self, selection: Selection) -> tuple[TargetStatus, ...]:
        """Look at the selected targets now, and record what was found."""
        chosen = await self.fleet.refresh(selection)
        await self._renames.note()
        await self._edits.note(target.history for target in chosen)
        return await self._checks.check(chosen)

    async def look(self, selection: Selection) -> tuple[TargetStatus, ...]:
        """Look at the selected targets now, without recording anything."""
        return await self._checks.glance(await self.fleet.ask(selection))

    async def inspect(self, selection: Selection) -> tuple[TargetStatus, ...]:
        """Do as `look`, and at each schema too, however short ago somebody did."""
        instruments = self._instruments
        if instruments.drift_every is not None:
            instruments = replace(instruments, drift_every=timedelta(0))
        return await self._checks_of(instruments).glance(await self.fleet.ask(selection))

    def _checks_of(self, instruments: Instruments) -> Checks:
        return Checks(instruments, self._edits, self._drifts, width=self._width)

    async def run(self, run_id: str) -> Run | None:
        """Return a run; None where there is none of this id."""
        async with self._instruments.store.reading() as connection:
            return await runs.find(connection, run_id)

    async def run_called(self, beginning: str) -> Run:
        """Return the run whose id begins so.

        Raises:
            ConfigError: None does, or several do.
        """
        async with self._instruments.store.reading() as connection:
            found = await runs.starting_with(connection, beginning)
        if len(found) > 1:
            raise ConfigError(f"several runs begin with {beginning}; give more of the id")
        if not found:
            raise ConfigError(f"there is no run {beginning}; levelhead runs shows them")
        return found[0]

    async def runs(self, query: RunQuery) -> tuple[Run, ...]:
        """Return the runs that match, newest first."""
        async with self._instruments.store.reading() as connection:
            return await runs.page(connection, query)

    async def rollout(self, rollout_id: str) -> Rollout | None:
        """Return a rollout; None where there is none of this id."""
        async with self._instruments.store.reading() as connection:
            return await rollouts.find(connection, rollout_id)

    async def events(self, query: EventQuery) -> tuple[Event, ...]:
        """Return the events that match, oldest first."""
        return await self._instruments.log.page(query)

    async def newest_events(self, query: EventQuery) -> tuple[Event, ...]:
        """Return the last events that match, oldest first."""
        return await self._instruments.log.newest(query)

    async def verify(self) -> int:
        """Verify the chain of the whole audit log, and return its length.

        Raises:
            ChainBrokenError: An event is missing or was altered.
        """
        return await self._instruments.log.verify()

    async def statement(self, digest: str) -> str | None:
        """Return the SQL text of a statement; None where none was sent with this digest."""
        async with self._instruments.store.reading() as connection:
            return await statements.find(connection, digest)

    async def graph(self, history: str) -> Graph:
        """Return the revisions of a history as they are on disk now.

        Raises:
            PlanError: The history cannot be loaded.
        """
        return await self._instruments.histories.graph(history)

    async def strays(self) -> tuple[Run, ...]:
        """Return the runs whose end is not known, and whose database is no target any more."""
        await self.fleet.recall()
        async with self._instruments.store.reading() as connection:
            unended = await runs.open_runs(connection)
        return tuple(run for target, run in await self._addresses.found(unended) if not target)

    async def edits(self) -> tuple[Edit, ...]:
        """Return the applied revisions whose file is another one now."""
        await self.fleet.recall()
        return await self._edits.of(self.settings.histories)

    async def ready(self) -> tuple[str, ...]:
        """Return why the service is not ready; empty where it is."""
        problems = [
            await self._instruments.histories.knowledge(name) for name in self.settings.histories
        ]
        return tuple(found.problem for found in problems if found.problem)

    async def authenticate(self, key: str) -> Token | None:
        """Return the token whose key this is; None where it is unknown or revoked."""
        async with self._instruments.store.reading() as connection:
            return await tokens.find(connection, key)

    async def tokens(self) -> tuple[Token, ...]:
        """Return every token, revoked ones too, by name."""
        async with self._instruments.store.reading() as connection:
            return await tokens.list(connection)


@asynccontextmanager
async def lookout(settings: Settings) -> AsyncIterator[Lookout]:
    """Open the control database to record what is seen, for the block.

    Raises:
        ControlDatabaseBusyError: A service holds the SQLite control database.
        ControlDatabaseError: It cannot be reached, read or written.
    """
    control = settings.control.url.get_secret_value()
    with alone(control, NOWHERE):
        async with Store.open(control, clock=now) as store:
            log = EventLog(store, clock=now, new_id=new_id)
            histories = RecordedHistories(
                settings.histories, ask=asking(settings), store=store, log=log, clock=now
            )
            async with instruments_of(settings, log, histories) as instruments:
                yield Lookout(settings, instruments)


@asynccontextmanager
async def lookout_beside(settings: Settings) -> AsyncIterator[Lookout]:
    """Open the control database to read only, beside a running service, for the block.

    Raises:
        ControlDatabaseError: It is missing, or cannot be read.
    """
    control = settings.control.url.get_secret_value()
    async with Store.open_reading(control) as store:
        log = EventLog(store, clock=now, new_id=new_id)
        histories = Histories(settings.histories, ask=asking(settings), store=store)
        async with instruments_of(settings, log, histories) as instruments:
            yield Lookout(settings, instruments)


@asynccontextmanager
async def instruments_of(
    settings: Settings, log: EventLog, histories: Histories
) -> AsyncIterator[Instruments]:
    """Put the instruments together, and close the providers after the block."""
    async with aclosing(providers_for(settings)) as providers:
        yield Instruments(
            store=log.store,
            log=log,
            providers=providers,
            histories=histories,
            sights=Sights(log.store),
            patience=patience_of(settings),
            drift_every=settings.schedule.drift_every,
            clock=now,
        )


def asking(settings: Settings) -> Ask:
    """Return what asks a runner for the revisions of a history."""

    async def ask(history: History, locations: Sequence[str]) -> Graph:
        # Late: nothing is asked while the scripts are those of the last time.
        from sync.plan.processes import runners_for  # noqa: PLC0415 - see above

        return await runners_for(settings).graph(history, locations)

    return ask


def providers_for(settings: Settings) -> Providers:
    """Return the providers, none of them loaded yet."""
    return Providers(warm=settings.schedule.warm, warm_for=settings.schedule.warm_for)


def patience_of(settings: Settings) -> Patience:
    """Return how long a target is left alone that could not be reached."""
    return Patience(settings.schedule.retry_min, settings.schedule.retry_max)


def alone(control: str, url: str) -> AbstractContextManager[None]:
    """Keep others from acting on a SQLite control database, which find this process at *url*."""
    file = control_file(control)
    return hold(file, Holder(os.getpid(), url)) if file else nullcontext()
