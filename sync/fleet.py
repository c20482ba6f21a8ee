"""The targets: those that the settings name, and the tenants that their databases know.

A fleet is a mapping, name -> target, which is another one after its patterns were asked anew.
Whoever cannot be asked keeps the tenants of its last answer: an error takes no target away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, ValuesView
from contextlib import suppress
from datetime import datetime, timedelta

from providers.errors import ConfigError, UnknownTargetError
from providers.types import Policy, Target
from sync.events.chain import Draft
from sync.expansion import (
    Answer,
    Expansion,
    Tenant,
    differences,
    expanded,
    names_in,
    noticed,
    tenants_of,
)
from sync.instruments import Instruments
from sync.meter import Meter, MeteredProviders, used
from sync.model import Order, Selection, TenantsStatus, Verb
from sync.pool import Providers, kind_of
from sync.settings.tenants import Tenants
from sync.settings.values import quote
from sync.store import tenants as store
from sync.store.tenants import TenantsState
from sync.targets import select
from sync.tenants import ask, mover, question_of


class Fleet(Mapping[str, Target]):
    """Every target by its name; the settings' own first, then those of each pattern."""

    def __init__(
        self,
        instruments: Instruments,
        configured: Mapping[str, Target],
        patterns: Mapping[str, Tenants],
        *,
        width: int,
    ) -> None:
        self._instruments = instruments
        self._configured = configured
        self._patterns = patterns
        self._now = Expansion(configured, {}, {})
        self._found: Mapping[str, tuple[Tenant, ...]] = {}
        self._states: Mapping[str, TenantsState] = {}
        self._made: dict[str, tuple[tuple[str, ...], tuple[Tenant, ...]]] = {}
        self._is_known = not patterns
        self._width = asyncio.Semaphore(width)
        self._turn = asyncio.Lock()

    def __getitem__(self, name: str) -> Target:
        return self._now.targets[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now.targets)

    def __len__(self) -> int:
        return len(self._now.targets)

    def values(self) -> ValuesView[Target]:
        """Return the targets as they are now, whatever is found while they are gone through."""
        return self._now.targets.values()

    def select(self, selection: Selection) -> tuple[Target, ...]:
        """Return the targets that match; see `sync.targets.select`."""
        return select(self, selection, self._patterns)

    def chosen(self, order: Order, selection: Selection) -> tuple[Target, ...]:
        """Return the targets that *order* is for: nothing but a sync is for a whole pattern.

        Raises:
            UnknownTargetError: The selection names what is not configured.
        """
        if order.verb is not Verb.SYNC:
            for name in selection.targets:
                self.one(name)
        return self.select(selection)

    def one(self, name: str) -> Target:
        """Return the target of this name.

        Raises:
            UnknownTargetError: There is none, or it is the name of a pattern.
        """
        if name in self._patterns:
            number = len(self._found_by(name))
            raise UnknownTargetError(
                f"{quote(name)} stands for the targets of a pattern, now {number}; name one of them"
            )
        (target,) = self.select(Selection((name,)))
        return target

    def statuses(self, selection: Selection) -> tuple[TenantsStatus, ...]:
        """Return how things are with the patterns that *selection* may mean."""
        return tuple(self._status(pattern) for pattern in self._meant(selection))

    async def recall(self) -> None:
        """Know the tenants of the last answers, where nothing is known yet."""
        if not self._is_known:
            async with self._turn:
                async with self._instruments.store.reading() as connection:
                    known = await store.all(connection)
                await self._take(known, ())

    async def ask(self, selection: Selection) -> tuple[Target, ...]:
        """Ask who the tenants are, without writing anything down; return what *selection* means.

        Raises:
            UnknownTargetError: It names what is not configured, and was not found.
        """
        await self.recall()
        if chosen := self._to_ask(selection):
            async with self._turn:
                answers = await self._answers(chosen, Meter())
                async with self._instruments.store.reading() as connection:
                    known = await store.all(connection)
                await self._take(known, answers)
        return self.select(selection)

    async def refresh(self, selection: Selection) -> tuple[Target, ...]:
        """Ask who the tenants are, and record what changed; return what *selection* means.

        Raises:
            UnknownTargetError: It names what is not configured, and was not found.
        """
        await self.recall()
        await self._refresh(self._to_ask(selection))
        return self.select(selection)

    async def refresh_due(self) -> None:
        """Ask and record for the patterns that the clock may ask now."""
        await self.recall()
        now = self._instruments.clock()
        asked = self._to_ask(Selection())
        await self._refresh([each for each in asked if await self._is_due(each, now)])

    async def _refresh(self, chosen: Sequence[Tenants]) -> None:
        if not chosen:
            return
        async with self._turn:
            meter = Meter()
            answers = await self._answers(chosen, meter)
            async with self._instruments.log.writing() as batch:
                known = await store.all_to_change(batch.connection, sorted(self._patterns))
                states = await self._take(known, answers)
                drafts: list[Draft] = []
                for answer in answers:
                    name = answer.pattern.name
                    await store.save(batch.connection, known.get(name), states[name])
                    drafts += differences(known.get(name), states[name], answer.pattern)
                await batch.append(*drafts, *used(meter))

    def _to_ask(self, selection: Selection) -> Sequence[Tenants]:
        return [each for each in self._meant(selection) if each.model.policy is not Policy.OFF]

    def _meant(self, selection: Selection) -> Sequence[Tenants]:
        """Return the patterns whose targets may be among those that *selection* means."""
        return [
            pattern
            for pattern in self._named(selection.targets)
            if selection.history in {None, pattern.model.history}
            and selection.labels.items() <= pattern.model.labels.items()
        ]

    def _named(self, names: Collection[str]) -> Collection[Tenants]:
        """Return the patterns that *names* may be about: all, where nobody knows one of them."""
        known = {name: self._now.targets[name].tenants for name in names if name in self}
        known |= {name: name for name in names if name in self._patterns}
        if not names or len(known) < len(names):
            return self._patterns.values()
        about = set(known.values())
        return [pattern for name, pattern in self._patterns.items() if name in about]

    async def _is_due(self, pattern: Tenants, now: datetime) -> bool:
        """Tell whether the clock may ask: a look may cost money, and a failure needs patience."""
        state = self._states.get(pattern.name)
        if state is None or state.question != question_of(pattern):
            return True
        if state.retry_at is not None:
            return state.retry_at <= now
        return state.listed_at is None or state.listed_at + await self._rest(pattern) <= now

    async def _rest(self, pattern: Tenants) -> timedelta:
        if pattern.model.check_every is not None:
            return pattern.model.check_every
        with suppress(ConfigError):  # the answer says what is missing
            return (await self._instruments.providers.of(pattern.model)).rest
        return timedelta(0)

    async def _answers(self, chosen: Iterable[Tenants], meter: Meter) -> Sequence[Answer]:
        """Ask; *meter* counts what that costs."""
        providers = MeteredProviders(self._instruments.providers, meter)
        return await asyncio.gather(*(self._answer(pattern, providers) for pattern in chosen))

    async def _answer(self, pattern: Tenants, providers: Providers) -> Answer:
        async with self._width:
            return await ask(pattern, providers, self._instruments.clock())

    async def _take(
        self, known: Mapping[str, TenantsState], answers: Sequence[Answer]
    ) -> Mapping[str, TenantsState]:
        """Be the fleet that is known of, with *answers* on top; return the patterns' states."""
        given = {each.pattern.name: each.tenants for each in answers if each.error is None}
        found = {
            name: await self._tenants(pattern, given.get(name), known.get(name))
            for name, pattern in self._patterns.items()
        }
        if found != self._found:
            self._found, self._now = found, expanded(self._configured, found)
        states = dict(known)
        for answer in answers:
            name, question = answer.pattern.name, question_of(answer.pattern)
            patience = self._instruments.patience
            states[name] = noticed(known.get(name), answer, question, self._now, patience)
        self._states, self._is_known = states, True
        return states

    async def _tenants(
        self, pattern: Tenants, given: tuple[str, ...] | None, known: TenantsState | None
    ) -> tuple[Tenant, ...]:
        """Return what a pattern stands for by its answer, or by what is known without one."""
        names = names_in(known, question_of(pattern)) if given is None else given
        made = self._made.get(pattern.name)
        if made is None or made[0] != names:
            made = self._made[pattern.name] = (names, await self._makings(pattern, names))
        return made[1]

    async def _makings(self, pattern: Tenants, names: Sequence[str]) -> tuple[Tenant, ...]:
        """Make targets of *names*; none where the provider is missing, which the answer says."""
        try:
            return tenants_of(pattern, names, await mover(pattern, self._instruments.providers))
        except ConfigError:
            return ()

    def _found_by(self, pattern: str) -> Sequence[str]:
        members = self._now.members.get(pattern, {})
        return [name for name in members.values() if name is not None]

    def _status(self, pattern: Tenants) -> TenantsStatus:
        state = self._states.get(pattern.name)
        is_old = state is not None and state.question != question_of(pattern)
        return TenantsStatus(
            name=pattern.name,
            history=pattern.model.history,
            provider=kind_of(pattern.model),
            over=pattern.over,
            targets=len(self._found_by(pattern.name)),
            policy=pattern.model.policy,
            listed_at=state.listed_at if state and not is_old else None,
            problem=state.problem if state else None,
            left_out=self._now.left_out.get(pattern.name, ()),
            retry_at=state.retry_at if state else None,
        )
