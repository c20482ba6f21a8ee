"""What the client's cursor.catalogs(), schemas(), tables() and columns() ask for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from providers.databricks.warehouse.catalog import Catalog
from providers.databricks.warehouse.describe import columns_of
from providers.databricks.warehouse.model import Column, Relation, View
from providers.databricks.warehouse.results import Result, of_rows


def catalogs(catalog: Catalog) -> Result:
    """Answer GetCatalogs."""
    return of_rows([("TABLE_CAT", "STRING")], [(name,) for name in catalog.catalogs()])


def schemas(catalog: Catalog, within: str | None, pattern: str | None) -> Result:
    """Answer GetSchemas."""
    fits_catalog, fits = like(within), like(pattern)
    rows = [
        (schema, each)
        for each in catalog.catalogs()
        if fits_catalog(each)
        for schema in catalog.schemas(each)
        if fits(schema)
    ]
    return of_rows([("TABLE_SCHEM", "STRING"), ("TABLE_CATALOG", "STRING")], rows)


def tables(
    catalog: Catalog, where: tuple[str | None, str | None, str | None], kinds: Sequence[str] | None
) -> Result:
    """Answer GetTables. *where* are patterns for catalog, schema and table."""
    rows = []
    for each in _matching(catalog, where):
        view = isinstance(each, View)
        kind = "VIEW" if view else "TABLE"
        comment = each.comment if isinstance(each, View) else each.definition.comment
        if not kinds or kind in kinds:
            rows.append((*each.name.parts, kind, comment or "", None, None, None, None, None))
    return of_rows([(name, "STRING") for name in _TABLES], rows)


_TABLES = (
    *("TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE", "REMARKS", "TYPE_CAT"),
    *("TYPE_SCHEM", "TYPE_NAME", "SELF_REFERENCING_COL_NAME", "REF_GENERATION"),
)


def columns(
    catalog: Catalog, where: tuple[str | None, str | None, str | None], pattern: str | None
) -> Result:
    """Answer GetColumns. *where* are patterns for catalog, schema and table."""
    fits = like(pattern)
    rows = [
        _column_row(each, column, position)
        for each in _matching(catalog, where)
        for position, column in enumerate(columns_of(each))
        if fits(column.name)
    ]
    return of_rows(_COLUMNS, rows)


def _column_row(relation: Relation, column: Column, position: int) -> tuple[object, ...]:
    """Return the row of one column; what JDBC asks beyond that is empty."""
    known: dict[str, object] = {
        **dict(zip(("TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME"), relation.name.parts, strict=True)),
        "COLUMN_NAME": column.name,
        "DATA_TYPE": 0,
        "TYPE_NAME": column.datatype,
        "NULLABLE": int(column.nullable),
        "REMARKS": column.comment or "",
        "COLUMN_DEF": column.default,
        "ORDINAL_POSITION": position,
        "IS_NULLABLE": "YES" if column.nullable else "NO",
        "IS_AUTO_INCREMENT": "YES" if column.identity else "NO",
    }
    return tuple(known.get(name) for name, _ in _COLUMNS)


_COLUMNS = (
    ("TABLE_CAT", "STRING"),
    ("TABLE_SCHEM", "STRING"),
    ("TABLE_NAME", "STRING"),
    ("COLUMN_NAME", "STRING"),
    ("DATA_TYPE", "INT"),
    ("TYPE_NAME", "STRING"),
    ("COLUMN_SIZE", "INT"),
    ("BUFFER_LENGTH", "INT"),
    ("DECIMAL_DIGITS", "INT"),
    ("NUM_PREC_RADIX", "INT"),
    ("NULLABLE", "INT"),
    ("REMARKS", "STRING"),
    ("COLUMN_DEF", "STRING"),
    ("SQL_DATA_TYPE", "INT"),
    ("SQL_DATETIME_SUB", "INT"),
    ("CHAR_OCTET_LENGTH", "INT"),
    ("ORDINAL_POSITION", "INT"),
    ("IS_NULLABLE", "STRING"),
    ("SCOPE_CATALOG", "STRING"),
    ("SCOPE_SCHEMA", "STRING"),
    ("SCOPE_TABLE", "STRING"),
    ("SOURCE_DATA_TYPE", "SMALLINT"),
    ("IS_AUTO_INCREMENT", "STRING"),
)


def _matching(
    catalog: Catalog, where: tuple[str | None, str | None, str | None]
) -> Iterator[Relation]:
    patterns = [like(pattern) for pattern in where]
    for each in catalog.everything():
        pairs = zip(patterns, each.name.parts, strict=True)
        if all(fits(part) for fits, part in pairs):
            yield each


def like(pattern: str | None) -> Callable[[str], bool]:
    r"""Return a test for a JDBC pattern: `%` anything, `_` one character, `\` the next as it is."""
    if not pattern or pattern == "*":
        return lambda _name: True
    pieces = re.findall(r"\\.|.", pattern, re.DOTALL)
    compiled = re.compile("".join(map(_piece, pieces)), re.IGNORECASE | re.DOTALL)
    return lambda name: compiled.fullmatch(name) is not None


def _piece(piece: str) -> str:
    if piece == "%":
        return ".*"
    if piece == "_":
        return "."
    return re.escape(piece[-1])
