"""Which schemas and catalogs are somebody's, and how they are asked for."""

from __future__ import annotations

from collections.abc import Iterable

#: What each catalog holds of the system's.
SYSTEM_SCHEMAS = frozenset({"information_schema"})

#: Catalogs of the system's, and how others of its own begin.
SYSTEM_CATALOGS = frozenset({"samples", "system"})
INTERNAL = "__databricks"


def own_schemas(found: Iterable[str]) -> tuple[str, ...]:
    """Return those of the schemas *found* that are not the system's."""
    return tuple(name for name in found if name.lower() not in SYSTEM_SCHEMAS)


def own_catalogs(found: Iterable[str]) -> tuple[str, ...]:
    """Return those of the catalogs *found* that are not the system's."""
    return tuple(
        name
        for name in found
        if name.lower() not in SYSTEM_CATALOGS and not name.startswith(INTERNAL)
    )


def as_query(text: str) -> str:
    """Return *text* so that it can only be a query: nothing else stands in a FROM.

    A warehouse has no transaction that only reads.
    """
    return f"SELECT * FROM (\n{text.rstrip().rstrip(';')}\n) AS asked"  # noqa: S608 - it is the configuration's own
