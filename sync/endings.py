"""How runs end, and what their ends mean for the target and its clock: pure."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime

from providers.errors import (
    AccessDeniedError,
    ConnectError,
    ConnectionLostError,
    ContentionError,
    LevelheadError,
    LockBusyError,
    StampConflictError,
    StartingError,
    UnknownDialectError,
)
from providers.types import Heads, Target
from sync.errors import (
    ApprovalNeededError,
    CanaryNeededError,
    ControlDatabaseError,
    LeaseLostError,
    MultipleHeadsError,
    OwnRequestError,
    PlanRejectedError,
    RunnerLostError,
    RunnerTimeoutError,
    StatementInDoubtError,
    StatementRunningError,
    UnknownRevisionError,
)
from sync.events.chain import JSON, Draft
from sync.events.kinds import Kind
from sync.model import Run, RunState, Status, Verb, Wait
from sync.orders import is_to_head
from sync.settlement import Settlement
from sync.status import Knowledge, Patience, postponed, standing
from sync.store.runs import RunChange
from sync.store.targets import TargetState

#: After these nobody knows yet how far a run came; whoever runs next finds out.
UNFINISHED = (
    ConnectionLostError,
    RunnerLostError,
    LeaseLostError,
    ControlDatabaseError,
    asyncio.CancelledError,
)

#: After these the clock tries again by itself, later and later.
PASSING = (
    ConnectError,
    LockBusyError,
    AccessDeniedError,
    StampConflictError,
    ContentionError,
    UnknownDialectError,  # somebody may install the driver
    StatementRunningError,
    *UNFINISHED,
)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended."""

    state: RunState
    heads: Heads | None = None  #: where the target stands now; None: not known
    error: BaseException | None = None
    scripts: str | None = None  #: digest of the graph that it was about; None: of today's


def ending(error: BaseException, heads: Heads | None) -> Ending:
    """Return the end that *error* makes of a run."""
    if isinstance(error, ApprovalNeededError) and not isinstance(error, PlanRejectedError):
        return Ending(RunState.PROPOSED, heads, error)
    doubtful = isinstance(error, (*UNFINISHED, RunnerTimeoutError, StatementInDoubtError))
    return Ending(RunState.INTERRUPTED if doubtful else RunState.FAILED, heads, error)


def change(end: Ending, now: datetime) -> RunChange:
    """Return what *end* changes in the record of its run."""
    error = told(end.error) if end.error else None
    return RunChange(state=end.state, ended_at=now, after=end.heads, error=error)


def told(error: BaseException) -> str:
    """Return *error* in one line; an error that is not ours could hold anything."""
    if isinstance(error, LevelheadError):
        return str(error)
    if isinstance(error, asyncio.CancelledError):
        return "the service was stopped in the middle of it"
    return f"unexpected {type(error).__name__}; see the service's log"


def after_run(
    old: TargetState | None,
    run: Run,
    end: Ending,
    *,
    knowledge: Knowledge,
    now: datetime,
    patience: Patience,
) -> TargetState:
    """Return the target's state after *run* has ended."""
    old = old or TargetState(target=run.target, status=Status.UNKNOWN)
    state = seen_at(end, old, knowledge, now)
    if end.error is None:
        state = replace(state, failures=0, retry_at=None, failed_scripts=None)
        return replace(state, hold=None) if ends_hold(state, run) else state
    passed = replace(state, problem=old.problem, passing=told(end.error))
    if isinstance(end.error, PASSING):
        return postponed(passed, now, patience)
    if isinstance(end.error, (UnknownRevisionError, MultipleHeadsError)):
        # The order was wrong, not the target: there is nothing that the clock could undo.
        return replace(passed, hold=None) if is_held_by(passed, run) else passed
    if isinstance(end.error, OwnRequestError):
        return passed
    lasting = replace(state, problem=told(end.error))
    today = knowledge.graph.digest if knowledge.graph else None
    if not isinstance(end.error, ApprovalNeededError):
        return replace(lasting, failed_scripts=end.scripts or today)
    return awaiting(lasting, end.error, today) if today and is_to_head(run.order) else passed


def seen_at(end: Ending, old: TargetState, knowledge: Knowledge, now: datetime) -> TargetState:
    """Return the state that *end* shows: without a problem, and waiting for nothing."""
    return replace(
        old,
        heads=last_seen(old, end),
        status=status_after(end, knowledge),
        checked_at=now,
        problem=None,
        passing=None,
        awaits=None,
        awaits_scripts=None,
        awaits_for=None,
    )


def awaiting(state: TargetState, error: ApprovalNeededError, scripts: str) -> TargetState:
    """Return the state of a target whose plan, made of *scripts*, needs an approval.

    The clock only ever applies whatever is pending: it never waits for other orders.
    """
    wait = Wait.CANARY if isinstance(error, CanaryNeededError) else Wait.APPROVAL
    return replace(state, awaits=error.plan, awaits_scripts=scripts, awaits_for=wait)


def last_seen(old: TargetState, end: Ending) -> Heads | None:
    """Return the heads that the target is known by: the old ones where nothing reached it."""
    return old.heads if isinstance(end.error, StartingError) else end.heads


def status_after(end: Ending, knowledge: Knowledge) -> Status:
    """Return where *end* leaves the target, its hold aside."""
    if isinstance(end.error, StartingError):
        return Status.STARTING
    return Status.UNKNOWN if end.heads is None else standing(end.heads, knowledge)


def ends_hold(state: TargetState, run: Run) -> bool:
    """Tell whether *run* set the hold itself and left the target at head: a stamp did."""
    is_level = run.order.verb is Verb.STAMP and state.status is Status.CURRENT
    return is_level and is_held_by(state, run)


def is_held_by(state: TargetState, run: Run) -> bool:
    """Tell whether the target is on hold because *run* was asked for; an older hold stands."""
    return state.hold is not None and state.hold.since >= run.requested_at


def events_of(run: Run, old: TargetState | None, new: TargetState) -> list[Draft]:
    """Return the events of an end that the journal of the run has not written."""
    if old and old.hold and not new.hold:
        reason = "stamped at head" if new.passing is None else "the order was wrong"
        return [about(run, Kind.TARGET_RELEASED, reason=reason)]
    return []


def never_began(run: Run, end: Ending) -> list[Draft]:
    """Return the event that ends a run of which nothing was done."""
    if end.error is None:
        return []
    facts = {"error": type(end.error).__name__, "message": told(end.error)}
    if isinstance(end.error, ApprovalNeededError):
        facts["plan"] = end.error.plan
    return [about(run, _LAST_KINDS[end.state], **facts)]


_LAST_KINDS = {
    RunState.FAILED: Kind.RUN_FAILED,
    RunState.PROPOSED: Kind.PLAN_PROPOSED,
    RunState.INTERRUPTED: Kind.RUN_INTERRUPTED,
}


def about(run: Run, kind: Kind, **data: JSON) -> Draft:
    """Return an event about *run*."""
    return Draft(
        kind=kind,
        actor=run.actor,
        target=run.target,
        history=run.history,
        run=run.id,
        data=data,
    )


def requested(run: Run) -> Draft:
    """Return the event that says who asked for what."""
    order = run.order
    return about(run, Kind.RUN_REQUESTED, verb=order.verb, to=order.to, rollout=run.rollout)


def in_doubt(target: Target, settled: Settlement) -> StatementInDoubtError:
    """Return the error for what nobody can tell, with the operator's way out; or not yet."""
    if settled.running:
        return still_running(target, settled)
    doubt = settled.unknown[0]
    return StatementInDoubtError(
        f"{target.name}: nobody can tell whether {doubt.noun} {doubt.ticket} of revision "
        f"{doubt.revision} took effect; look at the target, then "
        f"levelhead settle {doubt.ticket} applied (or absent)"
    )


def still_running(target: Target, settled: Settlement) -> StatementRunningError:
    """Return the error for what has not ended yet."""
    doubt = settled.running[0]
    return StatementRunningError(
        f"{target.name}: {doubt.noun} {doubt.ticket} of revision {doubt.revision}, which an "
        "earlier run has sent, still runs there; nothing is done until it has ended"
    )


def settled_end(orphan: Run, settled: Settlement) -> Ending:
    """Return how a run ended whose service went away in the middle of it."""
    if any(doubt.run == orphan.id for doubt in settled.left):
        return Ending(RunState.INTERRUPTED, settled.heads)
    if orphan.id in settled.reached:
        return Ending(RunState.SUCCEEDED, settled.heads)
    return Ending(RunState.FAILED, settled.heads)


def orphan_change(orphan: Run, end: Ending, now: datetime) -> RunChange:
    """Return what a settlement changes in the record of a run that had no end."""
    error = None if end.state is RunState.SUCCEEDED else orphan.error or INTERRUPTION
    return RunChange(state=end.state, ended_at=now, after=end.heads, error=error)


INTERRUPTION = "its service ended in the middle of it; what it did is settled"
