"""The names of types on Databricks, and which may widen into which.

databricks-sqlalchemy knows most of them. These are those that it writes as another database
has them, or whose meaning on Postgres it loses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import databricks.sqlalchemy  # noqa: F401 - its rules come first, ours replace them
from sqlalchemy import types
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import CompileError, UnsupportedCompilationError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import TypeCompiler

#: Bits of a mantissa that FLOAT holds.
_SINGLE = 24

#: Digits of the longest DECIMAL. Page "sql/language-manual/data-types/decimal-type".
_DIGITS_AT_MOST = 38

#: Type of a text that has a length -> the greatest one. Spark's own limits.
_LONGEST = {"VARCHAR": 65535, "CHAR": 255}


def name_of(type_: types.TypeEngine[Any], dialect: Dialect) -> str:
    """Return the name of *type_*.

    Raises:
        CompileError: It has no counterpart.
    """
    try:
        return dialect.type_compiler_instance.process(type_)
    except UnsupportedCompilationError as error:
        name = type(type_).__name__
        raise CompileError(
            f"type {name} has no counterpart; name one with .with_variant(..., 'databricks')"
        ) from error


@compiles(types.DateTime, "databricks")
@compiles(types.DATETIME, "databricks")
@compiles(types.TIMESTAMP, "databricks")
@compiles(postgresql.TIMESTAMP, "databricks")
def _moment(type_: types.DateTime, _compiler: TypeCompiler, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
    return "TIMESTAMP" if type_.timezone else "TIMESTAMP_NTZ"


@compiles(types.JSON, "databricks")
@compiles(postgresql.JSON, "databricks")
@compiles(postgresql.JSONB, "databricks")
@compiles(postgresql.INET, "databricks")
@compiles(postgresql.CIDR, "databricks")
@compiles(postgresql.MACADDR, "databricks")
@compiles(types.UUID, "databricks")
@compiles(types.CLOB, "databricks")
@compiles(types.TEXT, "databricks")
@compiles(types.NVARCHAR, "databricks")
@compiles(types.NCHAR, "databricks")
@compiles(types.TIME, "databricks")
@compiles(postgresql.TIME, "databricks")
def _string(_type: types.TypeEngine[Any], _compiler: TypeCompiler, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
    return "STRING"


@compiles(types.VARCHAR, "databricks")
@compiles(types.CHAR, "databricks")
def _sized_string(type_: types.String, _compiler: TypeCompiler, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
    name, longest = type_.__visit_name__, _LONGEST[type_.__visit_name__]
    if type_.length and type_.length > longest:
        raise CompileError(f"{name}({type_.length}) is longer than {longest}; sa.Text() has no end")
    return f"{name}({type_.length})" if type_.length else "STRING"


@compiles(types.BINARY, "databricks")
@compiles(types.VARBINARY, "databricks")
@compiles(types.BLOB, "databricks")
@compiles(postgresql.BYTEA, "databricks")
def _binary(_type: types.TypeEngine[Any], _compiler: TypeCompiler, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
    return "BINARY"


@compiles(types.Float, "databricks")
@compiles(types.FLOAT, "databricks")
def _float(type_: types.Float[Any], _compiler: TypeCompiler, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
    """Hold what Postgres holds: its FLOAT has 64 bits unless it asks for less."""
    return "FLOAT" if type_.precision and type_.precision <= _SINGLE else "DOUBLE"


@compiles(types.Double, "databricks")
@compiles(types.DOUBLE, "databricks")
@compiles(types.DOUBLE_PRECISION, "databricks")
def _double(_type: types.TypeEngine[Any], _compiler: TypeCompiler, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
    return "DOUBLE"


@compiles(types.Numeric, "databricks")
@compiles(types.NUMERIC, "databricks")
@compiles(types.DECIMAL, "databricks")
def _decimal(type_: types.Numeric[Any], _compiler: TypeCompiler, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
    if type_.precision is None:
        raise CompileError(
            "a NUMERIC without precision would be DECIMAL(10,0), which keeps no fraction; "
            "give precision and scale"
        )
    precision, scale = type_.precision, type_.scale or 0
    if precision > _DIGITS_AT_MOST or scale > precision:
        raise CompileError(
            f"NUMERIC({precision}, {scale}) has no counterpart: a DECIMAL has {_DIGITS_AT_MOST} "
            "digits at most, and no more than these behind the point"
        )
    return f"DECIMAL({precision},{scale})"


@compiles(types.ARRAY, "databricks")
@compiles(postgresql.ARRAY, "databricks")
def _array(type_: types.ARRAY[Any], compiler: TypeCompiler, **kw: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
    """Nest what Postgres has in several dimensions."""
    depth = type_.dimensions or 1
    return f"{'ARRAY<' * depth}{compiler.process(type_.item_type, **kw)}{'>' * depth}"


@compiles(types.Interval, "databricks")
def _interval(_type: types.Interval, _compiler: TypeCompiler, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own arguments
    raise CompileError("a table cannot hold an INTERVAL; keep seconds in a number")


#: What STRING stands in for, and the word for each.
_KEPT_AS_TEXT = {
    types.JSON: "JSON",
    types.Uuid: "UUID",
    types.Time: "TIME",
    postgresql.INET: "INET",
    postgresql.CIDR: "CIDR",
    postgresql.MACADDR: "MACADDR",
}

#: Attributes of a type that hold others: of arrays, of maps.
_PARTS = ("item_type", "key_type", "value_type")

#: Types whose length is lost; VARCHAR and CHAR by these very names keep it.
_UNSIZED = (types.String, types.LargeBinary, types.BINARY, types.VARBINARY)


def bare(type_: types.TypeEngine[Any], dialect: Dialect) -> types.TypeEngine[Any]:
    """Return what *type_* is for this dialect: its variant, and what a decorator decorates."""
    variants = getattr(type_, "_variant_mapping", {})  # SQLAlchemy 1.4 has a type of its own
    type_ = variants.get(dialect.name, type_)
    return type_.load_dialect_impl(dialect) if isinstance(type_, types.TypeDecorator) else type_


def word_for(type_: types.TypeEngine[Any], dialect: Dialect) -> str | None:
    """Return the word for a type whose text a STRING keeps; None where nothing is lost so."""
    found = [word for each in innermost(type_, dialect) for word in _words(each)]
    return found[0] if found else None


def lost_length(type_: types.TypeEngine[Any], dialect: Dialect) -> int | None:
    """Return the length that *type_* has and its counterpart has not; None: nothing is lost."""
    for each in innermost(type_, dialect):
        named = isinstance(each, types.Enum) or type(each) in {types.VARCHAR, types.CHAR}
        if isinstance(each, _UNSIZED) and not named and each.length:
            return each.length
    return None


def collation_of(type_: types.TypeEngine[Any], dialect: Dialect) -> str | None:
    """Return the collation that a text was to be sorted by; None where it has none of its own."""
    found = (getattr(each, "collation", None) for each in innermost(type_, dialect))
    return next(filter(None, found), None)


def innermost(type_: types.TypeEngine[Any], dialect: Dialect) -> Iterator[types.TypeEngine[Any]]:
    """Yield what *type_* is, or what it is an array or a map of."""
    outer = bare(type_, dialect)
    parts = [getattr(outer, name) for name in _PARTS if hasattr(outer, name)]
    if not parts:
        yield outer
    for part in parts:
        yield from innermost(part, dialect)


def _words(type_: types.TypeEngine[Any]) -> Iterator[str]:
    yield from (word for kind, word in _KEPT_AS_TEXT.items() if isinstance(type_, kind))


#: Page "delta/type-widening": what a type may become; decimals are a matter of their digits.
_WIDER = {
    "TINYINT": ("SMALLINT", "INT", "BIGINT", "DOUBLE"),
    "SMALLINT": ("INT", "BIGINT", "DOUBLE"),
    "INT": ("BIGINT", "DOUBLE"),
    "FLOAT": ("DOUBLE",),
    "DATE": ("TIMESTAMP_NTZ",),
}
#: Digits that a decimal needs before the point to hold all of an integer type.
_DIGITS = {"TINYINT": 10, "SMALLINT": 10, "INT": 10, "BIGINT": 20}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


def widens(old: str, new: str) -> bool:
    """Tell whether a column of type *old* may be given the wider type *new*."""
    wider = _DECIMAL.fullmatch(new)
    if wider is None:
        return new in _WIDER.get(old, ())
    precision, scale = map(int, wider.groups())
    narrower = _DECIMAL.fullmatch(old)
    if narrower is None:
        return old in _DIGITS and precision - scale >= _DIGITS[old]
    old_precision, old_scale = map(int, narrower.groups())
    return old != new and scale >= old_scale and precision - scale >= old_precision - old_scale
