"""Everything levelhead raises on purpose, and what the caller may do next.

LevelheadError
  ConfigError                  mend the configuration
    UnknownTargetError
    UnknownDialectError
    ShadowError                there is no database to compile plans on: see `shadow`
  ProviderError      .target
    ConnectError               nothing was sent: try again
      StartingError            the server is starting: try again soon
    AccessDeniedError          credentials or privileges: trying again cannot help
    LockBusyError              somebody else is migrating: try again later
    StatementError             the database said no: the statement had no effect
      ContentionError          another session was in the way: apply the transaction again
        OvertakenError         another commit came first: look, and send the statement again
    ConnectionLostError        the database said nothing: resolve before going on
    StampConflictError         the version table moved: look at the target's status
  PlanError, RunError, AuditError     in sync.errors
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Self

from providers.legible import legible
from providers.types import Heads


class LevelheadError(Exception):
    """Root of every error that levelhead raises on purpose; its text is one line.

    Texts often quote others, a server or a script. Here they become fit to be stored and shown:
    control characters in them are escapes.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str) -> None:
        super().__init__(legible(message))

    def __copy__(self) -> Self:
        """Return an equal error; not by `__init__`, which asks for more than the text."""
        made = type(self).__new__(type(self), *self.args)
        made.__dict__.update(self.__dict__)
        return made


class ConfigError(LevelheadError):
    """The configuration cannot be used as written."""

    exit_code = 2


class UnknownTargetError(ConfigError):
    """No target has this name."""


class UnknownDialectError(ConfigError):
    """No provider is registered for this dialect."""


class ShadowError(ConfigError):
    """There is no fit place for a shadow; nothing was touched there."""


class ProviderError(LevelheadError):
    """A target refused, or could not be reached."""

    exit_code = 3

    def __init__(self, message: str, *, target: str) -> None:
        super().__init__(f"{target}: {message}")
        self.target = target
        self.reason = legible(message)  #: the text without the target's name


class ConnectError(ProviderError):
    """No session could be opened. Nothing was sent, so trying again is safe."""


class StartingError(ConnectError):
    """The server is starting and takes no session yet. Nothing was sent; try again soon."""


class AccessDeniedError(ProviderError):
    """Credentials are wrong, or a privilege is missing. Trying again cannot help."""


class LockBusyError(ProviderError):
    """Another session holds the target's migration lock. Try again later."""


class StatementError(ProviderError):
    """The database rejected a statement, so it had no effect.

    The message holds no row data: it is safe to store.
    """

    def __init__(
        self,
        message: str,
        *,
        target: str,
        ticket: str | None = None,
        code: str | None = None,
        sql: str | None = None,
        objects: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, target=target)
        self.ticket = ticket  #: None where the statement had no intent of its own
        self.code = code  #: SQLSTATE; None where the database gave none
        self.sql = sql  #: the statement that failed; None where it is not known
        self.objects = MappingProxyType(dict(objects or {}))  #: table, column, constraint...


class ContentionError(StatementError):
    """Another session was in the way, so nothing happened. The same may succeed a moment later.

    A lock that was not free in time, a deadlock, or a transaction that could not be put into
    an order with another one: the statement itself is not at fault.
    """


class OvertakenError(ContentionError):
    """A commit of another writer came first, so nothing of the statement stands.

    Alone it may be sent again, after a look at what the other one has done.
    """


class ConnectionLostError(ProviderError):
    """The session died with something in flight. What became of it is unknown."""

    def __init__(self, message: str, *, target: str, ticket: str | None = None) -> None:
        super().__init__(message, target=target)
        self.ticket = ticket


class StampConflictError(ProviderError):
    """The version table did not hold the heads that were expected. Nothing was changed."""

    def __init__(self, *, target: str, expected: Heads, found: Heads) -> None:
        super().__init__(
            f"expected heads {sorted(expected)}, found {sorted(found)}; "
            f"run levelhead status {target}",
            target=target,
        )
        self.expected = expected
        self.found = found
