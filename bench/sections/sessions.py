"""Many sessions on the local warehouse at a time, beside the connector alone."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from databricks import sql

from bench.apart import apart
from bench.memory import peak_of
from bench.question import Question
from bench.table import Bound, Findings, Limit, Row
from providers.base import Session
from providers.databricks.address import connect_arguments
from providers.databricks.provider import DatabricksProvider
from providers.types import Statement, Target


@dataclass(frozen=True, slots=True)
class Asked:
    """What a measuring process is told."""

    url: str = field(repr=False)
    sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """How one way of opening many sessions went."""

    good: int  #: sessions whose statements all succeeded
    seconds: float  #: until the last one is closed
    memory: float  #: MiB, the peak of the process

    def line(self, way: str) -> str:
        """Return it as text."""
        return (
            f"{way:<26}{self.good:4} sessions  {self.seconds:5.1f} s  "
            f"{self.memory:4.0f} MiB peak of the process"
        )


async def measure(question: Question, urls: Sequence[str]) -> Findings:
    """Open the sessions both ways, each in a process of its own; *urls* are two schemas'."""
    ours, bare = urls
    found = await apart(_ours, Asked(ours, question.sessions))
    beside = await apart(_bare, Asked(bare, question.sessions))
    rows = (
        Row(
            work=f"{question.sessions} parallel sessions: all their statements succeed",
            figure=found.good,
            unit="sessions",
            limit=Limit(Bound.AT_LEAST, question.sessions),
        ),
        Row(
            work=f"{question.sessions} parallel sessions: peak memory of the process",
            figure=found.memory,
            unit="MiB",
        ),
    )
    return Findings(
        title=f"sessions: {question.sessions} at a time, {len(_statements(0))} statements each",
        lines=(found.line("levelhead"), beside.line("connector, a thread each")),
        rows=rows,
    )


def _statements(number: int) -> Sequence[str]:
    """Return what one session sends; each has a table of its own."""
    table = f"bench_{number}"
    return (
        f"CREATE TABLE {table} (id BIGINT NOT NULL, name STRING)",
        f"INSERT INTO {table} VALUES (1, 'one')",  # noqa: S608 - names of our own
        f"ALTER TABLE {table} ADD COLUMN more STRING",
        "SELECT 1",
    )


async def _ours(asked: Asked) -> Found:
    """Open all sessions; when all are open, let each send its statements."""
    begin = time.perf_counter()
    provider = DatabricksProvider()
    target = Target(name="bench", history="app", dialect="databricks", url=asked.url)
    try:
        async with AsyncExitStack() as stack:
            opening = [
                stack.enter_async_context(provider.open(target)) for _ in range(asked.sessions)
            ]
            sessions = await asyncio.gather(*opening)
            ended = await asyncio.gather(
                *[_send(session, number) for number, session in enumerate(sessions)],
                return_exceptions=True,
            )
    finally:
        await provider.aclose()
    return _found(ended, begin)


async def _send(session: Session, number: int) -> None:
    for place, text in enumerate(_statements(number)):
        await session.execute(Statement(text, transactional=False), ticket=f"{number}-{place}")


async def _bare(asked: Asked) -> Found:
    """Do the same with the connector, a thread for each session."""
    begin = time.perf_counter()
    arguments: dict[str, Any] = dict(connect_arguments(asked.url))
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(asked.sessions) as pool:
        acts = [_sending(arguments, number) for number in range(asked.sessions)]
        ended = await asyncio.gather(
            *[loop.run_in_executor(pool, act) for act in acts], return_exceptions=True
        )
    return _found(ended, begin)


def _sending(arguments: dict[str, Any], number: int) -> Callable[[], None]:
    def send() -> None:
        with sql.connect(**arguments) as driver, driver.cursor() as cursor:
            for text in _statements(number):
                cursor.execute(text)

    return send


def _found(ended: Sequence[BaseException | None], begin: float) -> Found:
    good = sum(each is None for each in ended)
    return Found(good=good, seconds=time.perf_counter() - begin, memory=peak_of(os.getpid()))
