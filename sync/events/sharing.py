"""Transactions that several writers of this process share: one COMMIT for all who wait.

The head of the audit log is one row, so transactions that append follow one another. Where
many runs go on at once, those that wait are written together; whoever is alone does not wait.

Services that share a control database must not wait for each other's rows in a circle. Each work
takes rows of one target, so they are done in the order of the targets' names, one of each target.
Of what is shared by targets, such as the texts of statements, there is no such order: where the
database ends the transaction to break a circle, it is written again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from copy import copy
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from providers.errors import LevelheadError
from sync.errors import AuditError
from sync.events.batch import Batch
from sync.events.chain import Draft
from sync.store.translate import DeadlockError

T = TypeVar("T")

#: As many share a transaction at most.
MOST = 64

#: A transaction that was ended to break a circle is begun anew as often as this.
RENEWALS = 5

#: Something to write: gives what its writer wants to know, and the events to append.
Work: TypeAlias = Callable[[AsyncConnection], Awaitable[tuple[T, Sequence[Draft]]]]


@dataclass(frozen=True, slots=True)
class Waiting(Generic[T]):
    """Work about a target, and the future of its writer."""

    target: str
    work: Work[T]
    done: asyncio.Future[T]


class Sharing:
    """Writes together what is asked for at about the same time; *writing* begins a transaction."""

    def __init__(self, writing: Callable[[], AbstractAsyncContextManager[Batch]]) -> None:
        self._writing = writing
        self._waiting: list[Waiting[Any]] = []
        self._writer: asyncio.Task[None] | None = None

    async def write(self, target: str, work: Work[T]) -> T:
        """Do *work* and append its events, in a transaction shared with others; wait for it.

        *work* takes rows of *target* first. It raises before it has written anything, or not
        at all, and may be done again where nothing of it was stored. It goes on where its caller
        is cancelled: what it was to store is stored then, or not.

        Raises:
            LevelheadError: *work* raised it; nothing of it was stored.
            ControlDatabaseError: Nothing was stored, of nobody's.
            CommitInDoubtError: Nobody can tell at the moment.
        """
        waiting: Waiting[T] = Waiting(target, work, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        return await waiting.done

    async def _write_all(self) -> None:
        """Write until nobody waits."""
        try:
            while self._waiting:
                group, self._waiting = chosen(self._waiting)
                await self._write(group)
        finally:
            self._writer = None

    async def _write(self, group: Sequence[Waiting[Any]]) -> None:
        """Write one transaction, and let those who wait know how it ended."""
        try:
            ends = await self._insist(group)
        except BaseException as error:
            for waiting in group:
                settle(waiting.done, copy(error))
            if not isinstance(error, Exception):
                raise
        else:
            for waiting, end in zip(group, ends, strict=True):
                settle(waiting.done, end)

    async def _insist(self, group: Sequence[Waiting[Any]]) -> list[Any]:
        for _ in range(RENEWALS):
            try:
                return await self._together(group)
            except DeadlockError:
                continue
        return await self._together(group)

    async def _together(self, group: Sequence[Waiting[Any]]) -> list[Any]:
        """Return what each work gives, or the error that it raised, once all is stored."""
        ends: list[Any] = []
        drafts: list[Draft] = []
        async with self._writing() as batch:
            for waiting in group:
                end, more = await outcome(waiting.work, batch.connection)
                ends.append(end)
                drafts += more
            await batch.append(*drafts)
        return ends


def chosen(
    waiting: Sequence[Waiting[Any]],
) -> tuple[Sequence[Waiting[Any]], list[Waiting[Any]]]:
    """Return who is written next, by the names of their targets, and who goes on waiting."""
    first: dict[str, Waiting[Any]] = {}
    for one in waiting:
        if len(first) < MOST:
            first.setdefault(one.target, one)
    rest = [one for one in waiting if first.get(one.target) is not one]
    return [first[name] for name in sorted(first)], rest


async def outcome(work: Work[Any], connection: AsyncConnection) -> tuple[Any, Sequence[Draft]]:
    """Return what *work* gives; the error itself where it refused, which concerns no other."""
    try:
        return await work(connection)
    except AuditError:
        raise
    except LevelheadError as error:
        return error, ()


def settle(done: asyncio.Future[Any], end: Any) -> None:  # noqa: ANN401 - whatever a work gives
    """Tell the writer, if it still waits."""
    if done.done():
        return
    if isinstance(end, BaseException):
        done.set_exception(end)
    else:
        done.set_result(end)
