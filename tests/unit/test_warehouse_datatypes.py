from __future__ import annotations

import pytest

from providers.databricks.warehouse.datatypes import canonical, duckdb_type, widens
from providers.databricks.warehouse.describe import lowered
from providers.databricks.warehouse.errors import SqlError


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("int", "INT"),
        ("LONG", "BIGINT"),
        ("numeric( 10 , 2 )", "DECIMAL(10,2)"),
        ("DECIMAL", "DECIMAL(10,0)"),
        ("DECIMAL(5)", "DECIMAL(5,0)"),
        ("array<array<int>>", "ARRAY<ARRAY<INT>>"),
        ("MAP<STRING, DECIMAL(3,1)>", "MAP<STRING,DECIMAL(3,1)>"),
        ("struct<A: int, `b c`: array<string>>", "STRUCT<A:INT,`b c`:ARRAY<STRING>>"),
    ],
)
def test_a_type_is_kept_under_its_own_name(given: str, kept: str) -> None:
    """Synonyms, case and blanks are gone; names of fields stay."""
    assert canonical(given) == kept


@pytest.mark.parametrize(
    "given",
    [
        "UUID",
        "CLOB",
        "DATETIME",
        "TEXT",
        "BINARY(16)",
        "INT(11)",
        "DOUBLE PRECISION",
        "ARRAY<>",
        "",
    ],
)
def test_what_is_no_type_is_refused(given: str) -> None:
    """Types of other databases do not pass."""
    with pytest.raises(SqlError, match="UNSUPPORTED_DATATYPE"):
        canonical(given)


def test_nested_types_have_a_place_in_duckdb() -> None:
    """Each level is translated."""
    nested = canonical("MAP<STRING, STRUCT<a: ARRAY<TIMESTAMP>, `b c`: DECIMAL(3,1)>>")
    assert duckdb_type(nested) == 'MAP(VARCHAR, STRUCT("a" TIMESTAMPTZ[], "b c" DECIMAL(3,1)))'


def test_describe_prints_types_in_lower_case() -> None:
    """Names of fields keep their case."""
    assert lowered("STRUCT<A:INT,`B c`:DECIMAL(3,1)>") == "struct<A:int,`B c`:decimal(3,1)>"


@pytest.mark.parametrize(
    ("old", "new", "allowed"),
    [
        ("TINYINT", "BIGINT", True),
        ("INT", "DOUBLE", True),
        ("BIGINT", "DOUBLE", False),
        ("BIGINT", "INT", False),
        ("INT", "DECIMAL(10,0)", True),
        ("INT", "DECIMAL(10,2)", False),
        ("DECIMAL(10,2)", "DECIMAL(12,4)", True),
        ("DECIMAL(10,2)", "DECIMAL(10,4)", False),
        ("DATE", "TIMESTAMP_NTZ", True),
        ("DATE", "TIMESTAMP", False),
        ("STRING", "INT", False),
    ],
)
def test_a_type_widens_only_where_every_value_fits(old: str, new: str, *, allowed: bool) -> None:
    """The list is that of the manual's page on type widening."""
    assert widens(old, new) is allowed
