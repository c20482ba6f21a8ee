"""What the version table tells of an act that nobody saw the end of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.types import Heads
from sync.settlement import is_around, took_effect
from tests.support.engine import at
from tests.support.states import BRANCHES, LINE, a_doubt


@pytest.mark.parametrize(
    ("after", "heads", "expected"),
    [
        (["b"], at("a"), False),
        (["b"], at("b"), True),
        (["b"], at("c"), True),
        (["b"], at(), False),
        (["a"], at("a"), True),
        (["a"], at("b"), False),
        (["a"], at(), True),
    ],
    ids=[
        "up, not yet",
        "up, there",
        "up, and beyond",
        "up, back at base",
        "down, there",
        "down, not yet",
        "down, and beyond",
    ],
)
def test_a_step(after: list[str], heads: Heads, expected: bool) -> None:  # noqa: FBT001 - the expected answer
    """A step took effect where its revision is applied, or is not, as it was to be."""
    assert took_effect(a_doubt("run-1", "step", after=after), heads, LINE) is expected


def test_a_step_on_a_branch() -> None:
    """What stands on the other branch says nothing about this one."""
    doubt = replace(a_doubt("run-1", "step", after=["b1"]), revision="b1")
    assert not took_effect(doubt, at("c2"), BRANCHES)
    assert took_effect(doubt, at("c2", "b1"), BRANCHES)


def test_a_run() -> None:
    """A run took effect where its target stands just at the run's end."""
    doubt = replace(a_doubt("run-1", "run", after=["b"]), revision=None)
    assert took_effect(doubt, at("b"), LINE)
    assert not took_effect(doubt, at("a"), LINE)
    assert not took_effect(doubt, at("c"), LINE)


def test_a_step_is_in_doubt_with_its_parts() -> None:
    """As long as nobody can tell about a part of a step, nobody can tell about the step."""
    step, part = a_doubt("run-1", "step"), a_doubt("run-1")
    assert is_around(step, [part])
    assert not is_around(step, [replace(part, revision="c")])
    assert not is_around(step, [replace(part, run="run-2")])
    assert not is_around(part, [part])
