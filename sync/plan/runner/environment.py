"""A history's env.py, run unmodified on a connection of ours.

Alembic's ``MigrationContext.configure`` is replaced for the time of one run: whatever
connection env.py hands over, the migration happens on the one that we have opened.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from .connection import is_ours, unreachable
from .errors import RefusedError
from .extension import connect_with, loaded, refuse_while
from .guard import VersionGuard
from .history import Step, call_hook
from .pipe import Pipe
from .tokens import renewing


class Environment(ABC):
    """One run of env.py, and what happens between it and the target's database."""

    def __init__(
        self, request: dict[str, Any], pipe: Pipe, config: Config, script: ScriptDirectory
    ) -> None:
        self.request = request
        self.pipe = pipe
        self.config = config
        self.script = script
        self.extension: ModuleType | None = None
        self.aside: list[str] = []  #: what hook and env.py have sent on connections of their own
        self.connected = False  #: on our own connection
        self.setup: list[str] = []  #: what sets our session up as env.py's own
        self.ended = False
        self.options: dict[str, Any] = {}  #: what env.py configures, from then on
        self.context: MigrationContext | None = None  #: what env.py has configured

    def run(self) -> dict[str, Any]:
        """Carry out the request; return what the service shall know at the end."""
        refuse_while(self.in_step)
        connect_with(self.connect_arguments(), self.request["url"])
        self.extension = loaded(self.request["extension"])
        if self.extension is not None:
            self.extension.install(self.skipped, self.noted, self.request["refuse_skips"])
        with (
            overheard(self.aside),
            EnvironmentContext(
                self.config, self.script, fn=self.steps, destination_rev=self.request["to"]
            ),
        ):
            call_hook(self.request["hook"], self.config)
            original = MigrationContext.configure
            MigrationContext.configure = self.substitute(original)  # type: ignore[method-assign]
            self.lend()
            self.run_env()
        if not self.ended:
            raise RefusedError("env.py ended without calling context.run_migrations()")
        return self.answer()

    def run_env(self) -> None:
        """Run env.py; that a connection of its own does not come about is no mistake in it.

        Raises:
            UnreachableError: The database refused it, or could not be reached.
        """
        try:
            self.script.run_env()
        except DBAPIError as error:
            if not self.connected and error.statement is None:
                raise unreachable(error, "env.py") from error
            raise

    def ours(self, given: Connection | None) -> Connection:
        """Return our connection, and remember that there is one."""
        connection = self.prepared(given)
        self.connected = True
        return connection

    @abstractmethod
    def in_step(self) -> bool:
        """Tell whether a script is running."""

    @abstractmethod
    def skipped(self, kind: str, detail: str) -> None:
        """Be told of a directive that has no counterpart on the target's database."""

    @abstractmethod
    def noted(self, kind: str, detail: str) -> None:
        """Be told what there is to know of what a directive sends."""

    @abstractmethod
    def prepared(self, given: Connection | None) -> Connection:
        """Return our connection in place of the one that env.py has *given*."""

    @abstractmethod
    def steps(self, *_: Any) -> Iterator[Step]:  # noqa: ANN401 - Alembic's heads and context
        """Give Alembic the steps, one by one."""

    @abstractmethod
    def answer(self) -> dict[str, Any]:
        """Return the runner's last word."""

    def note_stamp(self, **_: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
        """Be told by Alembic that the version table was moved in the open transaction."""
        return

    def impl(self) -> Any:  # noqa: ANN401 - Alembic's DefaultImpl
        """Return what carries out directives; there is one once env.py has configured."""
        assert self.context is not None  # noqa: S101 - only called while steps are given
        return self.context.impl

    def lend(self) -> None:
        """Put our connection where env.py looks for one: an attribute ``{connection}``."""
        for name, value in self.request["attributes"].items():
            if value == "{connection}":
                self.config.attributes[name] = self.ours(None)

    def adopt(self, given: Connection | None, guard: VersionGuard) -> None:
        """Set our session up: as the target's settings say, then as env.py has set up its own.

        Raises:
            RefusedError: The version table would be another one than the service watches.
        """
        self.setup = guard.setup(given, self.aside)
        guard.prepare(self.request)
        watched = guard.place()
        for sql in self.setup:
            guard.ask(sql)
            guard.commit()
        if (found := guard.place()) != watched:
            raise RefusedError(
                f"env.py sets search_path so that its version table is in schema {found!r}, the "
                f"settings look for it in {watched!r}; set schema = {found!r} of the target"
            )

    def connect_arguments(self) -> dict[str, Any]:
        """Return what every connection to the target is made with."""
        given: dict[str, Any] = self.request["connect_arguments"]
        return {**given, **renewing(self.pipe)} if self.request["renews"] else given

    def hooks(self, options: dict[str, Any]) -> list[Any]:
        """Return what Alembic calls at each version: env.py's own functions, and ours."""
        return [*(options.get("on_version_apply") or ()), self.note_stamp]

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
            self.options = options
            ours = translated(self.ours(connection), connection)
            options["on_version_apply"] = self.hooks(options)
            context: MigrationContext = original(
                connection=ours, environment_context=environment_context, opts=options
            )
            self.context = context
            return context

        return configure

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

    def rehearse(self, steps: list[Step], connection: Connection) -> None:
        """Let the extension refuse what it cannot express, before anything is sent."""
        if self.extension is None:
            return
        for step in steps:
            try:
                self.extension.rehearse(step.migration_fn, connection.dialect, self.options)
            except self.extension.RefusedDirectiveError as error:
                revision = getattr(step, "revision").revision  # noqa: B009 - stamps run no script
                raise RefusedError(f"revision {revision}: {error}") from error


@contextmanager
def overheard(said: list[str]) -> Iterator[None]:
    """Note in *said* what is sent on an engine that is not ours, during the block.

    env.py may prepare its connection, by ``SET search_path`` for instance, or ask for what it
    goes by: what it sends before it hands the connection over concerns ours too. The hook may
    prepare the database.
    """

    def hear(connection: Connection, _: Any, sql: str, parameters: Any, *__: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
        if not is_ours(connection):
            said.append(sql if not parameters else f"{sql} -- {len(parameters)} parameters")

    event.listen(Engine, "after_cursor_execute", hear)
    try:
        yield
    finally:
        event.remove(Engine, "after_cursor_execute", hear)


def translated(ours: Connection, given: Connection | None) -> Connection:
    """Carry over to our connection how env.py's own names schemas."""
    if given is None:
        return ours
    ours.dialect.default_schema_name = given.dialect.default_schema_name
    names = given.get_execution_options().get("schema_translate_map")
    return ours.execution_options(schema_translate_map=names) if names else ours
