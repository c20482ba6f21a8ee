"""A plan of twenty revisions, compiled twice on shadows, beside one `alembic upgrade head`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from bench.commands import output_of
from bench.question import Question
from bench.rounds import in_milliseconds, spread, take_turns, timed
from bench.shop import Shop, alembic, renew, running_shop
from bench.table import Bound, Findings, Limit, Row
from providers.types import BASE
from sync.model import Order, Verb
from sync.plan.compiler import Compiler
from sync.plan.processes import Runners
from sync.plan.route import Route
from sync.pool import Providers
from sync.settings import load_settings

_TIMEOUT = timedelta(minutes=2)


async def measure(question: Question) -> Findings:
    """Set everything up, and take the times."""
    async with running_shop(targets=1, width=1) as shop:
        rounds = await _compare(shop, question.rounds)
        return Findings(
            title=f"compile: 20 revisions, twice, on shadows of a server that runs already; "
            f"{question.rounds} rounds in turns",
            lines=tuple(_lines(rounds, shop.server.major)),
            rows=tuple(_rows(rounds)),
        )


async def _compare(shop: Shop, rounds: int) -> list[tuple[float, ...]]:
    """Return the seconds of the compiler and of Alembic, round by round."""
    settings = load_settings(shop.config, {}, Path.cwd())
    (target,) = settings.targets.values()
    history, major = settings.histories["shop"], str(shop.server.major)
    route = Route(history, target, Order(Verb.SYNC), BASE, major)
    providers = Providers()
    compiler = Compiler(Runners(timeout=_TIMEOUT, secrets=()), providers)

    async def compiled() -> None:
        found = await compiler.compile(route)
        if len(found.plan.steps) != len(list(shop.ini.parent.rglob("versions/*.py"))):
            raise SystemExit("the plan has not a step for each revision")

    async def by_hand() -> None:
        await output_of(*alembic(shop, target.name, "head"))

    async def fresh_by_hand() -> float:
        await renew(shop, [target.name])
        return await timed(by_hand)()

    try:
        return await take_turns(timed(compiled), fresh_by_hand, rounds=rounds)
    finally:
        await providers.aclose()


def _lines(rounds: Sequence[tuple[float, ...]], postgres: int) -> Iterator[str]:
    for name, seconds in zip(("compiler", "alembic"), zip(*rounds, strict=True), strict=True):
        found = in_milliseconds(seconds)
        yield f"{name:<18}{found.median:8.0f} ms  median ({found.least:.0f} to {found.most:.0f})"
    yield f"Postgres {postgres} on this machine"


def _rows(rounds: Sequence[tuple[float, ...]]) -> Iterator[Row]:
    ratio = spread([compiler / alembic for compiler, alembic in rounds]).median
    limit = Limit(Bound.AT_MOST, 3)
    work = "compile of 20 revisions, twice, over one alembic upgrade head"
    yield Row(work=work, figure=ratio, unit="x", digits=2, limit=limit)
