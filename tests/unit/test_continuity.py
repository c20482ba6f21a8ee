from __future__ import annotations

import pytest

from sync.plan.continuity import changes_session, in_one_session
from sync.plan.model import Block, Step, StepClass
from sync.plan.recording import Sent, SentBlock, Taken
from tests.support.engine import at

SETS = "SET search_path = eu"


def a_step(revision: str, kind: StepClass) -> Step:
    """Return a step that was judged so."""
    blocks = () if kind is StepClass.LIVE else (Block(("CREATE TABLE x ()",)),)
    return Step(revision, at(), at(revision), "s", kind, ("reads x",), blocks)


def taken(*sqls: str) -> Taken:
    """Return what a step has sent."""
    return Taken(
        (SentBlock(transactional=True, statements=tuple(Sent(s, "", read=False) for s in sqls)),)
    )


STATIC, CATALOG, LIVE = StepClass.STATIC, StepClass.CATALOG, StepClass.LIVE


@pytest.mark.parametrize(
    ("judged", "setter", "expected"),
    [
        ([STATIC, STATIC, STATIC], 0, [STATIC, STATIC, STATIC]),
        ([STATIC, STATIC, LIVE], 1, [STATIC, LIVE, LIVE]),
        ([STATIC, CATALOG, STATIC], 0, [LIVE, LIVE, LIVE]),
        ([LIVE, STATIC, STATIC], 0, [LIVE, LIVE, LIVE]),
        ([LIVE, STATIC, STATIC], 1, [LIVE, STATIC, STATIC]),
        ([STATIC, LIVE, STATIC], None, [STATIC, LIVE, STATIC]),
    ],
)
def test_one_session_from_the_setting_on(
    judged: list[StepClass], setter: int | None, expected: list[StepClass]
) -> None:
    """From a setting on, all is replayed on one session, or all runs live on one."""
    steps = [a_step(f"r{place}", kind) for place, kind in enumerate(judged)]
    sent = [taken(SETS if place == setter else "CREATE TABLE x ()") for place in range(len(judged))]
    found = in_one_session(steps, sent, "postgresql")
    assert [step.kind for step in found] == expected
    for step, old in zip(found, steps, strict=True):
        if step is old:
            continue
        assert step.why == ("reads x", f"the session is as r{setter} has set it up")
        assert (step.blocks, step.fingerprint) == ((), None)


def test_what_could_not_be_compiled_runs_live() -> None:
    """Steps that the shadow could not show count as live."""
    steps = [a_step("r0", STATIC), a_step("r1", LIVE)]
    assert [s.kind for s in in_one_session(steps, [taken(SETS)], "postgresql")] == [LIVE, LIVE]


@pytest.mark.parametrize(
    ("sql", "changes"),
    [
        ("SET search_path = eu", True),
        ("CREATE TABLE x (); RESET ALL", True),
        ("set local x.y = '1'; set role app", True),
        ("SELECT pg_catalog.set_config('search_path', '', false)", True),
        ("USE CATALOG main", True),
        ("DISCARD TEMP", True),
        ("SET LOCAL lock_timeout = 0", False),
        ("SET CONSTRAINTS ALL DEFERRED", False),
        ("UPDATE x SET y = 'set'", False),
        ("-- set\nCREATE TABLE x ()", False),
        ("", False),
    ],
)
def test_changes_session(sql: str, changes: bool) -> None:  # noqa: FBT001 - what is expected
    """What holds beyond its transaction is a change of the session."""
    assert changes_session(sql, "postgresql") is changes
