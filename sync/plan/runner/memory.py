"""What Alembic keeps in mind from one step of a path to the next, within one process.

A type that an earlier step's ``op.create_table()`` has created is not created again, and
not dropped with a table. Where some steps of a path are replayed, a runner that goes on
with the others must be told.
"""

from __future__ import annotations

from typing import Any

#: Kind of type, schema or None, name.
Known = tuple[str, Any, str]


def recalled(impl: Any) -> list[Known]:  # noqa: ANN401 - Alembic's DefaultImpl
    """Return the types that *impl* takes to exist, sorted."""
    sets = {kind: names for kind, names in impl.memo.items() if isinstance(names, set)}
    found = [(kind, schema, name) for kind, names in sets.items() for schema, name in names]
    return sorted(found, key=lambda known: [part or "" for part in known])


def remind(impl: Any, known: list[Known]) -> None:  # noqa: ANN401 - Alembic's DefaultImpl
    """Let *impl* take these types to exist, and no others."""
    impl.memo.clear()
    for kind, schema, name in known:
        impl.memo.setdefault(kind, set()).add((schema, name))
