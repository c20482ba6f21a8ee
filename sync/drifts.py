"""Keeps the fingerprints of what runs leave and checks see, and tells of drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from providers.errors import LevelheadError
from providers.types import Heads, Target
from sync.drift import difference, lines
from sync.events.chain import Draft
from sync.fingerprints import (
    LINES,
    Sight,
    comparable,
    has_drifted,
    news,
    noticed,
    recorded,
    shortened,
    with_drift,
)
from sync.instruments import Instruments
from sync.minority import Minority, minorities
from sync.model import TargetStatus
from sync.sights import problem_of
from sync.store import fingerprints, snapshots
from sync.store.fingerprints import Fingerprints
from sync.visit import Visit

#: So many differences between targets are kept in memory.
AT_HAND = 256


async def look_after_run(instruments: Instruments, visit: Visit, heads: Heads) -> Sight | None:
    """Do as `look_under_lock`, unless the settings say that nobody looks at schemas."""
    return (
        None
        if instruments.drift_every is None
        else await look_under_lock(instruments, visit, heads)
    )


async def look_under_lock(instruments: Instruments, visit: Visit, heads: Heads) -> Sight | None:
    """Look at a schema at *heads*, under the lock that *visit* holds or takes again.

    Whatever fails is told in what is returned, the end of the session included.
    """
    try:
        session = await visit.session()
        seen = await instruments.sights.look(session, heads, at=instruments.clock())
    except LevelheadError as error:
        seen = Sight(at=instruments.clock(), heads=heads, problem=problem_of(error))
    if seen and seen.problem:
        with suppress(LevelheadError):  # a session that died here has done its work before
            await visit.leave()
    return seen


async def record(connection: AsyncConnection, target: Target, seen: Sight) -> None:
    """Write down what a run has left; later looks are compared with that."""
    old = await fingerprints.find(connection, target.name)
    await _keep(connection, old, recorded(old, seen), seen)


async def note(connection: AsyncConnection, target: Target, seen: Sight) -> tuple[Draft, ...]:
    """Write down what a look at a target at rest gave; return the events of it."""
    old = await fingerprints.find(connection, target.name)
    new = await compared(connection, noticed(old, seen), seen)
    await _keep(connection, old, new, seen)
    return news(old, new, target)


async def note_or_record(
    connection: AsyncConnection, target: Target, seen: Sight
) -> tuple[Draft, ...]:
    """Do as `note`; where nothing is recorded to compare with, do as `record`."""
    old = await fingerprints.find(connection, target.name)
    if seen.fingerprint is None or comparable(old.recorded, seen.fingerprint):
        return await note(connection, target, seen)
    await record(connection, target, seen)
    return ()


async def compared(connection: AsyncConnection, new: Fingerprints, seen: Sight) -> Fingerprints:
    """Return *new* with the lines of its difference, if it has one without."""
    if not has_drifted(new) or new.difference or new.recorded is None or new.live is None:
        return new
    was = await snapshots.find(connection, new.recorded.digest)
    now = seen.snapshot or await snapshots.find(connection, new.live.digest)
    if was is None or now is None:
        return new
    return replace(new, difference=tuple(lines(difference(was, now), limit=LINES)))


async def _keep(
    connection: AsyncConnection, old: Fingerprints, new: Fingerprints, seen: Sight
) -> None:
    if seen.snapshot:
        await snapshots.keep(connection, seen.snapshot)
    await fingerprints.save(connection, new)
    await snapshots.drop_unused(connection, _digests(old) - _digests(new))


def _digests(known: Fingerprints) -> set[str]:
    return {each.digest for each in (known.recorded, known.live) if each}


class Drifts:
    """Tells of targets whose schema is not what was recorded, or not that of the others."""

    def __init__(self, instruments: Instruments, targets: Mapping[str, Target]) -> None:
        self._instruments = instruments
        self._targets = targets
        self._differences: dict[tuple[str, str], tuple[str, ...]] = {}  #: the last ones

    async def known(self) -> Mapping[str, Fingerprints]:
        """Return what is known about the schema of every target, by name."""
        async with self._instruments.store.reading() as connection:
            return await fingerprints.all(connection)

    async def noticed(
        self, known: Mapping[str, Fingerprints], seen: Sequence[tuple[Target, Sight]]
    ) -> Mapping[str, Fingerprints]:
        """Return what would be known after these looks; nothing is written down."""
        new = dict(known)
        async with self._instruments.store.reading() as connection:
            for target, sight in seen:
                old = known.get(target.name) or Fingerprints(target=target.name)
                new[target.name] = await compared(connection, noticed(old, sight), sight)
        return new

    async def shown(
        self, found: Sequence[TargetStatus], known: Mapping[str, Fingerprints]
    ) -> tuple[TargetStatus, ...]:
        """Return *found* with what is known of each target's schema."""
        odd = {one.target: one for one in self._minorities(known)}
        names = [status.name for status in found]
        told = {name: await self._told(odd[name]) for name in names if name in odd}
        return tuple(
            with_drift(status, known[status.name], told.get(status.name))
            if status.name in known
            else status
            for status in found
        )

    def _minorities(self, known: Mapping[str, Fingerprints]) -> tuple[Minority, ...]:
        live = (
            (target, known[name].live) for name, target in self._targets.items() if name in known
        )
        return minorities((target, found) for target, found in live if found)

    async def _told(self, odd: Minority) -> str:
        """Return in one line how a target differs from the others."""
        others = "1 other" if odd.others == 1 else f"{odd.others} others"
        differs = shortened(await self._difference(odd.usual, odd.found))
        return (
            f"minority: {odd.target} differs from {others} at {', '.join(sorted(odd.heads))}: "
            + (differs)
        )

    async def _difference(self, usual: str, found: str) -> tuple[str, ...]:
        """Return how two schemas differ; both are named by their content, so it never changes."""
        if (usual, found) not in self._differences:
            async with self._instruments.store.reading() as connection:
                one = await snapshots.find(connection, usual)
                other = await snapshots.find(connection, found)
            if one is None or other is None:
                return ()
            self._hold((usual, found), tuple(lines(difference(one, other), limit=LINES)))
        return self._differences[usual, found]

    def _hold(self, pair: tuple[str, str], told: tuple[str, ...]) -> None:
        self._differences[pair] = told
        for oldest in list(self._differences)[:-AT_HAND]:
            del self._differences[oldest]
