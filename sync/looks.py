"""Looks at targets, many at once, without writing anything down.

Targets that share a database are asked for by one survey, where their provider can do that. What
a survey leaves out, and whatever is to be looked at more closely, gets a session of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from providers.base import Surveying
from providers.errors import (
    AccessDeniedError,
    ConnectError,
    LevelheadError,
    ProviderError,
    UnknownDialectError,
)
from providers.types import Survey, Target
from sync.fingerprints import is_due, is_overdue
from sync.instruments import Instruments
from sync.meter import Meter, MeteredProviders
from sync.pool import kind_of
from sync.status import Observation
from sync.store.fingerprints import Fingerprints


@dataclass(frozen=True, slots=True)
class Group:
    """Targets that one survey can be about."""

    provider: Surveying
    targets: Sequence[Target]


class Looks:
    """Looks at up to *width* databases at a time."""

    def __init__(self, instruments: Instruments, *, width: int) -> None:
        self._instruments = instruments
        self._width = asyncio.Semaphore(width)

    async def at(
        self, targets: Sequence[Target], known: Mapping[str, Fingerprints], meter: Meter
    ) -> list[Observation]:
        """Look at *targets*; at their schemas too where that is due after what is *known*.

        *meter* counts what that costs.
        """
        surveyors = await self._surveyors(targets)
        surveyed: list[Target] = []
        others: list[Target] = []
        for target in targets:
            surveyor = surveyors.get(kind_of(target))
            own = surveyor is None or (surveyor.fingerprints and self._is_overdue(target, known))
            (others if own else surveyed).append(target)
        groups = grouped(surveyed, surveyors)
        found = await asyncio.gather(
            *[self._survey(group, known, meter) for group in groups],
            *[self._visit(target, known, meter) for target in others],
        )
        return [seen for part in found for seen in part]

    async def _surveyors(self, targets: Iterable[Target]) -> Mapping[str, Surveying]:
        """Return the providers that can survey, by name."""
        found: dict[str, Surveying] = {}
        for name, target in {kind_of(target): target for target in targets}.items():
            with suppress(UnknownDialectError):  # to open a target says what is missing
                provider = await self._instruments.providers.of(target)
                if isinstance(provider, Surveying):
                    found[name] = provider
        return found

    async def _survey(
        self, group: Group, known: Mapping[str, Fingerprints], meter: Meter
    ) -> Sequence[Observation]:
        at = self._instruments.clock()
        try:
            async with self._width:
                with meter.counting(group.provider):
                    survey = await group.provider.survey(group.targets)
        except (ConnectError, AccessDeniedError) as error:
            return [failed(target, at, error) for target in group.targets]
        except ProviderError as error:
            if len(group.targets) == 1:
                return [Observation(target=group.targets[0], at=at, error=error)]
            survey = Survey("", {})  # it may be the fault of one of them
        seen = observed(group, survey, at)
        if group.provider.fingerprints:
            seen = (one for one in seen if not self._wants_more(one, known))
        told = [*seen]
        return [*told, *await self._look_closer(group, told, known, meter)]

    def _is_overdue(self, target: Target, known: Mapping[str, Fingerprints]) -> bool:
        every = self._instruments.drift_every
        return every is not None and is_overdue(
            _of(target, known), self._instruments.clock(), every
        )

    def _wants_more(self, seen: Observation, known: Mapping[str, Fingerprints]) -> bool:
        every = self._instruments.drift_every
        if every is None or seen.heads is None:
            return False
        return is_due(_of(seen.target, known), seen.heads, seen.at, every)

    async def _look_closer(
        self,
        group: Group,
        told: Sequence[Observation],
        known: Mapping[str, Fingerprints],
        meter: Meter,
    ) -> Sequence[Observation]:
        """Look at those of *group* of which nothing is *told*, one by one."""
        if len(told) == len(group.targets):
            return ()
        if len(group.targets) == 1:
            return await self._visit(group.targets[0], known, meter)
        names = {seen.target.name for seen in told}
        single = [Group(group.provider, [t]) for t in group.targets if t.name not in names]
        found = await asyncio.gather(*[self._survey(each, known, meter) for each in single])
        return [seen for part in found for seen in part]

    async def _visit(
        self, target: Target, known: Mapping[str, Fingerprints], meter: Meter
    ) -> Sequence[Observation]:
        instruments = replace(
            self._instruments, providers=MeteredProviders(self._instruments.providers, meter)
        )
        async with self._width:
            return (await look_at(instruments, target, _of(target, known)),)


def grouped(targets: Iterable[Target], surveyors: Mapping[str, Surveying]) -> Sequence[Group]:
    """Return *targets* by what one survey can be about; each has one of *surveyors*, by name."""
    found: dict[Hashable, tuple[Surveying, list[Target]]] = {}
    for target in targets:
        surveyor = surveyors[kind_of(target)]
        place = (kind_of(target), surveyor.place(target))
        found.setdefault(place, (surveyor, []))[1].append(target)
    return [Group(*group) for group in found.values()]


def observed(group: Group, survey: Survey, at: datetime) -> Iterable[Observation]:
    """Return what *survey* tells of each target."""
    return (
        Observation(target=target, at=at, heads=survey.heads[target.name], major=survey.major)
        for target in group.targets
        if target.name in survey.heads
    )


def failed(target: Target, at: datetime, error: ConnectError | AccessDeniedError) -> Observation:
    """Return that *target* could not be reached either, for the same reason."""
    own = type(error)(error.reason, target=target.name)
    return Observation(target=target, at=at, error=own)


async def look_at(
    instruments: Instruments, target: Target, known: Fingerprints | None = None
) -> Observation:
    """Look at one target on a session of its own.

    At its schema too where that is due after what is *known*; None leaves it alone.
    """
    at = instruments.clock()
    try:
        async with instruments.providers.open(target) as session:
            heads, major = await session.heads(), await session.server_major()
            seen = Observation(target=target, at=at, heads=heads, major=major)
            if known is None or not is_due(known, heads, at, instruments.drift_every):
                return seen
            return replace(seen, schema=await instruments.sights.look(session, heads, at=at))
    except LevelheadError as error:
        return Observation(target=target, at=at, error=error)


def _of(target: Target, known: Mapping[str, Fingerprints]) -> Fingerprints:
    return known.get(target.name) or Fingerprints(target=target.name)
