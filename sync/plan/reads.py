"""What a statement looks at, and what it does to the transaction: read off its text, pure.

The text is parsed by sqlglot. What it does not understand counts as a read of data: a step
too many that runs live is slow, one too few is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

#: SQLAlchemy's name of a dialect -> sqlglot's.
SQLGLOT = {"postgresql": "postgres", "databricks": "databricks"}


class Looks(StrEnum):
    """What a statement whose result was looked at depends on."""

    NOTHING = "nothing"  #: constants, or what does not differ from target to target
    CATALOG = "catalog"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one statement looks at."""

    looks: Looks
    what: str = ""  #: the end of a sentence: ``"reads tenant"``


#: Functions that only tell of the catalog, or compute from what they are given.
TELLING = frozenset(
    {"col_description", "current_schema", "current_schemas", "format_type", "obj_description"}
    | {"quote_ident", "shobj_description", "to_regclass", "to_regnamespace", "to_regtype"}
    | {"generate_subscripts", "json_build_object", "jsonb_build_object", "row_to_json"}
    | {"json_agg", "jsonb_agg", "array_position", "array_to_string", "string_to_array", "format"}
)

#: Families of them.
TELLING_FAMILIES = re.compile(r"pg_get_\w+|pg_\w+_is_visible")

#: What differs from target to target, or from moment to moment.
SHIFTING = (
    exp.CurrentDate,
    exp.CurrentDatetime,
    exp.CurrentTime,
    exp.CurrentTimestamp,
    exp.CurrentUser,
    exp.Rand,
    exp.Uuid,
)

#: Settings that are the same wherever a plan is replayed.
SETTLED = ("transaction isolation level", "standard_conforming_strings", "search_path")

#: First words of statements that begin or end a transaction.
CONTROLLING = frozenset(
    {"abort", "begin", "commit", "end", "release", "rollback", "savepoint", "start"}
)

#: Sent by SQLAlchemy for a nested transaction; without a rollback to it, it changes nothing.
NESTING = ("savepoint", "release")


def reading(sql: str, dialect: str, *, version_table: str) -> Reading:
    """Tell what a statement looks at whose result was looked at."""
    words = sql.strip().rstrip(";").lower()
    if words.startswith("show ") and dialect == "postgresql":
        settled = words.removeprefix("show ").strip() in SETTLED
        return Reading(Looks.NOTHING) if settled else Reading(Looks.DATA, "reads a setting")
    if words.startswith(("show ", "describe ")):
        return Reading(Looks.CATALOG, "reads the catalog")
    try:
        tree = sqlglot.parse_one(sql, read=SQLGLOT.get(dialect, dialect))
    except SqlglotError:
        return Reading(Looks.DATA, "reads in a way that cannot be followed")
    return reading_of(tree, version_table)


def reading_of(tree: exp.Expr, version_table: str) -> Reading:
    """Tell what a parsed statement looks at."""
    if not isinstance(tree, exp.Query) or tree.find(exp.Insert, exp.Update, exp.Delete):
        return Reading(Looks.DATA, "uses what a statement returned")
    if function := next(unsure(tree), None):
        return Reading(Looks.DATA, f"calls {function}()")
    tables = [table for table in tree.find_all(exp.Table) if is_table(table, tree)]
    data = sorted({t.name for t in tables if not is_catalog(t) and t.name != version_table})
    if data:
        return Reading(Looks.DATA, f"reads {', '.join(data)}")
    catalog = any(map(is_catalog, tables)) or bool(tree.find(exp.Func))
    return Reading(Looks.CATALOG, "reads the catalog") if catalog else Reading(Looks.NOTHING)


def is_table(table: exp.Table, tree: exp.Expr) -> bool:
    """Tell whether *table* is one, and not the name of a part of the same statement."""
    parts = {part.alias_or_name for part in tree.find_all(exp.CTE)}
    return isinstance(table.this, exp.Identifier) and (bool(table.db) or table.name not in parts)


def is_catalog(table: exp.Table) -> bool:
    """Tell whether *table* belongs to the catalog."""
    schema = table.db.lower()
    if schema:
        return schema in ("pg_catalog", "information_schema")
    return table.name.lower().startswith("pg_")


def unsure(tree: exp.Expr) -> Iterator[str]:
    """Yield the functions of which nobody can say that they always tell the same."""
    for function in tree.find_all(exp.Func):
        name = function.name.lower() if isinstance(function, exp.Anonymous) else ""
        if isinstance(function, SHIFTING):
            yield function.sql_name().lower()
        elif name and name not in TELLING and not TELLING_FAMILIES.fullmatch(name):
            yield name


def controls_transaction(sql: str, dialect: str) -> bool:
    """Tell whether one of the statements of a text begins or ends a transaction."""
    try:
        tokens = sqlglot.tokenize(sql, read=SQLGLOT.get(dialect, dialect))
    except SqlglotError:
        return True
    return any(first.text.lower() in CONTROLLING for first in firsts(tokens))


def is_nesting(sql: str) -> bool:
    """Tell whether a text is one savepoint, made or given back."""
    words = sql.strip().rstrip(";").lower().split()
    return ";" not in sql.strip().rstrip(";") and bool(words) and words[0] in NESTING


def firsts(tokens: list[Token]) -> Iterator[Token]:
    """Yield the first token of each statement."""
    ahead = True
    for token in tokens:
        if ahead and token.token_type is not TokenType.SEMICOLON:
            yield token
        ahead = token.token_type is TokenType.SEMICOLON
