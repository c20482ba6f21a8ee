"""Where output goes: a terminal, a pipe, or a program that reads JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol, TextIO

from sync.cli.document import document, line
from sync.cli.table import GAP, Column, Table, beneath, brief, fitted, plain_lines
from sync.cli.words import NOTHING

if TYPE_CHECKING:
    from rich.table import Table as RichTable

#: Rows of one table on a terminal.
MOST = 100


class Screen(Protocol):
    """What a command may show. Failures do not come here: they go to stderr."""

    def show(self, table: Table, value: object) -> None:
        """Show *table* to people, or *value* to programs."""

    def add(self, table: Table, value: object) -> None:
        """Show more rows of a stream that never ends by itself."""

    def tell(self, text: str, value: object) -> None:
        """Show the one thing a command found: *text* to people, *value* to programs."""

    def note(self, text: str) -> None:
        """Tell people, and only them, something beside the result."""

    def conclude(self, value: object) -> None:
        """Show *value* to programs; people have seen it happen."""


class JsonScreen:
    """One JSON document; of a stream, one object a line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, table: Table, value: object) -> None:  # noqa: ARG002 - for people
        """Write one document."""
        self._out.write(document(value) + "\n")

    def add(self, table: Table, value: object) -> None:  # noqa: ARG002 - for people
        """Write one object a line."""
        items = value if isinstance(value, list | tuple) else (value,)
        self._out.writelines(line(item) + "\n" for item in items)
        self._out.flush()

    def tell(self, text: str, value: object) -> None:  # noqa: ARG002 - for people
        """Write one document."""
        self._out.write(document(value) + "\n")

    def note(self, text: str) -> None:
        """Say nothing: programs read the value."""

    def conclude(self, value: object) -> None:
        """Write one document."""
        self._out.write(document(value) + "\n")


class PlainScreen:
    """Aligned lines, whole and without headings, for pipes and logs."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, table: Table, value: object) -> None:  # noqa: ARG002 - for programs
        """Write the rows."""
        self._out.writelines(line + "\n" for line in plain_lines(table))

    def add(self, table: Table, value: object) -> None:
        """Write the rows at once."""
        self.show(table, value)
        self._out.flush()

    def tell(self, text: str, value: object) -> None:  # noqa: ARG002 - for programs
        """Write the text."""
        self._out.write(text + "\n")

    def note(self, text: str) -> None:
        """Write the text at once."""
        self._out.write(text + "\n")
        self._out.flush()

    def conclude(self, value: object) -> None:
        """Say nothing: the lines have said it."""


class TerminalScreen:
    """Tables as wide as the terminal, with a little colour."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - slow to import; pipes do without

        self.console = Console(highlight=False)

    def show(self, table: Table, value: object) -> None:  # noqa: ARG002 - for programs
        """Print the table as far as it fits, and the long texts under it."""
        if not table.rows:
            self.note(table.empty)
            return
        shown = brief(table, MOST)
        if shown.rows:
            self.console.print(_grid(fitted(shown, self.console.width)))
        for text in beneath(shown):
            self.console.print(text, markup=False, soft_wrap=True, style="dim")
        if shown.summary:
            self.note(shown.summary)

    def add(self, table: Table, value: object) -> None:  # noqa: ARG002 - for programs
        """Print the rows without headings."""
        grid = _grid(fitted(table, self.console.width))
        grid.show_header = False
        self.console.print(grid)

    def tell(self, text: str, value: object) -> None:  # noqa: ARG002 - for programs
        """Print the text."""
        self.note(text)

    def note(self, text: str) -> None:
        """Print the text."""
        self.console.print(text, markup=False, soft_wrap=True)

    def conclude(self, value: object) -> None:
        """Say nothing: the bars have said it."""


def _grid(table: Table) -> RichTable:
    from rich.table import Table as RichTable  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    grid = RichTable(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
    for column in table.columns:
        grid.add_column(column.title, overflow="fold", min_width=column.least)
    for row in table.rows:
        cells = zip(table.columns, row, strict=True)
        grid.add_row(*(Text(cell, style=_tone(column, cell)) for column, cell in cells))
    return grid


def _tone(column: Column, cell: str) -> str:
    return column.tones.get(cell, "dim" if cell == NOTHING else "")


def choose_screen(*, json: bool) -> Screen:
    """Return the screen for whoever reads stdout."""
    if json:
        return JsonScreen(sys.stdout)
    return TerminalScreen() if sys.stdout.isatty() else PlainScreen(sys.stdout)
