"""Compiles paths: two runners run the scripts on two shadows, and a plan is made of both."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from providers.base import Fingerprinting, Session, Shadowing
from providers.errors import LevelheadError, ProviderError, ShadowError, StatementError
from providers.types import Target
from sync.errors import RunnerLostError, RunnerTimeoutError, ScriptError
from sync.plan.anywhere import holds_anywhere
from sync.plan.assembly import assembled
from sync.plan.canonical import plan_of
from sync.plan.conversation import About, Conversation, End, Failed
from sync.plan.environs import asked
from sync.plan.failures import failure
from sync.plan.model import Compilation
from sync.plan.processes import Runners
from sync.plan.reads import Looks, reading
from sync.plan.recording import Failure, Recording, Stage, recording_from
from sync.plan.route import ANYWHERE, Route
from sync.pool import Providers
from sync.settings.shadow import AUTO, NONE

T = TypeVar("T")

# SQLSTATEs of what somebody else has to provide.
DUPLICATE_OBJECT = "42710"
FEATURE_NOT_SUPPORTED = "0A000"
INSUFFICIENT_PRIVILEGE = "42501"
INVALID_CATALOG_NAME = "3D000"
INVALID_SCHEMA_NAME = "3F000"
UNDEFINED_FILE = "58P01"
UNDEFINED_OBJECT = "42704"


class Compiler:
    """Makes plans; where there is no shadow, plans whose steps are all live."""

    def __init__(self, runners: Runners, providers: Providers) -> None:
        self._runners = runners
        self._providers = providers

    async def compile(self, route: Route) -> Compilation:
        """Return the plan for *route*.

        Raises:
            UnknownRevisionError: The order's revision does not exist, or is ambiguous.
            ScriptError: A script or env.py fails on a shadow, and not for want of data, or runs
                there for too long; nothing was sent to any target.
            ShadowError: The shadow that the history's settings name cannot be used.
        """
        provider = await self._providers.of(route.target)
        place = route.history.shadow.place(route.target.dialect)
        if place == NONE or not isinstance(provider, Shadowing):
            return await self._live(route, "there is no shadow")
        if place != AUTO:
            return await self._compiled(route, provider, place)
        try:
            return await self._compiled(route, provider, None)
        except ShadowError as error:
            return await self._live(route, str(error))

    async def compile_for_all(self, route: Route) -> Compilation | None:
        """Return the plan that is right in any schema; None where there is none, or nobody knows.

        The scripts are run in two schemas: what they send must be the same in both, and name
        neither of them.

        Args:
            route: As `of_any_schema` gives it.
        """
        provider = await self._providers.of(route.target)
        place = route.history.shadow.place(route.target.dialect)
        if place == NONE or not isinstance(provider, Shadowing):
            return await self._live(route, "there is no shadow")
        try:
            one, other = await self._in_two_schemas(route, provider, place)
        except LevelheadError:
            return None  # in the target's own schema it may go well, and else is told
        if one.failure or other.failure:
            return None
        plan = assembled(route.target, route.heads, one, other)
        return Compilation(plan, one.sources) if holds_anywhere(plan, one, other) else None

    async def _in_two_schemas(
        self, route: Route, shadowing: Shadowing, place: str
    ) -> Sequence[Recording]:
        where = None if place == AUTO else place
        first, second = (
            shadowing.shadow(replace(route.target, schema=schema), where, major=route.major)
            for schema in ANYWHERE
        )
        return await all_of(self._recorded(route, first), self._again(route, second))

    async def _live(self, route: Route, why: str) -> Compilation:
        """Return a plan whose steps all run their scripts against the target."""
        dialect = route.target.dialect
        plan = await self._runners.path(route.history, dialect, route.order, route.heads)
        steps = [replace(step, why=(why,)) for step in plan.steps]
        return Compilation(plan_of(plan.history, dialect, plan.before, steps), {})

    async def _compiled(self, route: Route, shadowing: Shadowing, place: str | None) -> Compilation:
        def shadow() -> AbstractAsyncContextManager[Target]:
            return shadowing.shadow(route.target, place, major=route.major)

        one, other = await all_of(self._recorded(route, shadow()), self._again(route, shadow()))
        require_no_mistake(one, route)  # where only the other failed, it came out different
        if early := one.ended_early() or other.ended_early():
            return await self._live(route, f"the shadow cannot be prepared: {said(early, route)}")
        return Compilation(assembled(route.target, route.heads, one, other), one.sources)

    async def _recorded(
        self, route: Route, making: AbstractAsyncContextManager[Target]
    ) -> Recording:
        """Run the scripts on a shadow, and return what was taken down.

        Raises:
            ScriptError: The runner had to be ended, or ended by itself.
            ShadowError: The shadow cannot be made, or was lost.
        """
        with on_shadow(route):
            async with making as shadow:
                provider = await self._providers.of(shadow)
                async with (
                    provider.open(shadow) as session,
                    self._talk(route, shadow, later=False) as talk,
                ):
                    return await attended(talk, lambda: fingerprint(session))

    async def _again(self, route: Route, making: AbstractAsyncContextManager[Target]) -> Recording:
        """Do the same by another clock, and without a look at the shadow; see `_recorded`."""
        with on_shadow(route):
            async with making as made:
                shadow = replace(made, name=f"second {made.name}")
                async with self._talk(route, shadow, later=True) as talk:
                    return await attended(talk, nothing)

    @asynccontextmanager
    async def _talk(
        self, route: Route, shadow: Target, *, later: bool
    ) -> AsyncIterator[Conversation]:
        provider = await self._providers.of(shadow)
        support = await provider.runner_support(shadow)
        async with self._runners.compile(route, shadow, support=support, later=later) as talk:
            yield talk


@contextmanager
def on_shadow(route: Route) -> Iterator[None]:
    """Raise errors of the block as what they are here: nothing of a target is in doubt."""
    try:
        yield
    except ProviderError as error:
        raise ShadowError(str(error)) from error
    except (RunnerLostError, RunnerTimeoutError) as error:
        raise ScriptError(str(error), history=route.history.name) from error


async def attended(talk: Conversation, look: Callable[[], Awaitable[str | None]]) -> Recording:
    """Listen to a runner that compiles, and *look* at the shadow ahead of each step.

    Raises:
        LevelheadError: What was asked for makes no sense, or is not allowed.
    """
    fingerprints: list[str | None] = []
    while not isinstance(word := await talk.hear(), End):
        if isinstance(word, Failed):
            raise word.error
        if isinstance(word, About):
            fingerprints.append(await look())
            await talk.go("")
    return recording_from(word.answer, fingerprints)


async def fingerprint(session: Session) -> str | None:
    """Return the fingerprint of the schema that *session* sees; None where it has none."""
    return await session.fingerprint() if isinstance(session, Fingerprinting) else None


async def nothing() -> None:
    """Look at nothing."""


def require_no_mistake(recording: Recording, route: Route) -> None:
    """Raise the failure that *recording* ended with, where the scripts are to blame for it.

    Raises:
        ScriptError: A script or env.py fails, and not for want of data.
        ShadowError: The shadow was lost.
    """
    failed = recording.failure
    if failed is None or is_want(failed, recording, route.target):
        return
    raise said(failed, route)


def is_want(failed: Failure, recording: Recording, target: Target) -> bool:
    """Tell whether a recording ended for want of something that targets may well have.

    Whatever lies ahead of the path has run on every target long ago.
    """
    if failed.said["kind"] not in ("script", "statement"):
        return False
    if failed.stage is Stage.WAY or failed.taken.outside or lacks(failed.said):
        return True
    sent = asked(recording) if failed.stage is Stage.ENV else failed.taken.looked_at()
    return any(reading(one.sql, target).looks is not Looks.NOTHING for one in sent)


def lacks(said: Mapping[str, Any]) -> bool:
    """Tell whether a statement needs what no history brings: a role, a right, an extension, ..."""
    code, message = said.get("code"), said["message"]
    if code in (UNDEFINED_OBJECT, DUPLICATE_OBJECT):
        return bool(message.startswith("role "))
    if code == FEATURE_NOT_SUPPORTED:
        return bool(message.startswith("extension "))
    return code in (
        INVALID_CATALOG_NAME,
        INVALID_SCHEMA_NAME,
        INSUFFICIENT_PRIVILEGE,
        UNDEFINED_FILE,
    )


def said(failed: Failure, route: Route) -> LevelheadError:
    """Return the error that ended a recording, with the place in the user's files."""
    who = f"revision {failed.revision}" if failed.revision else "env.py"
    error = failure(failed.said, subject=f"{who} on a shadow", history=route.history.name)
    if not isinstance(error, ProviderError):
        return error
    if not isinstance(error, StatementError):
        return ShadowError(str(error))
    return ScriptError(f"{error}{failed.said['place']}", history=route.history.name)


async def all_of(*asked: Coroutine[Any, Any, T]) -> list[T]:
    """Await *asked* side by side; the first failure ends the others, and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in asked]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
