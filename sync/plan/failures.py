"""What a runner says of a failure, as the error that the service raises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from providers.errors import (
    ConnectError,
    ConnectionLostError,
    LevelheadError,
    LockBusyError,
    StampConflictError,
    StatementError,
)
from providers.redaction import redacted
from sync.errors import MultipleHeadsError, ScriptError, UnknownRevisionError


def failure(said: Mapping[str, Any], *, subject: str, history: str) -> LevelheadError:
    """Return the error that the runner's word ``failed`` means, its message redacted."""
    if said["kind"] in OF_THE_HISTORY:
        return OF_THE_HISTORY[said["kind"]](said, history)
    return OF_THE_TARGET[said["kind"]](said, subject)


def statement(said: Mapping[str, Any], target: str) -> LevelheadError:
    """The database refused a statement of a script."""
    names = said["objects"]
    message = redacted(said["message"], code=said["code"], names=tuple(names.values()))
    return StatementError(
        f"{message} ({said['error']})",
        target=target,
        code=said["code"],
        sql=said["sql"],
        objects=names,
    )


def moved(said: Mapping[str, Any], target: str) -> LevelheadError:
    """The target was not where the service had found it a moment before."""
    return StampConflictError(
        target=target, expected=frozenset(said["expected"]), found=frozenset(said["found"])
    )


def lost(said: Mapping[str, Any], target: str) -> LevelheadError:
    """The runner's connection broke."""
    return ConnectionLostError(f"connection lost ({said['error']})", target=target)


def busy(said: Mapping[str, Any], target: str) -> LevelheadError:
    """Somebody else is migrating."""
    return LockBusyError(said["message"], target=target)


def unreachable(said: Mapping[str, Any], target: str) -> LevelheadError:
    """The runner could not connect."""
    return ConnectError(said["message"], target=target)


def revision(said: Mapping[str, Any], history: str) -> LevelheadError:
    """The history does not have what was asked for."""
    message = f"history {history}: {said['message']}; run levelhead check"
    if "ultiple head" in said["message"]:
        return MultipleHeadsError(message)
    return UnknownRevisionError(message)


def script(said: Mapping[str, Any], history: str) -> LevelheadError:
    """A script or env.py failed by itself."""
    return ScriptError(redacted(said["message"], code=None, names=()), history=history)


def plain(said: Mapping[str, Any], history: str) -> LevelheadError:
    """A script or env.py failed by itself, in words that can hold no row data."""
    return ScriptError(said["message"], history=history)


OF_THE_TARGET: Mapping[str, Callable[[Mapping[str, Any], str], LevelheadError]] = {
    "statement": statement,
    "moved": moved,
    "lost": lost,
    "busy": busy,
    "unreachable": unreachable,
}
OF_THE_HISTORY: Mapping[str, Callable[[Mapping[str, Any], str], LevelheadError]] = {
    "revision": revision,
    "script": script,
    "plain": plain,
}
