"""The SQL of a plan as one text for people and for psql: pure.

Transactions are written out. What levelhead does itself, to guard and to set the version
table, stands in comments: whoever sends the text by hand stamps by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from providers.types import Heads
from sync.plan.locks import locks
from sync.plan.model import Block, Plan, Step, StepClass

#: What stands for the SQL of a live step.
UNKNOWN = "SQL not known beforehand"


def sql_text(plan: Plan, files: Mapping[str, str]) -> str:
    """Return the text; *files* gives the file name of a revision's script."""
    return "\n".join(lines(plan, files))


def lines(plan: Plan, files: Mapping[str, str]) -> Iterator[str]:
    """Yield the text, one statement or comment after another."""
    moves = f"{heads_text(plan.before)} -> {heads_text(plan.after)}"
    yield f"-- plan {plan.digest}"
    yield f"-- {plan.history}, {plan.dialect}: {moves}"
    if plan.prologue:
        yield "-- ahead of the steps, once for each session:"
        yield from map(ended, plan.prologue)
    for place, step in enumerate(plan.steps, start=1):
        yield ""
        yield f"-- step {place} of {len(plan.steps)}: {step.revision}, {step.kind}"
        yield from (f"-- {step.kind}: {reason}" for reason in step.why)
        yield from (f"-- skipped: {skip.directive}: {skip.detail}" for skip in step.skips)
        yield from (f"-- noted: {note.directive}: {note.detail}" for note in step.notes)
        yield from body(step, plan.dialect, files)


def body(step: Step, dialect: str, files: Mapping[str, str]) -> Iterator[str]:
    """Yield what is sent for one step."""
    moves = f"{heads_text(step.before)} -> {heads_text(step.after)}"
    if step.kind is StepClass.LIVE:
        yield f"-- {UNKNOWN}, script {files.get(step.revision, step.script)}"
        return
    for block in step.blocks:
        yield from of_block(block, step, dialect)
    if not (step.atomic and step.blocks):
        yield f"-- version table: {moves}"


def of_block(block: Block, step: Step, dialect: str) -> Iterator[str]:
    """Yield one transaction, or the statements that commit alone."""
    if block.transactional:
        yield f"BEGIN; -- guard: the version table holds {heads_text(step.before)}"
    else:
        yield "-- outside a transaction:"
    for sql in block.statements:
        yield from (f"-- lock: {lock.mode} on {lock.on}" for lock in locks(sql, dialect))
        yield ended(sql)
    if block.transactional:
        moves = f"{heads_text(step.before)} -> {heads_text(step.after)}"
        yield f"COMMIT; -- with the version table: {moves}" if step.atomic else "COMMIT;"


def ended(sql: str) -> str:
    """Return a statement with a semicolon behind it."""
    text = sql.strip().rstrip(";").rstrip()
    comment = "--" in text.rpartition("\n")[2]
    return f"{text}\n;" if comment else f"{text};"


def heads_text(heads: Heads) -> str:
    """Return heads as people read them."""
    return ", ".join(sorted(heads)) or "base"
