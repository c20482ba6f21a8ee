"""The log of statements, which the Query History API shows."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from providers.databricks.warehouse.model import Properties

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

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._statements: OrderedDict[str, Statement] = OrderedDict()

    def start(self, id: str, text: str, tags: Properties) -> Statement:  # noqa: A002 - as in SQL
        """Take down a statement that arrived."""
        statement = Statement(id, text, tags, self.now())
        self.keep(statement)
        return statement

    def end(self, id: str, status: Status, error: str | None = None) -> None:  # noqa: A002 - as above
        """Take down how a statement ended."""
        statement = self.find(id)
        self.keep(replace(statement, status=status, ended_ms=self.now(), error=error))

    def end_badly(self, id: str, status: Status, error: str) -> None:  # noqa: A002 - as above
        """Take down that a statement had no effect."""
        self.end(id, status, error)

    def find(self, id: str) -> Statement:  # noqa: A002 - as above
        """Return the statement *id*. Raises KeyError where the log has none."""
        with self._lock:
            return self._statements[id]

    def all(self) -> list[Statement]:
        """Return all statements, in the order in which they arrived."""
        with self._lock:
            return list(self._statements.values())

    def keep(self, statement: Statement) -> None:
        """Take *statement* down as it is, and forget the oldest where there are too many."""
        with self._lock:
            self._statements[statement.id] = statement
            while len(self._statements) > KEPT_STATEMENTS:
                self._statements.popitem(last=False)

    def now(self) -> int:
        """Return the time, in milliseconds since 1970."""
        return int(self._clock().timestamp() * 1000)
