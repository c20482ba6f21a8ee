"""What Alembic has to know of Databricks: an implementation of its directives, and their SQL.

It belongs to migration scripts, hence to the interpreter that runs them: a runner loads it by
its path. It needs alembic, sqlalchemy and databricks-sqlalchemy, and nothing else of levelhead.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from . import datatypes as _datatypes  # noqa: F401 - registers the names of types
from . import elements as _elements  # noqa: F401 - registers the forms of ALTER TABLE
from . import values as _values  # noqa: F401 - says how values travel
from .implementation import DatabricksImpl, Listener
from .refusals import RefusedDirectiveError
from .rehearsal import rehearse, survey
from .skips import KINDS

__all__ = ["KINDS", "RefusedDirectiveError", "install", "rehearse", "survey"]


def install(skip: Listener, note: Listener, refuse: Collection[str] = ()) -> None:
    """Make Alembic use these rules for the dialect ``databricks``; once more is no harm.

    They take their place by being imported after databricks-sqlalchemy's empty implementation.

    Args:
        skip: Is called with kind and detail of all that has no counterpart, at the moment when
            the directive runs: ``skip("index", "ix_users_email on users has no counterpart")``.
        note: The same for what there is to know of what is sent, such as a protocol that rises.
        refuse: Kinds of skips that are refused instead.
    """
    DatabricksImpl.tell_skip = staticmethod(skip)
    DatabricksImpl.tell_note = staticmethod(note)
    DatabricksImpl.refused_kinds = frozenset(refuse)
    _quiet(logging.getLogger("databricks.sql"))


def _quiet(connector: logging.Logger) -> None:
    """Turn off a log that repeats what is raised, data included; a level that is set stands."""
    if connector.level == logging.NOTSET:
        connector.setLevel(logging.CRITICAL)
