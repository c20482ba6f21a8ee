"""The rules of levelhead about plans, and what the settings make of what was found. Pure.

`sync.linting` adds what a linter of the plan's dialect finds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

import sqlglot
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from sync.errors import PlanRefusedError
from sync.history import Graph, WayBack
from sync.plan.findings import Finding, Level, Lint
from sync.plan.model import Plan, Step, StepClass
from sync.plan.reads import SQLGLOT

#: So many revisions are named in one line.
NAMED = 5

_FAULTS = {
    WayBack.MISSING: "it has no downgrade()",
    WayBack.EMPTY: "its downgrade() does nothing",
    WayBack.RAISES: "its downgrade() raises",
}


def refusal(lint: Lint, plan: Plan, levels: Mapping[str, Level]) -> PlanRefusedError | None:
    """Return the error where the settings refuse *plan*; None where it may be carried out.

    A rule of a linter that is to refuse, and could not be asked, refuses.
    """
    refusing = sorted(rule for rule, level in levels.items() if level is Level.REFUSE)
    subject = f"history {plan.history}: plan {plan.digest[:12]} is refused"
    if found := next((f for f in lint.findings if f.rule in refusing), None):
        return PlanRefusedError(
            f"{subject} by rule {found.rule}: {found}; "
            f'change the scripts, or set lint."{found.rule}" of the history to "warn"'
        )
    if lint.failed and (asked := next((rule for rule in refusing if ":" in rule), None)):
        return PlanRefusedError(f"{subject}: rule {asked} may refuse it, but {lint.failed}")
    return None


def own_findings(plan: Plan, graph: Graph) -> Iterator[Finding]:
    """Yield what the rules of levelhead find, in the order of the plan."""
    yield from several_heads(graph)
    yield from live_steps(plan)
    for step in plan.steps:
        yield from no_downgrade(step, graph)
        yield from changes(step, plan.dialect)


def several_heads(graph: Graph) -> Iterator[Finding]:
    """Find a history that nobody has merged."""
    if len(graph.heads) > 1:
        names = ", ".join(sorted(graph.heads))
        yield Finding(
            "several-heads",
            f"the history has {len(graph.heads)} heads: {names}",
            "merge them with alembic merge",
        )


def live_steps(plan: Plan) -> Iterator[Finding]:
    """Find what the rules about SQL cannot see."""
    live = [step.revision for step in plan.steps if step.kind is StepClass.LIVE]
    if live:
        named = ", ".join(live[:NAMED]) + (" and others" if len(live) > NAMED else "")
        yield Finding(
            "live-step",
            f"the SQL of {len(live)} of {len(plan.steps)} steps is not known beforehand, and was "
            f"not looked at: {named}",
            "read their scripts",
        )


def no_downgrade(step: Step, graph: Graph) -> Iterator[Finding]:
    """Find a revision that cannot be taken back, or that is about to be, in name only."""
    revision = graph.revisions.get(step.revision)
    fault = _FAULTS.get(revision.downgrade) if revision else None
    if fault is None:
        return
    if step.is_up:
        yield Finding(
            "no-downgrade",
            f"it cannot be taken back: {fault}",
            "write the way back, or keep a backup",
            step.revision,
        )
    else:
        yield Finding(
            "no-downgrade",
            f"{fault}, so that the schema stays as it is",
            "write the way back, or restore a backup",
            step.revision,
        )


class Change(StrEnum):
    """What a statement changes."""

    DATA = "data"
    SCHEMA = "schema"


_CHANGES = {
    **dict.fromkeys(("copy", "delete", "insert", "merge", "truncate", "update"), Change.DATA),
    **dict.fromkeys(("alter", "create", "drop"), Change.SCHEMA),
}


def changes(step: Step, dialect: str) -> Iterator[Finding]:
    """Find dropped tables, and data and schema changed in one revision."""
    found: set[Change] = set()
    texts = (sql for block in step.blocks for sql in block.statements)
    for place, sql in enumerate(texts, start=1):
        for words in commands(sql, dialect):
            found |= changed(words)
            if table := dropped(words, sql):
                yield drop_table(table, step, place)
    if found == set(Change):
        yield Finding(
            "mixed-changes",
            "it changes data and schema in one revision",
            "make two revisions of it",
            step.revision,
        )


def drop_table(table: str, step: Step, place: int) -> Finding:
    """Return the finding of a dropped table."""
    return Finding(
        "drop-table",
        f"drops table {table} with its rows",
        "keep a backup, or rename it first",
        step.revision,
        place,
    )


def commands(sql: str, dialect: str) -> Iterator[list[Token]]:
    """Yield the tokens of each command of a text; none where it cannot be read."""
    try:
        tokens = sqlglot.tokenize(sql, read=SQLGLOT.get(dialect, dialect))
    except SqlglotError:
        return
    command: list[Token] = []
    for token in tokens:
        if token.token_type is not TokenType.SEMICOLON:
            command.append(token)
        elif command:
            yield command
            command = []
    if command:
        yield command


def changed(command: Sequence[Token]) -> set[Change]:
    """Return what a command changes."""
    first = command[0].text.lower()
    if first != "with":
        return {_CHANGES[first]} if first in _CHANGES else set()
    words = {token.text.lower() for token in command if token.token_type is not TokenType.STRING}
    return {Change.DATA} if words & {"delete", "insert", "merge", "update"} else set()


def dropped(command: Sequence[Token], sql: str) -> str | None:
    """Return the tables that a command drops, as it writes them; None where it drops none."""
    words = [token.text.lower() for token in command]
    if words[:2] != ["drop", "table"]:
        return None
    begin = 4 if words[2:4] == ["if", "exists"] else 2
    end = len(words) - 1 if words[-1] in ("cascade", "restrict") else len(words)
    named = command[begin:end]
    return " ".join(sql[named[0].start : named[-1].end + 1].split()) if named else None
