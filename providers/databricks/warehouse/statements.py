"""The log of statements, which the Query History API shows.

Of a statement that changes anything, the end is stored in the same transaction as the change.
So after a crash the log tells the truth: what has no end had no effect.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from providers.databricks.warehouse.model import Properties
from providers.databricks.warehouse.storage import Storage, Transaction

#: Statements that the log remembers.
KEPT_STATEMENTS = 10_000


class Status(StrEnum):
    """How far a statement has come; page "api/workspace/queryhistory/list"."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement that arrived."""

    id: str  #: a UUID; the client sees it as the cursor's query id
    text: str  #: with its comments
    tags: Properties
    started_ms: int  #: since 1970
    status: Status = Status.RUNNING
    ended_ms: int | None = None
    error: str | None = None


class StatementLog:
    """What was sent to a warehouse, and how it ended."""

    def __init__(self, storage: Storage, clock: Callable[[], datetime]) -> None:
        """Open the log; statements without an end are those of a process that was killed."""
        self._storage = storage
        self._connection = storage.connect()
        self._clock = clock
        self._lock = threading.Lock()
        self._statements: OrderedDict[str, Statement] = OrderedDict()
        self._load()

    def start(self, id: str, text: str, tags: Properties) -> Statement:  # noqa: A002 - as in SQL
        """Take down a statement that arrived."""
        statement = Statement(id, text, tags, self._now())
        self._keep(statement)
        return statement

    def announce(self, statement: Statement) -> None:
        """Store that *statement* is about to change something."""
        with self._lock:
            self._store(Transaction(self._connection), statement)

    def finish_in(self, work: Transaction, statement: Statement) -> None:
        """Store the good end of *statement* together with what it changed."""
        self._store(work, replace(statement, status=Status.FINISHED, ended_ms=self._now()))

    def end(self, id: str, status: Status, error: str | None = None) -> None:  # noqa: A002 - as above
        """Take down how a statement ended."""
        with self._lock:
            statement = self._statements[id]
        ended = replace(statement, status=status, ended_ms=self._now(), error=error)
        self._keep(ended)

    def end_badly(self, id: str, status: Status, error: str) -> None:  # noqa: A002 - as above
        """Take down, and store, that a statement had no effect."""
        self.end(id, status, error)
        self.announce(self.find(id))

    def find(self, id: str) -> Statement:  # noqa: A002 - as above
        """Return the statement *id*. Raises KeyError where the log has none."""
        with self._lock:
            return self._statements[id]

    def all(self) -> list[Statement]:
        """Return all statements, in the order in which they arrived."""
        with self._lock:
            return list(self._statements.values())

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def _keep(self, statement: Statement) -> None:
        with self._lock:
            self._statements[statement.id] = statement
            while len(self._statements) > KEPT_STATEMENTS:
                self._statements.popitem(last=False)

    def _store(self, work: Transaction, statement: Statement) -> None:
        if self._storage.is_persistent:
            values = (statement.id, statement.started_ms, json.dumps(asdict(statement)))
            work.run("INSERT INTO meta.statements VALUES (?, ?, ?)", values)

    def _load(self) -> None:
        """Read what was stored; of two entries for a statement, the later counts."""
        work = Transaction(self._connection)
        for (body,) in work.run("SELECT body FROM meta.statements ORDER BY position, rowid"):
            self._keep(_loaded(json.loads(body)))
        for statement in self.all():
            if statement.status is Status.RUNNING:
                self.end_badly(statement.id, Status.FAILED, "The warehouse ended before it did.")
        oldest = min((each.started_ms for each in self.all()), default=0)
        work.run("DELETE FROM meta.statements WHERE position < ?", (oldest,))

    def _now(self) -> int:
        return int(self._clock().timestamp() * 1000)


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
