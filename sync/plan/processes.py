"""Starts runners: one process for each question to a history, one for each migration."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import astuple
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from providers.types import Heads, RunnerSupport, Target
from sync.errors import PlanError, RunnerLostError, ScriptError
from sync.history import Graph, Revision, WayBack
from sync.model import Order
from sync.plan.canonical import plan_of
from sync.plan.conversation import Conversation, End, Failed
from sync.plan.model import KnownType, Plan, Step
from sync.plan.portability import Portability, portability_from
from sync.plan.route import Route
from sync.scripts import digest_of
from sync.settings import History, Settings
from sync.settings.secrets import secrets_in
from sync.settings.shadow import AUTO

BOOT = Path(__file__).parent / "runner" / "boot.py"

#: What a runner sees of the service's environment; the history's own ``env`` comes on top.
ALLOWED = frozenset(
    {"HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PATH", "PYTHONDONTWRITEBYTECODE"}
    | {"SSL_CERT_DIR", "SSL_CERT_FILE", "SYSTEMROOT", "TMPDIR", "TZ", "VIRTUAL_ENV"}
)


#: The part of a path that is all of it.
ALL = slice(0, None)


class Runners:
    """The one door to histories: everything that imports Alembic happens behind it."""

    def __init__(self, *, timeout: timedelta, secrets: Collection[str]) -> None:
        self._timeout = timeout
        self._secrets = secrets

    async def graph(self, history: History, locations: Sequence[str] = ()) -> Graph:
        """Load the history and return its revisions.

        Its digest is of the scripts as they were before: those that change while they are read
        have another one afterwards, and are read again by whoever compares. So *locations* are
        where they were the last time; where they are elsewhere, they are read twice.

        Raises:
            ScriptError: A script or env.py cannot be loaded.
            UnknownRevisionError: A revision names a parent that does not exist.
        """
        found = await self._graph(history, locations)
        if found.locations == tuple(locations):
            return found
        return await self._graph(history, found.locations)

    async def _graph(self, history: History, locations: Sequence[str]) -> Graph:
        digest = await asyncio.to_thread(digest_of, locations)
        answer = await self._answer(history, {"op": "graph"})
        revisions = [revision_of(said) for said in answer["revisions"]]
        return Graph(
            history=history.name,
            revisions=MappingProxyType({revision.id: revision for revision in revisions}),
            heads=frozenset(answer["heads"]),
            digest=digest,
            locations=tuple(answer["locations"]),
        )

    async def survey(self, history: History, dialect: str, extension: Path) -> Portability:
        """Return what becomes of each revision on *dialect*, by the rules of an *extension*.

        Raises:
            ScriptError: A script cannot be loaded, or the interpreter lacks the dialect.
        """
        request = {"op": "survey", "dialect": dialect, "extension": str(extension)}
        answer = await self._answer(history, request)
        return portability_from(history.name, dialect, answer)

    async def path(self, history: History, dialect: str, order: Order, heads: Heads) -> Plan:
        """Return what *order* means for a target at *heads*, without touching it.

        Raises:
            UnknownRevisionError: The order's revision does not exist, or is ambiguous.
            ScriptError: A script or env.py cannot be loaded.
        """
        request = {"op": "path", "verb": order.verb, "to": order.to, "heads": sorted(heads)}
        answer = await self._answer(history, request)
        return plan_of(history.name, dialect, heads, steps_of(answer["path"]))

    @asynccontextmanager
    async def migrate(
        self,
        history: History,
        target: Target,
        order: Order,
        heads: Heads,
        *,
        support: RunnerSupport,
        part: slice = ALL,
        known: Sequence[KnownType] = (),
    ) -> AsyncIterator[Conversation]:
        """Start carrying out *part* of *order* on *target*, and talk with the runner in the block.

        *heads* is where the whole path begins; *part* counts its steps. *known* are the types
        that the steps ahead of it have created.

        The runner takes the target's lock by itself and goes away with the block.

        Raises:
            RunnerTimeoutError: The block took longer than the settings allow.
        """
        asked = migration(history, target, order, heads, support)
        types = [astuple(one) for one in known]
        request = {"op": "migrate", **asked, "part": [part.start, part.stop], "known": types}
        async with self._talk(history, target.name, request, support) as talk:
            yield talk

    @asynccontextmanager
    async def compile(
        self, route: Route, shadow: Target, *, support: RunnerSupport, later: bool
    ) -> AsyncIterator[Conversation]:
        """Start compiling *route* on an empty *shadow*, and talk with the runner in the block.

        The runner brings the shadow to where the path begins first. Scripts see another clock
        where *later* is set.

        Raises:
            RunnerTimeoutError: The block took longer than the settings allow.
        """
        asked = migration(route.history, shadow, route.order, route.heads, support)
        own = route.history.shadow.place(route.target.dialect) == AUTO
        request = {"op": "compile", **asked, "later": later, "on_own_server": own}
        async with self._talk(route.history, shadow.name, request, support) as talk:
            yield talk

    async def _answer(self, history: History, request: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            async with self._talk(history, f"history {history.name}", request) as talk:
                word = await talk.hear()
        except RunnerLostError as error:  # nothing is in doubt: it was only asked
            raise PlanError(str(error)) from error
        if isinstance(word, Failed):
            raise word.error
        if not isinstance(word, End):
            raise PlanError(f"history {history.name}: the runner said {word!r} out of turn")
        return word.answer

    @asynccontextmanager
    async def _talk(
        self,
        history: History,
        subject: str,
        request: Mapping[str, Any],
        support: RunnerSupport = RunnerSupport(),  # noqa: B008 - frozen
    ) -> AsyncIterator[Conversation]:
        process = await start(history)
        known = {*self._secrets, *support.secrets, *secrets_in(request.get("url", ""))} - {""}
        talk = Conversation(
            process, subject=subject, history=history.name, secrets=known, renew=support.renew
        )
        try:
            async with asyncio.timeout(self._timeout.total_seconds()) as limit:
                await talk.ask({**asked_of(history), **request})
                yield talk
        except TimeoutError:
            if limit.expired():
                raise talk.overdue(self._timeout) from None
            raise
        finally:
            await asyncio.shield(talk.close())


def runners_for(settings: Settings) -> Runners:
    """Return the door to the histories, with what must never come out of it."""
    return Runners(timeout=settings.schedule.script_timeout, secrets=settings.secrets())


async def start(history: History) -> Process:
    """Start a runner with the history's own interpreter, in the folder of its alembic.ini."""
    python = str(history.python or sys.executable)
    try:
        return await asyncio.create_subprocess_exec(
            python,
            str(BOOT),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=history.config.parent,
            env={name: value for name, value in os.environ.items() if name in ALLOWED},
            start_new_session=True,  # Ctrl-C is for the service; it ends the runner in order
        )
    except OSError as error:
        raise ScriptError(
            f"cannot start {python}: {error.strerror}; see `python` of the history",
            history=history.name,
        ) from error


def asked_of(history: History) -> dict[str, Any]:
    """Return the part of a request that every question to a history has."""
    return {
        "config": str(history.config),
        "section": history.section,
        "env": dict(history.env),
        "attributes": dict(history.attributes),
        "hook": history.hook,
        "refuse_skips": sorted(history.refuse_skips),
    }


def migration(
    history: History, target: Target, order: Order, heads: Heads, support: RunnerSupport
) -> dict[str, Any]:
    """Return the part of a request that all have for which scripts are run."""
    return {
        "driver": history.driver,
        "connect_arguments": dict(support.connect_arguments),
        "environment": dict(support.environment),
        "renews": support.renew is not None,
        "extension": str(support.extension) if support.extension else None,
        "target": target.name,
        "url": support.url or target.url,
        "schema": target.schema,
        "version_table": target.version_table,
        "version_table_schema": target.version_table_schema or target.schema,
        "verb": order.verb,
        "to": order.to,
        "heads": sorted(heads),
        "lock_wait": target.lock_wait.total_seconds(),
        "lock_timeout_ms": milliseconds(target.lock_timeout),
        "statement_timeout_ms": milliseconds(target.statement_timeout),
    }


def milliseconds(duration: timedelta) -> int:
    """Return *duration* in whole milliseconds."""
    return duration // timedelta(milliseconds=1)


def revision_of(said: Mapping[str, Any]) -> Revision:
    """Return one revision that a runner has described."""
    lists = {name: tuple(said[name]) for name in ("parents", "depends_on", "labels")}
    return Revision(**{**said, **lists, "downgrade": WayBack(said["downgrade"])})


def steps_of(said: list[Mapping[str, Any]]) -> tuple[Step, ...]:
    """Return the steps of a path that a runner has described."""
    return tuple(
        Step(s["revision"], frozenset(s["before"]), frozenset(s["after"]), s["script"])
        for s in said
    )
