"""How runs end, and what that means for their target."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from providers.errors import (
    AccessDeniedError,
    ConnectError,
    ConnectionLostError,
    ContentionError,
    LevelheadError,
    LockBusyError,
    StampConflictError,
    StartingError,
    StatementError,
)
from sync.endings import (
    Ending,
    after_run,
    ending,
    events_of,
    in_doubt,
    never_began,
    orphan_change,
    settled_end,
    told,
)
from sync.errors import (
    LeaseLostError,
    MultipleHeadsError,
    RunnerLostError,
    RunnerTimeoutError,
    ScriptError,
    StatementInDoubtError,
    StatementRunningError,
    UnknownRevisionError,
)
from sync.model import Hold, Order, RunState, Status, Verb
from sync.settlement import Settlement
from sync.store.targets import TargetState
from tests.support.control import START, a_run
from tests.support.engine import at
from tests.support.states import KNOWN, LINE, PATIENCE, TARGET, a_doubt, a_state

FAILED: tuple[BaseException, ...] = (
    StatementError("relation is missing", target="db-1"),
    ScriptError("boom", history="app"),
    AccessDeniedError("no", target="db-1"),
    ConnectError("down", target="db-1"),
    StartingError("starting", target="db-1"),
    LockBusyError("busy", target="db-1"),
    StampConflictError(target="db-1", expected=at("a"), found=at("b")),
    ContentionError("canceling statement due to lock timeout", target="db-1"),
    UnknownRevisionError("history app: no"),
    MultipleHeadsError("history app: two"),
    ValueError("unexpected"),
)
INTERRUPTED: tuple[BaseException, ...] = (
    ConnectionLostError("gone", target="db-1"),
    RunnerLostError("db-1: gone"),
    RunnerTimeoutError("too long", history="app"),
    LeaseLostError("db-1: taken"),
    StatementInDoubtError("db-1: who knows"),
    StatementRunningError("db-1: it goes on"),
    asyncio.CancelledError(),
)
#: After these the clock comes back by itself.
PASSING = (
    ConnectError,
    LockBusyError,
    AccessDeniedError,
    StampConflictError,
    ContentionError,
    ConnectionLostError,
    RunnerLostError,
    LeaseLostError,
    StatementRunningError,
    asyncio.CancelledError,
)
#: These say something about the order, not about the target.
WRONG_ORDER = (UnknownRevisionError, MultipleHeadsError)


def name(error: BaseException) -> str:
    """Name a case after its error."""
    return type(error).__name__


def after(error: BaseException | None, **changes: object) -> TargetState:
    """Return the target's state after a run ended so; *changes* are of the state before."""
    end = ending(error, at("a")) if error else Ending(RunState.SUCCEEDED, at("c"))
    old = replace(a_state(), **changes)  # type: ignore[arg-type]  # the fields are the test's own
    moment = START + timedelta(minutes=1)
    return after_run(old, a_run(), end, knowledge=KNOWN, now=moment, patience=PATIENCE)


@pytest.mark.parametrize("error", FAILED, ids=name)
def test_what_is_known_to_have_had_no_effect_failed(error: BaseException) -> None:
    """A refusal, a broken script, a wrong order: the run failed."""
    assert ending(error, at()).state is RunState.FAILED


@pytest.mark.parametrize("error", INTERRUPTED, ids=name)
def test_what_is_in_doubt_was_interrupted(error: BaseException) -> None:
    """Where nobody saw the end, the run is interrupted, and somebody will find out."""
    assert ending(error, None).state is RunState.INTERRUPTED


@pytest.mark.parametrize("error", [*FAILED, *INTERRUPTED], ids=name)
def test_what_the_clock_makes_of_it(error: BaseException) -> None:
    """It comes back after what passes, waits for scripts after what does not, and never both."""
    state = after(error)
    comes_back, waits = state.retry_at is not None, state.failed_scripts == LINE.digest
    if isinstance(error, WRONG_ORDER):
        assert (comes_back, waits) == (False, False)
    else:
        assert (comes_back, waits) == (isinstance(error, PASSING), not isinstance(error, PASSING))


@pytest.mark.parametrize(
    "error",
    [e for e in (*FAILED, *INTERRUPTED) if isinstance(e, (*PASSING, *WRONG_ORDER))],
    ids=name,
)
def test_what_passes_hides_no_problem(error: BaseException) -> None:
    """A run that came to nothing is told of; why the target is not at head is known besides."""
    state = after(error, problem="db-1: broken", failed_scripts=LINE.digest)
    assert (state.passing, state.problem) == (told(error), "db-1: broken")


def test_scripts_that_were_mended_meanwhile() -> None:
    """A run that failed does not keep the clock from scripts that were written in the meantime."""
    error = StatementError("relation is missing", target="db-1")
    end = replace(ending(error, at("a")), scripts="the old")
    state = after_run(a_state(), a_run(), end, knowledge=KNOWN, now=START, patience=PATIENCE)
    assert state.failed_scripts == "the old" != LINE.digest


def test_success_ends_every_wait() -> None:
    """A run that succeeded leaves no failures, no problem and no failed scripts behind."""
    state = after(None, failures=4, retry_at=START, failed_scripts="d", problem="broken")
    assert state == replace(
        a_state(Status.CURRENT), heads=at("c"), checked_at=START + timedelta(minutes=1)
    )


def test_a_success_does_not_end_a_hold() -> None:
    """A hold is a person's word: a run to head does not take it back."""
    hold = Hold("ada", "downgrade to -1", START)
    assert after(None, hold=hold).hold == hold


@pytest.mark.parametrize("error", WRONG_ORDER)
@pytest.mark.parametrize(("since", "stays"), [(0, False), (-1, True)], ids=["own", "older"])
def test_a_wrong_order_takes_its_own_hold_back(
    error: type[LevelheadError],
    since: int,
    stays: bool,  # noqa: FBT001 - the expected answer
) -> None:
    """A revision that is not there was misspelt: the clock goes on; an older hold stands."""
    run = a_run(order=Order(Verb.DOWNGRADE, "nosuch"))
    hold = Hold("ada", "downgrade to nosuch", run.requested_at + timedelta(seconds=since))
    old = a_state(hold=hold)
    end = ending(error("history app: no"), at("a"))
    new = after_run(old, run, end, knowledge=KNOWN, now=START, patience=PATIENCE)
    assert (new.hold is not None) is stays
    kinds = [draft.kind for draft in events_of(run, old, new)]
    assert kinds == ([] if stays else ["target.released"])


@pytest.mark.parametrize(
    ("since", "heads", "verb", "stays"),
    [
        (timedelta(0), at("c"), Verb.STAMP, False),
        (timedelta(0), at("b"), Verb.STAMP, True),
        (timedelta(seconds=-1), at("c"), Verb.STAMP, True),
        (timedelta(0), at("c"), Verb.DOWNGRADE, True),
    ],
    ids=["own, at head", "below head", "older", "downgrade"],
)
def test_a_stamp_at_head_takes_its_own_hold_back(
    since: timedelta,
    heads: frozenset[str],
    verb: Verb,
    stays: bool,  # noqa: FBT001 - the expected answer
) -> None:
    """Only the hold that this very stamp set, and only where it leaves the target at head."""
    run = a_run(order=Order(verb, "c"))
    old = a_state(hold=Hold("ada", "stamp to c", run.requested_at + since))
    end = Ending(RunState.SUCCEEDED, heads)
    new = after_run(old, run, end, knowledge=KNOWN, now=START, patience=PATIENCE)
    assert (new.hold is not None) is stays
    kinds = [draft.kind for draft in events_of(run, old, new)]
    assert kinds == ([] if stays else ["target.released"])


def test_a_run_that_could_not_look() -> None:
    """Where the end left nobody to read the heads, the target is unknown until the next look."""
    end = ending(ConnectionLostError("gone", target="db-1"), None)
    state = after_run(None, a_run(), end, knowledge=KNOWN, now=START, patience=PATIENCE)
    assert (state.status, state.heads) == (Status.UNKNOWN, None)


def test_a_run_whose_target_did_not_start() -> None:
    """The target is starting, and known by what it was before: nothing was sent to it."""
    end = ending(StartingError("still starting", target="db-1"), None)
    state = after_run(a_state(), a_run(), end, knowledge=KNOWN, now=START, patience=PATIENCE)
    assert (state.status, state.heads) == (Status.STARTING, at("a"))
    assert (state.failures, state.passing) == (1, "db-1: still starting")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectError("down", target="db-1"), "run.failed"),
        (RunnerLostError("db-1: gone"), "run.interrupted"),
    ],
)
def test_a_run_that_never_began_has_an_end_too(error: Exception, kind: str) -> None:
    """Where the journal has no beginning, the end is written for it."""
    (draft,) = never_began(a_run(), ending(error, None))
    assert (draft.kind, draft.data) == (
        kind,
        {"error": type(error).__name__, "message": str(error)},
    )
    assert never_began(a_run(), Ending(RunState.SUCCEEDED, at())) == []


def test_a_strange_error_is_not_quoted() -> None:
    """The text of an error that is not ours could hold anything: only its name is kept."""
    assert told(ValueError("hunter2")) == "unexpected ValueError; see the service's log"
    assert told(asyncio.CancelledError()) == "the service was stopped in the middle of it"


@pytest.mark.parametrize(
    ("reached", "unknown", "expected"),
    [
        (at("run-1"), (), RunState.SUCCEEDED),
        (at(), (), RunState.FAILED),
        (at("run-2"), (), RunState.FAILED),
        (at(), ("run-1",), RunState.INTERRUPTED),
        (at(), ("run-2",), RunState.FAILED),
    ],
)
def test_how_an_orphan_ended(
    reached: frozenset[str], unknown: tuple[str, ...], expected: RunState
) -> None:
    """It succeeded if it reached its end, stays interrupted while in doubt, else it failed."""
    settled = Settlement(at("a"), reached, tuple(a_doubt(run) for run in unknown))
    end = settled_end(a_run(), settled)
    change = orphan_change(a_run(), end, START)
    assert (end.state, change.state, change.after) == (expected, expected, at("a"))
    assert (change.error is None) is (expected is RunState.SUCCEEDED)


def test_a_doubt_names_the_way_out() -> None:
    """The error says what is in doubt, and what a person does about it."""
    settled = Settlement(at("a"), frozenset(), (a_doubt("run-1"),))
    assert str(in_doubt(TARGET, settled)) == (
        "db-1: nobody can tell whether statement ticket of revision b took effect; look at the "
        "target, then levelhead settle ticket applied (or absent)"
    )


def test_nobody_is_asked_about_what_still_runs() -> None:
    """Whoever settled it as absent now would have it sent a second time."""
    running = (a_doubt("run-2"),)
    error = in_doubt(TARGET, Settlement(at("a"), frozenset(), (a_doubt("run-1"),), running))
    assert isinstance(error, StatementRunningError)
    assert "settle" not in str(error)
    assert "still runs there" in str(error)


def test_an_orphan_whose_statement_runs() -> None:
    """It is in doubt as long as its statement runs."""
    settled = Settlement(at("a"), frozenset(), (), (a_doubt("run-1"),))
    assert settled_end(a_run(), settled).state is RunState.INTERRUPTED
