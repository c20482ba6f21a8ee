from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import trustme
from databricks.sql.client import Cursor
from databricks.sql.exc import Error
from urllib3.exceptions import HTTPError

from providers.databricks.warehouse import (
    Fault,
    FaultKind,
    Tls,
    Warehouse,
    WarehouseError,
    local_warehouse,
    warehouse_process,
)
from tests.support.warehouse_client import ONCE, connected, history, session

TABLE = """CREATE TABLE t (id BIGINT GENERATED ALWAYS AS IDENTITY, a INT, PRIMARY KEY (id))
TBLPROPERTIES ('delta.columnMapping.mode' = 'name')"""


def _state(cursor: Cursor) -> list[object]:
    """Return what a client can see of the table `t` and its past."""
    return [
        cursor.execute(question).fetchall()
        for question in (
            "SELECT * FROM t ORDER BY id",
            "SELECT * FROM t VERSION AS OF 1",
            "SELECT * FROM v",
            "DESCRIBE HISTORY t",
            "DESCRIBE TABLE EXTENDED t",
            "SHOW CREATE TABLE t",
            "SHOW SCHEMAS",
        )
    ]


def test_everything_survives_the_death_of_the_process(tmp_path: Path) -> None:
    """Rows, versions, keys, views, identities and properties are there after kill -9."""
    with warehouse_process(directory=tmp_path) as first, session(first, **ONCE) as cursor:
        for statement in (
            "CREATE SCHEMA more",
            TABLE,
            "INSERT INTO t (a) VALUES (1), (2)",
            "ALTER TABLE t RENAME COLUMN a TO b",
            "ALTER TABLE t ADD CONSTRAINT c CHECK (b > 0)",
            "CREATE VIEW v AS SELECT b FROM t WHERE b > 1",
            "CREATE TABLE gone (a INT)",
            "DROP TABLE gone",
        ):
            cursor.execute(statement)
        before = _state(cursor)
        os.kill(first.pid, signal.SIGKILL)
    with warehouse_process(directory=tmp_path) as second, session(second, **ONCE) as cursor:
        assert _state(cursor) == before
        cursor.execute("UNDROP TABLE gone")
        assert cursor.execute("SHOW COLUMNS IN gone").fetchall() == [("a",)]
        cursor.execute("INSERT INTO t (b) VALUES (3)")
        ids = cursor.execute("SELECT id FROM t ORDER BY id").fetchall()
        assert len({row.id for row in ids}) == 3


def test_killed_at_any_moment_the_history_tells_what_took_effect(tmp_path: Path) -> None:
    """A statement is FINISHED exactly where its rows are there; else FAILED, or never arrived."""
    sent: list[int] = []
    with warehouse_process(directory=tmp_path, token="t") as first:  # noqa: S106 - nobody else listens
        with session(first, **ONCE) as cursor:
            cursor.execute("CREATE TABLE t (a INT)")
        writers = [threading.Thread(target=_write, args=(first, n, sent)) for n in range(4)]
        for writer in writers:
            writer.start()
        while len(sent) < 40:
            time.sleep(0.01)
        os.kill(first.pid, signal.SIGKILL)
        for writer in writers:
            writer.join()
    with warehouse_process(directory=tmp_path, token="t") as second:  # noqa: S106 - as above
        with session(second, **ONCE) as cursor:
            rows = {row.a for row in cursor.execute("SELECT a FROM t").fetchall()}
        log = {each["query_text"]: each["status"] for each in history(second, max_results=1000)}
    assert len(sent) > len(rows) > 0
    for number in sent:
        status = log.get(f"INSERT INTO t VALUES ({number})")
        assert (status == "FINISHED") == (number in rows)
        assert status in {"FINISHED", "FAILED", None}


def _write(warehouse: Warehouse, writer: int, sent: list[int]) -> None:
    """Insert one number after the other until the warehouse is gone."""
    try:
        with session(warehouse, **ONCE) as cursor:
            for number in range(writer * 1_000_000, (writer + 1) * 1_000_000):
                sent.append(number)
                cursor.execute(f"INSERT INTO t VALUES ({number})")
    except (Error, HTTPError, OSError):
        return


def test_a_statement_that_a_kill_interrupts_is_failed(tmp_path: Path) -> None:
    """It had no effect, and the history says so after the restart."""
    statement = "INSERT INTO t SELECT a.range FROM range(100000000) a, range(100000000) b"
    with warehouse_process(directory=tmp_path) as first, session(first, **ONCE) as cursor:
        cursor.execute("CREATE TABLE t (a BIGINT)")
        cursor.execute_async(statement)
        while history(first)[0]["status"] != "RUNNING":
            time.sleep(0.02)
        time.sleep(0.2)
        os.kill(first.pid, signal.SIGKILL)
    with warehouse_process(directory=tmp_path) as second:
        entry = history(second)[0]
    assert (entry["query_text"], entry["status"]) == (statement, "FAILED")


def test_two_warehouses_do_not_share_a_directory(tmp_path: Path) -> None:
    """The second says so, in either form."""
    with local_warehouse(directory=tmp_path):
        with (
            pytest.raises(WarehouseError, match="another warehouse"),
            warehouse_process(directory=tmp_path),
        ):
            pass
        with (
            pytest.raises(WarehouseError, match="another warehouse"),
            local_warehouse(directory=tmp_path),
        ):
            pass


def test_a_port_that_is_taken_is_refused() -> None:
    """One line says which."""
    with (
        local_warehouse() as first,
        pytest.raises(WarehouseError, match=f"port {first.port}: "),
        local_warehouse(port=first.port),
    ):
        pass


def test_the_client_checks_the_certificate(tmp_path: Path) -> None:
    """With the authority's certificate it connects; without, it refuses."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    files = [tmp_path / name for name in ("certificate", "key", "authority")]
    issued.cert_chain_pems[0].write_to_path(files[0])
    issued.private_key_pem.write_to_path(files[1])
    authority.cert_pem.write_to_path(files[2])
    with warehouse_process(tls=Tls(files[0], files[1])) as own:
        assert own.origin.startswith("https://")
        trusting: dict[str, Any] = own.connect_args(trusted=files[2])
        with session(own, **trusting, **ONCE) as cursor:
            assert cursor.execute("SELECT 1").fetchall() == [(1,)]
        own.control.add(Fault(FaultKind.CUT_AFTER, times=1))
        cut = pytest.raises((Error, HTTPError))
        with session(own, **trusting, **ONCE) as cursor, cut:
            cursor.execute("SELECT 1")
        with pytest.raises((Error, HTTPError)), connected(own, **ONCE):
            pass


def test_a_warehouse_process_ends_with_its_owner() -> None:
    """However the owner ends."""
    owner = (
        "import os\n"
        "from providers.databricks.warehouse import warehouse_process\n"
        "with warehouse_process() as own:\n"
        "    print(own.pid, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", owner], capture_output=True, text=True, check=False, timeout=30
    )
    pid = int(ended.stdout)
    deadline = time.monotonic() + 10
    while _lives(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_warehouse_process_starts_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project in the working directory with packages of the same names is not in its way."""
    for name in ("providers", "duckdb"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    with warehouse_process() as own, session(own, **ONCE) as cursor:
        assert cursor.execute("SELECT 1").fetchall() == [(1,)]


def _lives(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and ") Z " not in status.read_text()
