"""SHOW and DESCRIBE. Pages "sql/language-manual/sql-ref-syntax-aux-show-*" and "-describe-*"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC
from typing import Any

from providers.databricks.warehouse import commands as c
from providers.databricks.warehouse import questions as q
from providers.databricks.warehouse.catalog import Catalog
from providers.databricks.warehouse.model import (
    Column,
    Definition,
    ForeignKey,
    Relation,
    Scope,
    Table,
    View,
    backticked,
    listed,
)
from providers.databricks.warehouse.properties import protocol
from providers.databricks.warehouse.results import Result, of_rows

_OWNER = "local"
_DETAILS = (("col_name", "STRING"), ("data_type", "STRING"), ("comment", "STRING"))
_HEADER = ("# col_name", "data_type", "comment")
_NOTHING = ("", "", "")


def show_catalogs(catalog: Catalog, _scope: Scope, command: q.ShowCatalogs) -> Result:
    """SHOW CATALOGS."""
    names = _like(catalog.catalogs(), command.pattern)
    return of_rows([("catalog", "STRING")], [(name,) for name in names])


def show_schemas(catalog: Catalog, scope: Scope, command: q.ShowSchemas) -> Result:
    """SHOW SCHEMAS."""
    names = _like(catalog.schemas((command.catalog or scope.catalog).lower()), command.pattern)
    return of_rows([("databaseName", "STRING")], [(name,) for name in names])


def show_relations(catalog: Catalog, scope: Scope, command: q.ShowRelations) -> Result:
    """SHOW TABLES, which lists views too, and SHOW VIEWS."""
    place = scope.name((*(command.schema or (scope.schema,)), ""))
    relations = catalog.relations(place.catalog, place.schema)
    if command.views_only:
        names = _like((each.name.relation for each in relations if _is_view(each)), command.pattern)
        return of_rows(_VIEWS, [(place.schema, name, False, False) for name in names])
    names = _like((each.name.relation for each in relations), command.pattern)
    return of_rows(_TABLES, [(place.schema, name, False) for name in names])


_TABLES = (("database", "STRING"), ("tableName", "STRING"), ("isTemporary", "BOOLEAN"))
_VIEWS = (
    ("namespace", "STRING"),
    ("viewName", "STRING"),
    ("isTemporary", "BOOLEAN"),
    ("isMaterialized", "BOOLEAN"),
)


def show_columns(catalog: Catalog, scope: Scope, command: q.ShowColumns) -> Result:
    """SHOW COLUMNS."""
    relation = catalog.relation(scope.name(command.table))
    return of_rows([("col_name", "STRING")], [(column.name,) for column in columns_of(relation)])


def show_properties(catalog: Catalog, scope: Scope, command: q.ShowProperties) -> Result:
    """SHOW TBLPROPERTIES, with the protocol in force."""
    table = catalog.table(scope.name(command.table))
    columns = [("key", "STRING"), ("value", "STRING")]
    return of_rows(columns, _properties(table.definition))


def show_create_table(catalog: Catalog, scope: Scope, command: q.ShowCreateTable) -> Result:
    """SHOW CREATE TABLE."""
    table = catalog.table(scope.name(command.table))
    definition = table.definition
    lines = [_column_text(column) for column in definition.columns]
    lines += [f"CONSTRAINT {backticked(n)} {text}" for n, text in _keys(catalog, definition)]
    name = table.name.dotted
    text = f"CREATE TABLE {name} (\n  " + ",\n  ".join(lines) + ")\nUSING delta\n"
    if definition.cluster_by:
        text += f"CLUSTER BY ({', '.join(definition.cluster_by)})\n"
    if definition.comment:
        text += f"COMMENT {_string(definition.comment)}\n"
    pairs = [f"{_string(k)} = {_string(v)}" for k, v in _properties(definition)]
    text += "TBLPROPERTIES (\n  " + ",\n  ".join(pairs) + ")\n"
    return of_rows([("createtab_stmt", "STRING")], [(text,)])


def _column_text(column: Column) -> str:
    parts = [column.name, column.datatype]
    if not column.nullable:
        parts.append("NOT NULL")
    if column.identity:
        kind = "ALWAYS" if column.identity.always else "BY DEFAULT"
        bounds = f"START WITH {column.identity.start} INCREMENT BY {column.identity.increment}"
        parts.append(f"GENERATED {kind} AS IDENTITY ({bounds})")
    if column.generated is not None:
        parts.append(f"GENERATED ALWAYS AS ( {column.generated} )")
    if column.default is not None:
        parts.append(f"DEFAULT {column.default}")
    if column.comment:
        parts.append(f"COMMENT {_string(column.comment)}")
    return " ".join(parts)


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def describe(catalog: Catalog, scope: Scope, command: q.Describe) -> Result:
    """DESCRIBE TABLE; the client's dialect reads keys from the EXTENDED form."""
    relation = catalog.relation(scope.name(command.table))
    rows: list[tuple[str, str | None, str | None]] = [
        (column.name, lowered(column.datatype), column.comment) for column in columns_of(relation)
    ]
    if isinstance(relation, Table):
        rows += _named_columns("# Partition Information", relation.definition.partitioned_by, rows)
        rows += _named_columns("# Clustering Information", relation.definition.cluster_by, rows)
    if command.extended:
        rows += _details(relation)
        if isinstance(relation, Table):
            rows += _constraints(catalog, relation.definition)
    return of_rows(_DETAILS, rows)


def _named_columns(
    title: str, names: tuple[str, ...], rows: list[tuple[str, str | None, str | None]]
) -> list[tuple[str, str | None, str | None]]:
    if not names:
        return []
    types = {name: datatype for name, datatype, _ in rows}
    return [(title, "", ""), _HEADER, *((name, types[name], None) for name in names)]


def _details(relation: Relation) -> list[tuple[str, str | None, str | None]]:
    created = relation.created.astimezone(UTC).strftime("%a %b %d %H:%M:%S UTC %Y")
    comment = _comment(relation)
    pairs = [
        ("Catalog", relation.name.catalog),
        ("Database", relation.name.schema),
        ("Table", relation.name.relation),
        ("Created Time", created),
        ("Type", "VIEW" if isinstance(relation, View) else "MANAGED"),
        *([("Comment", comment)] if comment else []),
        ("Owner", _OWNER),
        *_rest(relation),
    ]
    title = ("# Detailed Table Information", "", "")
    return [_NOTHING, title, *((name, text, "") for name, text in pairs)]


def _rest(relation: Relation) -> list[tuple[str, str]]:
    if isinstance(relation, View):
        return [("View Text", relation.query)]
    pairs = ",".join(f"{key}={value}" for key, value in _properties(relation.definition))
    return [("Provider", "delta"), ("Table Properties", f"[{pairs}]")]


def _constraints(
    catalog: Catalog, definition: Definition
) -> list[tuple[str, str | None, str | None]]:
    found = _keys(catalog, definition)
    if not found:
        return []
    rows = [(name, text, "") for name, text in found]
    return [_NOTHING, ("# Constraints", "", ""), *rows]


def _keys(catalog: Catalog, definition: Definition) -> list[tuple[str, str]]:
    """Return pairs of name and text, as the manual prints them."""
    found = []
    if key := definition.primary_key:
        found.append((key.name, f"PRIMARY KEY ({listed(key.columns)})"))
    for foreign, target in foreign_keys(catalog, definition):
        ends = f"REFERENCES {target.name} ({listed(foreign.target_columns)})"
        found.append((foreign.name, f"FOREIGN KEY ({listed(foreign.columns)}) {ends}"))
    return found


def foreign_keys(catalog: Catalog, definition: Definition) -> list[tuple[ForeignKey, Table]]:
    """Return the foreign keys whose primary key lives, and the tables that they refer to."""
    parents = {key.id: table for table in catalog.tables() if (key := table.definition.primary_key)}
    return [(each, parents[each.key]) for each in definition.foreign_keys if each.key in parents]


def describe_history(catalog: Catalog, scope: Scope, command: q.DescribeHistory) -> Result:
    """Page "delta/history"."""
    table = catalog.table(scope.name(command.table))
    rows = [
        (
            version.number,
            version.at,
            _OWNER,
            version.operation,
            str(dict(version.parameters)),
            version.number - 1 if version.number else None,
            "WriteSerializable",
        )
        for version in reversed(table.versions)
    ]
    return of_rows(_HISTORY, rows[: command.limit])


_HISTORY = (
    ("version", "BIGINT"),
    ("timestamp", "TIMESTAMP"),
    ("userName", "STRING"),
    ("operation", "STRING"),
    ("operationParameters", "STRING"),
    ("readVersion", "BIGINT"),
    ("isolationLevel", "STRING"),
)


def describe_detail(catalog: Catalog, scope: Scope, command: q.DescribeDetail) -> Result:
    """Page "delta/table-details"."""
    table = catalog.table(scope.name(command.table))
    asked = protocol(table.definition)
    name = table.name.dotted
    row = (
        "delta",
        table.id,
        name,
        table.definition.comment,
        table.created,
        table.versions[-1].at,
        ",".join(table.definition.cluster_by),
        str(dict(table.definition.properties)),
        asked.reader,
        asked.writer,
        ",".join(asked.features),
    )
    return of_rows(_DETAIL, [row])


_DETAIL = (
    ("format", "STRING"),
    ("id", "STRING"),
    ("name", "STRING"),
    ("description", "STRING"),
    ("createdAt", "TIMESTAMP"),
    ("lastModified", "TIMESTAMP"),
    ("clusteringColumns", "STRING"),
    ("properties", "STRING"),
    ("minReaderVersion", "INT"),
    ("minWriterVersion", "INT"),
    ("tableFeatures", "STRING"),
)


def columns_of(relation: Relation) -> tuple[Column, ...]:
    """Return the columns of a table or view."""
    return relation.columns if isinstance(relation, View) else relation.definition.columns


def lowered(datatype: str) -> str:
    """Return *datatype* as DESCRIBE prints it; names of fields keep their case."""
    return re.sub(r"`[^`]*`|\b\w+\b(?!:)", _lower_unless_quoted, datatype)


def _lower_unless_quoted(found: re.Match[str]) -> str:
    text = found.group()
    return text if text.startswith("`") else text.lower()


def _is_view(relation: Relation) -> bool:
    return isinstance(relation, View)


def _comment(relation: Relation) -> str | None:
    return relation.comment if isinstance(relation, View) else relation.definition.comment


def _properties(definition: Definition) -> list[tuple[str, str]]:
    """Return the properties, with the protocol that is in force."""
    asked = protocol(definition)
    shown = {
        **dict(definition.properties),
        "delta.minReaderVersion": str(asked.reader),
        "delta.minWriterVersion": str(asked.writer),
    }
    return sorted(shown.items())


def _like(names: Iterable[str], pattern: str | None) -> list[str]:
    """Return those of *names* that fit: `*` is anything, `|` is or."""
    if pattern is None:
        return list(names)
    options = "|".join(".*".join(map(re.escape, part.split("*"))) for part in pattern.split("|"))
    return [name for name in names if re.fullmatch(options, name, re.IGNORECASE)]


#: What runs each command that only reads the catalog.
READERS: dict[type[c.Command], Callable[[Catalog, Scope, Any], Result]] = {
    q.ShowCatalogs: show_catalogs,
    q.ShowSchemas: show_schemas,
    q.ShowRelations: show_relations,
    q.ShowColumns: show_columns,
    q.ShowProperties: show_properties,
    q.ShowCreateTable: show_create_table,
    q.Describe: describe,
    q.DescribeHistory: describe_history,
    q.DescribeDetail: describe_detail,
}
