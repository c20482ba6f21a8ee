"""Compiles paths: two runners run the scripts on two shadows, and a plan is made of both."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from providers.base import Fingerprinting, Session, Shadowing
from providers.errors import ShadowError
from providers.types import Target
from sync.plan.assembly import assembled
from sync.plan.canonical import plan_of
from sync.plan.conversation import About, Conversation, End, Failed
from sync.plan.failures import failure
from sync.plan.model import Compilation
from sync.plan.processes import Runners, steps_of
from sync.plan.reads import Looks, reading
from sync.plan.recording import Recording, Taken, taken_from
from sync.plan.route import Route
from sync.pool import Providers
from sync.settings.shadow import AUTO, NONE

T = TypeVar("T")


class Compiler:
    """Makes plans; where there is no shadow, plans whose steps are all live."""

    def __init__(self, runners: Runners, providers: Providers) -> None:
        self._runners = runners
        self._providers = providers

    async def compile(self, route: Route) -> Compilation:
        """Return the plan for *route*.

        Raises:
            UnknownRevisionError: The order's revision does not exist, or is ambiguous.
            ScriptError: A script or env.py fails, on a shadow too.
            ShadowError: The shadow that the history's settings name cannot be used.
        """
        provider = await self._providers.of(route.target.dialect)
        place = route.history.shadow.place(route.target.dialect)
        if place == NONE or not isinstance(provider, Shadowing):
            return await self._live(route, "there is no shadow")
        if place != AUTO:
            return await self._compiled(route, provider, place)
        try:
            return await self._compiled(route, provider, None)
        except ShadowError as error:
            return await self._live(route, str(error))

    async def _live(self, route: Route, why: str) -> Compilation:
        """Return a plan whose steps all run their scripts against the target."""
        dialect = route.target.dialect
        plan = await self._runners.path(route.history, dialect, route.order, route.heads)
        steps = [replace(step, why=(why,)) for step in plan.steps]
        return Compilation(plan_of(plan.history, dialect, plan.before, steps), {})

    async def _compiled(self, route: Route, provider: Shadowing, place: str | None) -> Compilation:
        target = route.target
        async with (
            provider.shadow(target, place, major=route.major) as first,
            provider.shadow(target, place, major=route.major) as second,
        ):
            one, other = await all_of(
                self._recorded(route, first, later=False),
                self._recorded(route, second, later=True),
            )
        if one.failure is not None and not reads_data(one.failed, target):
            subject = f"shadow of {target.name}"
            raise failure(one.failure, subject=subject, history=route.history.name)
        return Compilation(assembled(target, route.heads, one, other), one.sources)

    async def _recorded(self, route: Route, shadow: Target, *, later: bool) -> Recording:
        """Run the scripts on *shadow*, and return what was taken down."""
        provider = await self._providers.of(shadow.dialect)
        support = provider.runner_support(shadow)
        async with (
            provider.open(shadow) as session,
            self._runners.compile(route, shadow, support=support, later=later) as talk,
        ):
            return await attended(talk, session)


async def attended(talk: Conversation, session: Session) -> Recording:
    """Listen to a runner that compiles, and look at the shadow ahead of each step.

    Raises:
        LevelheadError: env.py failed, or a script on the way to where the path begins.
    """
    fingerprints: list[str | None] = []
    while not isinstance(word := await talk.hear(), End):
        if isinstance(word, Failed):
            raise word.error
        if isinstance(word, About):
            fingerprints.append(await fingerprint(session))
            await talk.go("")
    return recording_from(word.answer, fingerprints)


async def fingerprint(session: Session) -> str | None:
    """Return the fingerprint of the schema that *session* sees; None where it has none."""
    return await session.fingerprint() if isinstance(session, Fingerprinting) else None


def recording_from(said: Mapping[str, Any], fingerprints: Sequence[str | None]) -> Recording:
    """Return the recording that a runner has described."""
    failed = said.get("failed")
    return Recording(
        path=steps_of(said["path"]),
        steps=tuple(map(taken_from, said["steps"], fingerprints)),
        aside=tuple(said["aside"]),
        ahead=taken_from(said["ahead"]),
        behind=taken_from(said["behind"]),
        failed=taken_from(failed) if failed else None,
        failure=failed,
        sources=said["sources"],
    )


def reads_data(taken: Taken | None, target: Target) -> bool:
    """Tell whether a script that failed had read data, which the shadow does not have."""
    sent = taken.statements() if taken else ()
    return any(
        reading(one.sql, target.dialect, version_table=target.version_table).looks is Looks.DATA
        for one in sent
        if one.read
    )


async def all_of(*asked: Coroutine[Any, Any, T]) -> list[T]:
    """Await *asked* side by side; the first failure ends the others, and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in asked]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
