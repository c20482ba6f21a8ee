"""The command: how long does a sweep over targets with nothing pending take?"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.bare import read_all
from bench.fleet import Fleet, running_fleet
from bench.report import Measurement, Question, render
from bench.rounds import Act, Round, alternate
from bench.service import peak_memory
from sync.model import Selection, Status
from sync.runtime import Runtime
from sync.settings import load_settings

_WATCHED_SWEEPS = 5


async def measure(question: Question) -> Measurement:
    """Set everything up, and take the times and the memory."""
    async with running_fleet(targets=question.targets, width=question.width) as fleet:
        return Measurement(
            rounds=await _compare(fleet, question),
            memory=await peak_memory(fleet, sweeps=_WATCHED_SWEEPS),
            postgres=fleet.postgres,
        )


async def _compare(fleet: Fleet, question: Question) -> list[Round]:
    """Alternate the engine's sweep and the bare loop, both in this process."""
    async with _sweeping(fleet) as sweep:
        return await alternate(
            sweep,
            lambda: read_all(fleet.urls, width=question.width),
            rounds=question.rounds,
        )


@asynccontextmanager
async def _sweeping(fleet: Fleet) -> AsyncIterator[Act]:
    """Yield the sweep of a runtime; afterwards make sure that it found nothing pending."""
    settings = load_settings(fleet.config, {}, Path.cwd())
    async with Runtime.open(settings, url=fleet.api) as runtime:
        yield runtime.sweep
        found = {status.status for status in await runtime.statuses(Selection())}
        if found != {Status.CURRENT}:
            raise SystemExit(f"not every target was current: {', '.join(sorted(found))}")


def _question(arguments: list[str]) -> Question:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--targets", type=int, default=200, help="databases (default 200)")
    parser.add_argument("--width", type=int, default=16, help="looked at together (default 16)")
    parser.add_argument("--rounds", type=int, default=9, help="timed rounds (default 9)")
    return Question(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    asked = _question(sys.argv[1:])
    for line in render(asked, asyncio.run(measure(asked))):
        sys.stdout.write(f"{line}\n")
