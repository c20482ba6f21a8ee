"""Runs the statements that make, change and drop tables, views and schemas."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from providers.databricks.warehouse import alter, errors, queries
from providers.databricks.warehouse import commands as c
from providers.databricks.warehouse.catalog import INFORMATION_SCHEMA
from providers.databricks.warehouse.context import Context
from providers.databricks.warehouse.defaults import check_default
from providers.databricks.warehouse.errors import SqlError, cannot_run
from providers.databricks.warehouse.generated import check_generated
from providers.databricks.warehouse.keys import KeyRules
from providers.databricks.warehouse.model import (
    Column,
    Definition,
    Identity,
    Name,
    Relation,
    Table,
    View,
    check_column_names,
    contains,
)
from providers.databricks.warehouse.properties import with_properties
from providers.databricks.warehouse.results import EMPTY, Result, of_table
from providers.databricks.warehouse.storage import Transaction, fetch
from providers.databricks.warehouse.writes import (
    broken_by,
    changing,
    copy_rows,
    create_rows,
    next_data,
    truncate,
    with_version,
)


def create_table(context: Context, command: c.CreateTable) -> Result:
    """Page "sql/language-manual/sql-ref-syntax-ddl-create-table-using"."""
    name = context.scope.name(command.table)
    with context.writing(name) as work:
        old = _replaced(context, name, allowed=command.replace or command.if_not_exists, view=False)
        if old is not None and command.if_not_exists:
            return EMPTY
        id_ = old.id if isinstance(old, Table) else uuid4().hex
        rules = _rules(context, id_, name)
        definition = _with_keys(rules, _definition(context, work, command), command)
        if isinstance(old, Table):
            _store_replaced(context, work, command, old, definition)
        else:
            table = Table(id_, name, context.clock(), ())
            _store_new(context, work, command, table, definition)
    return EMPTY


def _replaced(context: Context, name: Name, *, allowed: bool, view: bool) -> Relation | None:
    """Return what has the name already, if it may; None where the name is free."""
    context.catalog.need_schema(name.catalog, name.schema)
    if name.schema == INFORMATION_SCHEMA:
        raise cannot_run("new relations in an information schema")
    old = context.catalog.find(name)
    if old is None:
        return None
    if not allowed:
        raise SqlError(
            errors.TABLE_ALREADY_EXISTS,
            f"Cannot create table or view {name} because it already exists.",
        )
    if isinstance(old, View) != view:
        condition = errors.EXPECT_VIEW_NOT_TABLE if view else errors.EXPECT_TABLE_NOT_VIEW
        raise SqlError(condition, f"{name} is not a {'view' if view else 'table'}.")
    return old


def _definition(context: Context, work: Transaction, command: c.CreateTable) -> Definition:
    """Return what *command* asks for, without keys."""
    columns = tuple(_column(work, new, command) for new in command.columns)
    if command.query is not None:
        if columns:
            raise SqlError(errors.PARSE_SYNTAX_ERROR, "CREATE TABLE AS takes no columns.")
        columns = _columns_of_query(context, command.query)
    definition = with_properties(Definition(()), command.properties)
    definition = replace(definition, columns=columns, comment=command.comment)
    if not columns:
        raise cannot_run("tables without columns")
    check_column_names(definition)
    if any(column.default is not None for column in columns):
        alter.require_defaults(definition, "CREATE TABLE")
    check_generated(work, definition)
    for column in columns:
        check_default(work, column, "CREATE TABLE")
    clusters = tuple(definition.column(each).name for each in command.cluster_by)
    partitions = tuple(definition.column(each).name for each in command.partitioned_by)
    return replace(definition, cluster_by=clusters, partitioned_by=partitions)


def _with_keys(rules: KeyRules, definition: Definition, command: c.CreateTable) -> Definition:
    for key in command.keys:
        if isinstance(key, c.AddPrimaryKey):
            definition = rules.with_primary_key(_not_null(definition, key.columns), key)
        else:
            definition = rules.with_foreign_key(definition, key)
    return definition


def _not_null(definition: Definition, names: tuple[str, ...]) -> Definition:
    """In CREATE TABLE, the columns of a primary key become NOT NULL by themselves."""
    columns = tuple(
        replace(column, nullable=False) if contains(names, column.name) else column
        for column in definition.columns
    )
    return replace(definition, columns=columns)


def _column(work: Transaction, new: c.NewColumn, command: c.CreateTable) -> Column:
    identity = None
    if new.identity:
        if new.datatype != "BIGINT":
            raise SqlError(
                errors.IDENTITY_TYPE,
                f"DataType {new.datatype} is not supported for IDENTITY columns.",
            )
        if contains(command.partitioned_by, new.name):
            raise cannot_run("identity columns as partition columns")
        identity = _identity(work, new.identity)
    return Column(
        new.name, new.datatype, new.nullable, new.default, new.comment, identity, new.generated
    )


def _identity(work: Transaction, new: c.NewIdentity) -> Identity:
    sequence = f"identity_{uuid4().hex}"
    bounds = "MINVALUE -9223372036854775808 MAXVALUE 9223372036854775807"
    work.run(
        f'CREATE SEQUENCE rows."{sequence}" INCREMENT BY {new.increment} {bounds} '
        f"START WITH {new.start}"
    )
    return Identity(new.always, new.start, new.increment, sequence)


def _columns_of_query(context: Context, query: str) -> tuple[Column, ...]:
    sql = context.translator.sql(queries.parse(query))
    empty = f"SELECT * FROM ({sql}) LIMIT 0"  # noqa: S608 - translated
    found = of_table(fetch(context.connection, empty))
    return tuple(Column(column.name, column.datatype) for column in found.columns)


def _store_new(
    context: Context, work: Transaction, command: c.CreateTable, table: Table, new: Definition
) -> None:
    data = _fill(context, work, command, table, new)
    operation = "CREATE TABLE AS SELECT" if command.query else "CREATE TABLE"
    work.put_table(with_version(context, table, new, operation, data))


def _store_replaced(
    context: Context, work: Transaction, command: c.CreateTable, old: Table, new: Definition
) -> None:
    data = _fill(context, work, command, old, new)
    work.add_version(with_version(context, old, new, "CREATE OR REPLACE TABLE", data))


def _fill(
    context: Context, work: Transaction, command: c.CreateTable, table: Table, new: Definition
) -> str:
    """Make the table for the rows, and run the query that gives them; return its name."""
    data = next_data(table)
    create_rows(work, data, new)
    if command.query is not None:
        rows = context.translator.sql(queries.parse(command.query))
        work.run(f'INSERT INTO rows."{data}" {rows}')
    return data


def create_view(context: Context, command: c.CreateView) -> Result:
    """Page "sql/language-manual/sql-ref-syntax-ddl-create-view"."""
    name = context.scope.name(command.view)
    with context.writing(name) as work:
        old = _replaced(context, name, allowed=command.replace or command.if_not_exists, view=True)
        if old is None or not command.if_not_exists:
            columns = _view_columns(command, _columns_of_query(context, command.query))
            scope = context.scope
            work.put_view(
                View(
                    name=name,
                    created=context.clock(),
                    query=command.query,
                    catalog=scope.catalog,
                    schema=scope.schema,
                    columns=columns,
                    comment=command.comment,
                )
            )
    return EMPTY


def _view_columns(command: c.CreateView, found: tuple[Column, ...]) -> tuple[Column, ...]:
    if not command.columns:
        return found
    if len(command.columns) != len(found):
        raise SqlError(errors.ARITY_MISMATCH, "The view has another number of columns.")
    return tuple(
        replace(column, name=name, comment=comment)
        for column, (name, comment) in zip(found, command.columns, strict=True)
    )


def alter_table(context: Context, command: c.AlterTable) -> Result:
    """Page "sql/language-manual/sql-ref-syntax-ddl-alter-table"; the rules: module `alter`."""
    seen = context.catalog.table(context.scope.name(command.table))
    action = command.action
    if isinstance(action, c.RenameTable):
        return _rename(context, seen, context.scope.name(action.new))
    with changing(context, seen) as (work, table):
        change = alter.apply(action, table.definition, _rules(context, table.id, table.name))
        _check_existing(work, table, action)
        if isinstance(action, c.SetDefault):
            column = change.definition.column(action.column)
            check_default(work, column, "ALTER TABLE ALTER COLUMN")
        data = table.data
        if change.rows:
            data = next_data(table)
            create_rows(work, data, change.definition)
            copy_rows(work, table.data, data, change.rows)
        work.add_version(with_version(context, table, change.definition, change.operation, data))
    return EMPTY


def _check_existing(work: Transaction, table: Table, action: c.Action) -> None:
    """Refuse a new constraint that rows break already."""
    if isinstance(action, c.AddCheck):
        count = broken_by(work, table.data, action.condition)
        if count:
            raise SqlError(
                errors.CHECK_VIOLATED_BEFORE,
                f"{count} rows in {table.name} violate the new CHECK constraint "
                f"({action.condition}).",
            )
    if isinstance(action, c.SetNullable) and not action.nullable:
        column = table.definition.column(action.column).name
        count = broken_by(work, table.data, f"`{column}` IS NOT NULL")
        if count:
            raise SqlError(
                errors.NULL_BEFORE_NOT_NULL,
                f"{count} rows in {table.name} violate the new NOT NULL constraint on {column}.",
            )


def _rename(context: Context, seen: Table, name: Name) -> Result:
    with context.writing(seen.name, name) as work:
        table = context.catalog.table(seen.name)
        if name.catalog != table.name.catalog:
            raise cannot_run("renames into another catalog")
        _replaced(context, name, allowed=False, view=False)
        work.rename_table(table, replace(table, name=name))
    return EMPTY


def drop_relation(context: Context, command: c.DropRelation) -> Result:
    """Pages "sql/language-manual/sql-ref-syntax-ddl-drop-table" and "-drop-view"."""
    name = context.scope.name(command.name)
    with context.writing(name) as work:
        if command.if_exists and context.catalog.find(name) is None:
            return EMPTY
        found = context.catalog.relation(name)
        if isinstance(found, View) != command.view:
            view = command.view
            condition = errors.EXPECT_VIEW_NOT_TABLE if view else errors.EXPECT_TABLE_NOT_VIEW
            raise SqlError(condition, f"{name} is not a {'view' if view else 'table'}.")
        work.drop(found, context.clock())
    return EMPTY


def create_schema(context: Context, command: c.CreateSchema) -> Result:
    """Page "sql/language-manual/sql-ref-syntax-ddl-create-schema"."""
    place = context.scope.name((*command.schema, ""))
    with context.writing(place) as work:
        if place.schema not in context.catalog.schemas(place.catalog):
            work.put_schema(place.catalog, place.schema)
        elif not command.if_not_exists:
            raise SqlError(
                errors.SCHEMA_ALREADY_EXISTS,
                f"Cannot create schema `{place.schema}` because it already exists.",
            )
    return EMPTY


def drop_schema(context: Context, command: c.DropSchema) -> Result:
    """Page "sql/language-manual/sql-ref-syntax-ddl-drop-schema"."""
    place = context.scope.name((*command.schema, ""))
    with context.writing(place) as work:
        if command.if_exists and place.schema not in context.catalog.schemas(place.catalog):
            return EMPTY
        inside = context.catalog.relations(place.catalog, place.schema)
        if inside and not command.cascade:
            raise SqlError(
                errors.SCHEMA_NOT_EMPTY,
                f"Cannot drop a schema `{place.schema}` because it contains objects. "
                "Use DROP SCHEMA ... CASCADE to drop it with everything in it.",
            )
        for relation in inside:
            work.drop(relation, context.clock())
        work.drop_schema(place.catalog, place.schema)
    return EMPTY


def create_catalog(context: Context, command: c.CreateCatalog) -> Result:
    """Page "sql/language-manual/sql-ref-syntax-ddl-create-catalog"."""
    name = command.catalog.lower()
    with context.writing(Name(name, "", "")) as work:
        if name not in context.catalog.catalogs():
            work.put_schema(name, "default")
        elif not command.if_not_exists:
            raise SqlError(errors.SCHEMA_ALREADY_EXISTS, f"Catalog '{name}' already exists.")
    return EMPTY


def truncate_table(context: Context, command: c.Truncate) -> Result:
    """Page "sql/language-manual/sql-ref-syntax-ddl-truncate-table"."""
    truncate(context, context.catalog.table(context.scope.name(command.table)))
    return EMPTY


def _rules(context: Context, id_: str, name: Name) -> KeyRules:
    catalog = context.catalog
    return KeyRules(id_, name, context.scope.name, catalog.table, catalog.tables)
