"""What one step has sent to a shadow: its statements, what it read, and what defies replay.

Statements are taken down after they succeeded, literal, at the driver's own cursor; what a
rollback undoes is forgotten. Nothing is judged here: the service decides what a step is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import outside
from .errors import OutsideError, is_users
from .words import require_sendable


class Sent:
    """One statement that succeeded."""

    def __init__(self, sql: str, place: str) -> None:
        self.sql = sql
        self.place = place  #: such as ``"0016_tenant.py line 14"``; empty where no script sent it
        self.read = False  #: what it returned was looked at


class Recorder:
    """Takes down what is sent on one connection, step by step."""

    def __init__(self) -> None:
        self.alone: Callable[[], bool] = lambda: False  #: do statements commit by themselves?
        self.script = ""  #: path of the script that runs; empty between scripts
        self.muted = 0  #: what we ask for ourselves is no part of a plan
        self.inside = False  #: one driver's call may be made of others
        self.open: list[Sent] = []  #: the transaction under way
        self.blocks: list[tuple[bool, list[Sent]]] = []  #: transactional?, statements
        self.reasons: list[str] = []  #: what defies replay
        self.outside: list[str] = []  #: what would have happened outside of the shadow
        self.on_own_server = True  #: the shadow's server is there for shadows only
        self.skips: list[tuple[str, str]] = []  #: directives without a counterpart
        self.notes: list[tuple[str, str]] = []  #: what there is to know of others
        self.undone: list[Sent] = []  #: what was looked at in transactions that were rolled back
        self.remains: list[str] = []  #: what a script has left behind in the session

    @contextmanager
    def listening(self, script: str) -> Iterator[None]:
        """Take down what *script*, a file, sends during the block; else nothing is taken down.

        Where it fails nothing changes: what failed is told with what it had sent.
        """
        self.muted, self.script = 0, script
        yield
        self.muted, self.script = 1, ""

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Take nothing down during the block."""
        self.muted += 1
        try:
            yield
        finally:
            self.muted -= 1

    @contextmanager
    def sending(self, texts: Callable[[], list[str]]) -> Iterator[list[Sent]]:
        """Take down the statements of *texts* that the block sends, once it succeeded."""
        found: list[Sent] = []
        if self.muted or self.inside:
            yield found
            return
        self.inside = True
        try:
            found += [Sent(text, self.place()) for text in texts()]
            for one in found:
                require_sendable(one.sql)
            self.require_inside(found)
            yield found
        except OutsideError:
            raise
        except Exception as error:
            self.defies(f"goes on after {type(error).__name__}")
            raise
        finally:
            self.inside = False
        self.keep(found)

    def require_inside(self, sent: list[Sent]) -> None:
        """Let nothing be sent that reaches beyond the shadow.

        Raises:
            OutsideError: Something would.
        """
        for one in sent:
            if what := outside.found_in(one.sql, on_own_server=self.on_own_server):
                self.goes_outside(what)
                raise OutsideError(what)

    def goes_outside(self, what: str) -> None:
        """Note what a script was about to do outside of the shadow."""
        self.outside.append(f"acts outside of its database: {what}{self.where()}")

    def keep(self, sent: list[Sent]) -> None:
        """Put statements where they belong: into the open transaction, or each for itself."""
        if self.alone():
            self.blocks += [(False, [one]) for one in sent]
        else:
            self.open += sent

    def defies(self, reason: str) -> None:
        """Note why the step that runs cannot be replayed."""
        if not self.muted:
            self.reasons.append(f"{reason}{self.where()}")

    def looked(self, sent: list[Sent]) -> None:
        """Note that what statements returned was looked at."""
        if not self.muted:
            for one in sent:
                one.read = True

    def commit(self) -> None:
        """Close the open transaction."""
        if self.open:
            self.blocks.append((True, self.open))
        self.open = []

    def rollback(self) -> None:
        """Forget the open transaction, but not what was read in it."""
        read = [one for one in self.open if one.read]
        self.reasons += [f"reads and rolls back, {one.place}" for one in read]
        self.undone += read
        self.open = []

    def taken(self) -> dict[str, Any]:
        """Return all that was taken down since the last time, and begin anew."""
        self.commit()
        told = {
            "blocks": [
                {"transactional": whole, "statements": [plain(one) for one in sent]}
                for whole, sent in self.blocks
            ],
            "reasons": self.reasons,
            "skips": self.skips,
            "notes": self.notes,
            "outside": self.outside,
            "undone": [plain(one) for one in self.undone],
            "remains": self.remains,
        }
        self.blocks, self.undone, self.outside = [], [], []
        self.reasons, self.skips, self.notes, self.remains = [], [], [], []
        return told

    def texts(self) -> list[str]:
        """Return the statements that have been taken down since the last time."""
        return [one.sql for sent in (*(sent for _, sent in self.blocks), self.open) for one in sent]

    def where(self) -> str:
        """Return the place in the user's files, ready to be added to a sentence."""
        place = self.place()
        return f", {place}" if place else ""

    def place(self) -> str:
        """Return the line of the running script that we were called from, or of another file."""
        frames = list(calling(sys._getframe()))  # noqa: SLF001 - what inspect.stack() is made of, without its cost
        mine = [frame for frame in frames if frame.f_code.co_filename == self.script]
        for frame in mine or [f for f in frames if is_users(f.f_code.co_filename)]:
            return f"{Path(frame.f_code.co_filename).name} line {frame.f_lineno}"
        return ""


def calling(frame: Any) -> Iterator[Any]:  # noqa: ANN401 - types.FrameType, walked
    """Yield *frame* and all that it was called from, innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def plain(sent: Sent) -> dict[str, Any]:
    """Return a statement as the service is told of it."""
    return {"sql": sent.sql, "place": sent.place, "read": sent.read}
