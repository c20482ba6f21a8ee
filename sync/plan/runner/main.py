"""What a runner can be asked for: a history's graph, a path, its SQL, a survey, or a migration."""

from __future__ import annotations

import os
import sys
from typing import Any

from .pipe import Pipe


def main() -> None:
    """Answer the one request that stands on standard input, and end."""
    pipe = Pipe()
    try:
        answer = respond(pipe.hear(), pipe)
    except BaseException as error:  # noqa: BLE001 - sys.exit() in a script too is an answer
        pipe.say("failed", **facts_of(error))
    else:
        pipe.say("end", **answer)
    os._exit(0)  # scripts may have left threads behind


def facts_of(error: BaseException) -> dict[str, Any]:
    """Return what the service shall know of *error*."""
    try:
        from .errors import described  # noqa: PLC0415 - imports Alembic, which may be missing
    except ImportError as missing:
        advice = "install alembic there, or see `python` of the history"
        message = f"{sys.executable}: {missing}; {advice}"
        return {"kind": "plain", "message": message, "place": ""}
    return described(error)


def respond(request: dict[str, Any], pipe: Pipe) -> dict[str, Any]:
    """Load the history and do what *request* asks."""
    from . import history  # noqa: PLC0415 - imports Alembic; the talk must stand first

    config, script = history.loaded(request)
    if request["op"] in ("graph", "path", "survey"):
        history.call_hook(request["hook"], config)
    if request["op"] == "graph":
        return history.graph(script, config)
    if request["op"] == "path":
        heads = tuple(request["heads"])
        steps = history.revisions(script, request["verb"], request["to"], heads)
        return {"path": history.path(steps, heads)}
    if request["op"] == "survey":
        from .survey import surveyed  # noqa: PLC0415 - imports Alembic, as above

        return surveyed(request, script)
    if request["op"] == "compile":
        from .compilation import Compilation  # noqa: PLC0415 - imports Alembic, as above

        return Compilation(request, pipe, config, script).run()
    from .migrate import Migration  # noqa: PLC0415 - imports Alembic, as above

    return Migration(request, pipe, config, script).run()
