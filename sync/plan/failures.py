"""What a runner says of a failure, as the error that the service raises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from providers.errors import (
    AccessDeniedError,
    ConnectError,
    ConnectionLostError,
    ContentionError,
    LevelheadError,
    LockBusyError,
    OvertakenError,
    StampConflictError,
    StatementError,
)
from providers.redaction import redacted
from sync.errors import MultipleHeadsError, PlanChangedError, ScriptError, UnknownRevisionError

#: Characters of a runner's text that an error keeps.
LONGEST = 300


def failure(said: Mapping[str, Any], *, subject: str, history: str) -> LevelheadError:
    """Return the error that the runner's word ``failed`` means, its message redacted."""
    if said["kind"] in OF_THE_HISTORY:
        return OF_THE_HISTORY[said["kind"]](said, history)
    return OF_THE_TARGET[said["kind"]](said, subject)


def statement(
    said: Mapping[str, Any],
    target: str,
    kind: type[StatementError] = StatementError,
    around: str = "{}",
) -> LevelheadError:
    """The database refused a statement of a script; *around* is what is said with its message."""
    names = said["objects"]
    text = shortened(said["message"])
    message = redacted(text, code=said["code"], names=tuple(names.values()))
    return kind(
        around.format(f"{message} ({said['error']})"),
        target=target,
        code=said["code"],
        sql=said["sql"],
        objects=names,
    )


def contended(said: Mapping[str, Any], target: str) -> LevelheadError:
    """Another session was in the way of a statement of a script."""
    return statement(said, target, ContentionError)


def overtaken(said: Mapping[str, Any], target: str) -> LevelheadError:
    """Another commit came before a statement of a script."""
    return statement(said, target, OvertakenError, "another commit came first: {}; try again")


def moved(said: Mapping[str, Any], target: str) -> LevelheadError:
    """The target was not where the service had found it a moment before."""
    return StampConflictError(
        target=target, expected=frozenset(said["expected"]), found=frozenset(said["found"])
    )


def lost(said: Mapping[str, Any], target: str) -> LevelheadError:
    """The runner's connection broke."""
    return ConnectionLostError(
        f"connection lost ({said['error']}); sync again: that looks at how far this run came",
        target=target,
    )


def denied(_: Mapping[str, Any], target: str) -> LevelheadError:
    """The database no longer takes the runner's credentials; nothing was sent."""
    return AccessDeniedError("the credentials are not taken any more; renew them", target=target)


def busy(said: Mapping[str, Any], target: str) -> LevelheadError:
    """Somebody else is migrating."""
    return LockBusyError(shortened(said["message"]), target=target)


def unreachable(said: Mapping[str, Any], target: str) -> LevelheadError:
    """The runner could not connect."""
    return ConnectError(shortened(said["message"]), target=target)


def revision(said: Mapping[str, Any], history: str) -> LevelheadError:
    """The history does not have what was asked for."""
    message = f"history {history}: {shortened(said['message'])}; run levelhead check"
    if "ultiple head" in said["message"]:
        return MultipleHeadsError(message)
    return UnknownRevisionError(message)


def script(said: Mapping[str, Any], history: str) -> LevelheadError:
    """A script or env.py failed by itself."""
    message = redacted(shortened(said["message"]), code=None, names=())
    return ScriptError(f"{message}{said['place']}", history=history)


def plain(said: Mapping[str, Any], history: str) -> LevelheadError:
    """A script or env.py failed by itself, in words that can hold no row data."""
    return ScriptError(f"{shortened(said['message'])}{said['place']}", history=history)


def shortened(text: str) -> str:
    """Return the beginning of *text*, on one line.

    The runner does not do this: only a whole text has its secrets whole.
    """
    return " ".join(text.split())[:LONGEST]


def resume(said: Mapping[str, Any], target: str) -> LevelheadError:
    """A half-applied step cannot go on: its script sends something else now."""
    return PlanChangedError(
        f"{target}: {said['message']}; put the target right by hand, then "
        f"levelhead stamp {target} REVISION"
    )


OF_THE_TARGET: Mapping[str, Callable[[Mapping[str, Any], str], LevelheadError]] = {
    "statement": statement,
    "contended": contended,
    "overtaken": overtaken,
    "moved": moved,
    "lost": lost,
    "denied": denied,
    "busy": busy,
    "unreachable": unreachable,
    "resume": resume,
}
OF_THE_HISTORY: Mapping[str, Callable[[Mapping[str, Any], str], LevelheadError]] = {
    "revision": revision,
    "script": script,
    "plain": plain,
}
