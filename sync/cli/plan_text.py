"""Plans as people read them: what would happen, step by step, and what nobody has read yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sync.approval import PlanDetails
from sync.cli.findings import findings_lines
from sync.cli.table import Column, Table
from sync.cli.words import NOTHING, count, heads_text, instant, joined, named, one_line, or_nothing
from sync.gate import short
from sync.model import Canary, CanaryState, PlanRecord, PlanState
from sync.plan.model import Preview, Step, StepClass
from sync.plan.script import UNKNOWN, sql_text

#: Characters of a statement that are shown; `--sql` shows all of them.
WIDTH = 72

_TONES = {
    PlanState.PROPOSED: "yellow",
    PlanState.APPROVED: "green",
    PlanState.REJECTED: "red",
}


def details_text(details: PlanDetails, files: Mapping[str, str]) -> str:
    """Return the whole of a plan, statements shortened."""
    return "\n".join(_lines(details, files))


def _lines(details: PlanDetails, files: Mapping[str, str]) -> Iterator[str]:
    plan = details.plan
    yield f"plan {plan.digest}"
    yield (
        f"{plan.history}, {plan.dialect}: {heads_text(plan.before)} -> {heads_text(plan.after)}, "
        f"{count(len(plan.steps), 'step')}, {state_text(details.record)}"
    )
    if details.record.canary is not None:
        yield f"canary: {canary_text(details.record.canary)}"
    for place, step in enumerate(plan.steps, start=1):
        yield f"{place}. {step.revision}  {step.kind}  {_amount(step, files)}"
        yield from (f"   {step.kind}: {reason}" for reason in step.why)
        yield from _statements(step, details)
        yield from (f"   skipped: {skip.directive}: {skip.detail}" for skip in step.skips)
        yield from (f"   noted: {note.directive}: {note.detail}" for note in step.notes)
    yield from findings_lines(details.findings, details.unasked)


def _amount(step: Step, files: Mapping[str, str]) -> str:
    if step.kind is StepClass.LIVE:
        return f"{UNKNOWN}, script {files.get(step.revision, step.script)}"
    return count(sum(len(block.statements) for block in step.blocks), "statement")


def _statements(step: Step, details: PlanDetails) -> Iterator[str]:
    for place, block in enumerate(step.blocks):
        for number, sql in enumerate(block.statements):
            known = [
                f"{lock.mode} on {lock.on}"
                for lock in details.locks
                if (lock.revision, lock.block, lock.statement) == (step.revision, place, number)
            ]
            alone = [] if block.transactional else ["outside a transaction"]
            notes = "; ".join([*alone, *known])
            yield f"   {shortened(sql)}" + (f"  [{notes}]" if notes else "")


def shortened(sql: str) -> str:
    """Return the beginning of a statement on one line."""
    line = one_line(sql)
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


def state_text(record: PlanRecord) -> str:
    """Return what was said of a plan, and by whom."""
    if record.decision is not None:
        why = f": {record.decision.reason}" if record.decision.reason else ""
        return f"{record.state} by {record.decision.actor}{why}"
    if not record.steps:
        return "nothing is pending"
    if record.proposals:
        return f"proposed for {joined(sorted({each.target for each in record.proposals}))}"
    return "nobody has asked for an approval"


def canary_text(canary: Canary) -> str:
    """Return what is known of the target that tries a plan for all others."""
    match canary.state:
        case CanaryState.CHOSEN:
            return f"{canary.target}, since {instant(canary.at)}; the others wait for it"
        case CanaryState.PASSED:
            return f"passed on {canary.target}, {instant(canary.at)}"
        case CanaryState.FAILED:
            return f"failed on {canary.target}, {instant(canary.at)}: {told(canary)}"
        case CanaryState.MISSING:
            return one_line(f"missing: {canary.reason}")


def told(canary: Canary) -> str:
    """Return on one line how the schema of a canary differs from the shadow's."""
    return "; ".join(canary.difference) or "nothing is kept to compare it with"


def plans_table(records: Sequence[PlanRecord]) -> Table:
    """Return one row for each plan."""
    return Table(
        columns=(
            Column("plan"),
            Column("history", rank=2),
            Column("dialect", rank=3),
            Column("from"),
            Column("to"),
            Column("steps"),
            Column("state", tones=_TONES),
            Column("targets", rank=1),
            Column("compiled", rank=4),
            Column("decision", beneath=True),
        ),
        rows=tuple(map(_row, records)),
        empty="no plans",
    )


def _row(record: PlanRecord) -> tuple[str, ...]:
    return (
        short(record.digest),
        record.history,
        record.dialect,
        heads_text(record.before),
        heads_text(record.after),
        str(record.steps),
        record.state.value,
        joined(sorted({each.target for each in record.proposals})),
        instant(record.compiled_at),
        or_nothing(state_text(record) if record.decision else NOTHING),
    )


def previews_text(previews: Sequence[Preview], files: Mapping[str, Mapping[str, str]]) -> str:
    """Return what would be sent to each target, equal plans once; *files* by history."""
    groups: dict[str, list[Preview]] = {}
    for preview in previews:
        if preview.plan and not preview.problem:
            groups.setdefault(preview.plan.digest, []).append(preview)
    refused = [named(each.target, each.problem) for each in previews if each.problem]
    parts = [_sent(several, files) for several in groups.values()]
    return "\n\n".join([*(f"-- {line}" for line in refused), *parts])


def _sent(previews: Sequence[Preview], files: Mapping[str, Mapping[str, str]]) -> str:
    """Return what the same plan would send to several targets."""
    names = ", ".join(each.target for each in previews)
    plan = previews[0].plan
    if plan is None or not plan.steps:
        return f"-- {names}: nothing to send"
    warnings = [f"-- {line}" for line in findings_lines(previews[0].findings, previews[0].unasked)]
    head = f"-- {names}: {count(len(plan.steps), 'step')}"
    return "\n".join([head, *warnings, sql_text(plan, files.get(plan.history, {}))])
