"""What went wrong in a runner, in words that the service can store.

A database error keeps its SQLSTATE, its primary message and the names of its error
fields; an exception of a script its class, its text and the place in the user's own
files. Texts are said as they are: the service takes secrets and values out, then shortens.
"""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from typing import Any

from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

HERE = str(Path(__file__).resolve().parent)

#: Characters of a text that are said: many times what the service keeps.
MOST = 10_000

NAMES = ("schema_name", "table_name", "column_name", "constraint_name", "datatype_name")


class MovedError(Exception):
    """The version table did not hold the heads that the plan starts from."""

    def __init__(self, expected: list[str], found: list[str]) -> None:
        super().__init__(f"expected heads {expected}, found {found}")
        self.expected = expected
        self.found = found


class ResumeError(Exception):
    """A script does not send again what an earlier run of it had made final."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"an earlier run stopped in the middle of revision {revision}, and the script does "
            "not send the same again"
        )


class LockBusyError(Exception):
    """Somebody else held the migration lock for as long as the runner may wait."""


class UnreachableError(Exception):
    """The runner could not connect to the target."""


class RefusedError(Exception):
    """The history's env.py or a script does something that levelhead does not allow."""


class OutsideError(Exception):
    """A script was about to do something outside of its database, for the sake of a plan."""

    def __init__(self, what: str) -> None:
        super().__init__(f"acts outside of its database: {what}")


#: Their texts say everything: they are ours, and Alembic's.
OWN = (
    CommandError,
    RevisionError,
    RefusedError,
    ResumeError,
    LockBusyError,
    UnreachableError,
)


def described(error: BaseException) -> dict[str, Any]:
    """Return the facts of *error* for the word ``failed``."""
    if isinstance(error, MovedError):
        return {"kind": "moved", "expected": error.expected, "found": error.found}
    if isinstance(error, DBAPIError) and error.orig is not None:
        return driver_error(
            error.orig,
            sql=error.statement,
            kind="lost" if error.connection_invalidated else "statement",
        )
    where = "" if isinstance(error, (*OWN, SyntaxError)) else place(error)
    return {"kind": kind(error), "message": text(error)[:MOST], "place": where}


def kind(error: BaseException) -> str:
    """Name the branch of the service's error tree that *error* belongs to.

    A "plain" text is our own, or Python's on names of the source: it can hold no row data.
    """
    if isinstance(error, LockBusyError):
        return "busy"
    if isinstance(error, ResumeError):
        return "resume"
    if isinstance(error, UnreachableError):
        return "unreachable"
    if isinstance(error, RevisionError) or isinstance(error.__cause__, RevisionError):
        return "revision"
    if isinstance(error, (RefusedError, SyntaxError, ImportError)):
        return "plain"
    return "script"


def text(error: BaseException) -> str:
    """Say what *error* is."""
    if isinstance(error, OWN):
        return str(error)
    if isinstance(error, SystemExit):
        return f"a script called sys.exit({error.code!r})"
    if isinstance(error, SyntaxError):
        name = Path(error.filename or "?").name
        return f"{type(error).__name__} in {name}, line {error.lineno}: {error.msg}"
    said = str(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def place(error: BaseException) -> str:
    """Return `` (file, line N, in function)`` of the user's innermost frame, or nothing."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if is_users(f.filename)]
    if not frames:
        return ""
    frame = frames[-1]
    return f" ({Path(frame.filename).name}, line {frame.lineno}, in {frame.name})"


def is_users(filename: str) -> bool:
    """Tell whether a frame belongs to the history rather than to a library."""
    library = ("site-packages", "dist-packages", "/lib/python", "<frozen", "<string>")
    return not filename.startswith(HERE) and not any(part in filename for part in library)


#: SQLSTATEs of what another session was in the way of; nothing happened.
CONTENTION = {
    **dict.fromkeys(("40001", "40P01", "55P03"), "contended"),
    "2D521": "overtaken",  # Databricks: another commit came first
}

#: How Databricks names the SQLSTATE: in the text of the message.
SQLSTATE = re.compile(r"SQLSTATE:\s*(\w{5})")


def driver_error(raised: BaseException, *, sql: str | None, kind: str) -> dict[str, Any]:
    """Return what a driver's exception says, whichever of the drivers it is."""
    origin = raised.__cause__ or raised  # asyncpg's own is the cause of the adapter's
    fields = getattr(origin, "diag", origin)
    names = {name: getattr(fields, name, None) for name in NAMES}
    refused = kind == "statement"
    return {
        "kind": CONTENTION.get(code(origin) or "", kind) if refused else kind,
        "error": type(origin).__name__,
        "message": primary(origin)[:MOST],
        "code": code(origin),
        "objects": {name: str(value) for name, value in names.items() if value},
        "sql": sql,
    }


def code(origin: BaseException) -> str | None:
    """Return the SQLSTATE of a driver's exception; None where it has none."""
    told: str | None = getattr(origin, "sqlstate", None) or getattr(origin, "pgcode", None)
    named = SQLSTATE.search(str(origin))
    return told or (named[1] if named else None)


def primary(origin: BaseException) -> str:
    """Return the server's message without DETAIL, which carries row values."""
    diagnosis = getattr(origin, "diag", None)
    found: str | None = getattr(diagnosis, "message_primary", None)
    return found or str(origin).partition("\n")[0]
