"""The status of many databases, over new connections and over open ones, beside its peers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.apart import apart
from bench.bare import read_all
from bench.commands import each, output_of
from bench.configuration import ROOT
from bench.fleet import alembic, running_databases, served
from bench.question import Question
from bench.rounds import Act, in_milliseconds, spread, take_turns, timed
from bench.sweeping import sweeping
from bench.table import Bound, Findings, Limit, Row

#: Alembic is slow, so it has fewer databases; what it takes for each is compared.
_BY_HAND = 16
_BY_HAND_WIDTH = 4
_COLD = ("sweep, new connections", "bare asyncpg loop", "alembic current, 4 at a time")
_WARM = ("sweep, open connections", "sweep, new connections")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a measuring process is told."""

    urls: tuple[str, ...] = field(repr=False)
    cold: Path  #: settings of a service that keeps no connection
    warm: Path  #: the same, with one that is kept for each database
    width: int
    rounds: int


async def measure(question: Question) -> Findings:
    """Set everything up, and take the times."""
    count, width = question.databases, question.width
    async with running_databases(count, connections=count + width) as databases:
        schedule = f'every = "1h", drift_every = "off", concurrency = {width}'
        with (
            served(databases.urls, f"{schedule}, warm = 0") as (cold, _),
            served(databases.urls, f'{schedule}, warm = {count}, warm_for = "1h"') as (warm, _),
        ):
            asked = Asked(
                urls=databases.urls, cold=cold, warm=warm, width=width, rounds=question.rounds
            )
            new = await apart(_over_new, asked)
            open_ = await apart(_over_open, asked)
    return Findings(
        title=f"status: {count} Postgres databases at head, {width} at a time; "
        f"{question.rounds} rounds in turns",
        lines=(*_lines(_COLD, new), *_lines(_WARM, open_)),
        rows=tuple(_rows(f"status of {count} databases", new, open_)),
    )


async def _over_new(asked: Asked) -> list[tuple[float, ...]]:
    """Return the seconds for each database of sweep, bare loop and Alembic, round by round."""
    some = asked.urls[:_BY_HAND]

    async def bare() -> object:
        return await read_all(asked.urls, width=asked.width)

    async def by_hand() -> None:
        await each(lambda url: output_of(*alembic(url, "current"), cwd=ROOT), some, _BY_HAND_WIDTH)

    async with sweeping(asked.cold) as sweep:
        return await take_turns(
            _for_each(sweep, asked.urls),
            _for_each(bare, asked.urls),
            _for_each(by_hand, some),
            rounds=asked.rounds,
        )


async def _over_open(asked: Asked) -> list[tuple[float, ...]]:
    """Return the same of a sweep over open connections, and of one over new ones."""
    async with sweeping(asked.warm) as warm, sweeping(asked.cold) as cold:
        acts = (_for_each(warm, asked.urls), _for_each(cold, asked.urls))
        return await take_turns(*acts, rounds=asked.rounds)


def _for_each(act: Act[object], urls: Sequence[str]) -> Act[float]:
    """Return *act*, which is about *urls*, as one that gives the seconds for each of them."""

    async def seconds() -> float:
        return await timed(act)() / len(urls)

    return seconds


def _lines(names: Sequence[str], rounds: Sequence[tuple[float, ...]]) -> Iterator[str]:
    for name, seconds in zip(names, zip(*rounds, strict=True), strict=True):
        found = in_milliseconds(seconds)
        yield (
            f"{name:<30}{found.median:9.2f} ms a database ({found.least:.2f} to {found.most:.2f})"
        )


def _rows(
    work: str, new: Sequence[tuple[float, ...]], open_: Sequence[tuple[float, ...]]
) -> Iterator[Row]:
    over_bare = spread([sweep / bare for sweep, bare, _ in new]).median
    by_hand = spread([alembic / sweep for sweep, _, alembic in new]).median
    over_cold = spread([warm / cold for warm, cold in open_]).median
    yield _row(f"{work}, new connections, over a bare loop", over_bare, Bound.AT_MOST, 1.2)
    yield _row(f"{work}, alembic current over it", by_hand, Bound.AT_LEAST, 60)
    yield _row(f"{work}, open connections, over new ones", over_cold, Bound.AT_MOST, 0.1)


def _row(work: str, figure: float, bound: Bound, limit: float) -> Row:
    return Row(work=work, figure=figure, unit="x", digits=2, limit=Limit(bound, limit))
