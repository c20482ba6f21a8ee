"""What the service adds to a history's environment for one kind of database.

An extension is a package that is loaded by its path: what Alembic emits for a dialect may
need rules that no installed package has. The history's env.py knows nothing of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.url import make_url

from .errors import RefusedError

NAME = "levelhead_extension"


def loaded(folder: str | None) -> ModuleType | None:
    """Import the package in *folder* under a name of its own; None where there is none."""
    if folder is None:
        return None
    path = Path(folder)
    spec = spec_from_file_location(
        NAME, path / "__init__.py", submodule_search_locations=[str(path)]
    )
    if spec is None or spec.loader is None:
        raise RefusedError(f"no extension at {folder}")
    module = module_from_spec(spec)
    sys.modules[NAME] = module
    try:
        spec.loader.exec_module(module)
    except ImportError as error:
        raise RefusedError(
            f"{sys.executable}: {error}; install what the dialect needs there, or see `python` "
            "of the history"
        ) from error
    return module


def refuse_while(in_step: Callable[[], bool]) -> None:
    """Refuse every connection that a script makes for itself: nobody would write it down."""

    def refuse(*_: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
        if in_step():
            raise RefusedError(
                "a script opens a connection of its own, which cannot be journaled; "
                "use op.get_bind(), or op.get_context().autocommit_block()"
            )

    event.listen(Engine, "do_connect", refuse)


def connect_with(arguments: dict[str, Any], url: str) -> None:
    """Let every connection to the target's host, env.py's too, be made with *arguments*."""
    if not arguments:
        return
    target = make_url(url)

    def add(dialect: Any, _: Any, __: Any, given: dict[str, Any]) -> None:  # noqa: ANN401 - SQLAlchemy's own
        if dialect.name == target.get_backend_name() and target.host in given.values():
            given.update(arguments)

    event.listen(Engine, "do_connect", add)
