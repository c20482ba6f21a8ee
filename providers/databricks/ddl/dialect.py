"""What databricks-sqlalchemy's dialect does not know of a warehouse."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy.engine import Connection, Dialect

from .compiler import Compiler

#: The only level there is: each statement is committed by itself.
AUTOCOMMIT = "AUTOCOMMIT"


def fit(dialect: Dialect) -> None:
    """Tell one engine's *dialect*; its class stays as it is. Alembic compares comments then."""
    dialect.ddl_compiler = Compiler
    dialect.supports_comments = dialect.inline_comments = True
    own = getattr(dialect, "schema", None)  # of the URL; a dialect without a connection has none
    facts = {
        "default_schema_name": own or dialect.default_schema_name,
        "get_foreign_keys": partial(_keys, dialect),
        "default_isolation_level": AUTOCOMMIT,
        "get_isolation_level": _level,
        "get_isolation_level_values": _levels,
        "set_isolation_level": _stay,
    }
    for name, value in facts.items():
        setattr(dialect, name, value)


def _keys(
    dialect: Any,  # noqa: ANN401 - databricks-sqlalchemy's own
    connection: Connection,
    table: str,
    schema: str | None = None,
    **more: Any,  # noqa: ANN401 - SQLAlchemy's own arguments
) -> list[Any]:
    """Reflect foreign keys; the schema that they lead to is told, unless it is the default one."""
    read = type(dialect).get_foreign_keys
    found = read(dialect, connection, table, schema or dialect.schema, **more)
    return [{**key, "referred_schema": _other(key["referred_schema"], dialect)} for key in found]


def _other(schema: str | None, dialect: Dialect) -> str | None:
    return None if schema == dialect.default_schema_name else schema


def _level(_connection: Any) -> str:  # noqa: ANN401 - the driver's own
    return AUTOCOMMIT


def _levels(_connection: Any) -> list[str]:  # noqa: ANN401 - as above
    return [AUTOCOMMIT]


def _stay(_connection: Any, _level: str) -> None:  # noqa: ANN401 - as above
    """Do nothing: SQLAlchemy sets no other level than those that there are."""
