"""Errors as a SQL warehouse reports them: a condition, one message, a SQLSTATE.

Names and SQLSTATEs are those of the manual, pages "error-messages/error-classes" and
"error-messages/sqlstates". The one condition that is ours begins with LOCAL_WAREHOUSE.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb


@dataclass(frozen=True, slots=True)
class Condition:
    """A kind of error: what clients match on."""

    name: str
    sqlstate: str


class SqlError(Exception):
    """A statement was refused or failed; it had no effect."""

    def __init__(self, condition: Condition, message: str) -> None:
        self.condition = condition
        super().__init__(f"[{condition.name}] {message} SQLSTATE: {condition.sqlstate}")


# Names
NO_SUCH_CATALOG = Condition("NO_SUCH_CATALOG_EXCEPTION", "42704")
SCHEMA_NOT_FOUND = Condition("SCHEMA_NOT_FOUND", "42704")
SCHEMA_ALREADY_EXISTS = Condition("SCHEMA_ALREADY_EXISTS", "42P06")
SCHEMA_NOT_EMPTY = Condition("SCHEMA_NOT_EMPTY", "2BP01")
TABLE_NOT_FOUND = Condition("TABLE_OR_VIEW_NOT_FOUND", "42P01")
TABLE_ALREADY_EXISTS = Condition("TABLE_OR_VIEW_ALREADY_EXISTS", "42P07")
EXPECT_TABLE_NOT_VIEW = Condition("EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE", "42809")
EXPECT_VIEW_NOT_TABLE = Condition("EXPECT_VIEW_NOT_TABLE.NO_ALTERNATIVE", "42809")
UNRESOLVED_COLUMN = Condition("UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703")
UNRESOLVED_ROUTINE = Condition("UNRESOLVED_ROUTINE", "42883")
COLUMN_ALREADY_EXISTS = Condition("COLUMN_ALREADY_EXISTS", "42711")
FIELD_ALREADY_EXISTS = Condition("FIELD_ALREADY_EXISTS", "42710")
INVALID_CHARACTERS = Condition("DELTA_INVALID_CHARACTERS_IN_COLUMN_NAMES", "42K05")

# Statements
PARSE_SYNTAX_ERROR = Condition("PARSE_SYNTAX_ERROR", "42601")
UNSUPPORTED_DATATYPE = Condition("UNSUPPORTED_DATATYPE", "0A000")
UNBOUND_PARAMETER = Condition("UNBOUND_SQL_PARAMETER", "42P02")
ARITY_MISMATCH = Condition("INSERT_COLUMN_ARITY_MISMATCH.NOT_ENOUGH_DATA_COLUMNS", "21S01")
CAST_INVALID_INPUT = Condition("CAST_INVALID_INPUT", "22018")
ARITHMETIC_OVERFLOW = Condition("ARITHMETIC_OVERFLOW", "22003")
OPERATION_CANCELED = Condition("OPERATION_CANCELED", "HY008")
INTERNAL_ERROR = Condition("INTERNAL_ERROR", "XX000")
CANNOT_RUN = Condition("LOCAL_WAREHOUSE_UNSUPPORTED", "0A000")

# Changes of a table
NO_DROP_COLUMN = Condition("DELTA_UNSUPPORTED_DROP_COLUMN", "0AKDC")
NO_RENAME_COLUMN = Condition("DELTA_UNSUPPORTED_RENAME_COLUMN", "0AKDC")
NO_CHANGE_COLUMN = Condition("DELTA_UNSUPPORTED_ALTER_TABLE_CHANGE_COL_OP", "0AKDC")
NO_NOT_NULL_IN_ADD = Condition("DELTA_OPERATION_NOT_ALLOWED", "0AKDC")
NO_DEFAULT_IN_ADD = Condition(
    "WRONG_COLUMN_DEFAULTS_FOR_DELTA_ALTER_TABLE_ADD_COLUMN_NOT_SUPPORTED", "0AKDC"
)
NO_DEFAULT_FEATURE = Condition("WRONG_COLUMN_DEFAULTS_FOR_DELTA_FEATURE_NOT_ENABLED", "0AKDE")
DEFAULT_TYPE = Condition("INVALID_DEFAULT_VALUE.DATA_TYPE", "42623")
NEEDS_FEATURE = Condition("DELTA_FEATURES_REQUIRE_MANUAL_ENABLEMENT", "42000")
NO_MAPPING_CHANGE = Condition("DELTA_UNSUPPORTED_COLUMN_MAPPING_MODE_CHANGE", "0AKDC")
NO_CLUSTERING_DROP = Condition("DELTA_UNSUPPORTED_DROP_CLUSTERING_COLUMN", "0AKDC")
PROTOCOL_DOWNGRADE = Condition("DELTA_INVALID_PROTOCOL_DOWNGRADE", "KD004")
NOT_A_DELTA_TABLE = Condition("UC_FILE_SCHEME_FOR_TABLE_CREATION_NOT_SUPPORTED", "0AKUC")
IDENTITY_TYPE = Condition("DELTA_IDENTITY_COLUMNS_UNSUPPORTED_DATA_TYPE", "428H2")
IDENTITY_INSERT = Condition("DELTA_IDENTITY_COLUMNS_EXPLICIT_INSERT_NOT_SUPPORTED", "42808")
GENERATED_TYPE = Condition("DELTA_GENERATED_COLUMNS_EXPR_TYPE_MISMATCH", "42K09")
GENERATED_FROM_GENERATED = Condition("DELTA_INVALID_GENERATED_COLUMN_REFERENCES", "42621")
GENERATED_USES_COLUMN = Condition("DELTA_GENERATED_COLUMNS_DEPENDENT_COLUMN_CHANGE", "42K09")
VERSION_NOT_FOUND = Condition("DELTA_VERSION_NOT_FOUND", "22003")

# Constraints
CONSTRAINT_EXISTS = Condition("DELTA_CONSTRAINT_ALREADY_EXISTS", "42710")
NO_SUCH_CONSTRAINT = Condition("DELTA_CONSTRAINT_DOES_NOT_EXIST", "42704")
CONSTRAINT_USES_COLUMN = Condition("DELTA_CONSTRAINT_DEPENDENT_COLUMN_CHANGE", "42K09")
NULL_IN_NOT_NULL = Condition("DELTA_NOT_NULL_CONSTRAINT_VIOLATED", "23502")
NULL_BEFORE_NOT_NULL = Condition("DELTA_NEW_NOT_NULL_VIOLATION", "23512")
CHECK_VIOLATED = Condition("DELTA_VIOLATE_CONSTRAINT_WITH_VALUES", "23001")
CHECK_VIOLATED_BEFORE = Condition("DELTA_NEW_CHECK_CONSTRAINT_VIOLATION", "23512")
TOO_LONG = Condition("DELTA_EXCEED_CHAR_VARCHAR_LIMIT", "22001")
#: What Unity Catalog says about keys carries this general SQLSTATE.
INVALID_KEY = Condition("INVALID_PARAMETER_VALUE", "22023")

# Concurrency (page "delta/isolation-level")
METADATA_CHANGED = Condition("DELTA_METADATA_CHANGED", "2D521")
CONCURRENT_APPEND = Condition("DELTA_CONCURRENT_APPEND", "2D521")
CONCURRENT_WRITE = Condition("DELTA_CONCURRENT_WRITE", "2D521")
#: The commit stands; what Delta does after it (a manifest, the catalog) failed.
POST_COMMIT_HOOK_FAILED = Condition("DELTA_POST_COMMIT_HOOK_FAILED", "2DKD0")

#: The first that fits wins. Text: part of DuckDB's message, where its class says too little.
_FROM_DUCKDB: tuple[tuple[type[duckdb.Error], str, Condition], ...] = (
    (duckdb.InterruptException, "", OPERATION_CANCELED),
    (duckdb.TransactionException, "onflict", CONCURRENT_WRITE),
    (duckdb.ConversionException, "", CAST_INVALID_INPUT),
    (duckdb.OutOfRangeException, "", ARITHMETIC_OVERFLOW),
    (duckdb.ParserException, "", PARSE_SYNTAX_ERROR),
    (duckdb.CatalogException, "unction", UNRESOLVED_ROUTINE),
    (duckdb.BinderException, "unction", UNRESOLVED_ROUTINE),
    (duckdb.BinderException, "values were supplied", ARITY_MISMATCH),
    (duckdb.BinderException, "not found", UNRESOLVED_COLUMN),
    (duckdb.BinderException, "does not have a column", UNRESOLVED_COLUMN),
)


def from_duckdb(error: duckdb.Error) -> SqlError:
    """Return what a warehouse would say where DuckDB said *error*."""
    said = str(error).split("\n", 1)[0]
    for kind, text, condition in _FROM_DUCKDB:
        if isinstance(error, kind) and text in said:
            return SqlError(condition, said)
    return SqlError(CANNOT_RUN, said)


def cannot_run(what: str) -> SqlError:
    """Return the refusal of something that Databricks runs and this stand-in does not."""
    return SqlError(CANNOT_RUN, f"The local warehouse does not model {what}.")


def parse_error(near: str, line: int, column: int) -> SqlError:
    """Return the refusal of a text that is no statement; *near* is what the reader stopped at."""
    where = f" (line {line}, pos {column})" if line else ""
    return SqlError(PARSE_SYNTAX_ERROR, f"Syntax error at or near {near}.{where}")
