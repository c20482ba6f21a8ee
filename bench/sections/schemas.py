"""The status of many schemas of one database, beside the best single query for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

import asyncpg

from bench.apart import apart
from bench.fleet import served
from bench.question import Question
from bench.rounds import in_milliseconds, spread, take_turns, timed
from bench.schemas import running_schemas
from bench.sweeping import sweeping
from bench.table import Bound, Findings, Limit, Row

#: Turns in which the candidates show which of them is the best.
_TRIALS = 3
_LIMIT = Limit(Bound.AT_MOST, 1.5)

#: Asks for the revisions of all version tables, and returns how many it was told.
Candidate: TypeAlias = Callable[[asyncpg.Connection, Sequence[str]], Awaitable[int]]

_XML = """
    SELECT query_to_xml('SELECT version_num FROM ' || name, false, true, '')::text
      FROM unnest($1::text[]) AS given (name)
"""
_FUNCTION = """
    CREATE FUNCTION pg_temp.revisions(names text[]) RETURNS TABLE (place int, revision text)
    LANGUAGE plpgsql AS $$ BEGIN
        FOR place IN 1..cardinality(names) LOOP
            RETURN QUERY EXECUTE
                format('SELECT %s, version_num::text FROM %s', place, names[place]);
        END LOOP;
    END $$
"""
_BLOCK = """
    DO $block$ DECLARE
        names text[] := string_to_array('{names}', ' '); told text[] := '{{}}'; revision text;
    BEGIN
        FOR place IN 1..cardinality(names) LOOP
            EXECUTE 'SELECT version_num FROM ' || names[place] INTO revision;
            told := told || revision;
        END LOOP;
        PERFORM set_config('bench.told', array_to_string(told, ' '), false);
    END $block$
"""


async def _by_xml(connection: asyncpg.Connection, names: Sequence[str]) -> int:
    return len(await connection.fetch(_XML, names))


async def _by_function(connection: asyncpg.Connection, names: Sequence[str]) -> int:
    await connection.execute(_FUNCTION)
    return len(await connection.fetch("SELECT * FROM pg_temp.revisions($1)", names))


async def _by_block(connection: asyncpg.Connection, names: Sequence[str]) -> int:
    await connection.execute(_BLOCK.format(names=" ".join(names)))
    return len((await connection.fetchval("SELECT current_setting('bench.told')")).split())


CANDIDATES: Mapping[str, Candidate] = {
    "query_to_xml": _by_xml,
    "temporary function": _by_function,
    "DO block": _by_block,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the measuring process is told."""

    url: str = field(repr=False)
    schemas: tuple[str, ...]
    config: Path
    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the measuring process found."""

    trials: Mapping[str, float]  #: median seconds of each candidate that this server can do
    best: str
    rounds: Sequence[tuple[float, ...]]  #: seconds of the sweep and of the best candidate


async def measure(question: Question) -> Findings:
    """Set everything up, and take the times."""
    count = question.tenants
    async with running_schemas(count) as (url, schemas):
        with served([url] * count, 'every = "1h", drift_every = "off"', schemas) as (config, _):
            asked = Asked(url=url, schemas=schemas, config=config, rounds=question.rounds)
            found = await apart(_compare, asked)
    ratio = spread([sweep / query for sweep, query in found.rounds]).median
    work = f"status of {count} schemas in one database, over the best single query"
    return Findings(
        title=f"schemas: {count} of one Postgres database, at head; "
        f"{question.rounds} rounds in turns",
        lines=tuple(_lines(found)),
        rows=(Row(work=work, figure=ratio, unit="x", digits=2, limit=_LIMIT),),
    )


async def _compare(asked: Asked) -> Found:
    trials = {
        name: await _trial(partial(_ask, asked, candidate))
        for name, candidate in CANDIDATES.items()
        if await _can(asked, candidate)
    }
    best = min(trials, key=lambda name: trials[name])
    query = timed(partial(_ask, asked, CANDIDATES[best]))
    async with sweeping(asked.config) as sweep:
        rounds = await take_turns(timed(sweep), query, rounds=asked.rounds)
    return Found(trials=trials, best=best, rounds=rounds)


async def _trial(ask: Callable[[], Awaitable[None]]) -> float:
    turns = await take_turns(timed(ask), rounds=_TRIALS)
    return spread([seconds for (seconds,) in turns]).median


async def _can(asked: Asked, candidate: Candidate) -> bool:
    try:
        await _ask(asked, candidate)
    except asyncpg.FeatureNotSupportedError:  # a server may be built without XML
        return False
    return True


async def _ask(asked: Asked, candidate: Candidate) -> None:
    connection = await asyncpg.connect(asked.url)
    try:
        names = [f"{schema}.alembic_version" for schema in asked.schemas]
        if await candidate(connection, names) != len(names):
            raise SystemExit("the query did not tell of every schema")
    finally:
        await connection.close()


def _lines(found: Found) -> Iterator[str]:
    for name, trial in found.trials.items():
        yield f"{name:<22}{trial * 1000:8.0f} ms  median of {_TRIALS}"
    turns = zip(("sweep", found.best), zip(*found.rounds, strict=True), strict=True)
    for name, seconds in turns:
        came = in_milliseconds(seconds)
        yield f"{name:<22}{came.median:8.0f} ms  median ({came.least:.0f} to {came.most:.0f})"
