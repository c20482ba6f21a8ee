"""Rows and columns before anybody knows whether a terminal or a pipe reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter
from types import MappingProxyType
from typing import Any

from sync.cli.words import NOTHING, named, some

#: Blanks between two columns.
GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, and what may be done to the column where room is short."""

    title: str
    rank: int = 0  #: 0 always stays; the highest goes first on a narrow terminal
    least: int = 0  #: narrowest width, so that the rows of a stream stand in line
    beneath: bool = False  #: long text: on a terminal it stands under the table
    tones: Mapping[Any, str] = field(default_factory=lambda: MappingProxyType({}))
    #: cell text, also as a member of a StrEnum -> colour on a terminal


@dataclass(frozen=True, slots=True)
class Table:
    """Cells by row; every row has one cell for each column."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    empty: str = "nothing to show"  #: what a terminal says where there are no rows
    label: int = 0  #: the column whose cell stands before a text under the table
    calm: frozenset[int] = frozenset()  #: rows that a terminal may leave out where there are many
    summary: str = ""  #: what a terminal says in their place


def plain_lines(table: Table) -> Iterator[str]:
    """Yield one aligned line for each row, whole and without headings: for pipes and logs."""
    widths = _widths(table, table.rows)
    for row in table.rows:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield (" " * GAP).join(padded).rstrip()


def brief(table: Table, most: int) -> Table:
    """Return *table* with at most so many rows; where it has more, the calm ones go first.

    The summary is left to those tables that lost rows, and says how many.
    """
    if len(table.rows) <= most:
        return replace(table, summary="")
    restless = [row for place, row in enumerate(table.rows) if place not in table.calm]
    kept = tuple(restless[:most])
    hidden = len(table.rows) - len(kept)
    summary = f"{table.summary}; {hidden:,} lines are not shown, in a pipe all are"
    return replace(table, rows=kept, calm=frozenset(), summary=summary)


def fitted(table: Table, width: int) -> Table:
    """Return *table* without the columns that *width* characters have no room for."""
    columns = [index for index, column in enumerate(table.columns) if not column.beneath]
    while _needed(table, columns) > width:
        least = max(columns, key=lambda index: table.columns[index].rank)
        if table.columns[least].rank == 0:
            break
        columns.remove(least)
    return Table(
        columns=tuple(table.columns[index] for index in columns),
        rows=tuple(tuple(row[index] for index in columns) for row in table.rows),
        empty=table.empty,
    )


def beneath(table: Table) -> Iterator[str]:
    """Yield ``label: text`` for what a terminal shows under the table, and what many say once."""
    for index in (place for place, column in enumerate(table.columns) if column.beneath):
        told = (row for row in table.rows if row[index] != NOTHING)
        for text, same in groupby(told, key=itemgetter(index)):
            yield named(some([row[table.label] for row in same]), text)


def _needed(table: Table, columns: list[int]) -> int:
    headed = (tuple(column.title for column in table.columns), *table.rows)
    widths = _widths(table, headed)
    return sum(widths[index] for index in columns) + GAP * (len(columns) - 1)


def _widths(table: Table, rows: tuple[tuple[str, ...], ...]) -> list[int]:
    cells = zip(*rows, strict=True) if rows else ((),) * len(table.columns)
    return [
        max(column.least, *map(len, texts), 0)
        for column, texts in zip(table.columns, cells, strict=True)
    ]
