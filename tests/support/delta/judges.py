"""Who judges what we send, beside the stand-in: Spark with Delta Lake, and a real workspace."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from databricks import sql
from databricks.sql.client import Connection

from providers.databricks.address import address, connect_arguments, with_options
from providers.databricks.warehouse import Warehouse
from providers.databricks.warehouse.server import Options, listening
from tests.support.delta.engine import CATALOG, spark_engine

#: The variable that names a warehouse of a real workspace, as a target's URL does; its token may
#: create schemas in the catalog that it names.
WORKSPACE = "LEVELHEAD_TEST_DATABRICKS_URL"

_TOKEN = "delta"  # noqa: S105 - on loopback, for the length of one process


@dataclass(frozen=True, slots=True)
class Judge:
    """A warehouse that takes requests."""

    url: str = field(repr=False)  #: a target's; it names the catalog, and no schema of ours
    told: list[str]  #: what it conceded; nobody knows of others than Spark

    @property
    def catalog(self) -> str:
        """Where schemas are made."""
        return address(self.url).catalog or "main"

    def at(self, schema: str) -> str:
        """Return the URL of *schema*."""
        return with_options(self.url, {"schema": schema})

    @contextmanager
    def connected(self, schema: str = "default") -> Iterator[Connection]:
        """Open a session with the real client for the block."""
        connection = sql.connect(**connect_arguments(self.at(schema)))
        try:
            yield connection
        finally:
            connection.close()


@contextmanager
def delta() -> Iterator[Judge]:
    """Run Spark with Delta Lake behind the warehouse's wire for the block.

    Raises:
        MissingError: There is no Java, or its jars cannot be fetched.
    """
    options = Options(token=_TOKEN, catalogs=(CATALOG,))
    with spark_engine(_now) as engine, listening(options, engine, time.monotonic) as running:
        warehouse = Warehouse(running.port, _TOKEN, running.faults, is_tls=False, pid=os.getpid())
        yield Judge(warehouse.target_url(CATALOG), engine.concessions.told)


def workspace() -> Judge | None:
    """Return the real workspace; None where its variable is not set."""
    url = os.environ.get(WORKSPACE)
    return Judge(url, []) if url else None


def _now() -> datetime:
    return datetime.now(UTC)
