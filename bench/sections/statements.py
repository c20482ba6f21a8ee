"""SELECT 1 on the local warehouse, beside the same bytes without a client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

from databricks import sql
from databricks.sql.client import Connection as Driver
from databricks.sql.client import Cursor

from bench.apart import apart
from bench.question import Question
from bench.rounds import Act, in_milliseconds, take_turns
from bench.table import Bound, Findings, Limit, Row
from providers.base import Session
from providers.databricks.address import address, connect_arguments
from providers.databricks.provider import DatabricksProvider
from providers.types import Statement, Target

_SELECT = "SELECT 1"
_LIMIT = Limit(Bound.UNDER, 15)
_WAYS = ("bare HTTP client, the same bytes", "databricks-sql-connector", "a session of levelhead")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the measuring process is told."""

    url: str = field(repr=False)
    statements: int
    rounds: int


async def measure(question: Question, url: str) -> Findings:
    """Take the time of each statement, each way."""
    found = await apart(_take_times, Asked(url, question.statements, question.rounds))
    return Findings(
        title=f"statements: {_SELECT} on the local warehouse; {question.rounds} rounds in turns "
        f"of {question.statements} statements each way",
        lines=tuple(_lines(found)),
        rows=tuple(_rows(found)),
    )


def _lines(found: Sequence[Sequence[float]]) -> Iterator[str]:
    for way, seconds in zip(_WAYS, found, strict=True):
        came = in_milliseconds(seconds)
        yield f"{way:<34}{came.median:6.1f} ms  median, p99 {came.p99:.1f}, most {came.most:.1f}"


def _rows(found: Sequence[Sequence[float]]) -> Iterator[Row]:
    for way, seconds in list(zip(_WAYS, found, strict=True))[1:]:
        median = in_milliseconds(seconds).median
        work = f"{_SELECT} through {way}, median"
        yield Row(work=work, figure=median, unit="ms", digits=1, limit=_LIMIT)


async def _take_times(asked: Asked) -> list[list[float]]:
    """Return the seconds of all statements, way by way."""
    provider = DatabricksProvider()
    target = Target(name="bench", history="app", dialect="databricks", url=asked.url)
    try:
        async with provider.open(target) as session:
            with sql.connect(**_arguments(asked.url)) as driver, driver.cursor() as cursor:
                ways = _ways(asked, driver, cursor, session)
                rounds = await take_turns(*ways, rounds=asked.rounds)
        return [[each for turn in turns for each in turn] for turns in zip(*rounds, strict=True)]
    finally:
        await provider.aclose()


def _arguments(url: str) -> dict[str, Any]:
    return dict(connect_arguments(url))


def _ways(asked: Asked, driver: Driver, cursor: Cursor, session: Session) -> list[Act[list[float]]]:
    statement = Statement(_SELECT, transactional=False)

    def connector() -> None:
        cursor.execute(_SELECT)
        if cursor.fetchall()[0][0] != 1:
            raise SystemExit("the connector did not return 1")

    bare = _same_bytes(asked.url, _overheard(driver, connector))

    async def ours() -> list[float]:
        return [await _seconds(session, statement) for _ in range(asked.statements)]

    return [_blocking(bare, asked.statements), _blocking(connector, asked.statements), ours]


async def _seconds(session: Session, statement: Statement) -> float:
    begin = time.perf_counter()
    await session.execute(statement, ticket="bench")
    return time.perf_counter() - begin


def _blocking(act: Callable[[], None], times: int) -> Act[list[float]]:
    """Return *act* as one that runs in a thread, and gives the seconds of each time."""

    def seconds() -> float:
        begin = time.perf_counter()
        act()
        return time.perf_counter() - begin

    return lambda: asyncio.to_thread(lambda: [seconds() for _ in range(times)])


def _overheard(driver: Driver, act: Callable[[], None]) -> bytes:
    """Return the one message that the connector sends for *act*."""
    transport: Any = driver.session.backend._transport  # type: ignore[attr-defined]  # noqa: SLF001 - the connector shows its bytes nowhere else
    with _listening(transport) as heard:
        act()
    if heard.count(b"") != 1:
        raise SystemExit(f"{_SELECT} took {heard.count(b'')} requests instead of one")
    return b"".join(heard)


@contextmanager
def _listening(transport: Any) -> Iterator[list[bytes]]:  # noqa: ANN401 - the connector's own
    """Take down what is written to *transport*, and each sending of it as an empty text."""
    heard: list[bytes] = []
    write, flush = transport.write, transport.flush

    def written(sent: bytes) -> None:
        heard.append(bytes(sent))
        write(sent)

    def flushed() -> None:
        heard.append(b"")
        flush()

    transport.write, transport.flush = written, flushed
    try:
        yield heard
    finally:
        transport.write, transport.flush = write, flush


def _same_bytes(url: str, message: bytes) -> Callable[[], None]:
    """Return what sends *message* over a connection of its own, and reads the answer."""
    where = address(url)
    connection = HTTPConnection(where.server)
    headers = {
        "Authorization": f"Bearer {where.login.token}",
        "Content-Type": "application/x-thrift",
    }

    def exchange() -> None:
        connection.request("POST", where.http_path, message, headers)
        answer = connection.getresponse()
        if not answer.read() or answer.status != 200:  # noqa: PLR2004 - OK, as HTTP has it
            raise SystemExit(f"the warehouse answered {answer.status} to the same bytes")

    return exchange
