"""The tables of docs/reference/databricks.md: directives, types, skips and notes.

``python -m tests.support.databricks_directives`` writes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from providers.databricks.ddl import notes, skips
from tests.support.databricks_rows import MANUAL, ROWS, TYPES, Row
from tests.support.delta.verdicts import verdict

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "databricks.md"
COMMAND = "python -m tests.support.databricks_directives"


@dataclass(frozen=True, slots=True)
class Engine:
    """Something that has run what the directives send."""

    name: str  #: as the head of a column has it
    verdict: Callable[[Row], str]  #: of a row that sends something


#: Each is a column of the table. The first one takes everything, or a test fails.
ENGINES = (
    Engine("[local warehouse](warehouse.md)", lambda _: "takes it"),
    Engine("[Delta Lake](#what-delta-lake-says)", verdict),
)


def tables() -> dict[str, list[str]]:
    """Return the name of each generated table -> its lines."""
    columns = ["directive", "on Databricks", *(engine.name for engine in ENGINES), "manual"]
    names = (f"| `sa.{type_}` | {name_in_table(name)} |" for type_, name in TYPES.items())
    kinds = (f"| `{kind}` | {lost} |" for kind, lost in skips.KINDS.items())
    remarks = (f"| `{kind}` | {what} |" for kind, what in notes.KINDS.items())
    return {
        "skips": ["| kind | what is lost |", "|---|---|", *kinds],
        "notes": ["| kind | what is said |", "|---|---|", *remarks],
        "directives": [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", *map(line, ROWS)],
        "types": ["| type | on Databricks |", "|---|---|", *names],
    }


def line(row: Row) -> str:
    """Return one row as Markdown."""
    page = f"[{row.source}](https://docs.databricks.com/{MANUAL[row.source]})"
    verdicts = [engine.verdict(row) if row.sends else "" for engine in ENGINES]
    cells = [quoted(row.call), "<br>".join(outcomes(row)), *verdicts, page]
    return f"| {' | '.join(cells)} |"


def outcomes(row: Row) -> Iterator[str]:
    """Yield what comes of a call."""
    yield from (quoted(statement) for statement in row.sends)
    yield from (f"*skipped* {kind}: {detail}" for kind, detail in row.skips)
    yield from (f"*noted* {kind}: {detail}" for kind, detail in row.notes)
    if row.refusal:
        yield f"**refused**: {row.refusal}"


def quoted(code: str) -> str:
    """Return *code* as Markdown; backticks in it take longer ones around it."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", code)), default=0))
    return f"{fence}{code}{fence}"


def name_in_table(name: str) -> str:
    """Return a type's name as Markdown."""
    return f"**refused**: {name[1:-1]}" if name.startswith("(") else f"`{name}`"


def rewritten(page: str) -> str:
    """Return *page* with its tables as they should be."""
    for name, lines in tables().items():
        begin, end = f"<!-- begin {name}: {COMMAND} -->", f"<!-- end {name} -->"
        head, _, rest = page.partition(begin)
        _, _, tail = rest.partition(end)
        page = "\n".join([head + begin, *lines, end + tail])
    return page


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
