"""Types: their names here, in DuckDB and in Arrow, and which may widen into which.

Pages "sql/language-manual/sql-ref-datatypes" and "delta/type-widening".
"""

from __future__ import annotations

import re

import pyarrow as pa

from providers.databricks.warehouse.errors import UNSUPPORTED_DATATYPE, SqlError, cannot_run

#: Every name that a column's type may begin with, and the name that is kept.
_NAMES = {
    "BOOLEAN": "BOOLEAN",
    "TINYINT": "TINYINT",
    "BYTE": "TINYINT",
    "SMALLINT": "SMALLINT",
    "SHORT": "SMALLINT",
    "INT": "INT",
    "INTEGER": "INT",
    "BIGINT": "BIGINT",
    "LONG": "BIGINT",
    "FLOAT": "FLOAT",
    "REAL": "FLOAT",
    "DOUBLE": "DOUBLE",
    "DECIMAL": "DECIMAL",
    "DEC": "DECIMAL",
    "NUMERIC": "DECIMAL",
    "STRING": "STRING",
    "VARCHAR": "VARCHAR",
    "CHAR": "CHAR",
    "CHARACTER": "CHAR",
    "BINARY": "BINARY",
    "DATE": "DATE",
    "TIMESTAMP": "TIMESTAMP",
    "TIMESTAMP_NTZ": "TIMESTAMP_NTZ",
    "VARIANT": "VARIANT",
    "ARRAY": "ARRAY",
    "MAP": "MAP",
    "STRUCT": "STRUCT",
}
_DUCKDB = {
    "INT": "INTEGER",
    "STRING": "VARCHAR",
    "VARCHAR": "VARCHAR",
    "CHAR": "VARCHAR",
    "BINARY": "BLOB",
    "TIMESTAMP": "TIMESTAMPTZ",
    "TIMESTAMP_NTZ": "TIMESTAMP",
    "VARIANT": "JSON",
    "VOID": "INTEGER",
}
_ARGUMENTS = {"DECIMAL": (0, 1, 2), "VARCHAR": (1,), "CHAR": (0, 1)}
_INTEGERS = ("TINYINT", "SMALLINT", "INT", "BIGINT")
#: Digits that a decimal needs before the point to hold any value of an integer type.
_DIGITS = {"TINYINT": 10, "SMALLINT": 10, "INT": 10, "BIGINT": 20}
_PIECES = re.compile(r"`[^`]*`|\w+|[<>(),:]")


def canonical(text: str) -> str:
    """Return the type *text* as the catalog keeps it: ``DECIMAL(10,2)``, ``ARRAY<INT>``.

    Raises:
        SqlError: There is no such type: UNSUPPORTED_DATATYPE.
    """
    reader = _Reader(text)
    found = reader.datatype()
    reader.end()
    return found


def is_type(word: str) -> bool:
    """Tell whether the name of a type begins with *word*."""
    return word.upper() in {*_NAMES, "INTERVAL", "VOID"}


class _Reader:
    """Reads one type, nested or not."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._pieces = _PIECES.findall(text)
        self._at = 0

    def datatype(self) -> str:
        name = _NAMES.get(self._next().upper())
        if name is None:
            raise self._error()
        if name in {"ARRAY", "MAP", "STRUCT"}:
            return f"{name}<{self._inside(name)}>"
        return self._sized(name)

    def end(self) -> None:
        if self._at != len(self._pieces):
            raise self._error()

    def _inside(self, name: str) -> str:
        self._need("<")
        parts = [self._element(name)]
        while self._take(","):
            parts.append(self._element(name))
        self._need(">")
        if name != "STRUCT" and len(parts) != {"ARRAY": 1, "MAP": 2}[name]:
            raise self._error()
        return ",".join(parts)

    def _element(self, name: str) -> str:
        if name != "STRUCT":
            return self.datatype()
        field = self._next()
        self._take(":")
        return f"{field}:{self.datatype()}"

    def _sized(self, name: str) -> str:
        sizes: list[int] = []
        if self._take("("):
            sizes.append(int(self._next()))
            while self._take(","):
                sizes.append(int(self._next()))
            self._need(")")
        if len(sizes) not in _ARGUMENTS.get(name, (0,)):
            raise self._error()
        if name == "DECIMAL":
            sizes = [*sizes, *(10, 0)[len(sizes) :]]
        return f"{name}({','.join(map(str, sizes))})" if sizes else name

    def _next(self) -> str:
        if self._at == len(self._pieces):
            raise self._error()
        self._at += 1
        return str(self._pieces[self._at - 1])

    def _take(self, piece: str) -> bool:
        found = self._at < len(self._pieces) and self._pieces[self._at] == piece
        self._at += found
        return found

    def _need(self, piece: str) -> None:
        if not self._take(piece):
            raise self._error()

    def _error(self) -> SqlError:
        return SqlError(UNSUPPORTED_DATATYPE, f'Unsupported data type "{self._text.upper()}".')


def base(datatype: str) -> str:
    """Return the name that *datatype* begins with."""
    return re.split(r"[(<]", datatype, maxsplit=1)[0]


def sizes(datatype: str) -> tuple[int, ...]:
    """Return the numbers in parentheses: precision and scale, or a length; () without."""
    found = re.fullmatch(r"\w+\(([\d,]+)\)", datatype)
    return tuple(int(size) for size in found.group(1).split(",")) if found else ()


def duckdb_type(datatype: str) -> str:
    """Return the DuckDB type that holds values of the canonical *datatype*."""
    name = base(datatype)
    if name == "ARRAY":
        return f"{duckdb_type(datatype[6:-1])}[]"
    if name == "MAP":
        return f"MAP({', '.join(duckdb_type(part) for part in _parts(datatype))})"
    if name == "STRUCT":
        return f"STRUCT({', '.join(_field(part) for part in _parts(datatype))})"
    return _DUCKDB.get(name, datatype)


def _field(text: str) -> str:
    name, _, datatype = text.partition(":")
    return f'"{name.strip("`")}" {duckdb_type(datatype)}'


def _parts(datatype: str) -> list[str]:
    """Split the inside of angle brackets at the commas that are not in brackets themselves."""
    inside = datatype[datatype.index("<") + 1 : -1]
    parts, depth = [""], 0
    for character in inside:
        depth += (character in "<(") - (character in ">)")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def widens(old: str, new: str) -> bool:
    """Tell whether type widening takes a column from *old* to *new*; equal types do not widen."""
    before, after = base(old), base(new)
    if before == after == "DECIMAL":
        return old != new and _holds_decimal(sizes(old), sizes(new))
    if before in _INTEGERS and after == "DECIMAL":
        precision, scale = sizes(new)
        return precision - scale >= _DIGITS[before]
    if before in _INTEGERS and after in _INTEGERS:
        return _INTEGERS.index(before) < _INTEGERS.index(after)
    return (before, after) in {
        ("TINYINT", "DOUBLE"),
        ("SMALLINT", "DOUBLE"),
        ("INT", "DOUBLE"),
        ("FLOAT", "DOUBLE"),
        ("DATE", "TIMESTAMP_NTZ"),
    }


def _holds_decimal(old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    return new[1] >= old[1] and new[0] - new[1] >= old[0] - old[1]


_FROM_ARROW = (
    (pa.types.is_boolean, "BOOLEAN"),
    (pa.types.is_int8, "TINYINT"),
    (pa.types.is_int16, "SMALLINT"),
    (pa.types.is_int32, "INT"),
    (pa.types.is_integer, "BIGINT"),
    (pa.types.is_float32, "FLOAT"),
    (pa.types.is_float64, "DOUBLE"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_string, "STRING"),
    (pa.types.is_binary, "BINARY"),
    (pa.types.is_null, "VOID"),
)


def of_arrow(datatype: pa.DataType) -> str:
    """Return the canonical type of values that DuckDB hands out as *datatype*."""
    if pa.types.is_decimal(datatype):
        return f"DECIMAL({datatype.precision},{datatype.scale})"
    if pa.types.is_timestamp(datatype):
        return "TIMESTAMP" if datatype.tz else "TIMESTAMP_NTZ"
    if pa.types.is_nested(datatype):
        return _nested(datatype)
    for fits, name in _FROM_ARROW:
        if fits(datatype):
            return name
    raise cannot_run(f"results of type {datatype}")


def _nested(datatype: pa.DataType) -> str:
    if pa.types.is_map(datatype):
        return f"MAP<{of_arrow(datatype.key_type)},{of_arrow(datatype.item_type)}>"
    if pa.types.is_struct(datatype):
        return f"STRUCT<{','.join(f'{part.name}:{of_arrow(part.type)}' for part in datatype)}>"
    return f"ARRAY<{of_arrow(datatype.value_type)}>"
