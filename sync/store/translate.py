"""What the control database says, in one line that holds no URL and no password."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from sync.errors import ControlDatabaseError

#: SQLSTATE of a transaction that was ended to break a circle of those who wait.
DEADLOCK = "40P01"

#: Part of a database's message -> what to do about it.
_ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "readonly database": "make the file and its folder writable",
        "read-only transaction": "make it writable",
        "disk is full": "free some space",
        "no space left": "free some space",
        "is locked": "another process is writing to it; try again",
        "not a database": "look at url under [control]",
        "unable to open database file": "make its folder exist and writable",
        "authentication failed": "look at user and password of url under [control]",
        "does not exist": "look at url under [control]",
        "connect call failed": "see that the server runs and accepts connections",
    },
)


class CommitInDoubtError(ControlDatabaseError):
    """COMMIT was sent and not confirmed: what the transaction did may be there or not."""


class DeadlockError(ControlDatabaseError):
    """Transactions waited for each other, and the database ended this one: nothing of it stands."""


@contextmanager
def translated(
    place: str,
    refusal: type[ControlDatabaseError] = ControlDatabaseError,
) -> Iterator[None]:
    """Raise *refusal* for whatever a driver raises while a connection is used.

    `OSError` is how asyncpg tells that the network or its own time limit ended a call.
    """
    try:
        yield
    except (DBAPIError, PoolTimeoutError, OSError) as error:
        # Without its cause: a driver's error quotes values.
        kind = DeadlockError if _code(error) == DEADLOCK else refusal
        raise kind(f"{place}: {_with_advice(_reason(error))}") from None


@contextmanager
def translated_connect(place: str) -> Iterator[None]:
    """Raise `ControlDatabaseError` for whatever a driver raises while it connects."""
    try:
        yield
    except ControlDatabaseError:
        raise
    except Exception as error:  # noqa: BLE001 - a driver may raise anything while it connects
        # A driver that cannot read its URL may quote it: such errors lose text and cause.
        told = isinstance(error, (DBAPIError, PoolTimeoutError, OSError)) or _has_code(error)
        reason = _reason(error) if told else f"cannot connect ({type(error).__name__})"
        raise ControlDatabaseError(f"{place}: {_with_advice(reason)}") from None


def _has_code(error: BaseException) -> bool:
    """Tell whether a database server, rather than a driver, wrote the message."""
    return _code(error) is not None


def _code(error: BaseException) -> str | None:
    """Return the SQLSTATE that a database server gave; None where it is not known."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    found: str | None = getattr(origin, "sqlstate", None)
    return found


def _reason(error: BaseException) -> str:
    """Return the first line of what the database said; details may hold values."""
    if isinstance(error, PoolTimeoutError):
        return "every connection is busy"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    origin = error.orig if isinstance(error, DBAPIError) and error.orig else error
    said = str(origin.__cause__ or origin)
    return said.splitlines()[0] if said else type(origin).__name__


def _with_advice(reason: str) -> str:
    found = (advice for part, advice in _ADVICE.items() if part in reason.lower())
    return "; ".join((reason, *list(found)[:1]))
