"""Which target of a rollout is the canary."""

from __future__ import annotations

from dataclasses import replace

from sync.election import Elections
from sync.model import Run
from tests.support.control import a_run

PLAN = "0" * 64
OTHER = "1" * 64


def run_on(target: str) -> Run:
    """Return a run of the rollout on *target*."""
    return replace(a_run(), target=target)


def elections(*targets: str) -> Elections:
    """Return what is known when a rollout of *targets* begins."""
    known = Elections()
    known.expect(a_run().rollout, targets)
    return known


def test_the_first_by_name() -> None:
    """A target is first as soon as none with a smaller name can be the canary."""
    known = elections("a", "b", "c")
    known.tell(run_on("b"), PLAN, None)
    assert not known.is_first(run_on("b"), PLAN)
    assert known.ahead(run_on("b"), PLAN) == "a"
    known.tell(run_on("a"), PLAN, "+ table mine")
    assert known.is_first(run_on("b"), PLAN)


def test_who_comes_to_another_plan_is_in_nobodys_way() -> None:
    """A target is no candidate for a plan that is not its own."""
    known = elections("a", "b")
    known.tell(run_on("a"), OTHER, None)
    known.tell(run_on("b"), PLAN, None)
    assert known.is_first(run_on("b"), PLAN)
    assert known.ahead(run_on("b"), PLAN) is None


def test_who_has_ended_is_in_nobodys_way() -> None:
    """A run that ended, or never began, is not waited for."""
    known = elections("a", "b", "c")
    known.tell(run_on("a"), PLAN, None)
    known.forget(run_on("a"))
    known.dismiss(a_run().rollout, "b")
    assert known.is_first(run_on("c"), PLAN)
    assert not known.expects(run_on("c"), PLAN, "a")


def test_misfits_are_remembered_while_the_rollout_goes_on() -> None:
    """Whoever is the last to wait can name all that could not be the canary."""
    known = elections("a", "b")
    known.tell(run_on("a"), PLAN, "+ table x")
    known.forget(run_on("a"))
    known.tell(run_on("b"), PLAN, "+ table y")
    assert known.misfits(run_on("b"), PLAN) == [("a", "+ table x"), ("b", "+ table y")]
    known.forget(run_on("b"))
    assert known.misfits(run_on("b"), PLAN) == []
