"""Expressions, queries and statements that change rows, as sqlglot reads them.

It takes what other databases know for what Databricks knows; that is refused first.
"""

from __future__ import annotations

from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from providers.databricks.warehouse import errors
from providers.databricks.warehouse.datatypes import is_type
from providers.databricks.warehouse.errors import SqlError

#: Functions of DuckDB and of Postgres that the manual does not have.
_NO_FUNCTIONS = frozenset(
    {"GEN_RANDOM_UUID", "NEXTVAL", "TIMEZONE", "STRFTIME", "STRPTIME", "LIST_VALUE", "TO_TSVECTOR"}
)


def read(sql: str) -> exp.Expr:
    """Return the tree of *sql*.

    Raises:
        SqlError: PARSE_SYNTAX_ERROR, UNSUPPORTED_DATATYPE or UNRESOLVED_ROUTINE.
    """
    try:
        tokens = sqlglot.tokenize(sql, read="databricks")
        for token, following in pairwise(tokens):
            _refuse(token, following)
        return sqlglot.parse_one(sql, read="databricks")
    except SqlglotError as error:
        said = str(error).split("\n", 1)[0]
        raise SqlError(errors.PARSE_SYNTAX_ERROR, said) from error


def _refuse(token: Token, following: Token) -> None:
    """Raise SqlError where two words that follow each other mean nothing here."""
    kinds, word = (token.token_type, following.token_type), token.text.upper()
    if kinds[0] is TokenType.DCOLON and not is_type(following.text):
        said = f'Unsupported data type "{following.text.upper()}".'
        raise SqlError(errors.UNSUPPORTED_DATATYPE, said)
    if kinds[0] is TokenType.SIMILAR_TO or kinds == (TokenType.ARRAY, TokenType.L_BRACKET):
        raise SqlError(errors.PARSE_SYNTAX_ERROR, f"Syntax error at or near '{following.text}'.")
    if kinds == (TokenType.VAR, TokenType.L_PAREN) and word in _NO_FUNCTIONS:
        raise SqlError(errors.UNRESOLVED_ROUTINE, f"Cannot resolve routine `{token.text}`.")
