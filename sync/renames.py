"""Targets that have another name now: what is known of a database goes with it.

A hold above all: a person took the database back, by whatever name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from providers.types import Target
from sync.addresses import Addresses
from sync.events.kinds import Kind
from sync.instruments import Instruments
from sync.status import draft
from sync.store import applied, fingerprints, runs, targets
from sync.store.targets import TargetState

#: When a target was looked at that never was.
_NEVER = datetime.min.replace(tzinfo=UTC)


class Renames:
    """Finds what is known of a fleet under names that are no target's any more."""

    def __init__(
        self, instruments: Instruments, fleet: Mapping[str, Target], addresses: Addresses
    ) -> None:
        self._instruments = instruments
        self._fleet = fleet
        self._addresses = addresses
        self._noted: frozenset[str] = frozenset()  #: the fleet of the last time

    async def note(self) -> None:
        """Pass on what is known to the names of now, and put on record which names they had."""
        fleet = frozenset(self._fleet)
        if fleet == self._noted:
            return
        async with self._instruments.store.reading() as connection:
            gone = await targets.all_but(connection, fleet)
        if gone and (found := await self._found(sorted(gone, key=seen_at))):
            await self._pass_on(found)
        self._noted = fleet

    async def _found(self, gone: Sequence[TargetState]) -> Mapping[str, TargetState]:
        """Return the newest word on each target that had another name when it was said."""
        async with self._instruments.store.reading() as connection:
            states = {state.target: state for state in await targets.all(connection)}
            places = await runs.last_addresses(connection, [state.target for state in gone])
        fleet = self._fleet.values()
        olds = [target for target in fleet if is_older(states.get(target.name), gone[-1])]
        here = {await self._addresses.of(target): target.name for target in olds}
        found = {}
        for state in gone:
            place = places.get(state.target)
            name = here.get(place) if place else None
            if name and is_older(states.get(name), state):
                found[name] = state
        return found

    async def _pass_on(self, found: Mapping[str, TargetState]) -> None:
        async with self._instruments.log.writing() as batch:
            present = await targets.all_to_change(batch.connection, sorted(found))
            for name, state in sorted(found.items()):
                if is_older(present.get(name), state):  # else somebody else was quicker
                    await pass_on(batch.connection, state, name)
                    facts = {"former": state.target}
                    await batch.append(draft(Kind.TARGET_RENAMED, self._fleet[name], facts))


async def pass_on(connection: AsyncConnection, former: TargetState, name: str) -> None:
    """Make what is known of a target known by *name*, but what was in the way for a while.

    It stays under its former name, too: a service with the settings of before needs it there.
    """
    known = replace(former, target=name, passing=None, failures=0, retry_at=None)
    await targets.save(connection, known)
    await applied.pass_on(connection, former.target, name)
    schema = await fingerprints.find(connection, former.target)
    await fingerprints.save(connection, replace(schema, target=name))


def is_older(state: TargetState | None, other: TargetState) -> bool:
    """Tell whether *other* says more of a database than *state* does."""
    return state is None or seen_at(state) < seen_at(other)


def seen_at(state: TargetState) -> datetime:
    """Return when a target was looked at last."""
    return state.checked_at or _NEVER
