"""Compiles paths: two runners run the scripts on two shadows, and a plan is made of both."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from providers.base import ON_TARGET, Fingerprinting, Session, Shadowing
from providers.errors import ShadowError
from providers.types import Heads, Target
from sync.model import Order
from sync.plan.assembly import assembled
from sync.plan.canonical import plan_of
from sync.plan.conversation import About, Conversation, End, Failed
from sync.plan.failures import failure
from sync.plan.model import Compilation
from sync.plan.processes import Runners, steps_of
from sync.plan.reads import Looks, reading
from sync.plan.recording import Recording, Taken, taken_from
from sync.pool import Providers
from sync.settings import History

T = TypeVar("T")

#: What the settings call a place of which no URL need be said.
PLACES = {"auto": None, "target": ON_TARGET}


class Compiler:
    """Makes plans; where there is no shadow, plans whose steps are all live."""

    def __init__(self, runners: Runners, providers: Providers) -> None:
        self._runners = runners
        self._providers = providers

    async def compile(
        self, history: History, target: Target, order: Order, heads: Heads, *, major: str
    ) -> Compilation:
        """Return what *order* means for a target like this one at *heads*.

        Raises:
            UnknownRevisionError: The order's revision does not exist, or is ambiguous.
            ScriptError: A script or env.py fails, on a shadow too.
            ShadowError: The shadow that the history's settings name cannot be used.
        """
        provider = await self._providers.of(target.dialect)
        if history.shadow == "none" or not isinstance(provider, Shadowing):
            return await self._live(history, target, order, heads, "there is no shadow")
        try:
            return await self._compiled(provider, history, target, order, heads, major=major)
        except ShadowError as error:
            if history.shadow != "auto":
                raise
            return await self._live(history, target, order, heads, str(error))

    async def _live(
        self, history: History, target: Target, order: Order, heads: Heads, why: str
    ) -> Compilation:
        """Return a plan whose steps all run their scripts against the target."""
        plan = await self._runners.path(history, target.dialect, order, heads)
        steps = [replace(step, why=(why,)) for step in plan.steps]
        return Compilation(plan_of(history.name, target.dialect, heads, steps), {})

    async def _compiled(
        self,
        provider: Shadowing,
        history: History,
        target: Target,
        order: Order,
        heads: Heads,
        *,
        major: str,
    ) -> Compilation:
        place = PLACES.get(history.shadow, history.shadow)
        async with (
            provider.shadow(target, place, major=major) as first,
            provider.shadow(target, place, major=major) as second,
        ):
            asked = [
                self._recorded(history, shadow, order, heads, later=shadow is second)
                for shadow in (first, second)
            ]
            one, other = await all_of(asked)
        if one.failure is not None and not reads_data(one.failed, target):
            raise failure(one.failure, subject=f"shadow of {target.name}", history=history.name)
        return Compilation(assembled(target, heads, one, other), one.sources)

    async def _recorded(
        self, history: History, shadow: Target, order: Order, heads: Heads, *, later: bool
    ) -> Recording:
        """Run the scripts on *shadow*, and return what was taken down."""
        provider = await self._providers.of(shadow.dialect)
        async with (
            provider.open(shadow) as session,
            self._runners.compile(
                history, shadow, order, heads, support=provider.runner_support(shadow), later=later
            ) as talk,
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


async def all_of(asked: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Await *asked* side by side; the first failure ends the others, and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in asked]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
