"""Reads a statement word by word.

Sqlglot splits the text. Its parser is not used for DDL: it accepts what a warehouse refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar

from sqlglot.dialects.databricks import Databricks
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from providers.databricks.warehouse.errors import PARSE_SYNTAX_ERROR, SqlError, parse_error

_WORD = re.compile(r"[^\W\d]\w*")


class _Splitter(Databricks):
    """Databricks' words, without taking the rest of a SHOW or COMMENT for one token."""

    class Tokenizer(Databricks.Tokenizer):
        COMMANDS: ClassVar[set[TokenType]] = set()


class Kind(Enum):
    """What a piece of the text is."""

    WORD = auto()
    QUOTED = auto()  #: an identifier in backticks
    STRING = auto()
    NUMBER = auto()
    SYMBOL = auto()


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of the text; *text* is without quotes."""

    kind: Kind
    text: str
    start: int
    end: int  #: exclusive
    line: int
    column: int


_KINDS = {
    TokenType.IDENTIFIER: Kind.QUOTED,
    TokenType.STRING: Kind.STRING,
    TokenType.NUMBER: Kind.NUMBER,
}


def _pieces(sql: str) -> Iterator[Piece]:
    try:
        tokens = _Splitter().tokenize(sql)
    except SqlglotError as error:
        raise SqlError(PARSE_SYNTAX_ERROR, str(error).split("\n", 1)[0]) from error
    for token in tokens:
        yield from _split(sql, token)


def _split(sql: str, token: Token) -> Iterator[Piece]:
    """Take apart what sqlglot holds together: PRIMARY KEY is two words."""
    kind = _KINDS.get(token.token_type)
    if kind is None and " " not in token.text:
        kind = Kind.WORD if _WORD.fullmatch(token.text) else Kind.SYMBOL
    if kind is not None:
        yield Piece(kind, token.text, token.start, token.end + 1, token.line, token.col)
        return
    for word in _WORD.finditer(sql, token.start, token.end + 1):
        yield Piece(Kind.WORD, word.group(), word.start(), word.end(), token.line, token.col)


class Tokens:
    """A statement and a place in it."""

    def __init__(self, sql: str) -> None:
        """Split *sql*. Raises SqlError where it cannot be split."""
        self._sql = sql
        self._pieces = tuple(_pieces(sql))
        self._at = 0

    def take(self, *words: str) -> bool:
        """Step over *words*, if they are what comes next."""
        if not self.ahead(*words):
            return False
        self._at += len(words)
        return True

    def ahead(self, *words: str) -> bool:
        """Tell whether *words* come next; symbols count as words."""
        coming = self._pieces[self._at : self._at + len(words)]
        return [_word(piece) for piece in coming] == list(words)

    def need(self, *words: str) -> None:
        """Step over *words*. Raises SqlError where something else comes."""
        for word in words:
            if not self.take(word):
                raise self.error()

    def identifier(self) -> str:
        """Step over one name."""
        piece = self._peek()
        if piece is None or piece.kind not in {Kind.WORD, Kind.QUOTED}:
            raise self.error()
        self._at += 1
        return piece.text

    def name(self) -> tuple[str, ...]:
        """Step over a name of one to three parts."""
        parts = [self.identifier()]
        while self.take("."):
            parts.append(self.identifier())
        return tuple(parts)

    def names(self) -> tuple[str, ...]:
        """Step over identifiers in parentheses."""
        self.need("(")
        found = [self.identifier()]
        while self.take(","):
            found.append(self.identifier())
        self.need(")")
        return tuple(found)

    def string(self) -> str:
        """Step over a string; neighbours are one string, as on Databricks."""
        if not self._is(Kind.STRING):
            raise self.error()
        parts: list[str] = []
        while (piece := self._peek()) is not None and piece.kind is Kind.STRING:
            parts.append(piece.text)
            self._at += 1
        return "".join(parts)

    def integer(self) -> int:
        """Step over a whole number, negative or not."""
        sign = -1 if self.take("-") else 1
        piece = self._peek()
        if piece is None or piece.kind is not Kind.NUMBER or not piece.text.isdigit():
            raise self.error()
        self._at += 1
        return sign * int(piece.text)

    def is_string(self) -> bool:
        """Tell whether a string comes next."""
        return self._is(Kind.STRING)

    def key(self) -> str:
        """Step over the key of a table property: a string, or words with dots."""
        return self.string() if self.is_string() else ".".join(self.name())

    def value(self) -> str:
        """Step over the value of a table property: a string, a number, or true or false."""
        if self.is_string():
            return self.string()
        piece = self._peek()
        if piece is None or piece.kind is Kind.SYMBOL:
            raise self.error()
        self._at += 1
        return piece.text

    def datatype(self) -> str:
        """Step over a type, and return its text."""
        first = self._at
        self.identifier()
        if self.ahead("("):
            self._skip_parentheses()
        elif self.ahead("<"):
            self._angles()
        return self._text(first, self._at)

    def back(self) -> None:
        """Step back over one piece."""
        self._at -= 1

    def parenthesised(self) -> str:
        """Step over balanced parentheses, and return the text between them, which is some."""
        first = self._at + 1
        self._skip_parentheses()
        return self._text(first, self._at - 1)

    def _skip_parentheses(self) -> None:
        """Step over balanced parentheses, empty ones too."""
        self.need("(")
        self._balance("(", ")")

    def expression(self, *stops: str) -> str:
        """Step over an expression, up to a comma, a closing parenthesis or one of *stops*."""
        first = self._at
        ends = {",", ")", ";", *stops}
        while (piece := self._peek()) is not None and _word(piece) not in ends:
            if not self.ahead("("):
                self._at += 1
                continue
            self._skip_parentheses()
        return self._text(first, self._at)

    def rest(self) -> str:
        """Step to the end, and return the text up to there."""
        first, self._at = self._at, len(self._pieces)
        if self._at > first and self._pieces[-1].text == ";":
            return self._text(first, self._at - 1)
        return self._text(first, self._at)

    def end(self) -> None:
        """Raise SqlError where anything but a semicolon is left."""
        self.take(";")
        if self._peek() is not None:
            raise self.error()

    def is_at_end(self) -> bool:
        """Tell whether nothing is left."""
        return self._peek() is None or self.ahead(";")

    def error(self) -> SqlError:
        """Return the refusal of what comes next."""
        piece = self._peek()
        if piece is None:
            return parse_error("end of input", 0, 0)
        return parse_error(f"'{piece.text}'", piece.line, piece.column)

    def _peek(self) -> Piece | None:
        return self._pieces[self._at] if self._at < len(self._pieces) else None

    def _is(self, kind: Kind) -> bool:
        piece = self._peek()
        return piece is not None and piece.kind is kind

    def _text(self, first: int, after: int) -> str:
        """Return the source from piece *first* up to piece *after*. Refuses nothing at all."""
        if after <= first:
            raise self.error()
        return self._sql[self._pieces[first].start : self._pieces[after - 1].end]

    def _balance(self, opening: str, closing: str) -> None:
        """Step past the *closing* of an *opening* that was stepped over."""
        depth = 1
        while depth:
            piece = self._peek()
            if piece is None:
                raise self.error()
            depth += (_word(piece) == opening) - (_word(piece) == closing)
            self._at += 1

    def _angles(self) -> None:
        """Step over balanced angle brackets; two closing ones may be one piece."""
        depth = 0
        while True:
            piece = self._peek()
            if piece is None:
                raise self.error()
            if piece.kind is Kind.SYMBOL:
                depth += piece.text.count("<") - piece.text.count(">")
            self._at += 1
            if depth <= 0:
                return


def _word(piece: Piece) -> str:
    """Return *piece* for comparison with keywords; nothing quoted equals one."""
    return piece.text.upper() if piece.kind in {Kind.WORD, Kind.SYMBOL} else ""
