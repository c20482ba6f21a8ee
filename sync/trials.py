"""Tries plans on shadows: replayed, they must leave there what their scripts leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from weakref import WeakValueDictionary

from providers.base import Fingerprinting, Provider, Session, Shadowing, Transactional
from providers.errors import ShadowError
from providers.types import Snapshot, Statement, Target
from sync.drift import difference, lines
from sync.executor import prepare
from sync.fingerprints import LINES, shortened
from sync.plan.compiler import attended, on_shadow
from sync.plan.conversation import About, Conversation, Failed
from sync.plan.model import Plan, Step, StepClass
from sync.plan.processes import Runners
from sync.plan.route import Route
from sync.pool import Providers
from sync.settings.shadow import AUTO, NONE

#: Trials that are kept in memory.
AT_HAND = 16


@dataclass(frozen=True, slots=True)
class Trial:
    """What a plan made of a shadow."""

    before: Snapshot  #: where the plan begins
    after: Snapshot  #: where it ends


@dataclass(frozen=True, slots=True)
class Scene:
    """A shadow, and the runner whose scripts run there."""

    session: Session
    schema: Fingerprinting  #: the same session
    talk: Conversation


class Trials:
    """Tries plans; the last ones are kept, so that many targets ask for one."""

    def __init__(self, runners: Runners, providers: Providers) -> None:
        self._runners = runners
        self._providers = providers
        self._found: dict[tuple[str, ...], Trial] = {}
        self._turns: WeakValueDictionary[tuple[str, ...], asyncio.Lock] = WeakValueDictionary()

    async def of(self, plan: Plan, route: Route) -> Trial:
        """Try *plan* on shadows; several who ask for the same wait for one trial.

        Its scripts walk the whole path, and what of it is replayed must come to the same.

        Raises:
            ShadowError: There is no shadow for it, or it cannot be tried on one.
            ScriptError: A runner had to be ended.
        """
        key = (plan.digest, route.major, route.target.schema or "")
        async with self._turns.setdefault(key, asyncio.Lock()):
            if key not in self._found:
                self._found[key] = await self._tried(plan, route)
                for oldest in list(self._found)[:-AT_HAND]:
                    del self._found[oldest]
            return self._found[key]

    async def _tried(self, plan: Plan, route: Route) -> Trial:
        walked = await self._walked(plan, route)
        for part in replayed_parts(plan.steps):
            found, expected = await self._replayed(plan, part, route), walked[part.stop]
            if found.fingerprint != expected.fingerprint:
                told = shortened(tuple(lines(difference(expected, found), limit=LINES)))
                raise ShadowError(f"on a shadow, its replay and its scripts disagree: {told}")
        return Trial(walked[0], walked[-1])

    async def _walked(self, plan: Plan, route: Route) -> Sequence[Snapshot]:
        """Have the scripts walk all the path; return what they left before and after each step."""
        seen: list[Snapshot] = []
        async with self._on_shadow(route) as scene:

            async def look() -> None:
                seen.append(await scene.schema.snapshot())

            recording = await attended(scene.talk, look)
            await look()
        if recording.failure is not None or len(seen) != len(plan.steps) + 1:
            raise ShadowError("its scripts cannot all be run on a shadow")
        return seen

    async def _replayed(self, plan: Plan, part: slice, route: Route) -> Snapshot:
        """Replay steps in a row; the scripts go ahead of them. Return what is left then."""
        steps = plan.steps[part]
        async with self._on_shadow(replace(route, heads=steps[0].before)) as scene:
            word = await scene.talk.hear()
            if isinstance(word, Failed):
                raise word.error
            if not isinstance(word, About):
                raise ShadowError(f"no shadow can be brought to where {steps[0].revision} begins")
            await scene.talk.close()
            await prepare(scene.session, plan)
            for step in steps:
                await send(step, scene.session, ticket=plan.digest)
            return await scene.schema.snapshot()

    @asynccontextmanager
    async def _on_shadow(self, route: Route) -> AsyncIterator[Scene]:
        """Make a shadow, and start its runner, which brings it to where *route* begins."""
        provider = await self._providers.of(route.target)
        with on_shadow(route):
            async with (
                self._shadow(route, provider) as shadow,
                self._providers.open(shadow) as session,
                self._talk(route, shadow) as talk,
            ):
                yield Scene(session, telling(session, route.target.dialect), talk)

    @asynccontextmanager
    async def _talk(self, route: Route, shadow: Target) -> AsyncIterator[Conversation]:
        support = await (await self._providers.of(shadow)).runner_support(shadow)
        async with self._runners.compile(route, shadow, support=support, later=False) as talk:
            yield talk

    def _shadow(self, route: Route, provider: Provider) -> AbstractAsyncContextManager[Target]:
        place = route.history.shadow.place(route.target.dialect)
        if place == NONE or not isinstance(provider, Shadowing):
            raise ShadowError("there is no shadow")
        at = None if place == AUTO else place
        return provider.shadow(route.target, at, major=route.major)


def telling(session: Session, dialect: str) -> Fingerprinting:
    """Return *session*, which can tell its schema.

    Raises:
        ShadowError: It cannot.
    """
    if not isinstance(session, Fingerprinting):
        raise ShadowError(f"a schema on {dialect} has no fingerprint")
    return session


def replayed_parts(steps: Sequence[Step]) -> Iterator[slice]:
    """Yield where steps are that are replayed one after the other."""
    start = 0
    for is_live, several in groupby(steps, key=lambda step: step.kind is StepClass.LIVE):
        end = start + len(list(several))
        if not is_live:
            yield slice(start, end)
        start = end


async def send(step: Step, session: Session, *, ticket: str) -> None:
    """Send what *step* consists of, and stamp it; nobody resumes it on a shadow."""
    for block in step.blocks:
        statements = [Statement(sql, transactional=block.transactional) for sql in block.statements]
        if block.transactional and isinstance(session, Transactional):
            await session.apply(statements, before=step.before, after=step.before)
            continue
        for statement in statements:
            await session.execute(statement, ticket=ticket)
    await session.stamp(before=step.before, after=step.after)
