"""Primary and foreign keys: informational, yet with rules of their own.

Pages "sql/language-manual/sql-ref-syntax-ddl-alter-table-add-constraint" and
"-ddl-alter-table-drop-constraint".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from uuid import uuid4

from providers.databricks.warehouse import commands as c
from providers.databricks.warehouse import errors
from providers.databricks.warehouse.errors import SqlError
from providers.databricks.warehouse.model import (
    Definition,
    ForeignKey,
    Name,
    Parts,
    PrimaryKey,
    Table,
    backticked,
    contains,
    listed,
    same,
)


@dataclass(frozen=True, slots=True)
class KeyRules:
    """The rules, for one table among the others."""

    id: str  #: of the table
    name: Name  #: of the table
    resolve: Callable[[Parts], Name]
    find: Callable[[Name], Table]  #: raises SqlError where there is no such table
    tables: Callable[[], Iterable[Table]]

    def living(self, definition: Definition) -> Definition:
        """Return *definition* without the foreign keys whose primary key is gone."""
        ends = {key.id for table in self.tables() if (key := table.definition.primary_key)}
        if definition.primary_key:
            ends.add(definition.primary_key.id)
        kept = tuple(key for key in definition.foreign_keys if key.key in ends)
        return replace(definition, foreign_keys=kept)

    def with_primary_key(self, old: Definition, new: c.AddPrimaryKey) -> Definition:
        """Return *old* with a primary key. Its columns must be NOT NULL already."""
        name = new.name or f"{self.name.relation}_pk"
        check_key_name(old, name)
        if old.primary_key:
            raise _invalid(f"The table has the primary key {backticked(old.primary_key.name)}.")
        nullable = [column for column in new.columns if old.column(column).nullable]
        if nullable:
            raise _invalid(
                f"Cannot create the primary key {backticked(name)} because its child column(s) "
                f"{listed(nullable)} is nullable. Please change the column nullability and retry."
            )
        columns = tuple(old.column(column).name for column in new.columns)
        return replace(old, primary_key=PrimaryKey(uuid4().hex, name, columns))

    def with_foreign_key(self, old: Definition, new: c.AddForeignKey) -> Definition:
        """Return *old* with a foreign key to the primary key of another table."""
        name = new.name or f"{self.name.relation}_{'_'.join(new.columns)}_fk"
        check_key_name(old, name)
        target = self.resolve(new.target)
        table, key = self._parent(old, target)
        if key is None:
            raise _invalid(f"The parent table {target} has no primary key.")
        wanted = new.target_columns or key.columns
        if sorted(map(str.lower, wanted)) != sorted(map(str.lower, key.columns)):
            raise _invalid(f"{listed(wanted)} is not the primary key of {target}.")
        if len(wanted) != len(new.columns):
            raise _invalid(f"{listed(new.columns)} and {listed(wanted)} differ in number.")
        columns = tuple(old.column(column).name for column in new.columns)
        foreign = ForeignKey(name, columns, table, key.id, wanted)
        return replace(old, foreign_keys=(*old.foreign_keys, foreign))

    def without_primary_key(self, old: Definition, *, cascade: bool, if_exists: bool) -> Definition:
        """Return *old* without its primary key; foreign keys that refer to it need *cascade*."""
        if old.primary_key is None:
            if if_exists:
                return old
            raise _missing("primary key")
        children = [] if cascade else self._children(old.primary_key)
        if children:
            raise _invalid(
                f"Cannot drop the primary key {backticked(old.primary_key.name)} because there "
                f"are child constraints: {listed(children)}. Drop them first, or use CASCADE."
            )
        return replace(old, primary_key=None)

    def without_foreign_key(
        self, old: Definition, columns: tuple[str, ...], *, if_exists: bool
    ) -> Definition:
        """Return *old* without the foreign key over *columns*, in this order."""
        wanted = [column.lower() for column in columns]
        kept = tuple(
            key for key in old.foreign_keys if [each.lower() for each in key.columns] != wanted
        )
        if len(kept) == len(old.foreign_keys) and not if_exists:
            raise _missing(f"foreign key over {listed(columns)}")
        return replace(old, foreign_keys=kept)

    def without_column(self, old: Definition, column: str) -> Definition:
        """Return *old* without the keys that use *column*."""
        kept = tuple(key for key in old.foreign_keys if not contains(key.columns, column))
        own = old.primary_key
        if own and contains(own.columns, column):
            own = None
        return replace(old, foreign_keys=kept, primary_key=own)

    def refuse_drop(self, definition: Definition, column: str) -> None:
        """Raise SqlError where a key uses *column*. Assumed: the manual is silent."""
        keys: list[PrimaryKey | ForeignKey] = [*definition.foreign_keys]
        if definition.primary_key:
            keys.append(definition.primary_key)
        for key in keys:
            if contains(key.columns, column):
                raise _invalid(
                    f"The key {backticked(key.name)} uses the column {backticked(column)}: "
                    "drop the key first."
                )

    def refuse_nullable(self, definition: Definition, column: str) -> None:
        """Raise SqlError where *column* is part of the primary key."""
        key = definition.primary_key
        if key and contains(key.columns, column):
            raise _invalid(
                f"The child column(s) {backticked(column)} of primary key {backticked(key.name)} "
                "cannot be set to nullable."
            )

    def _parent(self, own: Definition, target: Name) -> tuple[str, PrimaryKey | None]:
        """Return the id and the primary key of *target*, which may be this very table."""
        if target == self.name:
            return self.id, own.primary_key
        table = self.find(target)
        return table.id, table.definition.primary_key

    def _children(self, key: PrimaryKey) -> list[str]:
        """Return the names of the foreign keys that refer to *key*."""
        return [
            foreign.name
            for table in self.tables()
            for foreign in table.definition.foreign_keys
            if foreign.key == key.id
        ]


def drop_constraint(old: Definition, action: c.DropConstraint, keys: KeyRules) -> Definition:
    """Return *old* without the constraint of this name, whatever its kind."""
    if old.primary_key and same(old.primary_key.name, action.name):
        return keys.without_primary_key(old, cascade=action.cascade, if_exists=False)
    if action.name.lower() not in old.constraint_names() and not action.if_exists:
        raise _missing(backticked(action.name))
    return replace(
        old,
        foreign_keys=tuple(key for key in old.foreign_keys if not same(key.name, action.name)),
        checks=tuple(check for check in old.checks if not same(check.name, action.name)),
    )


def check_key_name(definition: Definition, name: str) -> None:
    """Raise SqlError where the table has a constraint *name*."""
    if name.lower() in definition.constraint_names():
        raise SqlError(
            errors.CONSTRAINT_EXISTS,
            f"Constraint '{name}' already exists. Please delete the old constraint first.",
        )


def _missing(what: str) -> SqlError:
    return SqlError(errors.NO_SUCH_CONSTRAINT, f"Cannot drop nonexistent constraint {what}.")


def _invalid(message: str) -> SqlError:
    return SqlError(errors.INVALID_KEY, message)
