"""Commands in a new process each, beside one `alembic current`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.commands import output_of
from bench.configuration import ROOT
from bench.fleet import Fleet, alembic, running_fleet
from bench.question import Question
from bench.rounds import Act, in_milliseconds, spread, take_turns, timed
from bench.table import Bound, Findings, Limit, Row

_TARGETS = 3
_NAMES = ("levelhead --help", f"levelhead status, {_TARGETS} targets", "alembic current")


async def measure(question: Question) -> Findings:
    """Set everything up, and take the times; the first turn of each compiles the bytecode."""
    async with running_fleet(targets=_TARGETS, width=16) as fleet:
        rounds = await take_turns(*map(timed, _acts(fleet)), rounds=question.rounds)
    return Findings(
        title=f"cli: a new process each; {question.rounds} rounds in turns",
        lines=tuple(_lines(rounds)),
        rows=tuple(_rows(rounds)),
    )


def _acts(fleet: Fleet) -> Sequence[Act[object]]:
    command = Path(sys.executable).with_name("levelhead")

    async def show_help() -> object:
        return await output_of((command, "--help"), os.environ)

    async def status() -> object:
        return await output_of((command, "status", "--config", fleet.config), os.environ)

    async def current() -> object:
        return await output_of(*alembic(fleet.urls[0], "current"), cwd=ROOT)

    return show_help, status, current


def _lines(rounds: Sequence[tuple[float, ...]]) -> Iterator[str]:
    for name, seconds in zip(_NAMES, zip(*rounds, strict=True), strict=True):
        came = in_milliseconds(seconds)
        yield f"{name:<30}{came.median:7.0f} ms  median ({came.least:.0f} to {came.most:.0f})"


def _rows(rounds: Sequence[tuple[float, ...]]) -> Iterator[Row]:
    help_ = spread([seconds for seconds, _, _ in rounds]).median
    ratio = spread([status / current for _, status, current in rounds]).median
    yield Row(work=_NAMES[0], figure=help_, unit="s", digits=2, limit=Limit(Bound.UNDER, 0.3))
    yield Row(
        work=f"{_NAMES[1]}, over alembic current",
        figure=ratio,
        unit="x",
        digits=2,
        limit=Limit(Bound.UNDER, 1),
    )
