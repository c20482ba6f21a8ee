"""Run migration scripts against a target, announcing every act before it happens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from .connection import connect, engine_like
from .environment import Environment
from .errors import RefusedError
from .guard import VersionGuard, guard_for
from .history import Step, path, revisions
from .journal import Journal
from .memory import remind
from .pipe import Pipe


class Migration(Environment):
    """One request to migrate: its lock, its steps, and env.py's part in it."""

    def __init__(
        self, request: dict[str, Any], pipe: Pipe, config: Config, script: ScriptDirectory
    ) -> None:
        super().__init__(request, pipe, config, script)
        self.connection: Connection | None = None
        self.journal: Journal | None = None
        self.guard: VersionGuard | None = None
        self.chosen: list[Step] = []
        self.way: list[dict[str, Any]] = []
        self.heads: list[str] = []  #: as they were read back at the end

    def in_step(self) -> bool:
        """Tell whether a script is running."""
        return bool(self.journal and self.journal.step)

    def skipped(self, kind: str, detail: str) -> None:
        """Tell the service of a directive that has no counterpart on the target's database."""
        self.remark("skipped", kind, detail)

    def noted(self, kind: str, detail: str) -> None:
        """Tell the service what there is to know of what a directive sends."""
        self.remark("noted", kind, detail)

    def remark(self, verb: str, kind: str, detail: str) -> None:
        """Tell the service something of a directive."""
        revision = self.journal.step["revision"] if self.journal and self.journal.step else None
        facts = {"directive": kind, "detail": detail}
        self.pipe.say("note", verb=verb, revision=revision, facts=facts)

    def answer(self) -> dict[str, Any]:
        """Return the heads that were read back."""
        return {"heads": self.heads}

    def note_stamp(self, **arguments: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
        """Pass Alembic's word on to the journal."""
        if self.journal is not None:
            self.journal.note_stamp(**arguments)

    def prepared(self, given: Connection | None) -> Connection:
        """Connect to the target as env.py did, lock it there, and announce the run."""
        if self.connection is None:
            engine = engine_like(given, self.request["url"])
            self.connection = connect(engine)
            self.guard = guard_for(self.connection, self.request)
            self.adopt(given, self.guard)
            self.guard.lock(self.request["lock_wait"])
            self.announce(self.guard)
            self.journal = Journal(self.pipe, engine, self.guard)
        return self.connection

    def announce(self, guard: VersionGuard) -> None:
        """Announce the run with its part of the path.

        Raises:
            MovedError: The target is not where the request says that it is.
        """
        verb, to, heads = (self.request[name] for name in ("verb", "to", "heads"))
        chosen = revisions(self.script, verb, to, tuple(heads))
        part = slice(*self.request["part"])
        self.chosen, self.way = chosen[part], path(chosen, tuple(heads))[part]
        guard.compare(self.way[0]["before"] if self.way else heads)
        guard.commit()
        self.rehearse(self.chosen, guard.connection)
        self.pipe.announce("run", path=self.way, dialect=guard.connection.dialect.name)

    def steps(self, *_: Any) -> Iterator[Step]:  # noqa: ANN401 - Alembic's heads and context
        """Give Alembic the steps one by one, each between its two words.

        A failure is said once, by `main`: an error in Alembic's loop does not come by here.
        """
        if self.guard is None or self.journal is None or self.ended:
            raise RefusedError(
                "env.py must call context.configure() and then context.run_migrations() just once"
            )
        remind(self.impl(), self.request["known"])
        self.journal.attend(self.impl())
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
