"""Two services on the same schemas of a warehouse at once. It has no lock: the lease is all."""

from __future__ import annotations

import asyncio
import random
import re
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

import pytest
from databricks.sql.client import Cursor

from providers.databricks.warehouse import Warehouse
from providers.databricks.warehouse.faults import Fault, FaultKind
from tests.support.engine import execute, query
from tests.support.histories import Scripts
from tests.support.killing import in_doubt
from tests.support.postgres import Databases
from tests.support.proxy import Proxy
from tests.support.racing import TOGETHER, add_hook, two_services
from tests.support.service import Service, Site, until, write_site
from tests.support.warehouse_client import history, session

pytest_plugins = ["tests.support.warehouse"]

RACES = 50
REVISIONS = ("r1", "r2", "r3")

#: What the two services do in a race, in turn.
ORDERS = (("sync", "sync"), ("sweep", "sweep"), ("sweep", "sync"))

#: Statements without effect, as they begin.
READS = ("SELECT", "DESCRIBE", "SHOW", "USE", "SET ")

#: A statement as the warehouse shows it: with or without a ticket before it.
SHOWN = re.compile(r"(?:/\* levelhead:(\w+) \*/)?(.*)", re.DOTALL)

#: The name of a race's schema before that of a table.
PLACE = re.compile(r"`main`\.`race_\w+`\.")

VERSIONS = "CREATE TABLE {schema}.alembic_version (version_num STRING NOT NULL)"
EXPIRE = "UPDATE leases SET expires_at = (SELECT min(at) FROM events)"


@dataclass(frozen=True, slots=True)
class Finish:
    """What came of one race."""

    problems: list[str]  #: of the runs, as the services tell them
    sent: list[tuple[str, str]]  #: ticket, empty where there is none, and text of each statement
    ledgers: list[list[str]]  #: of each schema
    heads: list[list[str]]  #: rows of the version table of each schema
    refused: int  #: how often a service was refused a lease up to now

    @property
    def counts(self) -> Counter[str]:
        """How often each text was sent."""
        return Counter(text for _, text in self.sent)

    @property
    def tickets(self) -> list[str]:
        """The tickets that statements were sent with."""
        return [ticket for ticket, _ in self.sent if ticket]


@dataclass(frozen=True, slots=True)
class Course:
    """What is raced over."""

    warehouse: Warehouse
    cursor: Cursor = field(repr=False)
    schemas: Sequence[str]
    site: Site
    control: str = field(repr=False)

    def lay(self, *more: str) -> None:
        """Empty every schema, but for the ledger and what *more* makes."""
        for schema in self.schemas:
            self.cursor.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
            self.cursor.execute(f"CREATE SCHEMA {schema}")
            for sql in (*more, LEDGER):
                self.cursor.execute(sql.format(schema=schema))

    async def race(self, *starts: Awaitable[list[str]]) -> Finish:
        """Let all start, and return what came of it since `lay`."""
        problems = await asyncio.gather(*starts)
        return Finish(
            problems=[each for found in problems for each in found],
            sent=[read(each["query_text"]) for each in self.shown() if has_effect(each)],
            ledgers=[self.column(f"{schema}.ledger") for schema in self.schemas],
            heads=[self.column(f"{schema}.alembic_version") for schema in self.schemas],
            refused=await self.count("skips WHERE reason LIKE '%is under way%'"),
        )

    def column(self, table: str) -> list[str]:
        """Return the values of a table of one column, sorted."""
        return sorted(row[0] for row in self.cursor.execute(f"SELECT * FROM {table}").fetchall())

    def shown(self) -> list[dict[str, Any]]:
        """Return what the warehouse's query history shows since `lay`, the newest first."""
        last = LEDGER.format(schema=self.schemas[-1])
        found = history(self.warehouse, max_results=1000)
        return list(takewhile(lambda each: each["query_text"] != last, found))

    async def is_shown(self, status: str) -> bool:
        """Tell whether a statement that may be held is there, and in this state."""
        found = [each["status"] for each in self.shown() if HELD in each["query_text"]]
        return status in found

    def hold(self, kind: FaultKind) -> None:
        """Hold one schema's first statement of the second revision until faults are cleared."""
        self.warehouse.control.add(Fault(kind, matching=re.escape(HELD), times=1))

    def limit_leases(self, lasting: str) -> None:
        """Have leases run out after this long."""
        settings = self.site.folder / "levelhead.toml"
        text = settings.read_text().replace("[control]", f'[control]\nlease = "{lasting}"')
        settings.write_text(text)

    def seen_through(self, proxy: Proxy) -> Site:
        """Return a site like this one, which reaches the control database by *proxy*."""
        folder = self.site.folder / "behind"
        folder.mkdir()
        text = (self.site.folder / "levelhead.toml").read_text().replace(self.control, proxy.url)
        (folder / "levelhead.toml").write_text(text)
        return Site(folder)

    async def count(self, rows: str) -> int:
        """Return how many rows of the control database are as *rows* says."""
        ((found,),) = await query(self.control, f"SELECT count(*) FROM {rows}")
        return int(str(found))

    async def outlast_leases(self) -> None:
        """Wait until each lease that stands now would have run out, had nobody renewed it."""
        ((last,),) = await query(self.control, "SELECT max(expires_at) FROM leases")
        await until(lambda: self.is_past(str(last)))

    async def is_past(self, moment: str) -> bool:
        """Tell whether the control database's clock is past a moment."""
        ((past,),) = await query(self.control, f"SELECT now() > '{moment}'")
        return bool(past)

    async def take_over(self) -> bool:
        """Let every lease run out; tell whether one of those under way has gone over."""
        await execute(self.control, EXPIRE)
        return await self.count("leases WHERE token > 1 AND holder IS NOT NULL") > 0

    async def journaled(self) -> list[str]:
        """Return the tickets of all statements that succeeded, by the audit log, sorted."""
        kept = "SELECT ticket FROM events WHERE kind = 'statement.succeeded'"
        return sorted(str(ticket) for (ticket,) in await query(self.control, kept))


LEDGER = "CREATE TABLE {schema}.ledger (revision STRING)"

#: The first revision begins with it: on a shadow nobody has made the ledger before.
GROUND = "CREATE TABLE IF NOT EXISTS ledger (revision STRING)"

#: Without a shadow every script runs live; with one, a compiled plan is replayed.
BOTH_WAYS = pytest.mark.parametrize("shadow", ["none", "auto"], ids=["live", "replayed"])


def script(revision: str) -> tuple[str, str]:
    """Return what a revision sends: the first leaves a trace each time, the second fails twice."""
    return f"INSERT INTO ledger VALUES ('{revision}')", f"CREATE TABLE {revision} (n INT)"


HELD = script("r2")[0]


def read(shown: str) -> tuple[str, str]:
    """Split a text of the query history into ticket, empty where there is none, and statement.

    The statement is without the schema's name, which a stamp by the service itself has in it.
    """
    found = SHOWN.fullmatch(shown)
    assert found is not None
    return found[1] or "", PLACE.sub("", " ".join(found[2].split()))


def has_effect(shown: dict[str, Any]) -> bool:
    """Tell whether a statement changed something."""
    return shown["status"] == "FINISHED" and not read(shown["query_text"])[1].startswith(READS)


@pytest.fixture
def schemas(warehouse: Warehouse) -> Iterator[tuple[str, ...]]:
    """Give the names of two schemas, which are dropped after the test."""
    names = tuple(f"race_{secrets.token_hex(6)}" for _ in range(2))
    yield names
    with session(warehouse) as cursor:
        for name in names:
            cursor.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")


@pytest.fixture
def shadow() -> str:
    """Say where plans are compiled; a test may say otherwise."""
    return "none"


@pytest.fixture
async def course(
    tmp_path: Path,
    warehouse: Warehouse,
    schemas: tuple[str, ...],
    databases: Databases,
    shadow: str,
) -> AsyncIterator[Course]:
    """Give two schemas of a warehouse, a history, and a control database of Postgres."""
    (control,) = await databases(1)
    scripts = Scripts(tmp_path / "history")
    for revision in REVISIONS:
        sqls = [GROUND, *script(revision)] if revision == REVISIONS[0] else script(revision)
        scripts.add(revision, "\n".join(f'op.execute("{sql}")' for sql in sqls))
    site = write_site(
        scripts.config,
        {schema: warehouse.target_url(schema=schema) for schema in schemas},
        control=f'url = "{control}"',
        target='check_every = "0s"',  # the clock looks as often as it sweeps
        shadow=shadow,
    )
    with session(warehouse) as cursor:
        yield Course(warehouse, cursor, schemas, site, control)
    warehouse.control.clear()


def judge(finish: Finish) -> None:
    """Check that each schema came to head, each statement sent to it once, and nobody failed."""
    wrong = {text: count for text, count in finish.counts.items() if count != 2}
    assert wrong == {}, "two schemas, so each statement twice"
    assert {text for revision in REVISIONS for text in script(revision)} <= finish.counts.keys()
    assert len(set(finish.tickets)) == len(finish.tickets)
    assert finish.ledgers == [list(REVISIONS)] * 2
    assert finish.heads == [[REVISIONS[-1]]] * 2
    assert finish.problems == []


def contended(finishes: Sequence[Finish]) -> int:
    """Return in how many races a service was refused a lease."""
    refused = [0, *(finish.refused for finish in finishes)]
    return sum(before < after for before, after in pairwise(refused))


@pytest.mark.slow
async def test_fifty_races(course: Course) -> None:
    """By clock or by order, at once or late: each statement once, and nobody fails."""
    chance = random.Random(20270118)  # noqa: S311 - not a secret: who starts how much later
    finishes = []
    async with two_services("service", course.site) as services:
        for number in range(RACES):
            late = 2 if number % 5 == 0 else 0.02  # a run takes about a second
            delays = chance.sample([0, chance.uniform(0, late)], 2)
            pairs = zip(services, ORDERS[number % len(ORDERS)], delays, strict=True)
            starts = [each.race(order, after=delay) for each, order, delay in pairs]
            course.lay()
            finishes.append(await course.race(*starts))
            judge(finishes[-1])
    sent = sorted(ticket for finish in finishes for ticket in finish.tickets)
    assert sent == await course.journaled()
    assert await course.count("runs WHERE state = 'succeeded' AND before <> after") == 2 * RACES
    assert await course.count("runs WHERE state <> 'succeeded'") == 0
    assert (await course.site.run("events", "verify")).code == 0
    idle = await course.count("runs WHERE before = after")
    print(  # noqa: T201 - how much of a race it was
        f"\n{RACES} races of two services over two schemas: in {contended(finishes)} of them one "
        f"was refused a lease, {idle} runs found nothing left to do; {len(sent)} statements with "
        "tickets, each sent once"
    )
    assert contended(finishes) >= RACES // 5


@pytest.mark.slow
async def test_the_race_is_lost_without_leases(course: Course) -> None:
    """With the leases switched off and both at the start together, statements run twice."""
    add_hook(course.site, "together", TOGETHER)
    course.lay(VERSIONS)  # or else whoever makes it second would stop there
    async with two_services("unguarded", course.site) as services:
        finish = await course.race(*[each.race("sync") for each in services])
    (twice, _) = script("r1")
    assert finish.counts[twice] == 4
    assert all(ledger.count("r1") == 2 for ledger in finish.ledgers)
    with pytest.raises(AssertionError, match=re.escape(twice)):
        judge(finish)


@BOTH_WAYS
@pytest.mark.slow
async def test_a_lease_outlives_a_slow_statement(course: Course) -> None:
    """A statement takes longer than a lease lasts: its service renews it, the other waits."""
    course.limit_leases("4s")
    course.lay()
    course.hold(FaultKind.SLOW)
    async with course.site.served() as one, course.site.served() as other:
        await until(lambda: course.is_shown("RUNNING"))
        await course.outlast_leases()
        await asyncio.sleep(1)  # several sweeps of the other
        course.warehouse.control.clear()
        await one.all_current()
        await other.all_current()
        kinds = {event["kind"] for event in await one.events()}
    assert not kinds & {"lease.lost", "statement.resolved", "run.resolved"}
    judge(await course.race())


@BOTH_WAYS
@pytest.mark.slow
async def test_a_service_that_is_cut_off_stops(course: Course) -> None:
    """Who cannot reach the control database loses its lease, and sends nothing afterwards."""
    course.limit_leases("2s")
    course.lay()
    course.hold(FaultKind.SLOW_REPLY)
    proxy = Proxy(course.control)
    async with AsyncExitStack() as link:
        await link.enter_async_context(proxy.listening())
        async with course.seen_through(proxy).served():
            await until(lambda: course.is_shown("FINISHED"))
            async with course.site.served() as other:
                await link.aclose()
                await other.all_current()
                async with proxy.listening():
                    await until(lambda: is_lost(other))
                    events = await other.events()
                    left = await other.targets()
    (lost,) = {event["run"] for event in events if event["kind"] == "lease.lost"}
    assert lost in {event["run"] for event in events if event["kind"] == "statement.resolved"}
    assert in_doubt(events) == set()
    assert [each["problem"] for each in left.values()] == [None, None]
    judge(await course.race())


@BOTH_WAYS
@pytest.mark.slow
async def test_what_still_runs_is_not_sent_again(course: Course) -> None:
    """Who takes over while a statement still runs waits for its end, and goes on by itself."""
    course.lay()
    course.hold(FaultKind.SLOW)
    async with course.site.served() as one, course.site.served():
        await until(lambda: course.is_shown("RUNNING"))
        await until(course.take_over)
        await until(lambda: is_waited_for(one))
        course.warehouse.control.clear()
        await until(lambda: is_lost(one))
        await one.all_current()
        assert in_doubt(await one.events()) == set()
    judge(await course.race())


async def is_lost(service: Service) -> bool:
    """Tell whether somebody has noticed the loss of a lease."""
    return bool(await service.events(kind="lease.lost"))


async def is_waited_for(service: Service) -> bool:
    """Tell whether the service says of a target that an earlier statement still runs there."""
    problems = [each["problem"] for each in (await service.targets()).values()]
    return any("still runs there" in (problem or "") for problem in problems)
