"""Twenty revisions into fresh databases: the whole path of the service, beside its peers."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.apart import apart
from bench.commands import each, output_of
from bench.messages import Message, overheard, send_again
from bench.question import Question
from bench.rounds import Act, in_milliseconds, spread, take_turns
from bench.shop import Shop, alembic, psql, renew, running_shop
from bench.table import Bound, Findings, Limit, Row
from sync.model import Order, RunState, Selection, Verb
from sync.runtime import Runtime
from sync.settings import load_settings

#: Alembic is slow, so it has fewer databases; what it takes for each is compared.
_BY_HAND = 16


@dataclass(frozen=True, slots=True)
class Asked:
    """What the measuring process is told."""

    shop: Shop
    width: int
    rounds: int


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn took, for each database."""

    wall: float  #: seconds
    work: float  #: seconds of processor time of the measuring process, without its children


async def measure(question: Question) -> Findings:
    """Set everything up, and take the times."""
    async with running_shop(targets=question.targets, width=question.width) as shop:
        rounds = await apart(_compare, Asked(shop, question.width, question.rounds))
        return Findings(
            title=f"replay: 20 revisions into {question.targets} fresh databases, "
            f"{question.width} at a time; {question.rounds} rounds in turns",
            lines=tuple(_lines(rounds, shop.server.major)),
            rows=tuple(_rows(question, rounds)),
        )


async def _compare(asked: Asked) -> list[tuple[Turn, ...]]:
    """Return what service, bare loop, psql and Alembic took, round by round."""
    shop, width = asked.shop, asked.width
    settings = load_settings(shop.config, {}, Path.cwd())
    async with Runtime.open(settings, url="") as runtime:
        messages = await _messages(runtime, shop)

        async def service() -> None:
            await _sync(runtime, Selection())

        async def bare() -> None:
            await each(lambda name: send_again(shop.url(name), messages), shop.names, width)

        async def by_psql() -> None:
            await each(lambda name: output_of(*psql(shop, name)), shop.names, width)

        async def by_hand() -> None:
            some = shop.names[:_BY_HAND]
            await each(lambda name: output_of(*alembic(shop, name, "head")), some, width)

        fewer = shop.names[:_BY_HAND]
        turns = [partial(_turn, shop, act, shop.names) for act in (service, bare, by_psql)]
        return await take_turns(*turns, partial(_turn, shop, by_hand, fewer), rounds=asked.rounds)


async def _messages(runtime: Runtime, shop: Shop) -> list[Message]:
    """Migrate one database; return all that was sent to it, the plan being compiled before."""
    first = shop.names[0]
    for name in shop.names[1:2] or shop.names[:1]:
        await renew(shop, [name])
        await _sync(runtime, Selection(targets=(name,)))
    await renew(shop, [first])
    with overheard(first) as messages:
        await _sync(runtime, Selection(targets=(first,)))
    return messages


async def _sync(runtime: Runtime, selection: Selection) -> None:
    rollout = await runtime.request(Order(Verb.SYNC), selection, actor="bench")
    ended = await runtime.finished(rollout.id)
    failed = [run for run in ended.runs if run.state is not RunState.SUCCEEDED]
    if failed:
        raise SystemExit(f"{failed[0].target}: {failed[0].state}: {failed[0].error}")


async def _turn(shop: Shop, act: Act[None], names: Sequence[str]) -> Turn:
    await renew(shop, names)
    wall, work = time.perf_counter(), time.process_time()
    await act()
    count = len(names)
    return Turn((time.perf_counter() - wall) / count, (time.process_time() - work) / count)


def _lines(rounds: Sequence[tuple[Turn, ...]], postgres: int) -> Iterator[str]:
    names = ("service", "bare asyncpg loop, same messages", "psql -f", "alembic upgrade head")
    for name, turns in zip(names, zip(*rounds, strict=True), strict=True):
        wall = in_milliseconds([turn.wall for turn in turns])
        work = in_milliseconds([turn.work for turn in turns])
        yield (
            f"{name:<34}{wall.median:8.1f} ms a database ({wall.least:.1f} to {wall.most:.1f}); "
            f"{work.median:.1f} ms of it this process"
        )
    yield f"Postgres {postgres} on this machine, which has {os.cpu_count()} processors"


def _rows(question: Question, rounds: Sequence[tuple[Turn, ...]]) -> Iterator[Row]:
    work = f"20 revisions into {question.targets} databases"
    yield _row(f"{work}, over a bare loop", _ratio(rounds, 0, 1), Limit(Bound.AT_MOST, 1.15))
    yield _row(f"{work}, psql -f over it", _ratio(rounds, 2, 0), Limit(Bound.AT_LEAST, 1.5))
    yield _row(f"{work}, alembic over it", _ratio(rounds, 3, 0), Limit(Bound.AT_LEAST, 12))


def _row(work: str, figure: float, limit: Limit) -> Row:
    return Row(work=work, figure=figure, unit="x", digits=2, limit=limit)


def _ratio(rounds: Sequence[tuple[Turn, ...]], one: int, other: int) -> float:
    return spread([turns[one].wall / turns[other].wall for turns in rounds]).median
