from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from databricks.sql.client import Cursor
from databricks.sql.exc import ServerOperationError

from providers.databricks.warehouse import Fault, FaultKind, Warehouse
from tests.support.warehouse_client import ONCE, is_running, session

pytest_plugins = ["tests.support.warehouse"]


def test_fifty_sessions_at_a_time(warehouse: Warehouse, schema: str) -> None:
    """Each makes a table of its own and reads it back."""

    def work(number: int) -> int:
        with session(warehouse, schema, **ONCE) as cursor:
            cursor.execute(f"CREATE TABLE t{number} (a INT)")
            cursor.execute(f"INSERT INTO t{number} VALUES ({number})")
            cursor.execute(f"ALTER TABLE t{number} ADD COLUMN b STRING")
            found: int = cursor.execute(f"SELECT a FROM t{number}").fetchall()[0][0]
            return found

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(work, range(50))) == list(range(50))


def test_a_slow_statement_is_in_nobodys_way(warehouse: Warehouse, cursor: Cursor) -> None:
    """Other sessions read and write the same table meanwhile."""
    cursor.execute("CREATE TABLE t (a INT)")
    warehouse.control.add(Fault(FaultKind.SLOW, seconds=30, matching="/. slow ./", times=1))
    schema = cursor.execute("SELECT current_schema()").fetchall()[0][0]
    with session(warehouse, schema, **ONCE) as slow:
        slow.execute_async("/* slow */ SELECT * FROM t")
        begun = time.monotonic()
        cursor.execute("INSERT INTO t VALUES (1)")
        assert cursor.execute("SELECT a FROM t").fetchall() == [(1,)]
        assert time.monotonic() - begun < 20
        assert is_running(slow)


def test_appends_at_a_time_all_count(warehouse: Warehouse, cursor: Cursor, schema: str) -> None:
    """INSERT reads nothing that another INSERT changes."""
    cursor.execute("CREATE TABLE t (a INT)")

    def work(number: int) -> None:
        with session(warehouse, schema, **ONCE) as own:
            own.execute(f"INSERT INTO t VALUES ({number})")

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, range(20)))
    assert cursor.execute("SELECT count(DISTINCT a) FROM t").fetchall() == [(20,)]


def test_of_two_changes_at_a_time_one_is_told_to_try_again(
    warehouse: Warehouse, cursor: Cursor, schema: str
) -> None:
    """What another statement changed meanwhile is 2D521; nothing is lost, nothing comes twice."""
    cursor.execute("CREATE TABLE t AS SELECT 0 AS a")

    def work(_number: int) -> str:
        with session(warehouse, schema, **ONCE) as own:
            try:
                own.execute("UPDATE t SET a = a + 1")
            except ServerOperationError as error:
                return str(error)[-5:]
            return "done"

    with ThreadPoolExecutor(16) as pool:
        ends = list(pool.map(work, range(48)))
    assert set(ends) <= {"done", "2D521"}
    assert cursor.execute("SELECT a FROM t").fetchall() == [(ends.count("done"),)]
    assert ends.count("done") < 48
