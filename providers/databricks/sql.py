"""SQL of our own: names, values, and the version table's statements."""

from __future__ import annotations

from providers.databricks.address import Address
from providers.types import Heads, Target


def identifier(name: str) -> str:
    """Return *name* as a quoted identifier."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """Return *text* as a string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def mark(ticket: str) -> str:
    """Return the comment before a statement by which the query history knows it again."""
    return f"/* levelhead:{ticket} */"


def use(catalog: str | None, schema: str | None) -> str | None:
    """Return the statement that fails where *catalog* or *schema* is missing; None: nothing to."""
    if schema is None:
        return None if catalog is None else f"USE CATALOG {identifier(catalog)}"
    parts = [schema] if catalog is None else [catalog, schema]
    return f"USE {'.'.join(map(identifier, parts))}"


def version_table(target: Target, place: Address) -> str:
    """Return the version table as SQL names it, in full as far as that is known."""
    schema = target.version_table_schema or target.schema or place.schema
    parts = [target.version_table]
    if schema is not None:
        parts = [schema, *parts]
        parts = parts if place.catalog is None else [place.catalog, *parts]
    return ".".join(map(identifier, parts))


def creation(table: str, name: str) -> str:
    """Return SQL that creates version table *table*, called *name*, as Alembic does here."""
    return (
        f"CREATE TABLE IF NOT EXISTS {table} ("
        f"version_num STRING NOT NULL, CONSTRAINT {identifier(name + '_pkc')}"
        " PRIMARY KEY (version_num)"
        ") USING DELTA TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'enabled')"
    )


def move(table: str, before: Heads, after: Heads) -> str:
    """Return one statement that turns *before* into *after*, and does nothing to other heads.

    A single statement, because nothing rolls back here; its condition makes it compare and
    set, because nothing keeps others from writing between a look and a change.
    """
    changes = [f"({literal(head)}, false)" for head in sorted(before - after)]
    changes += [f"({literal(head)}, true)" for head in sorted(after - before)]
    return (
        f"MERGE INTO {table} AS held USING ("  # noqa: S608 - the names are quoted, the values are literals
        "SELECT version_num, is_new"
        f" FROM VALUES {', '.join(changes)} AS changes(version_num, is_new)"
        f" WHERE {_holds(table, before)}"
        ") AS changed ON held.version_num = changed.version_num"
        " WHEN MATCHED AND NOT changed.is_new THEN DELETE"
        " WHEN NOT MATCHED AND changed.is_new"
        " THEN INSERT (version_num) VALUES (changed.version_num)"
    )


def _holds(table: str, heads: Heads) -> str:
    """Return the condition that *table* has a row for each of *heads*, and no other."""
    count = f"(SELECT count(*) FROM {table}) = {len(heads)}"  # noqa: S608 - the name is quoted
    if not heads:
        return count
    known = ", ".join(literal(head) for head in sorted(heads))
    among = f"(SELECT count(*) FROM {table} WHERE version_num IN ({known}))"  # noqa: S608 - quoted, literals
    return f"{count} AND {among} = {len(heads)}"
