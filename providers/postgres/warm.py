"""Connections that stay open from one survey to the next: few of them, and not for long."""

from __future__ import annotations

import asyncio
from asyncio import TimerHandle
from dataclasses import dataclass
from datetime import timedelta

from providers.postgres.survey import Reader


@dataclass(frozen=True, slots=True)
class Kept:
    """A connection that is waiting for the next survey."""

    reader: Reader
    end: TimerHandle  #: closes it when it has waited for too long


class Warm:
    """Keeps one connection for each of so many places; none unless told to."""

    def __init__(self) -> None:
        self._most = 0
        self._idle = timedelta(0)
        self._kept: dict[str, Kept] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def resize(self, most: int, idle: timedelta) -> None:
        """From now on keep up to *most* connections, each until nobody wants it for *idle*."""
        self._most, self._idle = most, idle

    def take(self, place: str) -> Reader | None:
        """Hand out the connection to *place*; None where there is none, or it has died."""
        kept = self._kept.pop(place, None)
        if kept is None:
            return None
        kept.end.cancel()
        if kept.reader.is_fit:
            return kept.reader
        self._close_soon(kept.reader)
        return None

    async def give(self, place: str, reader: Reader) -> None:
        """Keep *reader* for the next survey of *place*, or close it.

        Where there is no room, those that are kept already stay. A sweep comes to all targets
        in turn: if each took the room of the one that waits longest, that would always be the
        one that is wanted next.
        """
        if len(self._kept) < self._most and place not in self._kept and reader.is_fit:
            end = asyncio.get_running_loop().call_later(
                self._idle.total_seconds(), self._expire, place
            )
            self._kept[place] = Kept(reader, end)
        else:
            await reader.close()

    async def aclose(self) -> None:
        """Close every connection, and keep none from now on."""
        self._most = 0
        for place in tuple(self._kept):
            self._expire(place)
        if self._closing:
            await asyncio.wait(self._closing)

    def _expire(self, place: str) -> None:
        kept = self._kept.pop(place)
        kept.end.cancel()
        self._close_soon(kept.reader)

    def _close_soon(self, reader: Reader) -> None:
        task = asyncio.create_task(reader.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
