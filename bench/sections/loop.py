"""How late the event loop is while Databricks targets run, beside a loop with nothing to do."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.apart import apart
from bench.configuration import configured
from bench.question import Question
from bench.rounds import in_milliseconds
from bench.table import Bound, Findings, Limit, Row
from sync.model import RunState
from sync.runtime import Runtime
from sync.settings import load_settings

_TICK = 0.005  # seconds
_IDLE = 2.0  # seconds
_LIMIT = Limit(Bound.UNDER, 50)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How many targets run, and how."""

    name: str
    targets: int
    shadow: str  #: where plans are compiled
    tables: tuple[str, ...] = ()  #: of the settings; empty: as many at a time as by default


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one process found."""

    idle: Sequence[float]  #: how late each tick was, in seconds, with nothing to do
    busy: Sequence[float]  #: the same from the opening of the control database to the last run
    seconds: float  #: how long they ran
    load: float  #: of the machine, over the minute that ended with them


async def measure(question: Question, new_schemas: Callable[[int], Sequence[str]]) -> Findings:
    """Bring new targets to head, in a new process each time, and watch its event loop."""
    found: dict[Way, list[Found]] = {way: [] for way in _ways(question)}
    for _ in range(question.repeats):
        for way, several in found.items():
            urls = new_schemas(way.targets)
            with configured(urls, *way.tables, shadow=way.shadow) as config:
                several.append(await apart(_watch_runs, config))
    return Findings(
        title=f"loop: its lag while Databricks targets go from base to head; {question.repeats} x",
        lines=tuple(line for way, several in found.items() for line in _lines(way.name, several)),
        rows=tuple(_row(way, several) for way, several in found.items()),
    )


def _ways(question: Question) -> Iterator[Way]:
    many = f"schedule = {{ concurrency = {question.sessions}, runs = {question.sessions} }}"
    yield Way(name="replayed", targets=question.schemas, shadow="auto")
    yield Way(name="live", targets=question.schemas, shadow="none")
    name = f"replayed, {question.sessions} at a time"
    yield Way(name=name, targets=question.crowd, shadow="auto", tables=(many,))


def _row(way: Way, found: Sequence[Found]) -> Row:
    p99 = statistics.median(in_milliseconds(each.busy).p99 for each in found)
    work = f"lag of the event loop, {way.targets} Databricks targets, {way.name}: p99"
    return Row(work=work, figure=p99, unit="ms", digits=1, limit=_LIMIT)


def _lines(way: str, found: Sequence[Found]) -> Iterator[str]:
    for each in found:
        yield _line("nothing to do", each.idle)
        yield f"{_line(way, each.busy)}; {each.seconds:.1f} s; load {each.load:.1f}"


def _line(name: str, lags: Sequence[float]) -> str:
    came = in_milliseconds(lags)
    return (
        f"{name:<24}{came.median:6.1f} ms  median, p99 {came.p99:.1f}, most {came.most:.1f} "
        f"({len(lags)} ticks)"
    )


async def _watch_runs(config: Path) -> Found:
    async with watched() as idle:
        await asyncio.sleep(_IDLE)
    begin = time.perf_counter()
    async with watched() as busy:
        await _run_all(config)
    seconds = time.perf_counter() - begin
    return Found(idle=idle, busy=busy, seconds=seconds, load=os.getloadavg()[0])


async def _run_all(config: Path) -> None:
    """Sweep as a service does that has just started, and wait for all runs."""
    settings = load_settings(config, {}, config.parent)
    async with Runtime.open(settings, url="") as runtime:
        rollout = await runtime.sweep()
        runs = (await runtime.finished(rollout.id)).runs if rollout else ()
    failed = [str(run.error) for run in runs if run.state is not RunState.SUCCEEDED]
    if failed or len(runs) != len(settings.targets):
        raise SystemExit(f"not every target came to head: {', '.join(failed[:1])}")


@asynccontextmanager
async def watched() -> AsyncIterator[list[float]]:
    """Take down how late each tick is, in seconds, during the block."""
    lags: list[float] = []
    watching = asyncio.create_task(_watch(lags))
    try:
        yield lags
    finally:
        watching.cancel()


async def _watch(lags: list[float]) -> None:
    """Tick by the clock: a loop that is held up is late for each tick that it misses."""
    due = time.perf_counter() + _TICK
    while True:
        await asyncio.sleep(due - time.perf_counter())
        while due <= (now := time.perf_counter()):
            lags.append(now - due)
            due += _TICK
