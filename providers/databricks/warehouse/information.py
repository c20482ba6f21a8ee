"""The information schema of a catalog. Pages "sql/language-manual/information-schema/*"."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from providers.databricks.warehouse import errors
from providers.databricks.warehouse.catalog import Catalog
from providers.databricks.warehouse.datatypes import base
from providers.databricks.warehouse.describe import columns_of, foreign_keys, lowered
from providers.databricks.warehouse.errors import SqlError
from providers.databricks.warehouse.model import Name, Relation, Table, View
from providers.databricks.warehouse.results import Result, of_rows

_Row: TypeAlias = tuple[Any, ...]
_OWNER = "local"


def table_of(catalog: Catalog, within: str, name: str) -> Result:
    """Return the table *name* of the information schema of the catalog *within*.

    Raises:
        SqlError: There is no such table, or it is not modelled.
    """
    known = _TABLES.get(name)
    if known is None:
        wanted = Name(within, "information_schema", name)
        raise SqlError(errors.TABLE_NOT_FOUND, f"The table or view {wanted} cannot be found.")
    columns, rows = known
    shaped = [_split(column) for column in columns.split()]
    return of_rows(shaped, list(rows(catalog, within)))


def _split(text: str) -> tuple[str, str]:
    name, _, datatype = text.partition(":")
    return name, datatype or "STRING"


def _relations(catalog: Catalog, within: str) -> list[Relation]:
    """Return the relations of a catalog; catalog `system` shows those of all."""
    return [each for each in catalog.everything() if within in {"system", each.name.catalog}]


def _schemata(catalog: Catalog, within: str) -> Iterator[_Row]:
    for each in catalog.catalogs() if within == "system" else [within]:
        for schema in catalog.schemas(each):
            yield each, schema, _OWNER


def _tables(catalog: Catalog, within: str) -> Iterator[_Row]:
    for each in _relations(catalog, within):
        view = isinstance(each, View)
        comment = each.comment if isinstance(each, View) else each.definition.comment
        kind = "VIEW" if view else "MANAGED"
        yield *each.name.parts, kind, _OWNER, comment, None if view else "DELTA"


def _views(catalog: Catalog, within: str) -> Iterator[_Row]:
    for each in _relations(catalog, within):
        if isinstance(each, View):
            yield *each.name.parts, each.query


def _columns(catalog: Catalog, within: str) -> Iterator[_Row]:
    for each in _relations(catalog, within):
        for position, column in enumerate(columns_of(each)):
            identity = column.identity
            yield (
                *each.name.parts,
                column.name,
                position,
                column.default,
                _yes(column.nullable),
                lowered(column.datatype),
                base(column.datatype),
                _yes(identity is not None),
                None if identity is None else ("ALWAYS" if identity.always else "BY DEFAULT"),
                column.comment,
            )


def _constraints(catalog: Catalog, within: str) -> Iterator[_Row]:
    for table in _only_tables(catalog, within):
        definition = table.definition
        named: list[tuple[str, str]] = []
        if key := definition.primary_key:
            named.append((key.name, "PRIMARY KEY"))
        named += [(key.name, "FOREIGN KEY") for key, _ in foreign_keys(catalog, definition)]
        named += [(check.name, "CHECK") for check in definition.checks]
        for name, kind in named:
            enforced = _yes(kind == "CHECK")
            yield *table.name.parts[:2], name, *table.name.parts, kind, enforced


def _key_columns(catalog: Catalog, within: str) -> Iterator[_Row]:
    for table in _only_tables(catalog, within):
        keys: list[tuple[str, tuple[str, ...]]] = []
        if key := table.definition.primary_key:
            keys.append((key.name, key.columns))
        living = foreign_keys(catalog, table.definition)
        keys += [(foreign.name, foreign.columns) for foreign, _ in living]
        for name, columns in keys:
            for position, column in enumerate(columns, start=1):
                yield *table.name.parts[:2], name, *table.name.parts, column, position


def _referential(catalog: Catalog, within: str) -> Iterator[_Row]:
    for table in _only_tables(catalog, within):
        for foreign, parent in foreign_keys(catalog, table.definition):
            key = parent.definition.primary_key
            yield (
                *(table.name.catalog, table.name.schema, foreign.name),
                *(parent.name.catalog, parent.name.schema, key.name if key else None),
            )


def _checks(catalog: Catalog, within: str) -> Iterator[_Row]:
    for table in _only_tables(catalog, within):
        for check in table.definition.checks:
            yield table.name.catalog, table.name.schema, check.name, check.condition


def _only_tables(catalog: Catalog, within: str) -> list[Table]:
    return [each for each in _relations(catalog, within) if isinstance(each, Table)]


def _yes(value: bool) -> str:  # noqa: FBT001 - turns a truth value into a word
    return "YES" if value else "NO"


#: Columns, in order; without a type they are strings.
_TABLES: dict[str, tuple[str, Callable[[Catalog, str], Iterator[_Row]]]] = {
    "schemata": ("catalog_name schema_name schema_owner", _schemata),
    "tables": (
        "table_catalog table_schema table_name table_type table_owner comment data_source_format",
        _tables,
    ),
    "views": ("table_catalog table_schema table_name view_definition", _views),
    "columns": (
        (
            "table_catalog table_schema table_name column_name ordinal_position:INT column_default "
            "is_nullable full_data_type data_type is_identity identity_generation comment"
        ),
        _columns,
    ),
    "table_constraints": (
        (
            "constraint_catalog constraint_schema constraint_name table_catalog table_schema "
            "table_name constraint_type enforced"
        ),
        _constraints,
    ),
    "key_column_usage": (
        (
            "constraint_catalog constraint_schema constraint_name table_catalog table_schema "
            "table_name column_name ordinal_position:INT"
        ),
        _key_columns,
    ),
    "referential_constraints": (
        (
            "constraint_catalog constraint_schema constraint_name unique_constraint_catalog "
            "unique_constraint_schema unique_constraint_name"
        ),
        _referential,
    ),
    "check_constraints": (
        "constraint_catalog constraint_schema constraint_name check_clause",
        _checks,
    ),
}
