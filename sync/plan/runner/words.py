"""Small words about SQL and connections that several parts of a runner use."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.pool import PoolProxiedConnection  # not in SQLAlchemy 1.4

#: What changes nothing but the session is sent again, also when an earlier run is resumed.
READS = ("select", "show", "describe", "explain", "use ", "set ")


def commits_alone(connection: PoolProxiedConnection) -> bool:
    """Tell whether the driver's connection commits each statement by itself."""
    return bool(getattr(connection.dbapi_connection, "autocommit", True))


def is_read(sql: str) -> bool:
    """Tell whether a statement changes nothing but the session, as far as its first word says."""
    return sql.lstrip().lower().startswith(READS)


def digest(text: str) -> str:
    """Return the sha256 of *text*, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_setting(sql: str) -> bool:
    """Tell whether a statement sets up the session."""
    return sql.lstrip().lower().startswith(("set ", "use "))


def is_news(sql: str) -> bool:
    """Tell whether a statement changes anything, be it the session."""
    return is_setting(sql) or not is_read(sql)
