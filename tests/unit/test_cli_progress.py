"""What a run's events say about how far it has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sync.cli.progress import Progress, advance, ending, failure, has_ended, telling
from sync.events.chain import GENESIS, JSON, Draft, Event, seal
from sync.events.kinds import Kind
from sync.model import Order, Run, RunState, Verb

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


def test_failures() -> None:
    """A run that did not succeed has a reason on one line, also where none was recorded."""
    failed = replace(RUN, state=RunState.FAILED, error="eu: bad\nSQL")
    assert failure(RUN) is None
    assert failure(failed) == "eu: bad SQL"
    assert "see levelhead events" in (failure(replace(failed, error=None)) or "")


def test_ends() -> None:
    """A run that is requested or running is waited for; every other one has ended."""
    waited_for = {state for state in RunState if not has_ended(replace(RUN, state=state))}
    assert waited_for == {RunState.REQUESTED, RunState.RUNNING}
