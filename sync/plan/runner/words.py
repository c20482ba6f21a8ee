"""Small words about SQL and connections that several parts of a runner use."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.pool import PoolProxiedConnection  # not in SQLAlchemy 1.4

#: How statements begin that give rows.
ANSWERS = ("select", "show", "describe", "explain")

#: What changes nothing but the session is sent again, also when an earlier run is resumed.
READS = (*ANSWERS, "use ", "set ", "reset ")

#: What belies such a first word: another statement behind it, or a word for what it really does.
BELIED = re.compile(
    r";\s*\S|^\s*select\b.*\binto\b|^\s*explain\b.*\banaly[sz]e\b", re.IGNORECASE | re.DOTALL
)

#: What looks like a call of a function: its name.
CALLED = re.compile(r'([\w$]+)"?\s*\(')

#: Text within a statement that is none of its words.
QUOTED = re.compile(r"'(?:[^']|'')*'")

#: How a statement begins that sets up the session, and does nothing else.
SETTING = re.compile(
    r"\s*(set\b|use\b|select\s+(pg_catalog\s*\.\s*)?set_config\s*\()", re.IGNORECASE
)

#: What makes a setting, be it in the middle of a text, that only scripts know of: the name has
#: a dot, or stands elsewhere.
OWN_SETTING = re.compile(
    r"""(^|;)\s*set\s+(session\s+)?["\w]+\.|\bset_config\s*\(\s*(?!'[^'.]*'\s*,)""", re.IGNORECASE
)

#: NUL, at which a driver may cut a text off, and halves of surrogate pairs: no SQL has them.
UNSENDABLE = re.compile("[\x00\ud800-\udfff]")


def require_sendable(sql: str) -> None:
    """Let no statement pass that cannot be sent, or written down, as it is.

    Raises:
        ValueError: It is one.
    """
    if found := UNSENDABLE.search(sql):
        raise ValueError(f"the SQL holds U+{ord(found[0]):04X}, which cannot be sent; take it out")


def commits_alone(connection: PoolProxiedConnection) -> bool:
    """Tell whether the driver's connection commits each statement by itself."""
    return bool(getattr(connection.dbapi_connection, "autocommit", True))


def is_read(sql: str) -> bool:
    """Tell whether a statement changes nothing but the session, as far as its words say."""
    return sql.lstrip().lower().startswith(READS) and not BELIED.search(QUOTED.sub("''", sql))


def answers(sql: str) -> bool:
    """Tell whether a statement gives rows, as far as its words say."""
    words = sql.lstrip().lower()
    return words.startswith(ANSWERS) or "returning" in words


def called(sql: str) -> list[str]:
    """Return the names of all that may be functions in a statement, as they are written."""
    return sorted(set(CALLED.findall(QUOTED.sub("''", sql))))


def digest(text: str) -> str:
    """Return the sha256 of *text*, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_setting(sql: str) -> bool:
    """Tell whether a statement sets up the session."""
    return SETTING.match(sql) is not None


def makes_own_setting(sql: str) -> bool:
    """Tell whether a text makes a setting that only scripts know of."""
    return OWN_SETTING.search(sql) is not None
