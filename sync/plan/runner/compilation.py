"""Compile a path: run its scripts on a shadow, and take down what they send.

The shadow is first brought to where the path begins; nobody asks how. Then each step of
the path is taken down. Between two steps nothing is open, and the service may look.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from . import clock, taps
from .connection import connect, engine_like
from .environment import Environment
from .errors import RefusedError, described, is_users
from .guard import VersionGuard, guard_for
from .history import Step, path, revisions
from .memory import Known, recalled, remind
from .pipe import Pipe
from .recorder import Recorder
from .words import is_setting


class Compilation(Environment):
    """One request to compile a path on an empty shadow."""

    def __init__(
        self, request: dict[str, Any], pipe: Pipe, config: Config, script: ScriptDirectory
    ) -> None:
        super().__init__(request, pipe, config, script)
        self.recorder = Recorder()
        self.connection: Connection | None = None
        self.guard: VersionGuard | None = None
        self.taken: list[dict[str, Any]] = []  #: one for each step of the path that was run
        self.ahead: dict[str, Any] = {}  #: what env.py has sent
        self.way: list[dict[str, Any]] = []
        self.known: list[Known] = []  #: types that existed ahead of the step that runs

    def in_step(self) -> bool:
        """Tell whether a script is running."""
        return bool(self.recorder.script)

    def skipped(self, kind: str, detail: str) -> None:
        """Note a directive that has no counterpart."""
        self.recorder.notes.append((kind, detail))

    def run(self) -> dict[str, Any]:
        """Carry out the request; a script that fails is part of the answer."""
        try:
            return super().run()
        except Exception as error:
            if not self.recorder.script or not self.way:
                raise
            failed = {**self.recorder.taken(), "known": self.known, **described(error)}
            return {**self.answer(), "failed": failed}

    def answer(self) -> dict[str, Any]:
        """Return what was taken down."""
        return {
            "path": self.way,
            "steps": self.taken,
            "aside": self.aside,
            "ahead": self.ahead,
            "behind": {} if self.recorder.script else self.recorder.taken(),
            "sources": sources(self.script, Path(self.request["config"]).parent),
        }

    def prepared(self, given: Connection | None) -> Connection:
        """Connect to the shadow as env.py did, and begin to take down what is sent."""
        if self.connection is None:
            self.connection = connect(engine_like(given, self.request["url"]))
            self.guard = guard_for(self.connection, self.request)
            self.guard.prepare(self.request)
            self.require_empty(self.guard)
            for sql in filter(is_setting, self.aside):
                self.guard.ask(sql)
                self.guard.commit()
            taps.install(self.connection, self.recorder)
            self.mute("_ensure_version_table")
            self.mute("get_current_heads")
        return self.connection

    def require_empty(self, guard: VersionGuard) -> None:
        """Refuse a shadow that somebody else has been at.

        Raises:
            RefusedError: There are revisions on it.
        """
        if found := guard.heads():
            raise RefusedError(f"the shadow is not empty: it is at {', '.join(found)}")
        guard.commit()

    def mute(self, name: str) -> None:
        """Keep a method by which Alembic looks after its version table out of the plan."""
        method, recorder = getattr(MigrationContext, name), self.recorder

        def muted(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - Alembic's own arguments
            with recorder.silence():
                return method(*arguments, **named)

        setattr(MigrationContext, name, muted)

    def steps(self, *_: Any) -> Iterator[Step]:  # noqa: ANN401 - Alembic's heads and context
        """Give Alembic the way to where the path begins, then the path."""
        if self.guard is None or self.connection is None or self.ended:
            raise RefusedError(
                "env.py must call context.configure() and then context.run_migrations() just once"
            )
        impl = self.impl()
        self.ahead = self.recorder.taken()
        verb, to, heads = (self.request[name] for name in ("verb", "to", "heads"))
        yield from self.way_to(heads)
        remind(impl, [])
        chosen = revisions(self.script, verb, to, tuple(heads))
        self.way = path(chosen, tuple(heads))
        self.rehearse(chosen, self.connection)
        for step, facts in zip(chosen, self.way):  # noqa: B905 - Python 3.9 too
            self.pipe.announce("step", **facts)
            self.recorded(step)
            self.known = recalled(impl)
            yield step
            self.taken.append({**self.recorder.taken(), "known": self.known})
            self.pipe.say("done", facts={})
        self.recorder.muted, self.ended = 0, True

    def time(self, step: Step) -> AbstractContextManager[None]:
        """Return the time in which the script of *step* runs."""
        if not self.request["later"]:
            return nullcontext()
        revision = getattr(step, "revision", None)
        return clock.advanced([*modules(), *([revision.module] if revision else [])])

    def way_to(self, heads: list[str]) -> Iterator[Step]:
        """Give Alembic the steps from an empty database to *heads*; forget what they send."""
        known: tuple[str, ...] = ()
        for head in heads:
            for step in revisions(self.script, "sync", head, known):
                self.recorded(step)
                yield step
                known = (*self.guard_heads(),)
        self.recorder.taken()

    def guard_heads(self) -> list[str]:
        """Return where the shadow is."""
        assert self.guard is not None  # noqa: S101 - only called while steps are given
        with self.recorder.silence():
            return self.guard.heads()

    def recorded(self, step: Step) -> None:
        """Take down what the script of *step* sends; what Alembic does around it is known."""
        script, recorder = step.migration_fn, self.recorder
        file = getattr(getattr(step, "revision", None), "path", "")
        recorder.muted = 1

        def run(**arguments: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
            recorder.muted, recorder.script = 0, file
            with self.time(step):
                script(**arguments)
            recorder.muted, recorder.script = 1, ""

        step.migration_fn = run


def modules() -> list[ModuleType]:
    """Return the modules that belong to the project."""
    return [m for m in [*sys.modules.values()] if is_users(str(getattr(m, "__file__", None) or ""))]


def sources(script: ScriptDirectory, root: Path) -> dict[str, str]:
    """Return the sha256 of env.py and of each module of the project, by path from *root*."""
    files = {str(getattr(module, "__file__", None) or "") for module in [*sys.modules.values()]}
    files.add(str(Path(script.dir, "env.py")))
    mine = sorted(file for file in files if file.endswith(".py") and is_users(file))
    return {
        os.path.relpath(file, root): hashlib.sha256(Path(file).read_bytes()).hexdigest()
        for file in mine
        if Path(file).is_file()
    }
