"""A log of statements that is kept in the database.

Of a statement that changes anything, the end is stored in the same transaction as the change.
So after a crash the log tells the truth: what has no end had no effect.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from providers.databricks.warehouse.statements import Statement, StatementLog, Status
from providers.databricks.warehouse.storage import Storage, Transaction


class StoredLog(StatementLog):
    """What was sent to a warehouse that may be killed, and how it ended."""

    def __init__(self, storage: Storage, clock: Callable[[], datetime]) -> None:
        """Open the log; statements without an end are those of a process that was killed."""
        super().__init__(clock)
        self._storage = storage
        self._connection = storage.connect()
        self._storing = threading.Lock()
        self._load()

    def announce(self, statement: Statement) -> None:
        """Store that *statement* is about to change something."""
        with self._storing:
            self._store(Transaction(self._connection), statement)

    def finish_in(self, work: Transaction, statement: Statement) -> None:
        """Store the good end of *statement* together with what it changed."""
        self._store(work, replace(statement, status=Status.FINISHED, ended_ms=self.now()))

    def end_badly(self, id: str, status: Status, error: str) -> None:  # noqa: A002 - as the base class has it
        """Take down, and store, that a statement had no effect."""
        super().end_badly(id, status, error)
        self.announce(self.find(id))

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def _store(self, work: Transaction, statement: Statement) -> None:
        if self._storage.is_persistent:
            values = (statement.id, statement.started_ms, json.dumps(asdict(statement)))
            work.run("INSERT INTO meta.statements VALUES (?, ?, ?)", values)

    def _load(self) -> None:
        """Read what was stored; of two entries for a statement, the later counts."""
        work = Transaction(self._connection)
        for (body,) in work.run("SELECT body FROM meta.statements ORDER BY position, rowid"):
            self.keep(_loaded(json.loads(body)))
        for statement in self.all():
            if statement.status is Status.RUNNING:
                self.end_badly(statement.id, Status.FAILED, "The warehouse ended before it did.")
        oldest = min((each.started_ms for each in self.all()), default=0)
        work.run("DELETE FROM meta.statements WHERE position < ?", (oldest,))


def _loaded(body: dict[str, Any]) -> Statement:
    return Statement(
        id=body["id"],
        text=body["text"],
        tags=tuple((key, value) for key, value in body["tags"]),
        started_ms=body["started_ms"],
        status=Status(body["status"]),
        ended_ms=body["ended_ms"],
        error=body["error"],
    )
