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

from . import clock, outside, taps
from .connection import connect, engine_like, rendered
from .environment import Environment
from .errors import OWN, RefusedError, described, is_users, place
from .guard import VersionGuard, guard_for
from .history import Step, path, revisions
from .memory import Known, recalled, remind
from .pipe import Pipe
from .recorder import Recorder

#: Flags of a file that is opened for more than to read it.
WRITING = os.O_WRONLY | os.O_RDWR


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
        self.stage = "env.py"  #: what is under way: env.py, the way to the path, or the path
        self.revision = ""  #: whose script runs, or ran last
        self.files: set[str] = set()  #: what has been read
        self.chosen: list[Step] = []
        self.way: list[dict[str, Any]] = []
        self.known: list[Known] = []  #: types that existed ahead of the step that runs

    def in_step(self) -> bool:
        """Tell whether a script is running."""
        return bool(self.recorder.script)

    def skipped(self, kind: str, detail: str) -> None:
        """Take down a directive that has no counterpart."""
        self.recorder.skips.append((kind, detail))

    def noted(self, kind: str, detail: str) -> None:
        """Take down what there is to know of what a directive sends."""
        self.recorder.notes.append((kind, detail))

    def run(self) -> dict[str, Any]:
        """Carry out the request; a failure is part of the answer, but for those that are ours."""
        sys.addaudithook(self.note_file)
        outside.watch(self.in_step, self.recorder.goes_outside)
        self.recorder.on_own_server = self.request["on_own_server"]
        try:
            return super().run()
        except OWN:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a script raises is an answer
            self.choose()
            failed = {"place": place(error), **described(error), "known": self.known}
            taken = {"stage": self.stage, "revision": self.revision, **self.recorder.taken()}
            return {**self.answer(), "failed": {**taken, **failed}}

    def choose(self) -> None:
        """Have Alembic choose the steps of the path.

        Raises:
            RevisionError: There is no such revision.
        """
        heads = tuple(self.request["heads"])
        self.chosen = revisions(self.script, self.request["verb"], self.request["to"], heads)
        self.way = path(self.chosen, heads)

    def note_file(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Be told by Python of every file that is opened: a script may read its SQL from one."""
        if event == "open" and isinstance(arguments[0], str) and not arguments[2] & WRITING:
            self.files.add(arguments[0])

    def answer(self) -> dict[str, Any]:
        """Return what was taken down."""
        return {
            "path": self.way,
            "steps": self.taken,
            "aside": self.aside,
            "setup": self.setup,
            "ahead": self.ahead or self.recorder.taken(),
            "behind": {} if self.recorder.script else self.recorder.taken(),
            "sources": sources(self.files, self.script, Path(self.request["config"]).parent),
        }

    def prepared(self, given: Connection | None) -> Connection:
        """Connect to the shadow as env.py did, and begin to take down what is sent."""
        if self.connection is None:
            self.connection = connect(engine_like(given, self.request["url"]))
            self.guard = guard_for(self.connection, self.request)
            self.require_empty(self.guard)
            self.adopt(given, self.guard)
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

    def hooks(self, options: dict[str, Any]) -> list[Any]:
        """Return what Alembic calls at each version; what env.py's own functions send counts."""
        own, ours = super().hooks(options)[:-1], super().hooks(options)[-1]
        return [*map(self.listened, own), ours]

    def listened(self, hook: Any) -> Any:  # noqa: ANN401 - a function of env.py's
        """Return *hook*, with what it sends taken down as the step's."""
        file = str(Path(self.script.dir, "env.py"))

        def call(**arguments: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
            with self.recorder.listening(file):
                hook(**arguments)

        return call

    def steps(self, *_: Any) -> Iterator[Step]:  # noqa: ANN401 - Alembic's heads and context
        """Give Alembic the way to where the path begins, then the path."""
        if self.guard is None or self.connection is None or self.ended:
            raise RefusedError(
                "env.py must call context.configure() and then context.run_migrations() just once"
            )
        self.choose()
        self.ahead = self.recorder.taken()
        self.recorder.muted = 1
        fresh = self.guard.session()
        if self.request["later"]:
            disguise(self.connection, self.config)
        self.stage = "way"
        yield from self.way_to(self.request["heads"], self.guard)
        if self.request["heads"]:
            self.guard.restore(fresh)
            remind(self.impl(), [])
        self.rehearse(self.chosen, self.connection)
        self.stage = "path"
        yield from self.along(self.guard)
        self.recorder.muted, self.ended = 0, True

    def along(self, guard: VersionGuard) -> Iterator[Step]:
        """Give Alembic the steps of the path, and take each down."""
        for step, facts in zip(self.chosen, self.way):  # noqa: B905 - Python 3.9 too
            session = guard.session()
            self.pipe.announce("step", **facts)
            self.recorded(step)
            self.known = recalled(self.impl())
            yield step
            self.recorder.remains = guard.left(session, self.recorder.texts())
            self.taken.append({**self.recorder.taken(), "known": self.known})
            self.pipe.say("done", facts={})

    def way_to(self, heads: list[str], guard: VersionGuard) -> Iterator[Step]:
        """Give Alembic the steps from an empty database to *heads*; forget what they send."""
        known: tuple[str, ...] = ()
        for head in heads:
            for step in revisions(self.script, "sync", head, known):
                self.recorded(step)
                yield step
            known = tuple(guard.heads())
            guard.commit()
        self.recorder.taken()

    def recorded(self, step: Step) -> None:
        """Take down what the script of *step* sends; what Alembic does around it is known."""
        script, revision = step.migration_fn, getattr(step, "revision", None)

        def run(**arguments: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
            self.revision = getattr(revision, "revision", "")
            with self.recorder.listening(getattr(revision, "path", "")), self.time(revision):
                script(**arguments)

        step.migration_fn = run

    def time(self, revision: Any) -> AbstractContextManager[None]:  # noqa: ANN401 - Alembic's Script, if there is one
        """Return the time in which the script of *revision* runs."""
        if not self.request["later"]:
            return nullcontext()
        return clock.advanced([*modules(), *([revision.module] if revision else [])])


def modules() -> list[ModuleType]:
    """Return the modules that belong to the project."""
    return [m for m in [*sys.modules.values()] if is_users(str(getattr(m, "__file__", None) or ""))]


def disguise(connection: Connection, config: Config) -> None:
    """Hide where the shadow is from scripts: what they make of it comes out different.

    All that needs the address has it by now.
    """
    url = connection.engine.url
    other = url.set(username="levelhead", host="levelhead.invalid", port=1)
    connection.engine.url = other
    was, told = rendered(url), rendered(other)
    config.set_main_option("sqlalchemy.url", told.replace("%", "%%"))
    os.environ.update({name: told for name, value in os.environ.items() if value == was})


def sources(files: set[str], script: ScriptDirectory, root: Path) -> dict[str, str]:
    """Return the sha256 of env.py, of the project's modules, and of what was read beside them.

    The paths are told from *root*, the folder of alembic.ini. What was read may be gone.
    """
    modules = {str(getattr(module, "__file__", None) or "") for module in [*sys.modules.values()]}
    homes = (str(root), script.dir, *map(str, script._version_locations))  # noqa: SLF001 - no public name for it
    read = {file for file in map(os.path.abspath, files) if file.startswith(homes)}
    found = {*modules, *read, os.path.join(script.dir, "env.py")}  # noqa: PTH118 - Alembic's own str
    mine = sorted(file for file in found if is_users(file) and not file.endswith(".pyc"))
    return {
        os.path.relpath(file, root): hashlib.sha256(Path(file).read_bytes()).hexdigest()
        for file in mine
        if Path(file).is_file()
    }
