"""Results of statements, and their shape on the wire: Arrow batches and Thrift metadata."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import ttypes

from providers.databricks.warehouse.datatypes import base, of_arrow, sizes

#: A struct of the client's generated code, which has no types.
Struct: TypeAlias = Any
T: Any = ttypes

_ARROW = {
    "STRING": pa.string(),
    "INT": pa.int32(),
    "SMALLINT": pa.int16(),
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
}
_THRIFT = {
    "BOOLEAN": T.TTypeId.BOOLEAN_TYPE,
    "TINYINT": T.TTypeId.TINYINT_TYPE,
    "SMALLINT": T.TTypeId.SMALLINT_TYPE,
    "INT": T.TTypeId.INT_TYPE,
    "BIGINT": T.TTypeId.BIGINT_TYPE,
    "FLOAT": T.TTypeId.FLOAT_TYPE,
    "DOUBLE": T.TTypeId.DOUBLE_TYPE,
    "DECIMAL": T.TTypeId.DECIMAL_TYPE,
    "BINARY": T.TTypeId.BINARY_TYPE,
    "DATE": T.TTypeId.DATE_TYPE,
    "TIMESTAMP": T.TTypeId.TIMESTAMP_TYPE,
    "TIMESTAMP_NTZ": T.TTypeId.TIMESTAMP_TYPE,
    "ARRAY": T.TTypeId.ARRAY_TYPE,
    "MAP": T.TTypeId.MAP_TYPE,
    "STRUCT": T.TTypeId.STRUCT_TYPE,
    "VOID": T.TTypeId.NULL_TYPE,
}


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of a result."""

    name: str
    datatype: str  #: canonical


@dataclass(frozen=True, slots=True)
class Result:
    """What a statement gives back."""

    columns: tuple[ResultColumn, ...]
    rows: pa.Table
    modified: int | None = None  #: rows that INSERT, UPDATE, DELETE or MERGE changed; else None


#: Of a statement without rows to show.
EMPTY = Result((), pa.table({}))


def of_rows(
    columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]], modified: int | None = None
) -> Result:
    """Return *rows* as a result; *columns* are pairs of name and type."""
    fields = [pa.field(name, _ARROW[datatype]) for name, datatype in columns]
    arrays = [
        pa.array([row[index] for row in rows], field.type) for index, field in enumerate(fields)
    ]
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    return Result(tuple(ResultColumn(*each) for each in columns), table, modified)


def of_table(table: pa.Table) -> Result:
    """Return rows that DuckDB handed out, in types that a warehouse has."""
    arrays = [_presentable(array) for array in table.columns]
    fields = [pa.field(old.name, new.type) for old, new in zip(table.schema, arrays, strict=True)]
    columns = tuple(ResultColumn(field.name, of_arrow(field.type)) for field in fields)
    return Result(columns, pa.Table.from_arrays(arrays, schema=pa.schema(fields)))


def _presentable(array: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return *array*, cast where DuckDB has a type that Databricks lacks."""
    datatype = array.type
    if pa.types.is_unsigned_integer(datatype) or datatype == pa.decimal128(38, 0):
        return array.cast(pa.int64())
    if pa.types.is_timestamp(datatype) and datatype.tz:
        return array.cast(pa.timestamp("us", "UTC"))
    if pa.types.is_large_string(datatype) or pa.types.is_string_view(datatype):
        return array.cast(pa.string())
    return array


def metadata(result: Result) -> Struct:
    """Return the TGetResultSetMetadataResp of *result*."""
    described = [_column(column, at) for at, column in enumerate(result.columns, start=1)]
    return T.TGetResultSetMetadataResp(
        status=T.TStatus(statusCode=T.TStatusCode.SUCCESS_STATUS),
        schema=T.TTableSchema(columns=described),
        resultFormat=T.TSparkRowSetType.ARROW_BASED_SET,
        lz4Compressed=False,
        arrowSchema=result.rows.schema.serialize().to_pybytes(),
        isStagingOperation=False,
    )


def _column(column: ResultColumn, position: int) -> Struct:
    name = base(column.datatype)
    entry = T.TPrimitiveTypeEntry(type=_THRIFT.get(name, T.TTypeId.STRING_TYPE))
    if name == "DECIMAL":
        precision, scale = (T.TTypeQualifierValue(i32Value=size) for size in sizes(column.datatype))
        # The client refuses a decimal that comes without them.
        qualifiers = {"precision": precision, "scale": scale}
        entry.typeQualifiers = T.TTypeQualifiers(qualifiers=qualifiers)
    described = T.TTypeDesc(types=[T.TTypeEntry(primitiveEntry=entry)])
    return T.TColumnDesc(column.name, described, position, "")


def batches(result: Result, start: int, count: int) -> Iterator[Struct]:
    """Yield up to *count* rows from *start* on, as TSparkArrowBatch."""
    if not result.columns:
        return  # Arrow takes a slice without columns for `count` rows
    rows = result.rows.slice(start, count).combine_chunks()
    for batch in rows.to_batches():
        yield T.TSparkArrowBatch(batch.serialize().to_pybytes(), batch.num_rows)
