"""The names of a warehouse and what they stand for, in memory.

Storage changes it, after what it wrote is on disk. Everybody else reads.
"""

from __future__ import annotations

import threading

from providers.databricks.warehouse import errors
from providers.databricks.warehouse.errors import SqlError
from providers.databricks.warehouse.model import Dropped, Name, Relation, Table, View, backticked

#: Every catalog has it; its tables are made when they are asked for.
INFORMATION_SCHEMA = "information_schema"


class Catalog:
    """Catalogs, schemas and relations; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._schemas: dict[str, set[str]] = {}
        self._relations: dict[Name, Relation] = {}
        self._dropped: dict[str, Dropped] = {}

    def catalogs(self) -> list[str]:
        """Return the names of all catalogs, in order."""
        with self._lock:
            return sorted(self._schemas)

    def schemas(self, catalog: str) -> list[str]:
        """Return the schemas of *catalog*, in order. Raises SqlError where it is unknown."""
        with self._lock:
            if catalog not in self._schemas:
                raise SqlError(errors.NO_SUCH_CATALOG, f"Catalog '{catalog}' was not found.")
            return sorted({*self._schemas[catalog], INFORMATION_SCHEMA})

    def need_schema(self, catalog: str, schema: str) -> None:
        """Raise SqlError where the catalog or the schema is unknown."""
        if schema not in self.schemas(catalog):
            place = f"{backticked(catalog)}.{backticked(schema)}"
            raise SqlError(errors.SCHEMA_NOT_FOUND, f"The schema {place} cannot be found.")

    def relations(self, catalog: str, schema: str) -> list[Relation]:
        """Return what is in a schema, by name. Raises SqlError where it is unknown."""
        self.need_schema(catalog, schema)
        place = (catalog, schema)
        return [
            each for each in self.everything() if (each.name.catalog, each.name.schema) == place
        ]

    def everything(self) -> list[Relation]:
        """Return all relations, by name."""
        with self._lock:
            return [relation for _, relation in sorted(self._relations.items(), key=_by_name)]

    def tables(self) -> list[Table]:
        """Return all tables, by name."""
        return [each for each in self.everything() if isinstance(each, Table)]

    def find(self, name: Name) -> Relation | None:
        """Return the relation *name*; None where there is none."""
        with self._lock:
            return self._relations.get(name)

    def relation(self, name: Name) -> Relation:
        """Return the relation *name*. Raises SqlError where there is none."""
        found = self.find(name)
        if found is None:
            raise SqlError(
                errors.TABLE_NOT_FOUND,
                f"The table or view {name} cannot be found. Verify the spelling and correctness "
                "of the schema and catalog.",
            )
        return found

    def table(self, name: Name) -> Table:
        """Return the table *name*. Raises SqlError where it is none."""
        found = self.relation(name)
        if isinstance(found, View):
            raise SqlError(errors.EXPECT_TABLE_NOT_VIEW, f"{name} is a view, not a table.")
        return found

    def dropped(self, name: Name) -> list[Dropped]:
        """Return the tables that had *name* when they were dropped, the last one last."""
        with self._lock:
            found = [each for each in self._dropped.values() if each.table.name == name]
        return sorted(found, key=lambda each: each.at)

    def put_dropped(self, dropped: Dropped) -> None:
        """Take in a table that was dropped."""
        with self._lock:
            self._dropped[dropped.table.id] = dropped

    def forget_dropped(self, table: str) -> None:
        """Forget the dropped table of that id, if it is known."""
        with self._lock:
            self._dropped.pop(table, None)

    def put_schema(self, catalog: str, schema: str | None) -> None:
        """Take in a catalog, and a schema of it."""
        with self._lock:
            known = self._schemas.setdefault(catalog, set())
            if schema is not None:
                known.add(schema)

    def drop_schema(self, catalog: str, schema: str) -> None:
        """Forget a schema."""
        place = (catalog, schema)
        with self._lock:
            self._schemas[catalog].discard(schema)
            self._dropped = {
                id_: each
                for id_, each in self._dropped.items()
                if (each.table.name.catalog, each.table.name.schema) != place
            }

    def put(self, relation: Relation) -> None:
        """Take in *relation*, or its new state."""
        with self._lock:
            self._relations[relation.name] = relation

    def drop(self, name: Name) -> None:
        """Forget the relation *name*, if it is there."""
        with self._lock:
            self._relations.pop(name, None)


def _by_name(item: tuple[Name, Relation]) -> Name:
    return item[0]
