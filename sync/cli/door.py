"""Which way a change goes: through the service that runs, or through a runtime of our own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from sync.cli.words import span
from sync.model import Order, PlanRecord, Role, Rollout, Selection, TargetStatus, Verdict
from sync.runtime import Runtime
from sync.settings import Settings
from sync.store.backends import control_file
from sync.store.filelock import NOWHERE, Holder, holder


class Door(Protocol):
    """What a command may change, whoever does it. Every method raises LevelheadError."""

    @property
    def reads(self) -> Runtime:
        """Looks at the control database; never used to change anything."""

    @property
    def farewell(self) -> str:
        """Tells whoever interrupts the command what becomes of its runs."""

    async def request(self, order: Order, selection: Selection) -> Rollout:
        """Start runs, and return at once."""

    async def release(self, target: str) -> TargetStatus:
        """End a hold."""

    async def settle(self, ticket: str, verdict: Verdict) -> None:
        """Say what became of an act in doubt."""

    async def approve(self, plan: str, reason: str | None) -> PlanRecord:
        """Let runs apply a plan, named by its whole digest."""

    async def reject(self, plan: str, reason: str | None) -> PlanRecord:
        """Let no run apply a plan."""

    async def create_token(self, name: str, role: Role) -> str:
        """Create a token, and return its key."""

    async def revoke_token(self, name: str) -> None:
        """Revoke a token."""


class LocalDoor:
    """A runtime of this very process, in the name of *actor*."""

    def __init__(self, runtime: Runtime, actor: str) -> None:
        self.reads = runtime
        self._actor = actor

    @property
    def farewell(self) -> str:
        """The runs are this process's own."""
        grace = span(self.reads.settings.schedule.grace)
        return f"interrupted: what is in flight may take {grace} to end; Ctrl-C again ends it now"

    async def request(self, order: Order, selection: Selection) -> Rollout:
        """Start runs, and return at once."""
        return await self.reads.request(order, selection, actor=self._actor)

    async def release(self, target: str) -> TargetStatus:
        """End a hold."""
        return await self.reads.release(target, actor=self._actor)

    async def settle(self, ticket: str, verdict: Verdict) -> None:
        """Say what became of an act in doubt."""
        await self.reads.settle(ticket, verdict, actor=self._actor)

    async def approve(self, plan: str, reason: str | None) -> PlanRecord:
        """Let runs apply a plan, named by its whole digest."""
        return await self.reads.approvals.approve(plan, actor=self._actor, reason=reason)

    async def reject(self, plan: str, reason: str | None) -> PlanRecord:
        """Let no run apply a plan."""
        return await self.reads.approvals.reject(plan, actor=self._actor, reason=reason)

    async def create_token(self, name: str, role: Role) -> str:
        """Create a token, and return its key."""
        return await self.reads.create_token(name, role, actor=self._actor)

    async def revoke_token(self, name: str) -> None:
        """Revoke a token."""
        await self.reads.revoke_token(name, actor=self._actor)


@asynccontextmanager
async def open_door(
    settings: Settings, actor: str, environ: Mapping[str, str]
) -> AsyncIterator[Door]:
    """Open the way that changes have to go, for the block.

    Through a service the actor is the name of the token, not *actor*.

    Raises:
        ControlDatabaseBusyError: Another command holds the control database.
    """
    service = running_service(settings)
    if service is None:
        async with Runtime.open(settings, url=NOWHERE) as runtime:
            yield LocalDoor(runtime, actor)
    else:
        # Late: an HTTP client is slow to import, and most commands need none.
        from sync.cli.service import ServiceDoor, connected  # noqa: PLC0415 - see above

        async with (
            Runtime.open_reading(settings) as reads,
            connected(service.url, settings.control.token_file, environ) as client,
        ):
            yield ServiceDoor(client, reads)


def running_service(settings: Settings) -> Holder | None:
    """Return the service that holds a SQLite control database; None where nobody serves."""
    file = control_file(settings.control.url.get_secret_value())
    found = holder(file) if file else None
    return found if found and found.url else None
