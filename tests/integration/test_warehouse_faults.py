from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.request import Request, urlopen

import pytest
from databricks.sql.client import Connection, Cursor
from databricks.sql.exc import DatabaseError, RequestError
from urllib3.exceptions import HTTPError

from providers.databricks.warehouse import Fault, FaultKind, Warehouse, local_warehouse
from providers.databricks.warehouse.model import Properties, Scope
from providers.databricks.warehouse.results import Result
from providers.databricks.warehouse.server import Options, listening
from providers.databricks.warehouse.session import LocalEngine, LocalSession
from providers.databricks.warehouse.storage import Storage
from providers.databricks.warehouse.stored_log import StoredLog
from tests.support.warehouse_client import ONCE, connected, history, is_running, session

pytest_plugins = ["tests.support.warehouse"]


@pytest.fixture
def connection(warehouse: Warehouse, schema: str) -> Iterator[Connection]:
    """Give a session of a client that sends nothing twice; no fault outlives the test."""
    try:
        with connected(warehouse, schema, **ONCE) as opened:
            yield opened
            warehouse.control.clear()
    finally:
        warehouse.control.clear()


@pytest.fixture
def table(connection: Connection) -> Iterator[Cursor]:
    """Give a cursor beside an empty table `t`."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a INT)")
        yield cursor


def _rows(cursor: Cursor) -> int:
    count: int = cursor.execute("SELECT count(*) FROM t").fetchall()[0][0]
    return count


def _statuses(warehouse: Warehouse, text: str) -> list[str]:
    return [each["status"] for each in history(warehouse) if each["query_text"] == text]


def test_a_cut_before_the_statement_leaves_no_trace(warehouse: Warehouse, table: Cursor) -> None:
    """It never ran, and the history does not know it."""
    warehouse.control.add(Fault(FaultKind.CUT_BEFORE, matching="INSERT", times=1))
    statement = "/* cut before */ INSERT INTO t VALUES (1)"
    with pytest.raises(HTTPError):
        table.execute(statement)
    assert _rows(table) == 0
    assert _statuses(warehouse, statement) == []


def test_a_cut_after_the_statement_hides_its_effect(warehouse: Warehouse, table: Cursor) -> None:
    """The client sees the same error; only the history tells the difference."""
    warehouse.control.add(Fault(FaultKind.SLOW, seconds=0.3, matching="INSERT", times=1))
    warehouse.control.add(Fault(FaultKind.CUT_AFTER, matching="INSERT", times=1))
    statement = "/* cut after */ INSERT INTO t VALUES (1)"
    with pytest.raises(HTTPError):
        table.execute(statement)
    assert _rows(table) == 1
    assert _statuses(warehouse, statement) == ["FINISHED"]


def test_the_client_as_it_comes_sends_a_statement_twice(
    warehouse: Warehouse, schema: str, table: Cursor
) -> None:
    """After a cut its newer retries repeat what took effect, even with one attempt allowed."""
    warehouse.control.add(Fault(FaultKind.CUT_AFTER, matching="INSERT", times=1))
    statement = "/* twice */ INSERT INTO t VALUES (1)"
    impatient = {"_retry_stop_after_attempts_count": 1, "_retry_delay_min": 0.1}
    with session(warehouse, schema, **impatient) as as_it_comes:
        as_it_comes.execute(statement)
    assert _rows(table) == 2
    assert _statuses(warehouse, statement) == ["FINISHED", "FINISHED"]


def test_an_unavailable_warehouse_answers_503(warehouse: Warehouse, table: Cursor) -> None:
    """The statement did not run; with its time the fault is over."""
    warehouse.control.add(Fault(FaultKind.UNAVAILABLE, seconds=2))
    with pytest.raises(RequestError) as refusal:
        table.execute("INSERT INTO t VALUES (1)")
    assert refusal.value.context["http-code"] == 503
    time.sleep(2)
    assert _rows(table) == 0


def test_one_statement_can_be_refused(warehouse: Warehouse, table: Cursor) -> None:
    """Others are answered meanwhile."""
    warehouse.control.add(Fault(FaultKind.UNAVAILABLE, matching="INSERT"))
    with pytest.raises(RequestError, match="not available"):
        table.execute("INSERT INTO t VALUES (1)")
    assert _rows(table) == 0


def test_a_token_expires_in_the_middle(warehouse: Warehouse, table: Cursor) -> None:
    """What worked before is refused from now on."""
    warehouse.control.add(Fault(FaultKind.EXPIRED_TOKEN))
    with pytest.raises(RequestError, match="Access token expired") as refusal:
        table.execute("SELECT 1")
    assert refusal.value.context["http-code"] == 403


def test_a_slow_statement_takes_its_time(warehouse: Warehouse, table: Cursor) -> None:
    """Longer than an answer waits: the client asks again until it is done."""
    warehouse.control.add(Fault(FaultKind.SLOW, seconds=1.3, matching="INSERT", times=1))
    begun = time.monotonic()
    table.execute("INSERT INTO t VALUES (1)")
    assert time.monotonic() - begun >= 1.3
    assert table.rowcount == 1


def test_a_slow_reply_comes_after_the_effect(
    warehouse: Warehouse, schema: str, table: Cursor
) -> None:
    """Others see the effect while the client waits."""
    warehouse.control.add(Fault(FaultKind.SLOW_REPLY, seconds=60, matching="INSERT", times=1))
    with session(warehouse, schema, **ONCE) as waiting:
        waiting.execute_async("INSERT INTO t VALUES (1)")
        while not _rows(table):
            time.sleep(0.02)
        assert is_running(waiting)


def test_a_statement_is_held_until_the_faults_are_cleared(
    warehouse: Warehouse, schema: str, table: Cursor
) -> None:
    """It is there to be seen as running, and takes effect once it is let go."""
    warehouse.control.add(Fault(FaultKind.SLOW, matching="held"))
    statement = "/* held */ INSERT INTO t VALUES (1)"
    with session(warehouse, schema, **ONCE) as waiting:
        waiting.execute_async(statement)
        while _statuses(warehouse, statement) != ["RUNNING"]:
            time.sleep(0.02)
        assert _rows(table) == 0
        warehouse.control.clear()
        while is_running(waiting):
            time.sleep(0.02)
    assert _rows(table) == 1


def test_a_stopped_warehouse_starts_again_and_has_forgotten_its_sessions() -> None:
    """Asking for its state wakes nobody; the first request does, and until then it is 503."""
    with local_warehouse() as own, session(own, **ONCE) as cursor:
        cursor.execute("CREATE TABLE t AS SELECT 1 AS a")
        own.control.add(Fault(FaultKind.STOPPED, seconds=2))
        assert _state(own) == "STOPPED"
        with pytest.raises(RequestError, match="not available"):
            cursor.execute("SELECT 1")
        assert _state(own) == "STARTING"
        while _state(own) == "STARTING":
            time.sleep(0.05)
        with pytest.raises(DatabaseError, match="Invalid session handle"):
            cursor.execute("SELECT 1")
        with session(own, **ONCE) as fresh:
            assert _rows(fresh) == 1


def _state(warehouse: Warehouse) -> str:
    address = f"{warehouse.origin}/api/2.0/sql/warehouses/{warehouse.warehouse_id}"
    headers = {"Authorization": f"Bearer {warehouse.token}"}
    with urlopen(Request(address, headers=headers), timeout=10) as answer:  # noqa: S310 - our own server
        return str(json.load(answer)["state"])


class FaultyEngine(LocalEngine):
    """An engine with a fault of its own in what it says of its catalogs."""

    def open(self, scope: Scope, tags: Properties) -> LocalSession:
        """Open a session that has the fault."""
        return FaultySession(self, scope, tags)


class FaultySession(LocalSession):
    """A session of it."""

    def catalogs(self) -> Result:
        """Fail as no statement of SQL does."""
        raise KeyError("main")


def test_a_fault_of_its_own_is_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    """What breaks in the warehouse at a question is told to who asked, and the session goes on."""
    storage = Storage(None, ("main",))
    log = StoredLog(storage, lambda: datetime.now(UTC))
    engine = FaultyEngine(storage, log, lambda: datetime.now(UTC))
    with listening(Options(token="t"), engine, time.monotonic) as running:  # noqa: S106 - of nothing
        warehouse = Warehouse(running.port, "t", running.faults, is_tls=False, pid=0)
        with session(warehouse, **ONCE) as cursor:
            with pytest.raises(DatabaseError, match=r"\[INTERNAL_ERROR\] KeyError: 'main'"):
                cursor.catalogs()
            assert cursor.execute("SELECT 1").fetchall() == [(1,)]
    log.close()
    storage.close()
    assert "TGetCatalogsResp failed in the warehouse" in caplog.text
