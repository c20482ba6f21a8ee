"""What the wire asks of whatever runs the statements.

`operations` answers the client's calls with this alone, so another engine can stand behind the
same front.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

from providers.databricks.warehouse.model import Properties, Scope
from providers.databricks.warehouse.results import Result
from providers.databricks.warehouse.statements import Statement, StatementLog

#: Patterns for catalog, schema and relation, as JDBC has them; None: any.
Patterns: TypeAlias = tuple[str | None, str | None, str | None]


class Session(Protocol):
    """One client's session. It runs one statement at a time."""

    @property
    def scope(self) -> Scope:
        """Where its short names belong."""
        ...

    @property
    def tags(self) -> Properties:
        """Tags of all its statements."""
        ...

    def execute(
        self, statement: Statement, parameters: Sequence[Any], cancelled: threading.Event
    ) -> Result:
        """Run *statement*. Raises SqlError where it had no effect.

        Args:
            statement: As it arrived.
            parameters: Values for its markers, as TSparkParameter.
            cancelled: Set where nobody waits for it any more.
        """
        ...

    def interrupt(self) -> None:
        """End what runs at the moment, as far as that can be done."""
        ...

    def close(self) -> None:
        """End the session."""
        ...

    def catalogs(self) -> Result:
        """Answer GetCatalogs."""
        ...

    def schemas(self, catalog: str | None, pattern: str | None) -> Result:
        """Answer GetSchemas."""
        ...

    def tables(self, where: Patterns, kinds: Sequence[str] | None) -> Result:
        """Answer GetTables."""
        ...

    def columns(self, where: Patterns, pattern: str | None) -> Result:
        """Answer GetColumns."""
        ...


class Engine(Protocol):
    """What all sessions of a warehouse share."""

    @property
    def log(self) -> StatementLog:
        """What was sent, and how it ended."""
        ...

    def open(self, scope: Scope, tags: Properties) -> Session:
        """Open a session. Raises SqlError where the catalog is unknown."""
        ...
