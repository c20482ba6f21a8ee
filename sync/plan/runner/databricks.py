"""Databricks as a runner meets it: no lock, no transaction, no enforced primary key.

The lease in the control database is the guard; what is stamped is read back, row by row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import DBAPIError

from .guard import VersionGuard
from .tokens import NoTokenError

MISSING = "TABLE_OR_VIEW_NOT_FOUND"

#: Condition of an error that comes behind the commit: whatever failed, the statement stands.
COMMITTED = "DELTA_POST_COMMIT_HOOK_FAILED"

#: HTTP statuses of a token that is wrong, or has run out.
NO_ENTRY = (401, 403)

#: The request that a statement goes out with; all later ones ask what became of it.
SENDING = "ExecuteStatement"


class Guard(VersionGuard):
    """The version table on a SQL warehouse."""

    row_by_row = True

    def prepare(self, request: dict[str, Any]) -> None:
        """Do nothing: catalog and schema stand in the URL."""

    def lock(self, patience: float) -> None:
        """Do nothing: a warehouse has no lock."""

    def unlock(self) -> None:
        """Do nothing: a warehouse has no lock."""

    def exists(self) -> bool:
        """Tell whether there is a version table."""
        try:
            self.ask(f"DESCRIBE TABLE {self.name}")
        except DBAPIError as error:
            if MISSING in str(error.orig):
                return False
            raise
        return True

    def kind(self, error: BaseException) -> str:
        """Tell what an error means; see `VersionGuard.kind`.

        Only what the warehouse itself has refused had no effect, and what it did not take
        for lack of a valid token. A token that runs out later keeps the end of a statement
        from being seen, not from happening. A broken connection comes as urllib3's own error.
        """
        if not isinstance(error, Exception):
            return "script"
        if was_turned_away(error):
            return "denied"
        return "statement" if type(error).__name__ == "ServerOperationError" else "lost"

    def has_committed(self, error: Exception) -> bool:
        """Tell whether only what Delta does behind a commit failed; see the base class."""
        return f"[{COMMITTED}]" in str(error)

    @contextmanager
    def told(self, sql: str) -> Iterator[None]:
        """Raise what the driver raises; where it did not answer, as a connection that is lost.

        A question that met an expired token is no mistake in a script, and says nothing of
        what was sent before it.
        """
        try:
            with super().told(sql):
                yield
        except DBAPIError as error:
            if error.orig is not None and self.kind(error.orig) == "denied":
                error.connection_invalidated = True
            raise

    def require(self, expected: list[str]) -> None:
        """Require the version rows to be *expected*; nothing can keep them so."""
        self.compare(expected)

    def confirm(self, after: list[str]) -> None:
        """Read back what was stamped: Alembic does not count rows here."""
        self.compare(after)


def was_turned_away(error: Exception) -> bool:
    """Tell whether a statement was not taken because the token is not valid."""
    context = getattr(error, "context", None) or {}
    if any(isinstance(inner, NoTokenError) for inner in error.args):
        return bool(context.get("method") == SENDING)
    if any(isinstance(inner, OSError) for inner in error.args):
        return False  # the status is that of an earlier answer: this time the network failed
    return context.get("method") == SENDING and context.get("http-code") in NO_ENTRY
