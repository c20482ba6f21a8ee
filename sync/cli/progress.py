"""How far the runs of a rollout have come, told from their events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from sync.cli.words import NOTHING, count, heads_text, one_line, span
from sync.events.chain import Event
from sync.events.kinds import Kind
from sync.model import Rollout, Run, RunState, Verb

ENDED = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.PROPOSED, RunState.INTERRUPTED})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one run has come."""

    target: str
    total: int | None = None  #: steps; None until the plan is known
    done: int = 0
    doing: str | None = None  #: revision of the step that runs now
    delay: str | None = None  #: what the run waits for, before anything is done


def advance(progress: Progress, event: Event) -> Progress:
    """Return *progress* after *event* of the same run."""
    match event.kind:
        case Kind.RUN_DELAYED:
            canary = event.data.get("canary")
            return replace(progress, delay=f"canary {canary}" if canary else "starting")
        case Kind.RUN_CONTINUED:
            return replace(progress, delay=None)
        case Kind.RUN_STARTED:
            steps = event.data.get("steps")
            return replace(progress, total=len(steps) if isinstance(steps, list) else 0)
        case Kind.STEP_STARTED:
            return replace(progress, doing=event.revision)
        case Kind.STEP_SUCCEEDED:
            return replace(progress, done=progress.done + 1, doing=None)
        case _:
            return progress


def activity(progress: Progress) -> str:
    """Return the word that stands beside a bar."""
    if progress.delay is not None:
        return progress.delay
    return progress.doing or ("waiting" if progress.total is None else "")


def telling(progress: Progress, event: Event) -> str | None:
    """Return the line that *event* is worth where there are no bars; None for most."""
    match event.kind:
        case Kind.RUN_DELAYED:
            return one_line(str(event.data["message"]))
        case Kind.RUN_STARTED:
            steps = count(progress.total, "step") if progress.total else "nothing to do"
            return f"{progress.target}: {steps}"
        case Kind.STEP_SUCCEEDED:
            return f"{progress.target}: {event.revision} ({progress.done}/{progress.total})"
        case _:
            return None


def ending(run: Run) -> str:
    """Return the line that ends a run which did not fail."""
    took = "" if run.ended_at is None else f" after {span(run.ended_at - run.requested_at)}"
    cost = cost_text(run.warehouse_seconds)
    paid = "" if cost == NOTHING else f", {cost} of warehouse"
    before, behind = _FRAMES[run.order.verb]
    return f"{run.target}: {before} {heads_text(run.after)}{took}{paid}{behind}"


def cost_text(seconds: float | None) -> str:
    """Return for how long sessions on warehouses were open; a dash where none was."""
    return NOTHING if seconds is None else span(timedelta(seconds=seconds))


def total(rollout: Rollout) -> str | None:
    """Return the line that tells what several runs have used; None where one or none has."""
    costly = [run for run in rollout.runs if run.warehouse_seconds is not None]
    if len(costly) < 2:  # noqa: PLR2004 - the line that ends a single one has told it
        return None
    return f"{count(len(costly), 'run')}: {cost_text(rollout.warehouse_seconds)} of warehouse"


#: What stands before the heads at the end of a run, and what after them.
_FRAMES: Mapping[Verb, tuple[str, str]] = {
    Verb.SYNC: ("at", ""),
    Verb.DOWNGRADE: ("downgraded to", ", on hold"),
    Verb.STAMP: ("stamped", ""),
}


def has_ended(run: Run) -> bool:
    """Tell whether nothing more will happen in *run*."""
    return run.state in ENDED


def failure(run: Run) -> str | None:
    """Return why *run* did not succeed, on one line; None where it did."""
    if run.state is RunState.SUCCEEDED:
        return None
    return one_line(run.error or f"{run.state.value} without a reason; see levelhead events")
