"""Rows that Spark hands out as JSON, and their shape on the wire."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from providers.databricks.warehouse.results import EMPTY, Result, ResultColumn
from tests.support.delta.jvm import Java

_ARROW: dict[str, pa.DataType] = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INT": pa.int32(),
    "BIGINT": pa.int64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
    "TIMESTAMP_NTZ": pa.timestamp("us"),
    "BINARY": pa.binary(),
}
_READ: dict[str, Callable[..., Any]] = {
    "FLOAT": float,
    "DOUBLE": float,
    "DECIMAL": Decimal,
    "DATE": date.fromisoformat,
    "TIMESTAMP": datetime.fromisoformat,
    "TIMESTAMP_NTZ": datetime.fromisoformat,
    "BINARY": base64.b64decode,
    "STRING": str,
}

#: What a change says about itself, in its only row.
_CHANGED = "num_affected_rows"


def result_of(frame: Java) -> Result:
    """Return what *frame*, a DataFrame, holds. Arrays, maps and structs become JSON text."""
    fields = list(frame.schema().fields())
    if not fields:
        return EMPTY
    names = [field.name() for field in fields]
    kinds = [field.dataType().sql() for field in fields]
    rows = [json.loads(row, parse_float=Decimal) for row in frame.toJSON().collectAsList()]
    changed = rows[0].get(_CHANGED) if rows else None
    return table_of(names, kinds, [[row.get(name) for name in names] for row in rows], changed)


def table_of(
    names: Sequence[str],
    kinds: Sequence[str],
    rows: Sequence[Sequence[Any]],
    changed: int | None = None,
) -> Result:
    """Return *rows*, whose values are those of JSON, as a result of these types."""
    arrays = [
        pa.array([_value(kind, row[at]) for row in rows], _arrow(kind))
        for at, kind in enumerate(kinds)
    ]
    columns = tuple(ResultColumn(*each) for each in zip(names, kinds, strict=True))
    return Result(columns, pa.Table.from_arrays(arrays, names=list(names)), changed)


def _arrow(kind: str) -> pa.DataType:
    if kind.startswith("DECIMAL"):
        precision, scale = kind[len("DECIMAL(") : -1].split(",")
        return pa.decimal128(int(precision), int(scale))
    return _ARROW.get(kind, pa.string())


def _value(kind: str, given: Any) -> Any:  # noqa: ANN401 - any value of JSON
    if given is None:
        return None
    if kind in _ARROW and kind not in _READ:
        return given
    read: Callable[..., Any] = _READ.get(kind.partition("(")[0], _as_text)
    return read(given)


def _as_text(given: Any) -> str:  # noqa: ANN401 - any value of JSON
    return given if isinstance(given, str) else json.dumps(given, default=str)
