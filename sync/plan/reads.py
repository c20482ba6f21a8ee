"""What a statement looks at, and what it does to the transaction: read off its text, pure.

The text is parsed by sqlglot. What it does not understand counts as a read of data, and so
does what nobody has vouched for: a step too many that runs live is slow, one too few is wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from providers.types import Target
from sync.plan.catalogs import (
    DATABASE_COLUMNS,
    INFORMATION_SCHEMA,
    PG_CATALOG,
    SETTLED,
    SHIFTING_COLUMNS,
    TELLING,
    TELLING_BEGINNING,
    TELLING_END,
    WITHOUT_SCHEMA,
)

#: SQLAlchemy's name of a dialect -> sqlglot's.
SQLGLOT = {"postgresql": "postgres", "databricks": "databricks"}

# It says of each text that it does not know; we ask because we do not know either.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


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


def placed(what: str, place: str) -> str:
    """Add the place in a script to what is said of it."""
    return f"{what}, {place}" if place else what


CATALOG = Reading(Looks.CATALOG, "reads the catalog")
USES = Reading(Looks.DATA, "uses what a statement returned")


#: Functions and operators that sqlglot knows, and that compute from what they are given.
COMPUTING = (
    exp.And,
    exp.Any,
    exp.Array,
    exp.ArrayAgg,
    exp.ArrayContains,
    exp.ArraySize,
    exp.Case,
    exp.Cast,
    exp.Coalesce,
    exp.Concat,
    exp.ConcatWs,
    exp.Count,
    exp.Exists,
    exp.Explode,
    exp.ExplodingGenerateSeries,
    exp.GenerateSeries,
    exp.Greatest,
    exp.GroupConcat,
    exp.If,
    exp.JSONExtract,
    exp.JSONExtractScalar,
    exp.Least,
    exp.Length,
    exp.LogicalAnd,
    exp.LogicalOr,
    exp.Lower,
    exp.Max,
    exp.Min,
    exp.Nullif,
    exp.Or,
    exp.RegexpLike,
    exp.RegexpReplace,
    exp.Replace,
    exp.RowNumber,
    exp.SplitPart,
    exp.StrPosition,
    exp.Substring,
    exp.Sum,
    exp.Trim,
    exp.Upper,
)

#: How the database is called that one is connected to.
DATABASE = (exp.CurrentDatabase, exp.CurrentCatalog)

#: Two words of which the first alone says nothing.
PREPARED = ("prepare", "transaction")

#: Words that stand for a function, and that sqlglot takes for columns.
WORDS = frozenset({"current_role", "current_user", "session_user", "system_user", "user"})

#: First words of statements that begin or end a transaction.
CONTROLLING = frozenset(
    {"abort", "begin", "commit", "end", "release", "rollback", "savepoint", "start"}
)

#: Sent by SQLAlchemy for a nested transaction; without a rollback to it, it changes nothing.
NESTING = ("savepoint", "release")


def reading(sql: str, target: Target) -> Reading:
    """Tell what a statement looks at whose result was looked at."""
    words = " ".join(sql.strip().rstrip(";").lower().split())
    if words.startswith("show ") and target.dialect == "postgresql":
        settled = words.removeprefix("show ") in SETTLED
        return Reading(Looks.NOTHING) if settled else Reading(Looks.DATA, "reads a setting")
    if words.startswith(("show ", "describe ")):
        return CATALOG
    try:
        trees = sqlglot.parse(sql, read=sqlglot_name(target))
    except (SqlglotError, RecursionError):
        return Reading(Looks.DATA, "reads in a way that cannot be followed")
    if len(trees) == 1 and isinstance(trees[0], exp.Query):
        return reading_of(trees[0], target)
    return USES


def sqlglot_name(target: Target) -> str:
    """Return what sqlglot calls the dialect of *target*."""
    return SQLGLOT.get(target.dialect, target.dialect)


def reading_of(tree: exp.Expr, target: Target) -> Reading:
    """Tell what a parsed query looks at."""
    if tree.find(exp.DML, exp.Into):
        return USES
    tables = [table for table in tree.find_all(exp.Table) if is_table(table)]
    data = {t.name for t in tables if not is_catalog(t) and not is_version_table(t, target)}
    if data:
        return Reading(Looks.DATA, f"reads {', '.join(sorted(data))}")
    if found := next(unsure(tree), None):
        return Reading(Looks.DATA, found)
    if not any(map(is_catalog, tables)) and not asks_by_name(tree):
        return Reading(Looks.NOTHING)
    if target.schema is not None and not stays_within(tree, target.schema):
        return Reading(Looks.DATA, "reads the catalog beyond the target's schema")
    return CATALOG


def asks_by_name(tree: exp.Expr) -> bool:
    """Tell whether a query asks for an object without a table: by a function, or a cast."""
    if not all(isinstance(function, COMPUTING) for function in tree.find_all(exp.Func)):
        return True
    casts = (cast.to.sql().lower() for cast in tree.find_all(exp.Cast))
    return any(to.startswith("reg") for to in casts)


def is_table(table: exp.Table) -> bool:
    """Tell whether *table* is one, and not the name of a part of the same statement."""
    if not isinstance(table.this, exp.Identifier):
        return False
    return bool(table.db) or table.name not in parts_in_sight(table)


def parts_in_sight(table: exp.Expr) -> Iterator[str]:
    """Yield the names that WITH gives to parts, as *table* sees them.

    A part sees those ahead of it, and itself only where the WITH is recursive.
    """
    below, scope = table, table.parent
    while scope is not None:
        parts = scope.args.get("with_")
        if parts is not None and parts is not below:
            yield from (part.alias_or_name for part in parts.expressions)
        if isinstance(scope, exp.With):
            place = len(scope.expressions) if scope.recursive else scope.expressions.index(below)
            yield from (part.alias_or_name for part in scope.expressions[:place])
        below, scope = scope, scope.parent


def is_catalog(table: exp.Table) -> bool:
    """Tell whether *table* belongs to that part of the catalog which a fingerprint covers."""
    schema, name = table.db.lower(), table.name.lower()
    if schema == "information_schema":
        return name in INFORMATION_SCHEMA
    return schema in ("", "pg_catalog") and name in PG_CATALOG


def is_version_table(table: exp.Table, target: Target) -> bool:
    """Tell whether *table* is the one that tells where the target stands: the plan knows."""
    if table.name != target.version_table:
        return False
    schema = target.version_table_schema or target.schema
    return table.db == (schema or "") or (not table.db and schema == target.schema)


def unsure(tree: exp.Expr) -> Iterator[str]:
    """Yield what may tell other things elsewhere, or later, whatever the fingerprints say."""
    for function in tree.find_all(exp.Func):
        if not is_vouched_for(function):
            yield f"calls {name_of(function)}()"
    for column in tree.find_all(exp.Column):
        name = column.name.lower()
        if name in WORDS and not column.table and not column.this.quoted:
            yield f"calls {name}"
        if name in SHIFTING_COLUMNS or (name in DATABASE_COLUMNS and not is_comparison(column)):
            yield f"reads {name}"


def is_vouched_for(function: exp.Func) -> bool:
    """Tell whether a function is one of those that always tell the same."""
    if isinstance(function.parent, exp.Dot) and function.parent.this.name != "pg_catalog":
        return False  # somebody's own
    if isinstance(function, DATABASE):
        return is_comparison(function)
    if not isinstance(function, exp.Anonymous):
        names = {name.lower() for name in function.sql_names()}
        return isinstance(function, COMPUTING) or not TELLING.isdisjoint(names)
    name = name_of(function)
    if name == "current_setting":
        return bool(function.expressions) and function.expressions[0].name in SETTLED
    return name in TELLING or name.startswith(TELLING_BEGINNING) or name.endswith(TELLING_END)


def name_of(function: exp.Func) -> str:
    """Return the name of a function, in small letters."""
    named = function.name if isinstance(function, exp.Anonymous) else function.sql_name()
    return named.lower()


def is_comparison(side: exp.Expr) -> bool:
    """Tell whether the name of the database is compared with itself, and not told."""
    both = side.parent
    if not isinstance(both, exp.EQ):
        return False
    names = {one.name.lower() for one in (both.left, both.right) if isinstance(one, exp.Column)}
    calls = isinstance(both.left, DATABASE) or isinstance(both.right, DATABASE)
    return calls and bool(names & DATABASE_COLUMNS)


def stays_within(tree: exp.Expr, schema: str) -> bool:
    """Tell whether a query of the catalog asks for one schema only: the target's own.

    It names the schema, or goes by the search path; or it asks for more about an object of
    which an earlier query has told the number; or what it asks for belongs to no schema.
    """
    named = any(literal.name == schema for literal in tree.find_all(exp.Literal))
    visible = (name_of(function) for function in tree.find_all(exp.Anonymous))
    tables = {table.name.lower() for table in tree.find_all(exp.Table)}
    by_path = any(name.endswith(TELLING_END) for name in visible)
    if not tables:
        return named
    return named or by_path or tables <= WITHOUT_SCHEMA or any(map(is_number, columns(tree)))


def columns(tree: exp.Expr) -> Iterator[exp.Column]:
    """Yield the columns that hold numbers of objects."""
    found = tree.find_all(exp.Column)
    return (column for column in found if column.name.lower().endswith(("relid", "oid")))


def is_number(column: exp.Column) -> bool:
    """Tell whether a column is compared with numbers that stand in the text."""
    both = column.parent
    if isinstance(both, exp.EQ):
        return isinstance(both.right, exp.Literal)
    return isinstance(both, exp.In) and all(isinstance(e, exp.Literal) for e in both.expressions)


def controls_transaction(sql: str, target: Target) -> bool:
    """Tell whether one of the statements of a text begins or ends a transaction."""
    try:
        tokens = sqlglot.tokenize(sql, read=sqlglot_name(target))
    except SqlglotError:
        return True
    return any(
        first in CONTROLLING or (first, second) == PREPARED for first, second in firsts(tokens)
    )


def is_nesting(sql: str) -> bool:
    """Tell whether a text is one savepoint, made or given back."""
    words = sql.strip().rstrip(";").lower().split()
    return ";" not in sql.strip().rstrip(";") and bool(words) and words[0] in NESTING


def firsts(tokens: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """Yield the first two words of each statement; what BEGIN ATOMIC ... END holds is text."""
    ahead, atomic = True, False
    for token, following in pairwise([*tokens, *tokens[-1:]]):
        word, second = token.text.lower(), (following.text.split() or [""])[0].lower()
        if atomic:
            atomic = not (ahead and word == "end")
        elif ahead and token.token_type is not TokenType.SEMICOLON:
            yield word, second
        atomic = atomic or (word, second) == ("begin", "atomic")
        ahead = token.token_type is TokenType.SEMICOLON
