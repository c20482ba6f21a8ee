"""What each command shows, as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import cast

from providers.types import Policy
from sync.cli.progress import cost_text
from sync.cli.table import Column, Table
from sync.cli.words import (
    NOTHING,
    ago,
    count,
    heads_text,
    instant,
    or_nothing,
    pending_text,
    span,
)
from sync.events.chain import Event
from sync.events.kinds import Kind
from sync.model import Run, RunState, Status, TargetStatus, Token

_STATUS_TONES = {
    Status.CURRENT: "green",
    Status.BEHIND: "yellow",
    Status.AHEAD: "yellow",
    Status.UNKNOWN: "red",
    Status.HELD: "magenta",
    Status.DRIFTED: "red",
    Status.STARTING: "yellow",
    Status.UNREACHABLE: "red",
}

_RUN_TONES = {
    RunState.REQUESTED: "cyan",
    RunState.DELAYED: "yellow",
    RunState.RUNNING: "cyan",
    RunState.SUCCEEDED: "green",
    RunState.FAILED: "red",
    RunState.PROPOSED: "yellow",
    RunState.INTERRUPTED: "red",
}

_ENDINGS = {
    "succeeded": "green",
    "failed": "red",
    "interrupted": "red",
    "unreachable": "red",
    "lost": "red",
    "passed": "green",
    "skipped": "yellow",
    "proposed": "yellow",
    "approved": "green",
    "rejected": "red",
    "held": "magenta",
}

_KIND_TONES = {
    kind: tone for kind in Kind for ending, tone in _ENDINGS.items() if kind.endswith(f".{ending}")
}

_POLICY_NOTES = {
    Policy.APPLY: None,
    Policy.APPROVE: "policy approve: applied when its plan is approved",
    Policy.OBSERVE: "policy observe: only a person applies",
    Policy.OFF: "policy off: left alone",
}


def statuses_table(statuses: Sequence[TargetStatus]) -> Table:
    """Return one row for each target; those that need nobody are calm."""
    return Table(
        columns=(
            Column("target"),
            Column("history", rank=2),
            Column("provider", rank=4),
            Column("status", tones=_STATUS_TONES),
            Column("heads"),
            Column("head", rank=3),
            Column("pending"),
            Column("problem", beneath=True),
        ),
        rows=tuple(_status_row(status) for status in statuses),
        empty="no targets",
        calm=frozenset(place for place, status in enumerate(statuses) if at_head(status)),
        summary=statuses_summary(statuses),
    )


def statuses_summary(statuses: Sequence[TargetStatus]) -> str:
    """Return how many targets there are, and how many in each status: ``3 targets: 3 current``."""
    found = Counter(status.status for status in statuses)
    counts = ", ".join(f"{found[each]:,} {each}" for each in Status if found[each])
    return f"{len(statuses):,} targets: {counts}"


def _status_row(status: TargetStatus) -> tuple[str, ...]:
    return (
        status.name,
        status.history,
        status.provider,
        status.status.value,
        heads_text(status.heads),
        heads_text(status.head),
        pending_text(status.pending),
        or_nothing(status_problem(status)),
    )


def status_problem(status: TargetStatus) -> str | None:
    """Return why a target stands where it stands; None where there is nothing to say."""
    if status.hold is not None:
        hold = f"on hold since {instant(status.hold.since)}, {status.hold.actor}: " + (
            status.hold.reason
        )
        return f"{hold}; {status.problem}" if status.edited or status.drift else hold
    return status.problem or _policy_note(status)


def _policy_note(status: TargetStatus) -> str | None:
    if status.status is Status.CURRENT:
        return None
    return _POLICY_NOTES[status.policy]


def at_head(status: TargetStatus) -> bool:
    """Tell whether `levelhead status` may call a target well; one switched off always is."""
    is_level = status.status is Status.CURRENT and not status.edited
    return is_level or status.policy is Policy.OFF


def runs_table(runs: Iterable[Run], now: datetime) -> Table:
    """Return one row for each run, ages counted to *now*."""
    return Table(
        columns=(
            Column("run"),
            Column("target"),
            Column("history", rank=5),
            Column("verb"),
            Column("to", rank=2),
            Column("state", tones=_RUN_TONES),
            Column("from", rank=3),
            Column("heads", rank=3),
            Column("requested", rank=1),
            Column("took", rank=4),
            Column("warehouse", rank=6),
            Column("actor", rank=2),
            Column("problem", beneath=True),
        ),
        rows=tuple(_run_row(run, now) for run in runs),
        empty="no runs",
        label=1,
    )


def _run_row(run: Run, now: datetime) -> tuple[str, ...]:
    return (
        run.id,
        run.target,
        run.history,
        run.order.verb.value,
        run.order.to,
        run.state.value,
        heads_text(run.before),
        heads_text(run.after),
        ago(run.requested_at, now),
        NOTHING if run.ended_at is None else span(run.ended_at - run.requested_at),
        cost_text(run.warehouse_seconds),
        run.actor,
        or_nothing(run.error),
    )


def tokens_table(tokens: Iterable[Token]) -> Table:
    """Return one row for each token, revoked ones included; keys are not known."""
    return Table(
        columns=(
            Column("name"),
            Column("role"),
            Column("created"),
            Column("revoked", rank=1),
        ),
        rows=tuple(
            (token.name, token.role.value, instant(token.created_at), instant(token.revoked_at))
            for token in tokens
        ),
        empty="no tokens",
    )


def events_table(events: Iterable[Event]) -> Table:
    """Return one row for each event."""
    return Table(
        columns=(
            Column("event", least=5),
            Column("at", least=20, rank=2),
            Column("kind", least=21, tones=_KIND_TONES),
            Column("target", least=10),
            Column("revision", least=12, rank=1),
            Column("actor", least=8, rank=3),
            Column("run", least=8, rank=4),
            Column("message", beneath=True),
        ),
        rows=tuple(_event_row(event) for event in events),
        empty="no events",
    )


def _event_row(event: Event) -> tuple[str, ...]:
    return (
        str(event.sequence),
        instant(event.at),
        event.kind.value,
        or_nothing(event.target or event.history),
        or_nothing(event.revision),
        event.actor,
        or_nothing(event.run),
        or_nothing(_message(event)),
    )


def _message(event: Event) -> str | None:
    if event.kind is Kind.WAREHOUSE_USED:
        return f"{event.data['seconds']} s, {count(cast('int', event.data['sessions']), 'session')}"
    message = event.data.get("message", event.data.get("detail"))
    return message if isinstance(message, str) else None
