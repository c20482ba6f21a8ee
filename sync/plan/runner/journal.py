"""Everything that a script sends passes here: announced, counted, or skipped.

Where statements commit alone each is announced before it is sent. Within a transaction
they are gathered, and the COMMIT is announced with all of them. Where an earlier run was
interrupted in the middle of a revision, what it had made final is skipped, hash by hash.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from .errors import ResumeError, described, driver_error
from .guard import VersionGuard
from .pipe import Pipe
from .words import (
    answers,
    called,
    commits_alone,
    digest,
    is_read,
    is_setting,
    require_sendable,
)


class Journal:
    """Stands between SQLAlchemy and the driver of one engine."""

    def __init__(self, pipe: Pipe, engine: Engine, guard: VersionGuard) -> None:
        self.pipe = pipe
        self.guard = guard
        self.step: dict[str, Any] | None = None  #: whose statements are being sent
        self.stamped = False  #: the open transaction moves the version table
        self.unheeded = False  #: what is being sent came by a way that gives no result back
        self.pending: list[tuple[str, str | None]] = []  #: sent in the open transaction
        self.preamble: list[tuple[str, str | None]] = []  #: sent by Alembic ahead of the step
        self.applied: deque[list[str | None]] = deque()  #: what an earlier run made final
        dialect = engine.dialect
        self._commit, self._rollback = dialect.do_commit, dialect.do_rollback
        dialect.do_commit = self.commit  # type: ignore[method-assign]  # no event brackets COMMIT
        dialect.do_rollback = self.rollback  # type: ignore[method-assign]
        for name in ("do_execute", "do_executemany", "do_execute_no_params"):
            event.listen(engine, name, getattr(self, name))

    def attend(self, impl: Any) -> None:  # noqa: ANN401 - Alembic's DefaultImpl
        """Know from now on what comes by ``op.execute``: the script never sees its result."""
        execute = impl.execute

        def unheeding(*arguments: Any, **named_ones: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
            with self.not_heeding():
                execute(*arguments, **named_ones)

        impl.execute = unheeding

    @contextmanager
    def not_heeding(self) -> Iterator[None]:
        """Mark what is sent during the block: nobody can see its result."""
        self.unheeded = True
        try:
            yield
        finally:
            self.unheeded = False

    def begin(self, step: dict[str, Any], applied: list[list[str | None]]) -> None:
        """Enter a step, of which *applied* was made final by an earlier run."""
        self.set_aside()
        self.step, self.applied = step, deque(applied)

    def set_aside(self) -> None:
        """Keep what Alembic itself has changed for the next announcement; reads are no news."""
        self.preamble += [sent for sent in self.pending if not is_read(sent[0])]
        self.pending = []

    def end(self) -> None:
        """Leave the step.

        Raises:
            ResumeError: The script sent less than an earlier run of it had made final.
        """
        if self.step and self.applied:
            raise ResumeError(self.step["revision"])
        self.step = None

    def do_execute(self, cursor: Any, sql: str, parameters: Any, context: Any) -> bool:  # noqa: ANN401 - drivers' objects
        """Send one statement in place of SQLAlchemy."""
        return self.send(cursor, sql, parameters, context, context.dialect.do_execute)

    def do_executemany(self, cursor: Any, sql: str, parameters: Any, context: Any) -> bool:  # noqa: ANN401 - drivers' objects
        """Send one statement for many rows in place of SQLAlchemy.

        Where a driver makes a statement of each row, and each stands for itself, so does this.
        """
        dialect = context.dialect
        if not self.guard.row_by_row:
            return self.send(cursor, sql, parameters, context, dialect.do_executemany)
        for row in parameters:
            self.send(cursor, sql, row, context, dialect.do_execute)
        return True

    def do_execute_no_params(self, cursor: Any, sql: str, context: Any) -> bool:  # noqa: ANN401 - drivers' objects
        """Send one bare statement in place of SQLAlchemy."""

        def act(cursor: Any, sql: str, _: None, context: Any) -> None:  # noqa: ANN401 - drivers' objects
            context.dialect.do_execute_no_params(cursor, sql, context)

        return self.send(cursor, sql, None, context, act)

    def send(self, cursor: Any, sql: str, parameters: Any, context: Any, act: Any) -> bool:  # noqa: ANN401 - drivers' objects
        """Send a statement, or skip it; announce it first where nothing can roll it back."""
        require_sendable(sql)
        connection = context.root_connection.connection
        sent = (sql, digest(repr(parameters)) if parameters else None)
        if self.is_read(sql):
            act(cursor, sql, parameters, context)
            self.note_read(*sent, alone=commits_alone(connection))
        elif self.applied:
            self.skip(*sent)
        elif commits_alone(connection) and self.step is not None:
            self.insist(sent, lambda marked: act(cursor, marked, parameters, context))
        else:
            act(cursor, sql, parameters, context)
            self.pending.append(sent)
        return True

    def insist(self, sent: tuple[str, str | None], act: Callable[[str], None]) -> None:
        """Send a statement that commits alone; where another commit came first, perhaps again.

        Then nothing of it stands. The service decides, and has us look before each retry.

        Raises:
            MovedError: Whoever came first has migrated the target.
        """
        while True:
            try:
                with self.announced("statement", sent) as ticket:
                    return self.make_stand(act, f"/* levelhead:{ticket} */ {sent[0]}")
            except Exception as error:  # a driver's: no class is known here
                if not self.is_overtaken(error) or not self.pipe.may_try_again():
                    raise
            self.look()

    def make_stand(self, act: Callable[[str], None], marked: str) -> None:
        """Send a statement; what fails behind its commit is no failure: it must not come twice."""
        try:
            act(marked)
        except Exception as error:  # a driver's: no class is known here
            if not self.guard.has_committed(error):
                raise

    def is_overtaken(self, error: Exception) -> bool:
        """Tell whether a statement had no effect because another commit came first."""
        told = self.describe(None)(error)
        return bool(told["kind"] == "overtaken")

    def look(self) -> None:
        """Require the version table to stand where the step begins; say why where it does not.

        The service hears of it whatever the script makes of the error.
        """
        try:
            self.guard.require((self.step or {})["before"])
        except Exception as error:
            self.pipe.say("failed", **described(error))
            raise

    def is_read(self, sql: str) -> bool:
        """Tell whether a statement may be sent again and again.

        What a script sends without looking at the result, it sends for the sake of an effect.
        Where it may look, a function that may have one is enough to be in doubt.
        """
        if not is_read(sql):
            return False
        if self.step is None or is_setting(sql) or not answers(sql):
            return True
        return not self.unheeded and not self.guard.may_act(called(sql))

    def note_read(self, sql: str, parameters: str | None, *, alone: bool) -> None:
        """Remember a read that belongs to a transaction; it is never skipped."""
        if self.applied and self.applied[0] == [digest(sql), parameters]:
            self.applied.popleft()
        elif not alone:
            self.pending.append((sql, parameters))

    def skip(self, sql: str, parameters: str | None) -> None:
        """Pass over a statement that an earlier run made final.

        Raises:
            ResumeError: It is another one, or the script may have used what it returned.
        """
        used = not self.unheeded and answers(sql)
        if self.applied.popleft() != [digest(sql), parameters] or used:
            raise ResumeError((self.step or {})["revision"])

    def commit(self, dbapi_connection: Any) -> None:  # noqa: ANN401 - a driver's object
        """Announce a COMMIT with all that it makes final, then send it."""
        if self.step is None:
            # Only the version table is made here: the run's own intent covers it, and what
            # was sent is told with the next transaction.
            self.set_aside()
        if not self.pending:
            self._commit(dbapi_connection)
            return
        sent, self.pending = self.pending, []
        with self.announced("transaction", *sent, stamped=self.stamped):
            self._commit(dbapi_connection)
        self.stamped = False

    def announced(
        self,
        noun: str,
        *sent: tuple[str, str | None],
        **facts: Any,  # noqa: ANN401 - whatever JSON can carry
    ) -> AbstractContextManager[str]:
        """Announce statements, and tell how sending them ended."""
        ahead, self.preamble = self.preamble, []
        told = [*ahead, *sent]
        return self.pipe.act(
            noun,
            describe=self.describe(sent[0][0] if noun == "statement" else None),
            sqls=[sql for sql, _ in told],
            parameters=[parameters for _, parameters in told],
            preamble=len(ahead),
            **facts,
            **(self.step or {}),
        )

    def describe(self, sql: str | None) -> Callable[[BaseException], dict[str, Any]]:
        """Return how errors are told here, where SQLAlchemy has not wrapped the driver's yet."""

        def told(error: BaseException) -> dict[str, Any]:
            kind = self.guard.kind(error)
            return described(error) if kind == "script" else driver_error(error, sql=sql, kind=kind)

        return told

    def note_stamp(self, **_: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
        """Be told by Alembic that the version table was moved in the open transaction."""
        self.stamped = True

    def rollback(self, dbapi_connection: Any) -> None:  # noqa: ANN401 - a driver's object
        """Forget what a rollback undoes."""
        self.pending, self.stamped = [], False
        self._rollback(dbapi_connection)
