"""What a run's events say about how far it has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from providers.types import Policy, Target
from sync.cli.changing import failures, harmless, left_out
from sync.cli.follow import Result
from sync.cli.progress import (
    Progress,
    activity,
    advance,
    ending,
    failure,
    has_ended,
    telling,
    total,
)
from sync.events.chain import GENESIS, JSON, Draft, Event, seal
from sync.events.kinds import Kind
from sync.model import Order, Rollout, Run, RunState, Skip, Verb

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

RUN = Run(
    id="r1",
    rollout="o1",
    target="eu",
    history="app",
    actor="cli:ann",
    order=Order(Verb.SYNC),
    state=RunState.SUCCEEDED,
    requested_at=NOW,
    ended_at=NOW + timedelta(seconds=2),
    after=frozenset({"b2"}),
)


def event(kind: Kind, revision: str | None = None, **data: JSON) -> Event:
    """Return an event of the run."""
    facts: Mapping[str, JSON] = data
    draft = Draft(kind=kind, actor="cli:ann", run="r1", revision=revision, data=facts)
    return seal(draft, sequence=1, id="e1", at=NOW, previous=GENESIS.hash)


def test_a_run_from_start_to_end() -> None:
    """The number of steps comes with the start, and each step that succeeds counts."""
    seen = [
        event(Kind.RUN_REQUESTED),
        event(Kind.RUN_STARTED, steps=[{}, {}]),
        event(Kind.STEP_STARTED, "a1"),
        event(Kind.TRANSACTION_STARTED, "a1"),
        event(Kind.STEP_SUCCEEDED, "a1"),
        event(Kind.STEP_STARTED, "b2"),
    ]
    progress, lines = Progress("eu"), []
    for each in seen:
        progress = advance(progress, each)
        lines += [line] if (line := telling(progress, each)) else []
    assert progress == Progress("eu", total=2, done=1, doing="b2")
    assert lines == ["eu: 2 steps", "eu: a1 (1/2)"]


def test_nothing_to_do() -> None:
    """A run without steps says so."""
    start = event(Kind.RUN_STARTED, steps=[])
    assert telling(advance(Progress("eu"), start), start) == "eu: nothing to do"


def test_a_target_that_is_starting() -> None:
    """While a run is delayed it says for what it waits; then it goes on as any other."""
    delayed = event(Kind.RUN_DELAYED, message="eu: starting; waits up to 300 s")
    progress = advance(Progress("eu"), delayed)
    assert (activity(progress), telling(progress, delayed)) == (
        "starting",
        "eu: starting; waits up to 300 s",
    )
    continued = event(Kind.RUN_CONTINUED)
    progress = advance(progress, continued)
    assert (activity(progress), telling(progress, continued)) == ("waiting", None)


@pytest.mark.parametrize(
    ("verb", "line"),
    [
        (Verb.SYNC, "eu: at b2 after 2 s"),
        (Verb.DOWNGRADE, "eu: downgraded to b2 after 2 s, on hold"),
        (Verb.STAMP, "eu: stamped b2 after 2 s"),
    ],
)
def test_how_a_run_ended(verb: Verb, line: str) -> None:
    """The last line of a run says where the target stands, and how long it took."""
    assert ending(replace(RUN, order=Order(verb))) == line


def test_what_a_run_cost() -> None:
    """The last line of a run on a warehouse says for how long it kept it busy."""
    assert ending(replace(RUN, warehouse_seconds=75.0)) == (
        "eu: at b2 after 2 s, 1 min 15 s of warehouse"
    )


def test_failures() -> None:
    """A run that did not succeed has a reason on one line, also where none was recorded."""
    failed = replace(RUN, state=RunState.FAILED, error="eu: bad\nSQL")
    assert failure(RUN) is None
    assert failure(failed) == "eu: bad SQL"
    assert "see levelhead events" in (failure(replace(failed, error=None)) or "")


def test_ends() -> None:
    """A run that is requested, delayed or running is waited for; every other one has ended."""
    waited_for = {state for state in RunState if not has_ended(replace(RUN, state=state))}
    assert waited_for == {RunState.REQUESTED, RunState.DELAYED, RunState.RUNNING}


def test_what_several_runs_have_used() -> None:
    """What several runs have used of warehouses is one line; what one has used it has told."""
    result = result_of(RUN)
    paid = replace(RUN, warehouse_seconds=75.0)
    assert total(replace(result.rollout, runs=(RUN, paid), warehouse_seconds=75.0)) is None
    both = replace(result.rollout, runs=(RUN, paid, paid), warehouse_seconds=150.0)
    assert total(both) == "2 runs: 2 min 30 s of warehouse"


def result_of(run: Run, *skipped: Skip, error: str | None = None) -> Result:
    """Return the result of a sync that had *run* and left out *skipped*."""
    rollout = Rollout(
        id="o1",
        actor="cli:ann",
        order=Order(Verb.SYNC),
        requested_at=NOW,
        runs=(run,),
        skipped=skipped,
    )
    return Result(rollout, {run.id: error} if error else {})


@pytest.mark.parametrize(("error", "code"), [("ConnectError", 3), ("ScriptError", 4), (None, 5)])
def test_the_error_of_a_run_gives_the_exit_code(error: str | None, code: int) -> None:
    """The class of the error, which only the events tell, decides the exit code."""
    failed = replace(RUN, state=RunState.FAILED, error="eu: no")
    assert list(failures(result_of(failed, error=error))) == [("eu: no", code)]


def test_the_success_of_another_order_is_none() -> None:
    """Where a run of another verb was under way, what was ordered did not happen."""
    other = replace(RUN, order=Order(Verb.STAMP, "a1"))
    [(line, code)] = failures(result_of(other))
    assert (line, code) == ("eu: run r1, a stamp to a1, was under way; ask again", 5)


def test_who_was_left_out() -> None:
    """A target that is held counts against the command; one that is switched off does not."""
    held, off = Skip("held", "held: on hold"), Skip("off", "off: its policy is off")
    targets = {
        "held": Target(name="held", history="app", dialect="memory", url="memory://"),
        "off": Target(
            name="off", history="app", dialect="memory", url="memory://", policy=Policy.OFF
        ),
    }
    rollout = result_of(RUN, held, off).rollout
    assert list(left_out(rollout, targets)) == [("held: on hold", 1)]
    assert list(harmless(rollout, targets)) == [off]
