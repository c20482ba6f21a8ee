from __future__ import annotations

import pytest

from sync.plan.continuity import in_one_session
from sync.plan.model import Block, Step, StepClass
from sync.plan.recording import Taken
from tests.support.engine import at

SETS = Taken(remains=("search_path",))


def a_step(revision: str, kind: StepClass) -> Step:
    """Return a step that was judged so."""
    blocks = () if kind is StepClass.LIVE else (Block(("CREATE TABLE x ()",)),)
    return Step(revision, at(), at(revision), "s", kind, ("reads x",), blocks)


STATIC, CATALOG, LIVE = StepClass.STATIC, StepClass.CATALOG, StepClass.LIVE


@pytest.mark.parametrize(
    ("judged", "setter", "expected"),
    [
        ([STATIC, STATIC, STATIC], 0, [STATIC, STATIC, STATIC]),
        ([STATIC, STATIC, LIVE], 1, [STATIC, LIVE, LIVE]),
        ([STATIC, CATALOG, STATIC], 0, [LIVE, LIVE, LIVE]),
        ([LIVE, STATIC, STATIC], 0, [LIVE, LIVE, LIVE]),
        ([LIVE, STATIC, STATIC], 1, [LIVE, STATIC, STATIC]),
        ([STATIC, LIVE, CATALOG], 2, [STATIC, LIVE, CATALOG]),
        ([STATIC, LIVE, STATIC], None, [STATIC, LIVE, STATIC]),
    ],
)
def test_one_session_from_the_setting_on(
    judged: list[StepClass], setter: int | None, expected: list[StepClass]
) -> None:
    """From a setting on, all is replayed on one session, or all runs live on one."""
    steps = [a_step(f"r{place}", kind) for place, kind in enumerate(judged)]
    taken = [SETS if place == setter else Taken() for place in range(len(judged))]
    found = in_one_session(steps, taken)
    assert [step.kind for step in found] == expected
    for step, old in zip(found, steps, strict=True):
        if step is old:
            continue
        ahead = ("reads x",) if old.kind is LIVE else ()
        assert step.why == (*ahead, f"r{setter} leaves search_path in the session")
        assert (step.blocks, step.fingerprint) == ((), None)


def test_what_could_not_be_compiled_runs_live() -> None:
    """Steps that the shadow could not show count as live."""
    steps = [a_step("r0", STATIC), a_step("r1", LIVE)]
    assert [s.kind for s in in_one_session(steps, [SETS])] == [LIVE, LIVE]
