"""For how long a dropped table can be had back, by a clock that the test moves."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from databricks.sql.exc import ServerOperationError

from providers.databricks.warehouse import Warehouse
from providers.databricks.warehouse.server import Options, listening
from providers.databricks.warehouse.session import LocalEngine
from providers.databricks.warehouse.storage import Storage
from providers.databricks.warehouse.stored_log import StoredLog
from tests.support.warehouse_client import ONCE, session

START = datetime(2026, 3, 1, tzinfo=UTC)


def test_undrop_is_for_seven_days() -> None:
    """Until then a dropped table can be had back; from then on it is as if it had never been."""
    days = [0.0]
    storage = Storage(None, ("main",))
    log = StoredLog(storage, lambda: START + timedelta(days=days[0]))
    engine = LocalEngine(storage, log, lambda: START + timedelta(days=days[0]))
    with listening(Options(token="t"), engine, time.monotonic) as running:  # noqa: S106 - of nothing
        warehouse = Warehouse(running.port, "t", running.faults, is_tls=False, pid=0)
        with session(warehouse, **ONCE) as cursor:
            for statement in ("CREATE TABLE t (a INT)", "DROP TABLE t"):
                cursor.execute(statement)
            days[0] = 6.9
            for statement in ("UNDROP TABLE t", "DROP TABLE t"):
                cursor.execute(statement)
            days[0] = 6.9 + 7
            with pytest.raises(ServerOperationError, match="TABLE_OR_VIEW_NOT_FOUND"):
                cursor.execute("UNDROP TABLE t")
    log.close()
    storage.close()
