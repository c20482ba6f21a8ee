"""What would become of each revision on another kind of database, told by its extension alone.

Nothing is connected to, and env.py does not run: only the functions of the revisions do.
"""

from __future__ import annotations

from typing import Any

from alembic.script import Script, ScriptDirectory
from sqlalchemy.dialects import registry

from .errors import RefusedError
from .extension import loaded
from .history import described, walked


def surveyed(request: dict[str, Any], script: ScriptDirectory) -> dict[str, Any]:
    """Return all revisions, first one first, with what comes of each."""
    extension = loaded(request["extension"])
    if extension is None:
        raise RefusedError(f"there are no rules for {request['dialect']}")
    extension.install(unheard, unheard, request["refuse_skips"])
    dialect = registry.load(request["dialect"])

    def told(revision: Script) -> dict[str, Any]:
        upgrade = getattr(revision.module, "upgrade", None)
        outcomes = extension.survey(upgrade, dialect()) if upgrade else []
        return {**described(revision), "outcomes": [list(outcome) for outcome in outcomes]}

    revisions = [told(revision) for revision in reversed(walked(script))]
    return {"revisions": revisions, "kinds": dict(extension.KINDS)}


def unheard(_kind: str, _detail: str) -> None:
    """Hear of a skip or a note: a survey returns them instead."""
