"""Run migration scripts against a target, announcing every act before it happens."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from .connection import Guard, connect, engine_like
from .errors import RefusedError, described, driver_error
from .history import Step, path, revisions
from .pipe import Pipe

READS = ("select", "show")


class Journal:
    """Tells the service what is sent: each COMMIT with its statements, and what commits alone."""

    def __init__(self, pipe: Pipe, engine: Engine) -> None:
        self.pipe = pipe
        self.step: dict[str, Any] | None = None  #: whose statements are being sent
        self.stamped = False  #: the open transaction moves the version table
        self.pending: list[tuple[str, str | None]] = []  #: sent in the open transaction
        self.dialect = dialect = engine.dialect
        self._commit, self._rollback = dialect.do_commit, dialect.do_rollback
        dialect.do_commit = self.commit  # type: ignore[method-assign]  # no event brackets COMMIT
        dialect.do_rollback = self.rollback  # type: ignore[method-assign]
        for name in ("do_execute", "do_executemany", "do_execute_no_params"):
            event.listen(engine, name, getattr(self, name))

    def do_execute(self, cursor: Any, sql: str, parameters: Any, context: Any) -> bool:  # noqa: ANN401 - drivers' objects
        """Send one statement in place of SQLAlchemy."""
        return self.send(cursor, sql, parameters, context, context.dialect.do_execute)

    def do_executemany(self, cursor: Any, sql: str, parameters: Any, context: Any) -> bool:  # noqa: ANN401 - drivers' objects
        """Send one statement for many rows in place of SQLAlchemy."""
        return self.send(cursor, sql, parameters, context, context.dialect.do_executemany)

    def do_execute_no_params(self, cursor: Any, sql: str, context: Any) -> bool:  # noqa: ANN401 - drivers' objects
        """Send one bare statement in place of SQLAlchemy."""

        def act(cursor: Any, sql: str, _: None, context: Any) -> None:  # noqa: ANN401 - drivers' objects
            context.dialect.do_execute_no_params(cursor, sql, context)

        return self.send(cursor, sql, None, context, act)

    def send(self, cursor: Any, sql: str, parameters: Any, context: Any, act: Any) -> bool:  # noqa: ANN401 - drivers' objects
        """Send a statement; announce it first where nothing can roll it back."""
        parameters_digest = digest(parameters)
        if commits_alone(context.root_connection) and not sql.lower().startswith(READS):
            with self.pipe.act(
                "statement",
                describe=self.describe(context.root_connection.connection, sql),
                sqls=[sql],
                parameters=[parameters_digest],
                **(self.step or {}),
            ) as ticket:
                act(cursor, f"/* levelhead:{ticket} */ {sql}", parameters, context)
        else:
            act(cursor, sql, parameters, context)
            self.pending.append((sql, parameters_digest))
        return True

    def commit(self, dbapi_connection: Any) -> None:  # noqa: ANN401 - a driver's object
        """Announce a COMMIT with all that it makes final, then send it."""
        if self.step is None or not self.pending:
            # Between steps only the version table is made: the run's own intent covers it,
            # and what was sent is told with the first step.
            self._commit(dbapi_connection)
            return
        sent, self.pending = self.pending, []
        with self.pipe.act(
            "transaction",
            describe=self.describe(dbapi_connection, None),
            sqls=[sql for sql, _ in sent],
            parameters=[parameters for _, parameters in sent],
            stamped=self.stamped,
            **self.step,
        ):
            self._commit(dbapi_connection)
        self.stamped = False

    def describe(
        self,
        dbapi_connection: Any,  # noqa: ANN401 - a driver's object
        sql: str | None,
    ) -> Callable[[BaseException], dict[str, Any]]:
        """Return how errors are told here, where SQLAlchemy has not wrapped the driver's yet."""

        def told(error: BaseException) -> dict[str, Any]:
            if self.dialect.dbapi and isinstance(error, self.dialect.dbapi.Error):
                lost = self.dialect.is_disconnect(error, dbapi_connection, None)
                return driver_error(error, sql=sql, lost=lost)
            return described(error)

        return told

    def note_stamp(self, **_: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
        """Be told by Alembic that the version table was moved in the open transaction."""
        self.stamped = True

    def rollback(self, dbapi_connection: Any) -> None:  # noqa: ANN401 - a driver's object
        """Forget what a rollback undoes."""
        self.pending, self.stamped = [], False
        self._rollback(dbapi_connection)


def commits_alone(connection: Connection) -> bool:
    """Tell whether the driver's connection commits each statement by itself."""
    return bool(getattr(connection.connection.dbapi_connection, "autocommit", True))


def digest(parameters: Any) -> str | None:  # noqa: ANN401 - whatever a driver takes
    """Return the sha256 of a statement's parameters; None where it has none."""
    if not parameters:
        return None
    return hashlib.sha256(repr(parameters).encode()).hexdigest()


class Migration:
    """One request to migrate: its lock, its steps, and env.py's part in it."""

    def __init__(
        self, request: dict[str, Any], pipe: Pipe, config: Config, script: ScriptDirectory
    ) -> None:
        self.request = request
        self.pipe = pipe
        self.config = config
        self.script = script
        self.connection: Connection | None = None
        self.journal: Journal | None = None
        self.guard: Guard | None = None
        self.chosen: list[Step] = []
        self.way: list[dict[str, Any]] = []
        self.heads: list[str] = []  #: as they were read back at the end
        self.ended = False

    def run(self) -> list[str]:
        """Carry out the request; return the heads it ended at."""
        with EnvironmentContext(
            self.config, self.script, fn=self.steps, destination_rev=self.request["to"]
        ):
            original = MigrationContext.configure
            MigrationContext.configure = self.substitute(original)  # type: ignore[method-assign]
            self.lend()
            self.script.run_env()
        if not self.ended:
            raise RefusedError("env.py ended without calling context.run_migrations()")
        return self.heads

    def lend(self) -> None:
        """Put our connection where env.py looks for one: an attribute ``{connection}``."""
        for name, value in self.request["attributes"].items():
            if value == "{connection}":
                self.config.attributes[name] = self.prepared(None)

    def substitute(self, original: Any) -> Any:  # noqa: ANN401 - a bound classmethod of Alembic
        """Return a ``MigrationContext.configure`` that works on our connection."""

        def configure(
            connection: Connection | None = None,
            *_: Any,  # noqa: ANN401 - Alembic's own arguments
            environment_context: EnvironmentContext | None = None,
            opts: dict[str, Any] | None = None,
            **__: Any,  # noqa: ANN401 - Alembic's own arguments
        ) -> MigrationContext:
            options = {**(opts or {}), "as_sql": False, "transaction_per_migration": True}
            self.check_options(options)
            ours = self.prepared(connection)
            options["on_version_apply"] = (*(options.get("on_version_apply") or ()), self.note)
            context: MigrationContext = original(
                connection=ours, environment_context=environment_context, opts=options
            )
            return context

        return configure

    def note(self, **arguments: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
        """Pass Alembic's word on to the journal."""
        if self.journal is not None:
            self.journal.note_stamp(**arguments)

    def check_options(self, options: dict[str, Any]) -> None:
        """Require env.py's version table to be the one that the service watches."""
        if self.request["schema"] and not options.get("version_table_schema"):
            options["version_table_schema"] = self.request["schema"]
        for name, default in (("version_table", "alembic_version"), ("version_table_schema", None)):
            found = options.get(name) or default
            if found != self.request[name]:
                raise RefusedError(
                    f"env.py uses {name} {found!r}, the settings say {self.request[name]!r}; "
                    f"set {name} of the history"
                )

    def prepared(self, given: Connection | None) -> Connection:
        """Connect to the target as env.py did, lock it there, and announce the run."""
        if self.connection is None:
            engine = engine_like(given, self.request["url"])
            self.connection = connect(engine)
            self.guard = Guard(
                self.connection,
                self.request["version_table"],
                self.request["version_table_schema"],
            )
            self.guard.prepare(self.request)
            self.guard.lock(self.request["lock_wait"])
            self.announce(self.guard)
            self.journal = Journal(self.pipe, engine)
        return translated(self.connection, given)

    def announce(self, guard: Guard) -> None:
        """Announce the run with its path.

        Raises:
            MovedError: The target is not where the request says that it is.
        """
        expected = self.request["heads"]
        guard.compare(expected)
        guard.commit()
        verb, to = self.request["verb"], self.request["to"]
        self.chosen = revisions(self.script, verb, to, tuple(expected))
        self.way = path(self.chosen, tuple(expected))
        self.pipe.announce("run", path=self.way, dialect=guard.connection.dialect.name)

    def steps(self, *_: Any) -> Iterator[Step]:  # noqa: ANN401 - Alembic's heads and context
        """Give Alembic the steps one by one, each between its two words.

        A failure is said once, by `main`: an error in Alembic's loop does not come by here.
        """
        if self.guard is None or self.journal is None or self.ended:
            raise RefusedError(
                "env.py must call context.configure() and then context.run_migrations() just once"
            )
        for step, facts in zip(self.chosen, self.way):  # noqa: B905 - Python 3.9 too
            self.pipe.announce("step", **facts)
            self.journal.step = facts
            guarded(step, self.guard, facts["before"])
            yield step
            self.journal.step = None
            self.pipe.say("done", facts={})
        self.finish(self.guard)

    def finish(self, guard: Guard) -> None:
        """Read the heads back, give the lock back, and say that the run is over."""
        self.heads, self.ended = guard.heads(), True
        guard.commit()
        guard.unlock()
        self.pipe.say("done", facts={"heads": self.heads})


def guarded(step: Step, guard: Guard, before: list[str]) -> None:
    """Make *step* hold the version table to *before* ahead of its script."""
    script = step.migration_fn

    def run(**arguments: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
        guard.require(before)
        script(**arguments)

    step.migration_fn = run


def translated(ours: Connection, given: Connection | None) -> Connection:
    """Carry env.py's ``schema_translate_map`` over to our connection."""
    names = given.get_execution_options().get("schema_translate_map") if given is not None else None
    return ours.execution_options(schema_translate_map=names) if names else ours
