"""A sweep over Postgres targets with nothing pending, beside the least that any must do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.apart import apart
from bench.bare import read_all
from bench.fleet import Fleet, running_fleet
from bench.question import Question
from bench.rounds import in_milliseconds, spread, take_turns, timed
from bench.service import peak_memory
from bench.sweeping import sweeping
from bench.table import Findings, Row

_WATCHED_SWEEPS = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """What the measuring process is told."""

    fleet: Fleet
    width: int
    rounds: int


async def measure(question: Question) -> Findings:
    """Set everything up, and take the times and the memory."""
    async with running_fleet(targets=question.targets, width=question.width) as fleet:
        rounds = await apart(_compare, Asked(fleet, question.width, question.rounds))
        memory = await peak_memory(fleet, sweeps=_WATCHED_SWEEPS)
        return Findings(
            title=f"sweep: {question.targets} Postgres targets, nothing pending, "
            f"{question.width} at a time; {question.rounds} rounds in turns",
            lines=tuple(_lines(rounds, fleet.postgres)),
            rows=tuple(_rows(question, rounds, memory)),
        )


async def _compare(asked: Asked) -> list[tuple[float, ...]]:
    """Return the seconds of the engine's sweep and of the bare loop, round by round."""

    async def bare() -> object:
        return await read_all(asked.fleet.urls, width=asked.width)

    async with sweeping(asked.fleet.config) as sweep:
        return await take_turns(timed(sweep), timed(bare), rounds=asked.rounds)


def _lines(rounds: Sequence[tuple[float, ...]], postgres: int) -> Iterator[str]:
    sweeps, loops = zip(*rounds, strict=True)
    yield _times("sweep", sweeps)
    yield _times("bare asyncpg loop", loops)
    pairs = spread(_ratios(rounds))
    yield f"{'ratio':<18}{pairs.median:8.2f}     median ({pairs.least:.2f} to {pairs.most:.2f})"
    yield f"Postgres {postgres} on this machine"


def _times(name: str, seconds: Sequence[float]) -> str:
    found = in_milliseconds(seconds)
    return f"{name:<18}{found.median:8.0f} ms  median ({found.least:.0f} to {found.most:.0f})"


def _rows(question: Question, rounds: Sequence[tuple[float, ...]], memory: float) -> Iterator[Row]:
    sweep = f"sweep of {question.targets}, nothing pending"
    ratio = spread(_ratios(rounds)).median
    yield Row(work=f"{sweep}, over a bare loop", figure=ratio, unit="x", digits=2)
    yield Row(work=f"{sweep}, peak memory of the service", figure=memory, unit="MiB")


def _ratios(rounds: Sequence[tuple[float, ...]]) -> list[float]:
    return [sweep / bare for sweep, bare in rounds]
