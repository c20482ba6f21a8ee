"""The composition root: everything that the API and the command line can ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sync.approval import Approvals
from sync.by_hand import release_by_hand, settle_by_hand
from sync.composition import acting, reading
from sync.engine import Engine
from sync.events.chain import Draft, Event
from sync.events.kinds import Kind
from sync.instruments import now
from sync.lookout import Lookout, alone
from sync.model import Order, Role, Rollout, Selection, TargetStatus, Verdict
from sync.preview import Previews
from sync.private import write_private
from sync.rollout import Rollouts, refusal
from sync.run import Runs
from sync.settings import Settings
from sync.store import tokens
from sync.store.backends import control_file
from sync.store.engine import Store
from sync.sweep import Sweep


class Runtime(Lookout):
    """One service, or one command that acts like a service for a moment."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        super().__init__(settings, engine)
        self._engine = engine
        self._runs = Runs(engine, self._addresses, width=settings.schedule.runs)
        self._rollouts = Rollouts(engine, self._runs)
        self.previews = Previews(engine, self.fleet)
        self.approvals = Approvals(engine, four_eyes=settings.approval.four_eyes)
        self._sweep = Sweep(
            engine,
            self.fleet,
            checks=self._checks,
            edits=self._edits,
            runs=self._runs,
            rollouts=self._rollouts,
            addresses=self._addresses,
            renames=self._renames,
        )

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, *, url: str) -> AsyncIterator[Runtime]:
        """Open the control database to act on the targets of *settings*, for the block.

        With SQLite nobody else may act meanwhile; *url* is where they find this service.

        Raises:
            ControlDatabaseBusyError: Another service holds the SQLite control database.
            ControlDatabaseError: It cannot be reached, read or written.
        """
        control = settings.control.url.get_secret_value()
        with alone(control, url):
            async with Store.open(control, clock=now) as store, acting(settings, store) as engine:
                if control_file(control):
                    await engine.leases.abandon_all()
                runtime = cls(settings, engine)
                try:
                    yield runtime
                finally:
                    await runtime._runs.stop(settings.schedule.grace)

    @classmethod
    @asynccontextmanager
    async def open_reading(cls, settings: Settings) -> AsyncIterator[Runtime]:
        """Open the control database to read only, beside a running service, for the block.

        Raises:
            ControlDatabaseError: It is missing, or cannot be read.
        """
        control = settings.control.url.get_secret_value()
        async with Store.open_reading(control) as store, reading(settings, store) as engine:
            yield cls(settings, engine)

    async def sweep(self) -> Rollout | None:
        """Sweep once; see `Sweep.once`."""
        return await self._sweep.once()

    async def request(self, order: Order, selection: Selection, *, actor: str) -> Rollout:
        """Start carrying out *order* on the selected targets, and return without waiting.

        Raises:
            UnknownTargetError: The selection names what is not configured.
            TargetHeldError: It names one target, and that one is on hold.
            TargetBusyError: It names one target, on which a run of another kind is under way.
        """
        await self.fleet.refresh(selection)
        await self._renames.note()
        chosen = self.fleet.chosen(order, selection)
        if len(selection.targets) == 1 and len(chosen) == 1:
            return await self._rollouts.start_one(order, chosen[0], actor=actor)
        return await self._rollouts.start(order, chosen, actor=actor, objection=refusal)

    async def finished(self, rollout_id: str) -> Rollout:
        """Wait until every run of a rollout that was started here has ended."""
        rollout = await self.rollout(rollout_id)
        assert rollout is not None  # noqa: S101 - the caller started it
        for run in rollout.runs:
            await self._runs.finished(run.id)
        return await self.rollout(rollout_id) or rollout

    async def release(self, target: str, *, actor: str) -> TargetStatus:
        """Let the clock take care of *target* again.

        A target that is not on hold stays as it is.
        """
        chosen = await self.target(target)
        await self._renames.note()
        await release_by_hand(self._engine, chosen, actor=actor)
        return (await self._checks.recorded([chosen]))[0]

    async def settle(self, ticket: str, verdict: Verdict, *, actor: str) -> Event:
        """Put on record what a person has found out about an act in doubt; see `settle_by_hand`."""
        await self.fleet.recall()
        await self._renames.note()
        return await settle_by_hand(self._engine, self._addresses, ticket, verdict, actor=actor)

    async def create_token(self, name: str, role: Role, *, actor: str) -> str:
        """Create a token and return its key, which cannot be shown again.

        Raises:
            ConfigError: A token of this name exists, or existed.
        """
        async with self._engine.log.writing() as batch:
            key = await tokens.create(batch.connection, name, role, now=now())
            await batch.append(token_created(name, role, actor))
        return key

    async def revoke_token(self, name: str, *, actor: str) -> None:
        """Make a token useless.

        Raises:
            ConfigError: No token has this name.
        """
        async with self._engine.log.writing() as batch:
            await tokens.revoke(batch.connection, name, now=now())
            await batch.append(Draft(kind=Kind.TOKEN_REVOKED, actor=actor, data={"name": name}))

    async def ensure_first_token(self) -> Path | None:
        """Create an admin token where there is none, and write its key to the token file.

        Returns:
            The file, readable for its owner alone; None where a token exists already.

        Raises:
            ConfigError: The file cannot be written; there is no token then.
        """
        if await self.tokens():
            return None
        file, role = self.settings.control.token_file, Role.ADMIN
        async with self._engine.log.writing() as batch:
            key = await tokens.create_first(batch.connection, "first", role, now=now())
            if key is None:
                return None
            await batch.append(token_created("first", role, "service"))
            write_private(file, key + "\n")  # before COMMIT: a key that nobody has is no use
        return file

    async def record_service(self, kind: Kind, **facts: str) -> None:
        """Put on record that the service started or stopped."""
        await self._engine.log.record(Draft(kind=kind, actor="service", data=facts))


def token_created(name: str, role: Role, actor: str) -> Draft:
    """Return the event that says who created a token."""
    return Draft(kind=Kind.TOKEN_CREATED, actor=actor, data={"name": name, "role": role})
