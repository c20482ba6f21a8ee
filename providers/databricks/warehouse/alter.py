"""The rules of ALTER TABLE: a definition and an action give another definition, or a refusal.

Nothing here touches rows. A change says how rows follow it, and what they must fulfil.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from providers.databricks.warehouse import commands as c
from providers.databricks.warehouse import errors
from providers.databricks.warehouse.datatypes import duckdb_type, widens
from providers.databricks.warehouse.errors import SqlError, cannot_run
from providers.databricks.warehouse.generated import columns_in, refuse_where_used
from providers.databricks.warehouse.keys import KeyRules, check_key_name, drop_constraint
from providers.databricks.warehouse.model import (
    Check,
    Column,
    Definition,
    backticked,
    check_column_names,
    contains,
    is_mapped,
    quoted,
    same,
)
from providers.databricks.warehouse.properties import (
    allows_defaults,
    allows_widening,
    holds_zoneless,
    with_properties,
    without_properties,
)

_TURN_ON_MAPPING = (
    "Enable Column Mapping on your Delta table with mapping mode 'name' by running: "
    "ALTER TABLE table_name SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')."
)


@dataclass(frozen=True, slots=True)
class Change:
    """What an action comes to."""

    definition: Definition
    operation: str  #: as DESCRIBE HISTORY names it
    rows: tuple[str, ...] = ()  #: DuckDB expressions over the old rows; empty: rows stay


def apply(action: c.Action, definition: Definition, keys: KeyRules) -> Change:
    """Return what *action* makes of a table with *definition*.

    Args:
        action: What is to change.
        definition: The table as it is.
        keys: The rules of keys, which know the other tables.

    Raises:
        SqlError: The action is refused; its condition is the one the warehouse gives.
    """
    rule = _RULES[type(action)]
    return rule(action, keys.living(definition), keys)


def _add_columns(action: c.AddColumns, old: Definition, _keys: KeyRules) -> Change:
    """Page "sql/language-manual/sql-ref-syntax-ddl-alter-table-manage-column"."""
    columns = list(old.columns)
    rows = [quoted(column.name) for column in columns]
    for new in action.columns:
        _refuse_in_add(new)
        if old.find(new.name):
            raise SqlError(
                errors.FIELD_ALREADY_EXISTS,
                f"Cannot add column, because {backticked(new.name)} already exists.",
            )
        place = _place(replace(old, columns=tuple(columns)), new.after)
        columns.insert(place, Column(new.name, new.datatype, comment=new.comment))
        rows.insert(place, f"CAST(NULL AS {duckdb_type(new.datatype)})")
        _refuse_zoneless(old, new.datatype)
    definition = replace(old, columns=tuple(columns))
    check_column_names(definition)
    return Change(definition, "ADD COLUMNS", tuple(rows))


def _refuse_zoneless(old: Definition, datatype: str) -> None:
    """Page "sql/language-manual/data-types/timestamp-ntz-type"; the words are Delta Lake's."""
    if "TIMESTAMP_NTZ" in datatype and not holds_zoneless(old):
        raise SqlError(
            errors.NEEDS_FEATURE,
            "Your table schema requires manually enablement of the following table feature(s): "
            "timestampNtz. Set 'delta.feature.timestampNtz' = 'supported' first.",
        )


def _refuse_in_add(new: c.NewColumn) -> None:
    if not new.nullable:
        raise SqlError(
            errors.NO_NOT_NULL_IN_ADD,
            "Operation not allowed: `NOT NULL in ALTER TABLE ADD COLUMNS` is not supported for "
            "Delta tables.",
        )
    if new.default is not None:
        raise SqlError(
            errors.NO_DEFAULT_IN_ADD,
            "DEFAULT values are not supported when adding new columns to an existing Delta "
            "table: add the column without a default first, then run ALTER TABLE ALTER COLUMN "
            "SET DEFAULT, which applies to rows inserted from then on.",
        )


def _place(definition: Definition, after: str | None) -> int:
    if after is None:
        return len(definition.columns)
    if not after:
        return 0
    return definition.columns.index(definition.column(after)) + 1


def _drop_columns(action: c.DropColumns, old: Definition, keys: KeyRules) -> Change:
    """Page "delta/column-mapping"."""
    if not is_mapped(old):
        raise SqlError(
            errors.NO_DROP_COLUMN,
            f"DROP COLUMN is not supported for your Delta table. {_TURN_ON_MAPPING}",
        )
    if action.if_exists:
        names = tuple(name for name in action.names if old.find(name))
    else:
        names = tuple(old.column(name).name for name in action.names)
    for name in names:
        refuse_where_used(_without(old, names), name)
        _refuse_where_checked(old, name)
        if contains(old.cluster_by, name):
            raise SqlError(errors.NO_CLUSTERING_DROP, f"Dropping clustering column {name} failed.")
        keys.refuse_drop(old, name)
    columns = tuple(column for column in old.columns if not contains(names, column.name))
    if not columns:
        raise cannot_run("tables without columns")
    rows = tuple(quoted(column.name) for column in columns)
    return Change(replace(old, columns=columns), "DROP COLUMNS", rows)


def _without(definition: Definition, names: tuple[str, ...]) -> Definition:
    """Return *definition* without columns that go together."""
    kept = tuple(each for each in definition.columns if not contains(names, each.name))
    return replace(definition, columns=kept)


def _rename_column(action: c.RenameColumn, old: Definition, keys: KeyRules) -> Change:
    """Page "delta/column-mapping". Keys over the column go without a word (seen live)."""
    if not is_mapped(old):
        raise SqlError(
            errors.NO_RENAME_COLUMN,
            f"Column rename is not supported for your Delta table. {_TURN_ON_MAPPING}",
        )
    column = old.column(action.old)
    if old.find(action.new) not in {None, column}:
        raise SqlError(
            errors.FIELD_ALREADY_EXISTS,
            f"Cannot rename column, because {backticked(action.new)} already exists.",
        )
    refuse_where_used(old, column.name)
    _refuse_where_checked(old, column.name)
    rows = tuple(quoted(each.name) for each in old.columns)
    definition = keys.without_column(old, column.name)
    definition = definition.with_column(column, replace(column, name=action.new))
    renamed = tuple(action.new if same(n, column.name) else n for n in old.cluster_by)
    definition = replace(definition, cluster_by=renamed)
    check_column_names(definition)
    return Change(definition, "RENAME COLUMN", rows)


def _change_type(action: c.ChangeType, old: Definition, _keys: KeyRules) -> Change:
    """Page "delta/type-widening"."""
    column = old.column(action.column)
    if column.datatype == action.datatype:
        return Change(old, "CHANGE COLUMN")
    change = f"from {column.datatype} to {action.datatype}"
    if not widens(column.datatype, action.datatype):
        raise _no_change(column, change)
    if not allows_widening(old):
        hint = " Set 'delta.enableTypeWidening' = 'true' first."
        raise _no_change(column, f"{change}.{hint}")
    _refuse_zoneless(old, action.datatype)
    refuse_where_used(old, column.name)
    _refuse_where_checked(old, column.name)
    wider = replace(column, datatype=action.datatype)
    rows = tuple(
        f"CAST({quoted(each.name)} AS {duckdb_type(wider.datatype)})"
        if each is column
        else quoted(each.name)
        for each in old.columns
    )
    return Change(old.with_column(column, wider), "CHANGE COLUMN", rows)


def _no_change(column: Column, change: str) -> SqlError:
    return SqlError(
        errors.NO_CHANGE_COLUMN,
        "ALTER TABLE ALTER COLUMN is not supported for changing column "
        f"{backticked(column.name)} {change}",
    )


def _set_nullable(action: c.SetNullable, old: Definition, keys: KeyRules) -> Change:
    column = old.column(action.column)
    if action.nullable:
        keys.refuse_nullable(old, column.name)
    return Change(
        old.with_column(column, replace(column, nullable=action.nullable)), "CHANGE COLUMN"
    )


def _set_default(action: c.SetDefault, old: Definition, _keys: KeyRules) -> Change:
    """Page "delta/default-columns"."""
    column = old.column(action.column)
    if action.default is not None:
        require_defaults(old, "ALTER TABLE")
    return Change(old.with_column(column, replace(column, default=action.default)), "CHANGE COLUMN")


def require_defaults(definition: Definition, command: str) -> None:
    """Raise SqlError where the table lacks the feature that column defaults need."""
    if not allows_defaults(definition):
        raise SqlError(
            errors.NO_DEFAULT_FEATURE,
            f"Failed to execute {command} command because it assigned a column DEFAULT value, "
            "but the corresponding table feature was not enabled. Please retry the command "
            "again after executing ALTER TABLE tableName SET TBLPROPERTIES"
            "('delta.feature.allowColumnDefaults' = 'supported').",
        )


def _set_column_comment(action: c.SetColumnComment, old: Definition, _keys: KeyRules) -> Change:
    column = old.column(action.column)
    commented = replace(column, comment=action.comment or None)
    return Change(old.with_column(column, commented), "CHANGE COLUMN")


def _move_column(action: c.MoveColumn, old: Definition, _keys: KeyRules) -> Change:
    column = old.column(action.column)
    others = replace(old, columns=tuple(each for each in old.columns if each is not column))
    columns = list(others.columns)
    columns.insert(_place(others, action.after), column)
    rows = tuple(quoted(each.name) for each in columns)
    return Change(replace(old, columns=tuple(columns)), "CHANGE COLUMN", rows)


def _add_check(action: c.AddCheck, old: Definition, _keys: KeyRules) -> Change:
    """Page "tables/constraints"."""
    check_key_name(old, action.name)
    for column in columns_in(action.condition):
        old.column(column)
    checks = (*old.checks, Check(action.name, action.condition))
    return Change(replace(old, checks=checks), "ADD CONSTRAINT")


def _refuse_where_checked(definition: Definition, column: str) -> None:
    users = [
        f"{check.name} -> {check.condition}"
        for check in definition.checks
        if contains(columns_in(check.condition), column)
    ]
    if users:
        raise SqlError(
            errors.CONSTRAINT_USES_COLUMN,
            f"Cannot alter column {column} because this column is referenced by the following "
            f"check constraint(s): {'; '.join(users)}.",
        )


def _add_primary_key(action: c.AddPrimaryKey, old: Definition, keys: KeyRules) -> Change:
    return Change(keys.with_primary_key(old, action), "ADD CONSTRAINT")


def _add_foreign_key(action: c.AddForeignKey, old: Definition, keys: KeyRules) -> Change:
    return Change(keys.with_foreign_key(old, action), "ADD CONSTRAINT")


def _drop_constraint(action: c.DropConstraint, old: Definition, keys: KeyRules) -> Change:
    return Change(drop_constraint(old, action, keys), "DROP CONSTRAINT")


def _drop_primary_key(action: c.DropPrimaryKey, old: Definition, keys: KeyRules) -> Change:
    dropped = keys.without_primary_key(old, cascade=action.cascade, if_exists=action.if_exists)
    return Change(dropped, "DROP CONSTRAINT")


def _drop_foreign_key(action: c.DropForeignKey, old: Definition, keys: KeyRules) -> Change:
    dropped = keys.without_foreign_key(old, action.columns, if_exists=action.if_exists)
    return Change(dropped, "DROP CONSTRAINT")


def _set_properties(action: c.SetProperties, old: Definition, _keys: KeyRules) -> Change:
    return Change(with_properties(old, action.properties), "SET TBLPROPERTIES")


def _unset_properties(action: c.UnsetProperties, old: Definition, _keys: KeyRules) -> Change:
    return Change(without_properties(old, action.keys), "UNSET TBLPROPERTIES")


def _cluster_by(action: c.ClusterBy, old: Definition, _keys: KeyRules) -> Change:
    columns = tuple(old.column(name).name for name in action.columns)
    return Change(replace(old, cluster_by=columns), "CLUSTER BY")


def _set_table_comment(action: c.SetTableComment, old: Definition, _keys: KeyRules) -> Change:
    return Change(replace(old, comment=action.comment), "SET TBLPROPERTIES")


#: One rule for each action. Each takes its own kind of action, which a mapping cannot say.
_RULES: dict[type[c.Action], Callable[[Any, Definition, KeyRules], Change]] = {
    c.AddColumns: _add_columns,
    c.DropColumns: _drop_columns,
    c.RenameColumn: _rename_column,
    c.ChangeType: _change_type,
    c.SetNullable: _set_nullable,
    c.SetDefault: _set_default,
    c.SetColumnComment: _set_column_comment,
    c.MoveColumn: _move_column,
    c.AddPrimaryKey: _add_primary_key,
    c.AddForeignKey: _add_foreign_key,
    c.AddCheck: _add_check,
    c.DropConstraint: _drop_constraint,
    c.DropPrimaryKey: _drop_primary_key,
    c.DropForeignKey: _drop_foreign_key,
    c.SetProperties: _set_properties,
    c.UnsetProperties: _unset_properties,
    c.ClusterBy: _cluster_by,
    c.SetTableComment: _set_table_comment,
}
