"""A history on a local SQL warehouse, with a target for each place where a run can be killed."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from databricks.sql.client import Cursor

from providers.databricks.warehouse import Fault, FaultKind, Warehouse, warehouse_process
from tests.support.histories import Scripts
from tests.support.service import Site, until, write_site
from tests.support.warehouse_client import history, session

FIRST = """
here = op.get_context().version_table_schema
op.create_table("ledger", sa.Column("revision", sa.String), schema=here)
"""

SECOND = """
here = op.get_context().version_table_schema
op.add_column("ledger", sa.Column("note", sa.String), schema=here)
op.execute(f"INSERT INTO {here}.ledger VALUES ('r2', NULL)")
op.create_table("second", sa.Column("n", sa.Integer, primary_key=True), schema=here)
"""

THIRD = """
here = op.get_context().version_table_schema
op.execute(f"INSERT INTO {here}.ledger VALUES ('r3', NULL)")
"""

#: The statements at which runs are stopped, each by its beginning. Sent twice, the first would
#: succeed, and leave a second row.
INSERT = "INSERT INTO {}.ledger VALUES ('r2'"
STAMP = "UPDATE {}.alembic_version SET version_num='r2'"
MOVE = (
    "MERGE INTO `main`.`{}`.`alembic_version` AS held USING (SELECT version_num, is_new"
    " FROM VALUES ('r1', false), ('r2', true)"
)


@dataclass(frozen=True, slots=True)
class Point:
    """A place of a run, beside one statement: at the runner, by its name, or at the warehouse."""

    place: str | FaultKind
    statement: str
    last: str  #: kind of the event that is then the last one on record
    status: str | None = None  #: of the statement in the query history; None: it did not arrive


#: Where scripts that run live are stopped. Each has a target and a schema of the same name.
LIVE: Mapping[str, Point] = {
    "before_intent": Point("before intent", INSERT, "statement.succeeded"),
    "after_intent": Point("after intent", INSERT, "statement.started"),
    # it arrived, and has not begun
    "after_send": Point(FaultKind.SLOW, INSERT, "statement.started", "RUNNING"),
    # it took effect, and is not answered
    "after_effect": Point(FaultKind.SLOW_REPLY, INSERT, "statement.started", "FINISHED"),
    "after_reply": Point("after reply", INSERT, "statement.started", "FINISHED"),
    "before_stamp": Point("before intent", STAMP, "statement.succeeded"),
    "stamp_lost": Point(FaultKind.SLOW_REPLY, STAMP, "statement.started", "FINISHED"),
}

#: Where replays are stopped: the service itself has sent a statement, and hears nothing.
REPLAYED: Mapping[str, Point] = {
    "after_send": LIVE["after_send"],
    "after_effect": LIVE["after_effect"],
    "stamp_sent": Point(FaultKind.SLOW, MOVE, "stamp.started", "RUNNING"),
    "stamp_lost": Point(FaultKind.SLOW_REPLY, MOVE, "stamp.started", "FINISHED"),
}

#: Where replays lose a message on its way, or the answer to it.
CUT_BEFORE: Mapping[str, Point] = {
    "message": Point(FaultKind.CUT_BEFORE, INSERT, "statement.started"),
    "stamp": Point(FaultKind.CUT_BEFORE, MOVE, "stamp.started"),
}
CUT_AFTER: Mapping[str, Point] = {
    "message": Point(FaultKind.CUT_AFTER, INSERT, "statement.started", "FINISHED"),
    "stamp": Point(FaultKind.CUT_AFTER, MOVE, "stamp.started", "FINISHED"),
}

#: The target that nobody disturbs: it shows what the others have to become.
STANDARD = "standard"

#: A hook of the history. Where `gates/TARGET` names a place and a statement, the runner stops
#: there, says so, and waits until the file is gone.
GATES = """\
import os
import time
from contextlib import contextmanager
from pathlib import Path

from levelhead_runner.pipe import Pipe

GATE = Path("gates", os.environ["TARGET"])
act = Pipe.act


def hook(_config):
    Pipe.act = gated


@contextmanager
def gated(pipe, noun, *, sqls, **facts):
    stop("before intent", sqls)
    with act(pipe, noun, sqls=sqls, **facts) as ticket:
        stop("after intent", sqls)
        yield ticket
        stop("after reply", sqls)


def stop(place, sqls):
    if not GATE.exists():
        return
    wanted, statement = GATE.read_text().splitlines()
    if wanted == place and sqls[-1].startswith(statement):
        GATE.with_suffix(".reached").touch()
        while GATE.exists():
            time.sleep(0.01)
"""


class MortalWarehouse:
    """A warehouse in a process of its own that can be killed, and started again in its place."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._life = ExitStack()
        self.running: Warehouse = self._life.enter_context(warehouse_process(directory=directory))

    def kill(self) -> None:
        """End it as the kernel does when memory runs out."""
        os.kill(self.running.pid, signal.SIGKILL)
        self._life.close()

    def start_again(self) -> None:
        """Start it with what it had stored, at the same address."""
        self.running = self._life.enter_context(
            warehouse_process(
                directory=self._directory, token=self.running.token, port=self.running.port
            )
        )

    def close(self) -> None:
        """End it, if it still runs."""
        self._life.close()


@dataclass(frozen=True, slots=True)
class Gate:
    """Stops one target's runner until it is opened."""

    file: Path

    async def wait_for_run(self) -> None:
        """Wait until a run is stopped here."""
        await until(self._is_reached)

    async def _is_reached(self) -> bool:
        return self.file.with_suffix(".reached").exists()

    def open(self) -> None:
        """Let the run go on, and all that come after it."""
        self.file.unlink()


@dataclass(frozen=True, slots=True)
class Held:
    """One target's statement that the warehouse holds, before it runs or when it has run."""

    warehouse: Warehouse
    target: str
    point: Point

    async def wait_for_run(self) -> None:
        """Wait until the statement is there."""
        await until(self._is_there)

    async def _is_there(self) -> bool:
        return status_at(self.point, self.warehouse, self.target) == self.point.status


Stop: TypeAlias = Gate | Held


@dataclass(frozen=True, slots=True)
class Stand:
    """A site whose runs stop at points, each with a target of its own, and their warehouse."""

    points: Mapping[str, Point]
    site: Site
    warehouse: MortalWarehouse
    stops: Mapping[str, Stop] = field(repr=False)  #: by target

    def open_gates(self) -> None:
        """Let the runners go on, those that are left and those that come."""
        for stop in self.stops.values():
            if isinstance(stop, Gate):
                stop.open()


@contextmanager
def live(folder: Path) -> Iterator[Stand]:
    """Set up history, warehouse and settings for the block; every script runs live."""
    (folder / "history" / "gates").mkdir(parents=True)
    (folder / "history" / "gates.py").write_text(GATES)
    hook = {"history": 'hook = "gates:hook"\nenv = { TARGET = "{target}" }'}
    with stand(folder, LIVE, hook) as made:
        yield made


@contextmanager
def replayed(folder: Path, points: Mapping[str, Point]) -> Iterator[Stand]:
    """Set up history, warehouse and settings for the block; a compiled plan is replayed."""
    with stand(folder, points, {"shadow": "auto"}) as made:
        yield made


@contextmanager
def stand(folder: Path, points: Mapping[str, Point], tables: Mapping[str, str]) -> Iterator[Stand]:
    """Set up history, warehouse and settings for the block."""
    scripts = Scripts(folder / "history")
    for revision, body in (("r1", FIRST), ("r2", SECOND), ("r3", THIRD)):
        scripts.add(revision, body)
    warehouse = MortalWarehouse(folder / "warehouse")
    try:
        names = [STANDARD, *points]
        site = write_fleet(scripts.config, warehouse.running, names, tables)
        stops = {
            name: stop_at(point, name, scripts.folder, warehouse.running)
            for name, point in points.items()
        }
        yield Stand(points, site, warehouse, stops)
    finally:
        warehouse.close()


def write_fleet(
    config: Path, warehouse: Warehouse, names: Sequence[str], tables: Mapping[str, str]
) -> Site:
    """Create a schema for each target, and write the settings."""
    with session(warehouse) as cursor:
        for name in names:
            cursor.execute(f"CREATE SCHEMA {name}")
    targets = [
        f'[[target]]\nname = "{name}"\nhistory = "app"\nschema = "{name}"\n'
        f'url = "{warehouse.target_url()}"'
        for name in names
    ]
    more = "\n\n".join(targets)
    return write_site(config, {}, more=more, **tables)  # type: ignore[arg-type]  # the tables are the test's own


def stop_at(point: Point, target: str, folder: Path, warehouse: Warehouse) -> Stop:
    """Have the run of *target* stop at *point*."""
    statement = point.statement.format(target)
    if isinstance(point.place, FaultKind):
        warehouse.control.add(Fault(point.place, matching=re.escape(statement), times=1))
        return Held(warehouse, target, point)
    file = folder / "gates" / target
    file.write_text(f"{point.place}\n{statement}\n")
    return Gate(file)


def status_at(point: Point, warehouse: Warehouse, target: str) -> str | None:
    """Return what the query history says of the statement at which *target* is stopped."""
    statement = point.statement.format(target)
    found = [each.status for each in sent(warehouse, target) if each.sql.startswith(statement)]
    assert len(found) < 2, f"{target}: {statement} arrived {len(found)} times"
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Sent:
    """A statement that arrived at the warehouse and was to change something."""

    sql: str  #: without its ticket
    ticket: str | None
    status: str

    @property
    def took_effect(self) -> bool:
        """Whether it is among what shaped the target."""
        return self.status == "FINISHED"


def sent(warehouse: Warehouse, schema: str) -> list[Sent]:
    """Return what arrived for *schema* and was to change something, oldest first."""
    named = re.compile(rf"\b{schema}\b")
    found = [arrived(each["query_text"], each["status"]) for each in past(warehouse)]
    return [each for each in found if is_change(each.sql) and named.search(each.sql)]


def unclaimed(warehouse: Warehouse, names: Iterable[str]) -> list[str]:
    """Return what arrived and was to change something that is for none of these targets."""
    claimed = {each.sql for name in names for each in sent(warehouse, name)}
    arrivals = [arrived(each["query_text"], each["status"]).sql for each in past(warehouse)]
    return [sql for sql in arrivals if is_change(sql) and sql not in claimed]


def past(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Return the query history, oldest first."""
    found: dict[str, dict[str, Any]] = {}
    start = 0
    while page := history(warehouse, max_results=1000, page_token=start):
        start += len(page)
        for each in page:  # what arrives meanwhile moves others to the next page
            found.setdefault(each["query_id"], each)
    return list(found.values())[::-1]


MARKED = re.compile(r"/\* levelhead:(\w+) \*/")


def arrived(text: str, status: str) -> Sent:
    """Return a statement of the query history, its ticket apart."""
    marked = MARKED.match(text)
    return Sent(MARKED.sub("", text, count=1).strip(), marked[1] if marked else None, status)


def is_change(sql: str) -> bool:
    """Tell whether a statement is more than a question."""
    return not re.match(r"SELECT|DESCRIBE|SHOW|USE", sql)


def sent_again(warehouse: Warehouse, schema: str) -> list[str]:
    """Return the statements that arrived although they had taken effect already.

    A stamp compares and sets: where its first sending waits at the warehouse, the second may be
    quicker, and then the first changes nothing.
    """
    done: set[str] = set()
    again = []
    for each in sent(warehouse, schema):
        if each.sql.startswith("MERGE"):
            continue
        again += [each.sql] if each.sql in done else []
        done |= {each.sql} if each.took_effect else set()
    return again


def effects(warehouse: Warehouse, schema: str) -> list[tuple[str, bool]]:
    """Return what took effect, in its order, the schema left out: SQL, and had it a ticket."""
    found = [
        (each.sql.replace(schema, "?"), each.ticket is not None)
        for each in sent(warehouse, schema)
        if each.took_effect
    ]
    return list(dict.fromkeys(found))


def heads(warehouse: Warehouse, schema: str) -> list[str]:
    """Return the rows of the version table."""
    with session(warehouse, schema) as cursor:
        return [row[0] for row in cursor.execute("SELECT * FROM alembic_version").fetchall()]


def contents(warehouse: Warehouse, schema: str) -> list[list[tuple[object, ...]]]:
    """Return what stands in *schema*: columns, keys, the rows of each table, and its versions.

    The version table may have more versions: a stamp that comes too late still makes one.
    """
    questions = [
        f"SELECT table_name, column_name, data_type, is_nullable FROM {where('columns', schema)}",
        f"SELECT table_name, constraint_type FROM {where('table_constraints', schema)}",
        f"SELECT table_name FROM {where('tables', schema)}",
    ]
    with session(warehouse, schema) as cursor:
        found = [sorted(map(tuple, cursor.execute(each).fetchall())) for each in questions]
        for (table,) in found[-1]:
            rows = cursor.execute(f"SELECT * FROM {table}").fetchall()
            found.append(sorted(map(tuple, rows)))
            found.append([] if table == "alembic_version" else versions(cursor, table))
    return found


def versions(cursor: Cursor, table: str) -> list[tuple[object, ...]]:
    """Return number and operation of each version of a table."""
    found = cursor.execute(f"DESCRIBE HISTORY {table}").fetchall()
    return [(row.version, row.operation) for row in found]


def where(view: str, schema: str) -> str:
    """Return what follows FROM to read a view of the information schema."""
    return f"information_schema.{view} WHERE table_schema = '{schema}'"
