"""What databricks-sqlalchemy's dialect does not know of a warehouse."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Dialect

from .compiler import Compiler

#: The only level there is: each statement is committed by itself.
AUTOCOMMIT = "AUTOCOMMIT"


def fit(dialect: Dialect) -> None:
    """Tell one engine's *dialect*; its class stays as it is. Alembic compares comments then."""
    dialect.ddl_compiler = Compiler
    dialect.supports_comments = dialect.inline_comments = True
    levels = {
        "default_isolation_level": AUTOCOMMIT,
        "get_isolation_level": _level,
        "get_isolation_level_values": _levels,
        "set_isolation_level": _stay,
    }
    for name, value in levels.items():
        setattr(dialect, name, value)


def _level(_connection: Any) -> str:  # noqa: ANN401 - the driver's own
    return AUTOCOMMIT


def _levels(_connection: Any) -> list[str]:  # noqa: ANN401 - as above
    return [AUTOCOMMIT]


def _stay(_connection: Any, _level: str) -> None:  # noqa: ANN401 - as above
    """Do nothing: SQLAlchemy sets no other level than those that there are."""
