"""What a directive is refused with."""

from __future__ import annotations


class RefusedDirectiveError(Exception):
    """A directive would not come out right on Databricks; nothing of it was sent."""

    def __init__(self, directive: str, table: str, reason: str) -> None:
        super().__init__(f"{directive} on {table}: {reason}")
        self.directive = directive  #: as in ``op.add_column``, without ``op.``
        self.table = table
        self.reason = reason
