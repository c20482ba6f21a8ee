"""A history that can be stopped at known places, so that something can be killed there."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import asyncpg

from tests.support.engine import execute, query
from tests.support.histories import SYNC_ENV, Scripts
from tests.support.postgres import Databases
from tests.support.service import Service, until

#: What each target starts from. `ledger` takes a row from each revision, each time it runs.
GROUND = """
    CREATE TABLE ledger (revision text);
    CREATE TABLE indexed (n integer);
    INSERT INTO indexed SELECT generate_series(1, 10);
    CREATE FUNCTION gate(place text) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_advisory_xact_lock_shared(hashtext(place)); END $$;
    CREATE FUNCTION gate_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM gate('committing'); RETURN NULL; END $$;
"""


def gated(env: str) -> str:
    """Return *env* with a gate before the first step: announced, and under the runner's lock."""
    return re.sub(
        r"^( *)with context.begin_transaction",
        r"""\1ours = context.get_bind()
\1ours.exec_driver_sql("SELECT gate('opening')")
\1ours.commit()
\g<0>""",
        env,
        flags=re.MULTILINE,
    )


SECOND = """
    op.execute("CREATE TABLE second (n integer)")
    op.execute(
        "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON second DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION gate_at_commit()"
    )
    op.execute("INSERT INTO second VALUES (1)")
    op.execute("SELECT gate('inside')")
    op.execute("INSERT INTO ledger VALUES ('r2')")
"""

THIRD = """
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY third ON indexed (n)")
    op.execute("INSERT INTO ledger VALUES ('r3')")
"""

LOCK = """SELECT pg_advisory_lock(hashtextextended(
    concat_ws(':', 'levelhead', current_database(), current_schema(), 'alembic_version'), 0))"""

#: Where a run can be stopped, and the SQL that stops it there for as long as its session lives.
POINTS: Mapping[str, str] = {
    "waiting": LOCK,  # the run is requested, and waits for the target's lock
    "opening": "SELECT pg_advisory_lock(hashtext('opening'))",  # before the first step
    "inside": "SELECT pg_advisory_lock(hashtext('inside'))",  # in the transaction of step 2
    "committing": "SELECT pg_advisory_lock(hashtext('committing'))",  # its COMMIT was sent
    # CREATE INDEX CONCURRENTLY was sent, and has done nothing yet
    "indexing": "BEGIN; LOCK TABLE indexed IN SHARE UPDATE EXCLUSIVE MODE",
    # and here it has: the index is there, and INVALID
    "half": "BEGIN; LOCK TABLE indexed IN ROW EXCLUSIVE MODE",
    # a transaction was sent, and is not past its guard
    "guarding": "BEGIN; LOCK TABLE alembic_version IN SHARE ROW EXCLUSIVE MODE",
    "parting": "SELECT pg_advisory_lock(hashtext('parting'))",  # in the first transaction of step 3
    "stamping": "SELECT pg_advisory_lock(hashtext('stamping'))",  # in the stamp of step 3
    "last": "SELECT pg_advisory_lock(hashtext('last'))",  # in the transaction of step 4
}

#: Sessions of levelhead, of the service and of runners alike, that wait for a lock.
STOPPED = """
    SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'levelhead'
       AND (wait_event_type = 'Lock' OR query LIKE 'SELECT pg_try_advisory_lock(%')
"""


def write_history(folder: Path, env: str = SYNC_ENV) -> Path:
    """Write four revisions that fail, or leave a second row in the ledger, if run twice.

    Returns:
        Its alembic.ini.
    """
    scripts = Scripts(folder, gated(env))
    scripts.add("r1", 'op.execute("CREATE TABLE first ()")\n' + entry("r1"))
    scripts.add("r2", SECOND)
    scripts.add("r3", THIRD)
    scripts.add("r4", 'op.execute("CREATE TABLE fourth ()")\n' + entry("r4"))
    return scripts.config


def entry(revision: str) -> str:
    """Return the line of a script that puts its revision into the ledger."""
    return f"op.execute(\"INSERT INTO ledger VALUES ('{revision}')\")"


@dataclass(slots=True)
class Hold:
    """One target whose run is stopped at a point until the hold is let go."""

    url: str = field(repr=False)
    session: asyncpg.Connection
    stopped: int = 0  #: process id of the stopped session's backend; 0 until it is there

    async def wait_for_run(self) -> None:
        """Wait until a run is stopped here."""
        await until(self._is_reached)

    async def _is_reached(self) -> bool:
        found = await query(self.url, STOPPED)
        if found:
            ((pid,),) = found
            self.stopped = int(str(pid))
        return bool(found)

    async def wait_for_end(self) -> None:
        """Wait until the stopped session is gone: the server notices that its client is."""
        await until(self._is_gone)

    async def _is_gone(self) -> bool:
        return not await query(self.url, f"SELECT FROM pg_stat_activity WHERE pid = {self.stopped}")

    def let_go(self) -> None:
        """Let the run go on."""
        self.session.terminate()


async def make_targets(
    databases: Databases, names: Iterable[str], ground: str = GROUND
) -> dict[str, str]:
    """Create a database for each name, and return their URLs."""
    chosen = list(names)
    (template,) = await databases(1)
    await execute(template, ground)
    urls = await databases(len(chosen), template=template.rpartition("/")[2])
    return dict(zip(chosen, urls, strict=True))


@asynccontextmanager
async def held(
    urls: Mapping[str, str], points: Mapping[str, str]
) -> AsyncIterator[dict[str, Hold]]:
    """Stop the runs of targets for the block: *points* are names of targets, and of points."""
    async with AsyncExitStack() as stack:
        holds = {}
        for name, point in points.items():
            session = await asyncpg.connect(urls[name])
            stack.callback(session.terminate)
            await session.execute(POINTS[point])
            holds[name] = Hold(urls[name], session)
        yield holds


class Stop(Protocol):
    """Where the run of one target is stopped."""

    async def wait_for_run(self) -> None:
        """Wait until a run is stopped here."""
        ...


async def all_stopped(holds: Mapping[str, Stop]) -> None:
    """Wait until every run is where it is to be stopped."""
    for name, hold in holds.items():
        try:
            await hold.wait_for_run()
        except TimeoutError:
            raise AssertionError(f"{name} did not get there") from None


@asynccontextmanager
async def sqlite_busy(file: Path) -> AsyncIterator[None]:
    """Let nobody write to a SQLite control database for the block."""
    session = sqlite3.connect(file, isolation_level=None, timeout=20)
    try:
        session.execute("BEGIN IMMEDIATE")
        yield
    finally:
        session.close()


@asynccontextmanager
async def postgres_busy(url: str) -> AsyncIterator[None]:
    """Let nobody append an event to a Postgres control database for the block."""
    session = await asyncpg.connect(url)
    try:
        await session.execute("BEGIN; SELECT FROM chain_head FOR UPDATE")
        yield
    finally:
        session.terminate()


@asynccontextmanager
async def locked(url: str, table: str) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    """Let nobody write to a table for the block; give what tells whether somebody waits for it."""
    session = await asyncpg.connect(url)

    async def is_waited_for() -> bool:
        waiting = "SELECT FROM pg_locks WHERE relation = $1::text::regclass AND NOT granted"
        return bool(await session.fetch(waiting, table))

    try:
        await session.execute(f"BEGIN; LOCK {table} IN EXCLUSIVE MODE")
        yield is_waited_for
    finally:
        session.terminate()


async def ledger(url: str) -> list[object]:
    """Return the revisions that ran on a target, each as often as it ran, in their order."""
    return [revision for (revision,) in await query(url, "SELECT revision FROM ledger")]


async def is_current(service: Service, target: str) -> bool:
    """Tell whether the service says that a target stands at head."""
    return bool((await service.targets())[target]["status"] == "current")


async def is_told(service: Service) -> bool:
    """Tell whether of every act that began it is on record how it ended."""
    return in_doubt(await service.events()) == set()


def resolutions(events: Iterable[Mapping[str, Any]]) -> set[tuple[str, str, str | None, str]]:
    """Return what was found out afterwards: target, kind, revision, outcome."""
    return {
        (event["target"], event["kind"], event["revision"], event["data"]["outcome"])
        for event in events
        if event["kind"].endswith(".resolved")
    }


def in_doubt(events: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the tickets of acts that began and of which nobody has found out how they ended."""
    doubts: set[str] = set()
    for event in events:
        if event["ticket"] and event["kind"].endswith(".started"):
            doubts.add(event["ticket"])
        elif is_end(event):
            doubts.discard(event["ticket"])
    return doubts


def is_end(event: Mapping[str, Any]) -> bool:
    """Tell whether an event says what became of an act."""
    end = event["kind"].partition(".")[2]
    known = end == "resolved" and event["data"]["outcome"] != "unknown"
    return known or end in {"succeeded", "failed"}
