"""Tables that tests fill cell by cell, shown when all tests have ended.

The cells travel with the reports of the tests, so that it does not matter which worker ran them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias, cast

import pytest

#: The fixture `record_property`.
Record: TypeAlias = Callable[[str, object], None]

#: Title, row, column, and what stands there.
Cell: TypeAlias = tuple[str, str, str, str]

_PROPERTY = "cell"


def put(record: Record, cell: Cell) -> None:
    """Have *cell* shown when the tests have ended, whether this one succeeds or fails."""
    record(_PROPERTY, list(cell))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show each table, in the order in which tests filled it."""
    cells = list(_cells(terminalreporter))
    for title in dict.fromkeys(title for title, *_ in cells):
        terminalreporter.section(title)
        for line in lines([cell for cell in cells if cell[0] == title]):
            terminalreporter.line(line)


def _cells(reporter: pytest.TerminalReporter) -> Iterator[Cell]:
    for reports in reporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "call":
                yield from map(_cell, filter(_is_cell, report.user_properties))


def _is_cell(noted: tuple[str, object]) -> bool:
    return noted[0] == _PROPERTY


def _cell(noted: tuple[str, object]) -> Cell:
    title, row, column, text = cast("Sequence[str]", noted[1])
    return title, row, column, text


def lines(cells: Sequence[Cell]) -> list[str]:
    """Return one table in lines: its columns as wide as they have to be."""
    found = {(row, column): text for _, row, column, text in cells}
    columns = list(dict.fromkeys(column for _, _, column, _ in cells))
    rows = [["", *columns]]
    rows += [
        [row, *(found.get((row, column), "") for column in columns)]
        for row in dict.fromkeys(row for _, row, _, _ in cells)
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
