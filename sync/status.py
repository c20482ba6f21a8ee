"""What a check of a target means: pure, from what was found to what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from providers.errors import LevelheadError, StartingError
from providers.types import Heads, Policy, Target
from sync.events.chain import JSON, Draft
from sync.events.kinds import Kind
from sync.fingerprints import Sight
from sync.history import Graph, behind, several_heads, strangers
from sync.model import Status, TargetStatus, Wait
from sync.pool import kind_of
from sync.store.targets import TargetState

#: Of a target in these nobody can tell now where it stands.
_OUT_OF_SIGHT = frozenset({Status.STARTING, Status.UNREACHABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one look at a target gave."""

    target: Target
    at: datetime
    heads: Heads | None = None  #: None: it could not be read
    major: str | None = None  #: its server's; None: it could not be read
    error: LevelheadError | None = None  #: why not
    schema: Sight | None = None  #: None: nobody looked at that


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of a target's history when the target is judged."""

    graph: Graph | None  #: None: it cannot be loaded
    revisions: frozenset[str] = frozenset()  #: every revision ever seen, on disk now or not
    problem: str | None = None  #: one line: why it cannot be loaded


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the clock leaves alone a target that is unreachable, starting or busy."""

    shortest: timedelta
    longest: timedelta

    def after(self, failures: int) -> timedelta:
        """Return the wait after the given number of failures in a row: doubled each time."""
        factor: int = 2 ** min(failures - 1, 30)
        return min(self.shortest * factor, self.longest)


def standing(heads: Heads, knowledge: Knowledge) -> Status:
    """Compare *heads* with the history, holds and drift aside."""
    graph = knowledge.graph
    if graph is None:
        return Status.UNKNOWN
    unknown = strangers(graph, heads)
    if unknown:
        return Status.AHEAD if knowledge.revisions.issuperset(unknown) else Status.UNKNOWN
    return Status.BEHIND if behind(graph, heads) else Status.CURRENT


def noticed(
    state: TargetState | None, seen: Observation, knowledge: Knowledge, patience: Patience
) -> TargetState:
    """Return the target's state after a look at it."""
    old = state or TargetState(target=seen.target.name, status=Status.UNKNOWN)
    if seen.heads is None:
        return postponed(unseen(old, seen), seen.at, patience)
    if old.heads not in (None, seen.heads):  # the plan that it waits for begins elsewhere
        old = replace(old, awaits=None, awaits_scripts=None, awaits_for=None)
    return replace(
        old,
        status=standing(seen.heads, knowledge),
        heads=seen.heads,
        major=seen.major,
        checked_at=seen.at,
        problem=trouble(old, seen, knowledge),
        passing=None,
        failures=0,
        retry_at=None,
    )


def confirms(seen: Observation, old: TargetState, knowledge: Knowledge) -> bool:
    """Tell whether a look found a target as it was: `noticed` would change its moment alone."""
    return (
        seen.heads is not None
        and seen.schema is None
        and (old.heads, old.major) == (seen.heads, seen.major)
        and (old.passing, old.failures, old.retry_at) == (None, 0, None)
        and old.checked_at is not None
        and old.status is standing(seen.heads, knowledge)
        and old.problem == trouble(old, seen, knowledge)
    )


def unseen(old: TargetState, seen: Observation) -> TargetState:
    """Return the state of a target that could not be read; with a start, patience is new."""
    status = Status.STARTING if isinstance(seen.error, StartingError) else Status.UNREACHABLE
    new = replace(old, status=status, passing=str(seen.error), checked_at=seen.at)
    starts = status is Status.STARTING and old.status is not status
    return replace(new, failures=0) if starts else new


def trouble(old: TargetState, seen: Observation, knowledge: Knowledge) -> str | None:
    """Return in one line what keeps a reachable target from head; None where nothing does."""
    graph = knowledge.graph
    if graph is None:
        return knowledge.problem
    unknown = strangers(graph, seen.heads or frozenset())
    if unknown:
        return (
            f"{seen.target.name}: at revision {', '.join(unknown)}, which history "
            f"{graph.history} does not have; deploy the scripts that have it, or stamp"
        )
    if len(graph.heads) > 1:
        return several_heads(graph)
    return old.problem if old.failed_scripts == graph.digest or waits(old, graph) else None


def waits(state: TargetState, graph: Graph) -> bool:
    """Tell whether the plan from here is known, and waits for somebody."""
    return state.awaits is not None and state.awaits_scripts == graph.digest


def awaited(target: Target, state: TargetState) -> str | None:
    """Return the digest of the plan that waits; under another policy it waits no more."""
    is_asked = target.policy is Policy.APPROVE or state.awaits_for is Wait.CANARY
    return state.awaits if is_asked else None


def postponed(state: TargetState, now: datetime, patience: Patience) -> TargetState:
    """Return *state* with one more failure, and the time before which the clock stays away."""
    failures = state.failures + 1
    return replace(state, failures=failures, retry_at=now + patience.after(failures))


def differences(old: TargetState | None, new: TargetState, target: Target) -> tuple[Draft, ...]:
    """Return the events that a look at a target gives: none where nothing changed."""
    lost = Status.UNREACHABLE
    if old is None or old.heads is None:
        found = [(Kind.TARGET_UNREACHABLE, new.passing)] if is_news(old, new) else []
        return tuple(draft(kind, target, {"message": text}) for kind, text in found)
    if old.status != lost and new.status == lost:
        return (draft(Kind.TARGET_UNREACHABLE, target, {"message": new.passing}),)
    drafts = []
    if old.status == lost and new.status != lost:
        drafts.append(draft(Kind.TARGET_RECOVERED, target, {}))
    if old.heads != new.heads:
        moved = {"before": sorted(old.heads), "after": sorted(new.heads or ())}
        drafts.append(draft(Kind.TARGET_CHANGED, target, moved))
    return tuple(drafts)


def is_news(old: TargetState | None, new: TargetState) -> bool:
    """Tell whether a target that was never read is unreachable for the first time."""
    first = old is None or old.status != Status.UNREACHABLE
    return first and new.status == Status.UNREACHABLE


def draft(kind: Kind, target: Target, data: Mapping[str, JSON]) -> Draft:
    """Return an event about *target* that nobody asked for."""
    return Draft(kind=kind, actor="service", target=target.name, history=target.history, data=data)


def due(
    target: Target,
    state: TargetState | None,
    now: datetime,
    *,
    rest: timedelta,
    graph: Graph | None,
) -> bool:
    """Tell whether the clock shall look at *target* now.

    It rests for *rest* after a look, unless something is pending since. What is starting, or
    was never read, does not rest.
    """
    if not may_touch(target, state, now):
        return False
    if state is None or state.checked_at is None or state.checked_at + rest <= now:
        return True
    if state.status is Status.STARTING or state.heads is None:
        return True
    return calls(target, state, graph)


def calls(target: Target, state: TargetState, graph: Graph | None) -> bool:
    """Tell whether the clock would apply something, as far as is known without looking."""
    if graph is None or state.heads is None:
        return False
    status = standing(state.heads, Knowledge(graph))
    return may_apply(target, replace(state, status=status), graph)


def may_touch(target: Target, state: TargetState | None, now: datetime) -> bool:
    """Tell whether the clock may turn to *target*: its policy and its patience allow it."""
    if target.policy is Policy.OFF:
        return False
    return state is None or state.retry_at is None or state.retry_at <= now


def may_apply(target: Target, state: TargetState, graph: Graph) -> bool:
    """Tell whether the clock may turn to what is pending: it neither undoes nor hammers.

    Where a plan waits for an approval or a canary, its run only proposes it, once.
    """
    return (
        target.policy in (Policy.APPLY, Policy.APPROVE)
        and not (awaited(target, state) and waits(state, graph))
        and state.status is Status.BEHIND
        and state.hold is None
        and state.failed_scripts != graph.digest
        and len(graph.heads) == 1
    )


def view(
    target: Target, state: TargetState | None, graph: Graph | None, last_run: str | None
) -> TargetStatus:
    """Return what people are shown of a target."""
    known = state or TargetState(target=target.name, status=Status.UNKNOWN)
    readable = graph is not None and known.heads is not None
    held = known.hold is not None and known.status not in _OUT_OF_SIGHT
    return TargetStatus(
        name=target.name,
        history=target.history,
        provider=kind_of(target),
        status=Status.HELD if held else known.status,
        heads=known.heads,
        head=graph.heads if graph else frozenset(),
        pending=behind(graph, known.heads or frozenset()) if graph and readable else (),
        policy=target.policy,
        tenants=target.tenants,
        labels=target.labels,
        checked_at=known.checked_at,
        last_run=last_run,
        hold=known.hold,
        awaits=awaited(target, known),
        problem=known.passing or known.problem,
        retry_at=known.retry_at,
    )
