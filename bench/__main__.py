"""The command: measure, print the figures beside what they must reach, and tell what misses."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from collections.abc import Awaitable, Callable, Mapping

from bench.question import Question, asked
from bench.sections import cli, loop, memory, replay, schemas, sessions, statements, status, sweep
from bench.sections import compile as compiling
from bench.table import Findings, Row, table, verdict
from bench.warehouse import running_warehouse

#: Bad input ends with 2, as everywhere.
_MISSED = 1


async def _statements(question: Question) -> Findings:
    with running_warehouse() as new_schemas:
        return await statements.measure(question, *new_schemas(1))


async def _sessions(question: Question) -> Findings:
    with running_warehouse() as new_schemas:
        return await sessions.measure(question, new_schemas(2))


async def _loop(question: Question) -> Findings:
    with running_warehouse() as new_schemas:
        return await loop.measure(question, new_schemas)


SECTIONS: Mapping[str, Callable[[Question], Awaitable[Findings]]] = {
    "replay": replay.measure,
    "compile": compiling.measure,
    "sweep": sweep.measure,
    "status": status.measure,
    "schemas": schemas.measure,
    "memory": memory.measure,
    "cli": cli.measure,
    "statements": _statements,
    "sessions": _sessions,
    "loop": _loop,
}


def main(arguments: list[str]) -> int:
    """Measure the sections that are asked for; return the exit status, 1 for a miss."""
    question = asked(arguments, tuple(SECTIONS))
    _say(f"Python {platform.python_version()}, {os.cpu_count()} processors")
    rows: list[Row] = []
    for name in question.only:
        load = os.getloadavg()[0]
        found = asyncio.run(_measured(name, question))
        _say("", found.title, *(f"  {line}" for line in found.lines), f"  load before: {load:.1f}")
        rows += found.rows
    _say("", *table(rows), "", verdict(rows), f"repeat: {question.command}")
    return _MISSED if any(row.is_missed for row in rows) else 0


async def _measured(name: str, question: Question) -> Findings:
    return await SECTIONS[name](question)


def _say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
