"""A plan as squawk reads it, and what squawk says as findings about the plan. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.plan.findings import OMITTED, PREFIX, Finding
from sync.plan.model import Block, Plan

#: Not among the rules that it can be asked to leave out or to add.
SYNTAX = "syntax-error"

#: A statement that ends in a comment must not swallow it.
END = "\n;\n"


@dataclass(frozen=True, slots=True)
class Piece:
    """One block of a plan as a file of SQL."""

    file: str
    sql: str
    transactional: bool
    revision: str
    first: int  #: number of its first statement in the step, from 1
    lines: tuple[int, ...]  #: where each statement begins, from 0


def pieces(plan: Plan) -> tuple[Piece, ...]:
    """Return a file for each block of *plan*; none for what runs live."""
    found: list[Piece] = []
    for step in plan.steps:
        first = 1
        for block in step.blocks:
            found.append(piece(f"{len(found)}.sql", block, step.revision, first))
            first += len(block.statements)
    return tuple(found)


def piece(file: str, block: Block, revision: str, first: int) -> Piece:
    """Return one block as a file."""
    texts = [sql.strip().rstrip(";") + END for sql in block.statements]
    lines, line = [], 0
    for text in texts:
        lines.append(line)
        line += text.count("\n")
    return Piece(file, "".join(texts), block.transactional, revision, first, tuple(lines))


def findings(said: Sequence[Mapping[str, Any]], asked: Sequence[Piece]) -> Iterator[Finding]:
    """Yield what squawk's JSON says of *asked*, each once for a statement, in order."""
    by_file = {one.file: place for place, one in enumerate(asked)}
    found = [(by_file[one["file"]], int(one["line"]), one) for one in said]
    ordered = sorted(found, key=lambda one: one[:2])
    yield from dict.fromkeys(finding(asked[place], line, one) for place, line, one in ordered)


def finding(about: Piece, line: int, said: Mapping[str, Any]) -> Finding:
    """Return one finding about the statement that stands at *line*."""
    return Finding(
        rule=PREFIX + said["rule_name"],
        message=one_line(said["message"]),
        advice=one_line(said["help"] or ""),
        revision=about.revision,
        statement=about.first + bisect_right(about.lines, line) - 1,
    )


def one_line(text: str) -> str:
    """Return a sentence without its line breaks and its end."""
    return " ".join(text.split()).rstrip(".")


def arguments(*, major: str, wanted: Sequence[str], transactional: bool) -> tuple[str, ...]:
    """Return how squawk is asked; *wanted* are names of rules in the settings."""
    named = [rule.removeprefix(PREFIX) for rule in wanted if rule.startswith(PREFIX)]
    added = sorted(set(named) - {SYNTAX})
    return (
        "--reporter=json",
        f"--exclude={','.join(OMITTED)}",
        *([f"--include={','.join(added)}"] if added else []),
        *([f"--pg-version={major}"] if major.isdigit() else []),
        *(["--assume-in-transaction"] if transactional else []),
    )
