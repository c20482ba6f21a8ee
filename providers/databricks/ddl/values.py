"""How values travel that databricks-sqlalchemy cannot send, or not as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

from databricks.sqlalchemy import base as _base
from sqlalchemy import func, literal_column, null, types
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.elements import BindParameter, ClauseElement, ColumnElement

from .datatypes import bare

Written = Callable[[Any], Optional[str]]  # noqa: UP045 - Python 3.9 evaluates it


class Bytes(types.LargeBinary):
    """Bytes, which the client cannot send: as text, of which the warehouse makes them."""

    def bind_processor(self, dialect: Dialect) -> Written:  # noqa: ARG002 - SQLAlchemy's own arguments
        """Write bytes in digits."""
        return hexadecimal

    def literal_processor(self, dialect: Dialect) -> Callable[[Any], str]:  # noqa: ARG002 - as above
        """Write bytes in digits, as a text of SQL."""
        return lambda value: f"'{hexadecimal(value)}'"

    def bind_expression(self, bindvalue: BindParameter[Any]) -> ColumnElement[Any]:
        """Make bytes of the digits."""
        return func.unhex(bindvalue)


def hexadecimal(value: Any) -> str | None:  # noqa: ANN401 - whatever holds bytes
    """Return bytes in digits; None stays None."""
    return None if value is None else bytes(value).hex()


def holds_bytes(type_: types.TypeEngine[Any], dialect: Dialect) -> bool:
    """Tell whether values of *type_* are bytes."""
    return isinstance(bare(type_, dialect), (types.LargeBinary, types.BINARY, types.VARBINARY))


def unhexed(value: Any) -> Any:  # noqa: ANN401 - whatever a row has
    """Return bytes as SQL that stands for itself; SQL stays as it is."""
    if isinstance(value, ClauseElement):
        return value
    return null() if value is None else func.unhex(literal_column(f"'{hexadecimal(value)}'"))


# The dialect takes an Enum for a String, and cannot make one of it: `Enum.drop()` would fail.
_base.DatabricksDialect.colspecs = {
    **_base.DatabricksDialect.colspecs,
    types.Enum: types.Enum,
    types.LargeBinary: Bytes,
    types.BINARY: Bytes,
    types.VARBINARY: Bytes,
}
