"""What a look at a target means, and what the clock may do about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from providers.errors import ConnectError, LevelheadError, StartingError
from providers.types import BASE, Heads, Policy
from sync.history import Graph
from sync.model import Hold, Status
from sync.status import (
    Knowledge,
    Observation,
    confirms,
    differences,
    due,
    may_apply,
    noticed,
    standing,
    view,
)
from sync.store.targets import TargetState
from tests.support.control import START
from tests.support.engine import at
from tests.support.states import BRANCHES, KNOWN, LINE, PATIENCE, TARGET, a_state

HOLD = Hold("ada", "downgrade to -1", START)
DOWN = ConnectError("down", target="db-1")
STARTING = StartingError("starting", target="db-1")


def seen(heads: Heads | None, error: LevelheadError | None = None) -> Observation:
    """Build a look at the target."""
    return Observation(target=TARGET, at=START, heads=heads, error=error)


def kinds(old: TargetState | None, new: TargetState) -> list[str]:
    """Return the kinds of the events that a change gives."""
    return [draft.kind for draft in differences(old, new, TARGET)]


@pytest.mark.parametrize(
    ("heads", "knowledge", "expected"),
    [
        (at(), KNOWN, Status.BEHIND),
        (at("b"), KNOWN, Status.BEHIND),
        (at("c"), KNOWN, Status.CURRENT),
        (at("newer"), KNOWN, Status.AHEAD),
        (at("feed"), KNOWN, Status.UNKNOWN),
        (at("newer", "feed"), KNOWN, Status.UNKNOWN),
        (at("c"), Knowledge(None, problem="broken"), Status.UNKNOWN),
    ],
)
def test_standing(heads: Heads, knowledge: Knowledge, expected: Status) -> None:
    """Heads are current, behind, ahead of the scripts on disk, or of no history we know."""
    assert standing(heads, knowledge) is expected


def test_patience_doubles_up_to_its_end() -> None:
    """The wait doubles with each failure in a row, and never grows beyond the longest."""
    waits = [PATIENCE.after(failures).total_seconds() for failures in (1, 2, 3, 4, 5, 10_000)]
    assert waits == [30, 60, 120, 240, 300, 300]


def test_a_look_that_failed_keeps_what_was_known() -> None:
    """Heads, hold and failed scripts outlive a time without connection; the wait begins."""
    old = a_state(hold=HOLD, failed_scripts="d")
    new = noticed(old, seen(None, DOWN), KNOWN, PATIENCE)
    assert (new.status, new.heads, new.hold, new.failed_scripts, new.passing) == (
        Status.UNREACHABLE,
        at("a"),
        HOLD,
        "d",
        "db-1: down",
    )
    assert (new.failures, new.retry_at) == (1, START + timedelta(seconds=30))


def test_a_look_at_what_is_starting() -> None:
    """It has a status and a patience of its own: what starts is soon looked at again."""
    lost = a_state(Status.UNREACHABLE, failures=9)
    first = noticed(lost, seen(None, STARTING), KNOWN, PATIENCE)
    assert (first.status, first.heads, first.passing) == (
        Status.STARTING,
        at("a"),
        "db-1: starting",
    )
    assert (first.failures, first.retry_at) == (1, START + timedelta(seconds=30))
    second = noticed(first, seen(None, STARTING), KNOWN, PATIENCE)
    assert (second.failures, second.retry_at) == (2, START + timedelta(seconds=60))
    assert noticed(second, seen(None, DOWN), KNOWN, PATIENCE).failures == 3


def test_a_look_that_succeeded_ends_the_wait() -> None:
    """Whoever is reached has no failures any more."""
    lost = a_state(Status.UNREACHABLE, failures=3, retry_at=START, passing="db-1: down")
    new = noticed(lost, seen(at("c")), KNOWN, PATIENCE)
    assert (new.status, new.failures, new.retry_at, new.passing) == (
        Status.CURRENT,
        0,
        None,
        None,
    )


def test_the_problem_of_a_failed_run_stays_as_long_as_its_scripts() -> None:
    """Why the clock does not try again is told until there is something else to try."""
    old = a_state(failed_scripts=LINE.digest, problem="db-1: broken")
    assert noticed(old, seen(at("a")), KNOWN, PATIENCE).problem == "db-1: broken"
    mended = Knowledge(replace(LINE, digest="other"), KNOWN.revisions)
    assert noticed(old, seen(at("a")), mended, PATIENCE).problem is None


@pytest.mark.parametrize("error", [DOWN, STARTING])
@pytest.mark.parametrize(
    "kept",
    [
        {"failed_scripts": LINE.digest, "problem": "db-1: broken"},
        {"awaits": "p", "awaits_scripts": LINE.digest, "problem": "db-1: rejected by berta"},
    ],
)
def test_what_keeps_a_target_from_head_outlives_a_time_out_of_sight(
    error: LevelheadError, kept: dict[str, str]
) -> None:
    """While it cannot be reached that is told; then again why it is not at head."""
    old = replace(a_state(), **kept)  # type: ignore[arg-type]  # the fields are the cases' own
    lost = noticed(old, seen(None, error), KNOWN, PATIENCE)
    assert view(TARGET, lost, LINE, None).problem == str(error)
    assert noticed(lost, replace(seen(at("a")), major=None), KNOWN, PATIENCE) == old


@pytest.mark.parametrize(
    ("heads", "still"), [(at("a"), "p"), (None, "p"), (at("b"), None)], ids=["same", "no", "other"]
)
def test_a_plan_waits_until_its_target_is_elsewhere(heads: Heads | None, still: str | None) -> None:
    """Where the target stood was not known for a while: that moves no target."""
    old = a_state(heads=heads, awaits="p", awaits_scripts=LINE.digest)
    assert noticed(old, seen(at("a")), KNOWN, PATIENCE).awaits == still


@pytest.mark.parametrize("knowledge", [KNOWN, Knowledge(BRANCHES), Knowledge(None, problem="bad")])
@pytest.mark.parametrize("heads", [at(), at("b"), at("c"), at("feed"), None])
def test_a_look_that_confirms_what_is_known(heads: Heads | None, knowledge: Knowledge) -> None:
    """A look confirms a state just where it would change its moment alone."""
    later = replace(seen(heads), at=START + timedelta(minutes=1), major="15")
    known = noticed(
        None, replace(seen(heads), error=None if heads is not None else DOWN), knowledge, PATIENCE
    )
    live = replace(known, major="15")
    states = [
        known,
        live,
        replace(live, hold=HOLD),
        replace(live, failures=1),
        replace(live, retry_at=START),
        replace(live, passing="db-1: down"),
        replace(live, status=Status.AHEAD),
        replace(live, heads=at("a")),
        replace(live, problem="another"),
        replace(live, failed_scripts=LINE.digest),
        replace(live, checked_at=None),
    ]
    for state in states:
        look = later if heads is not None else replace(later, error=DOWN)
        new = noticed(state, look, knowledge, PATIENCE)
        only = state.checked_at is not None and replace(state, checked_at=look.at) == new
        assert confirms(look, state, knowledge) is only


def test_several_heads_are_a_problem() -> None:
    """Two heads are named, with what to do."""
    found = noticed(None, seen(at()), Knowledge(BRANCHES), PATIENCE)
    assert found.problem == ("history app: has 2 heads (b2, c2); merge them with alembic merge")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, a_state(), []),
        (None, a_state(Status.UNREACHABLE, heads=None), ["target.unreachable"]),
        (a_state(Status.UNREACHABLE, heads=None), a_state(Status.UNREACHABLE, heads=None), []),
        (a_state(), a_state(), []),
        (a_state(), a_state(Status.CURRENT), []),
        (a_state(), a_state(heads=at("b")), ["target.changed"]),
        (a_state(), a_state(Status.UNREACHABLE), ["target.unreachable"]),
        (a_state(Status.UNREACHABLE), a_state(Status.UNREACHABLE), []),
        (a_state(Status.UNREACHABLE), a_state(), ["target.recovered"]),
        (a_state(), a_state(Status.STARTING), []),
        (a_state(Status.STARTING), a_state(), []),
        (a_state(Status.UNREACHABLE), a_state(Status.STARTING), ["target.recovered"]),
        (a_state(Status.STARTING), a_state(Status.UNREACHABLE), ["target.unreachable"]),
        (None, a_state(Status.STARTING, heads=None), []),
        (
            a_state(Status.UNREACHABLE),
            a_state(heads=at("b")),
            ["target.recovered", "target.changed"],
        ),
    ],
)
def test_only_changes_are_events(
    old: TargetState | None, new: TargetState, expected: list[str]
) -> None:
    """A look writes down what differs from the last one, and nothing else."""
    assert kinds(old, new) == expected


@pytest.mark.parametrize(
    ("policy", "state", "expected"),
    [
        (Policy.APPLY, None, True),
        (Policy.OBSERVE, None, True),
        (Policy.OFF, None, False),
        (Policy.APPLY, a_state(retry_at=START), True),
        (Policy.APPLY, a_state(retry_at=START + timedelta(seconds=1)), False),
    ],
)
def test_due(policy: Policy, state: TargetState | None, expected: bool) -> None:  # noqa: FBT001 - the expected answer
    """The clock looks at what is not off, and stays away for as long as it was told to."""
    target = replace(TARGET, policy=policy)
    assert due(target, state, START, rest=timedelta(0), graph=None) is expected


@pytest.mark.parametrize(
    ("state", "tree", "expected"),
    [
        (a_state(checked_at=None), LINE, True),
        (a_state(heads=LINE.heads, checked_at=START), LINE, False),
        (a_state(heads=LINE.heads, checked_at=START - timedelta(hours=1)), LINE, True),
        (a_state(heads=BASE, checked_at=START), LINE, True),
        (a_state(heads=BASE, checked_at=START, hold=HOLD), LINE, False),
        (a_state(heads=BASE, checked_at=START, failed_scripts=LINE.digest), LINE, False),
        (a_state(heads=BASE, checked_at=START), None, False),
        (a_state(Status.STARTING, heads=LINE.heads, checked_at=START), LINE, True),
        (a_state(Status.UNREACHABLE, heads=LINE.heads, checked_at=START), LINE, False),
        (a_state(Status.UNREACHABLE, heads=None, checked_at=START), LINE, True),
    ],
)
def test_what_costs_money_is_left_to_rest(
    state: TargetState,
    tree: Graph | None,
    expected: bool,  # noqa: FBT001 - the expected answer
) -> None:
    """After a look the clock rests, unless something is to be applied, or nobody knows yet."""
    assert due(TARGET, state, START, rest=timedelta(hours=1), graph=tree) is expected


@pytest.mark.parametrize(
    ("policy", "state", "tree", "expected"),
    [
        (Policy.APPLY, a_state(), LINE, True),
        (Policy.OBSERVE, a_state(), LINE, False),
        (Policy.APPLY, a_state(hold=HOLD), LINE, False),
        (Policy.APPLY, a_state(Status.CURRENT), LINE, False),
        (Policy.APPLY, a_state(Status.UNREACHABLE), LINE, False),
        (Policy.APPLY, a_state(Status.STARTING), LINE, False),
        (Policy.APPLY, a_state(Status.AHEAD), LINE, False),
        (Policy.APPLY, a_state(failed_scripts=LINE.digest), LINE, False),
        (Policy.APPLY, a_state(failed_scripts="older scripts"), LINE, True),
        (Policy.APPLY, a_state(), BRANCHES, False),
    ],
)
def test_what_the_clock_may_apply(
    policy: Policy,
    state: TargetState,
    tree: Graph,
    expected: bool,  # noqa: FBT001 - the expected answer
) -> None:
    """It applies to what is behind one head, was not held, and did not fail with these scripts."""
    assert may_apply(replace(TARGET, policy=policy), state, tree) is expected


def test_what_people_are_shown() -> None:
    """Pending revisions come first one first; a hold shows unless the target is out of reach."""
    shown = view(TARGET, a_state(), LINE, "run-1")
    assert (shown.status, shown.pending, shown.last_run) == (Status.BEHIND, ("b", "c"), "run-1")
    assert view(TARGET, a_state(hold=HOLD), LINE, None).status is Status.HELD
    for status in (Status.UNREACHABLE, Status.STARTING):
        assert view(TARGET, a_state(status, hold=HOLD), LINE, None).status is status


def test_what_is_shown_of_a_target_that_was_never_read() -> None:
    """Nothing is pending where nobody knows what is there."""
    shown = view(TARGET, None, LINE, None)
    assert (shown.status, shown.heads, shown.pending) == (Status.UNKNOWN, None, ())
