"""Databricks as a runner meets it: no lock, no transaction, no enforced primary key.

The lease in the control database is the guard; what is stamped is read back, row by row.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.exc import DBAPIError

from .guard import VersionGuard

MISSING = "TABLE_OR_VIEW_NOT_FOUND"

#: HTTP statuses of a token that is wrong, or has run out.
NO_ENTRY = (401, 403)


class Guard(VersionGuard):
    """The version table on a SQL warehouse."""

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
        for lack of a valid token. A broken connection comes as urllib3's own error.
        """
        if not isinstance(error, Exception):
            return "script"
        context = getattr(error, "context", None) or {}
        if context.get("http-code") in NO_ENTRY:
            return "denied"
        return "statement" if type(error).__name__ == "ServerOperationError" else "lost"

    def require(self, expected: list[str]) -> None:
        """Require the version rows to be *expected*; nothing can keep them so."""
        self.compare(expected)

    def confirm(self, after: list[str]) -> None:
        """Read back what was stamped: Alembic does not count rows here."""
        self.compare(after)
