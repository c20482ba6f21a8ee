"""Waits for a rollout, and shows how it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from sync.cli.progress import (
    Progress,
    activity,
    advance,
    ending,
    failure,
    has_ended,
    telling,
)
from sync.cli.screen import JsonScreen, Screen, TerminalScreen
from sync.cli.words import heads_text
from sync.events.chain import Event
from sync.events.kinds import Kind
from sync.model import EventQuery, Rollout, Run, RunState
from sync.runtime import Runtime
from sync.store.rollouts import cost_of

#: How often the control database is asked what has happened.
PACE = timedelta(milliseconds=200)
PAGE = 500
FAILURES = frozenset({Kind.RUN_FAILED, Kind.RUN_INTERRUPTED, Kind.PLAN_PROPOSED})


class Board(Protocol):
    """Shows the runs of one rollout while they go on."""

    def before(self, run: Run) -> None:
        """Take *run* up."""

    def after(self, event: Event) -> None:
        """Take note of *event* of one of the runs."""

    def ended(self, run: Run) -> None:
        """Close *run*."""


class SilentBoard:
    """Shows nothing: whoever reads JSON waits for the end."""

    def before(self, run: Run) -> None:
        """Show nothing."""

    def after(self, event: Event) -> None:
        """Show nothing."""

    def ended(self, run: Run) -> None:
        """Show nothing."""


class LineBoard:
    """A line for each step, and one for the end."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._runs: dict[str, Progress] = {}

    def before(self, run: Run) -> None:
        """Wait for the first event: a run that only begins is not worth a line."""
        self._runs[run.id] = Progress(run.target)

    def after(self, event: Event) -> None:
        """Write the line that the event is worth."""
        progress = self._runs[event.run or ""] = advance(self._runs[event.run or ""], event)
        if text := telling(progress, event):
            self._screen.note(text)

    def ended(self, run: Run) -> None:
        """Write how the run ended, unless it failed: failures are said at the end."""
        if failure(run) is None:
            self._screen.note(ending(run))


class BarBoard:
    """A bar for each run."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._runs: dict[str, tuple[TaskID, Progress]] = {}

    def before(self, run: Run) -> None:
        """Add a bar that pulses until the number of steps is known."""
        bar = self._bars.add_task(run.target, total=None, doing="waiting")
        self._runs[run.id] = (bar, Progress(run.target))

    def after(self, event: Event) -> None:
        """Move the bar of the event's run."""
        bar, progress = self._runs[event.run or ""]
        progress = advance(progress, event)
        self._runs[event.run or ""] = (bar, progress)
        self._bars.update(
            bar, total=progress.total, completed=progress.done, doing=activity(progress)
        )

    def ended(self, run: Run) -> None:
        """Stop the bar, filled where the run succeeded."""
        bar, progress = self._runs[run.id]
        if failure(run) is None:
            total = progress.total or 0
            doing = f"[green]at {heads_text(run.after)}"
            self._bars.update(bar, total=total, completed=total, doing=doing)
        else:
            tone = "yellow" if run.state is RunState.PROPOSED else "red"
            self._bars.update(bar, total=progress.total or 1, doing=f"[{tone}]{run.state.value}")
        self._bars.stop_task(bar)


@contextmanager
def board_for(screen: Screen, runs: int) -> Iterator[Board]:
    """Show so many runs on *screen* for the block: as bars where all of them fit."""
    match screen:
        case TerminalScreen() if runs < screen.console.height:
            with _bars(screen) as bars:
                yield BarBoard(bars)
        case JsonScreen():
            yield SilentBoard()
        case _:
            yield LineBoard(screen)


def _bars(screen: TerminalScreen) -> Bars:
    return Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[doing]}"),
        console=screen.console,
    )


@dataclass(frozen=True, slots=True)
class Result:
    """How the runs of a rollout ended, and with errors of which class those that failed."""

    rollout: Rollout
    errors: Mapping[str, str]  #: id of a run -> class name, where an event tells it


async def follow(runtime: Runtime, rollout: Rollout, board: Board) -> Result:
    """Show *rollout* on *board* until all its runs have ended."""
    watch = Watch(runtime, rollout, board)
    while not await watch.look():  # noqa: ASYNC110 - what happens, happens in another process
        await asyncio.sleep(PACE.total_seconds())
    ended = replace(rollout, runs=watch.runs, warehouse_seconds=cost_of(watch.runs))
    return Result(ended, watch.errors)


class Watch:
    """What is known of the runs of a rollout so far."""

    def __init__(self, runtime: Runtime, rollout: Rollout, board: Board) -> None:
        self.errors: dict[str, str] = {}
        self._runtime = runtime
        self._board = board
        self._runs = {run.id: run for run in rollout.runs}
        self._waiting = set(self._runs)
        self._since = min((run.requested_at for run in rollout.runs), default=None)
        self._seen = 0  #: sequence of the last event
        for run in rollout.runs:
            board.before(run)

    @property
    def runs(self) -> tuple[Run, ...]:
        """Return the runs as they were at the last look."""
        return tuple(self._runs.values())

    async def look(self) -> bool:
        """Take down what has happened since the last look; tell whether all runs have ended."""
        # Runs first, events then: of a run that has ended no event can be missed.
        await self._read_runs()
        await self._read_events()
        for run in [self._runs[name] for name in self._waiting]:
            if has_ended(run):
                self._waiting.remove(run.id)
                self._board.ended(run)
        return not self._waiting

    async def _read_runs(self) -> None:
        # A run that was under way before belongs to an earlier rollout.
        for name in {self._runs[waiting].rollout for waiting in self._waiting}:
            rollout = await self._runtime.rollout(name)
            found = rollout.runs if rollout else ()
            self._runs |= {run.id: run for run in found if run.id in self._runs}

    async def _read_events(self) -> None:
        while self._waiting and (page := await self._runtime.events(self._next())):
            self._seen = page[-1].sequence
            for event in page:
                if event.run in self._waiting:
                    self._note(event)

    def _next(self) -> EventQuery:
        return EventQuery(after=self._seen, since=self._since, limit=PAGE)

    def _note(self, event: Event) -> None:
        self._board.after(event)
        error = event.data.get("error")
        if event.run and event.kind in FAILURES and isinstance(error, str):
            self.errors[event.run] = error
