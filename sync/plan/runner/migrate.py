"""Run migration scripts against a target, announcing every act before it happens."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from .connection import connect, engine_like
from .errors import RefusedError
from .extension import connect_with, loaded, refuse_while
from .guard import VersionGuard, guard_for
from .history import Step, path, revisions
from .journal import Journal
from .pipe import Pipe


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
        self.guard: VersionGuard | None = None
        self.extension: ModuleType | None = None
        self.chosen: list[Step] = []
        self.way: list[dict[str, Any]] = []
        self.heads: list[str] = []  #: as they were read back at the end
        self.ended = False

    def run(self) -> list[str]:
        """Carry out the request; return the heads it ended at."""
        refuse_while(lambda: bool(self.journal and self.journal.step))
        connect_with(self.request["connect_arguments"], self.request["url"])
        self.extension = loaded(self.request["extension"])
        if self.extension is not None:
            self.extension.install(self.skipped)
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

    def skipped(self, kind: str, detail: str) -> None:
        """Tell the service of a directive that has no counterpart on the target's database."""
        revision = self.journal.step["revision"] if self.journal and self.journal.step else None
        self.pipe.say("note", revision=revision, facts={"directive": kind, "detail": detail})

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
            self.guard = guard_for(
                self.connection,
                self.request["version_table"],
                self.request["version_table_schema"],
            )
            self.guard.prepare(self.request)
            self.guard.lock(self.request["lock_wait"])
            self.announce(self.guard)
            self.journal = Journal(self.pipe, engine, self.guard)
        return translated(self.connection, given)

    def announce(self, guard: VersionGuard) -> None:
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
        self.rehearse(guard)
        self.pipe.announce("run", path=self.way, dialect=guard.connection.dialect.name)

    def rehearse(self, guard: VersionGuard) -> None:
        """Let the extension refuse what it cannot express, before anything is sent."""
        if self.extension is None:
            return
        for step in self.chosen:
            try:
                self.extension.rehearse(step.migration_fn, guard.connection.dialect)
            except self.extension.RefusedDirectiveError as error:
                revision = getattr(step, "revision").revision  # noqa: B009 - stamps run no script
                raise RefusedError(f"revision {revision}: {error}") from error

    def steps(self, *_: Any) -> Iterator[Step]:  # noqa: ANN401 - Alembic's heads and context
        """Give Alembic the steps one by one, each between its two words.

        A failure is said once, by `main`: an error in Alembic's loop does not come by here.
        """
        if self.guard is None or self.journal is None or self.ended:
            raise RefusedError(
                "env.py must call context.configure() and then context.run_migrations() just once"
            )
        for step, facts in zip(self.chosen, self.way):  # noqa: B905 - Python 3.9 too
            self.journal.begin(facts, self.pipe.announce("step", **facts)["applied"])
            guarded(step, self.guard, facts["before"])
            yield step
            self.journal.end()
            self.guard.confirm(facts["after"])
            self.pipe.say("done", facts={})
        self.finish(self.guard)

    def finish(self, guard: VersionGuard) -> None:
        """Read the heads back, give the lock back, and say that the run is over."""
        self.heads, self.ended = guard.heads(), True
        guard.commit()
        guard.unlock()
        self.pipe.say("done", facts={"heads": self.heads})


def guarded(step: Step, guard: VersionGuard, before: list[str]) -> None:
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
