"""What a statement has around it while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import duckdb

from providers.databricks.warehouse.catalog import Catalog
from providers.databricks.warehouse.model import Name, Scope
from providers.databricks.warehouse.queries import Translator
from providers.databricks.warehouse.statements import Statement
from providers.databricks.warehouse.storage import Storage, Transaction
from providers.databricks.warehouse.stored_log import StoredLog


@dataclass(frozen=True, slots=True)
class Context:
    """One statement's surroundings."""

    storage: Storage
    connection: duckdb.DuckDBPyConnection
    log: StoredLog
    statement: Statement
    scope: Scope
    translator: Translator
    cancelled: Callable[[], bool]
    clock: Callable[[], datetime]

    @property
    def catalog(self) -> Catalog:
        """What names stand for."""
        return self.storage.catalog

    @contextmanager
    def writing(self, *names: Name) -> Iterator[Transaction]:
        """Run the block in one transaction, alone with *names*; its end is logged with it."""
        with self.storage.writing(*names, cancelled=self.cancelled):
            self.log.announce(self.statement)
            with self.storage.transaction(self.connection) as work:
                yield work
                self.log.finish_in(work, self.statement)
