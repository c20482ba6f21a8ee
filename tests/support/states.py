"""Graphs, states and doubts for what is pure: no file, no database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from providers.types import Target
from sync.history import Graph, Revision
from sync.journal import Doubt
from sync.model import Status
from sync.status import Knowledge, Patience
from sync.store.targets import TargetState
from tests.support.control import START
from tests.support.engine import at


def a_graph(*heads: str, **parents: str) -> Graph:
    """Build a graph: each revision with its parents, ``|`` before those it depends on."""
    revisions = {}
    for name, text in parents.items():
        above, _, needed = text.partition("|")
        revisions[name] = Revision(
            id=name, parents=tuple(above.split()), depends_on=tuple(needed.split())
        )
    return Graph(history="app", revisions=revisions, heads=at(*heads), digest="d")


LINE = a_graph("c", a="", b="a", c="b")
DIAMOND = a_graph("d", a="", b="a", c="a", d="b c")
BRANCHES = a_graph("b2", "c2", a="", b1="a", b2="b1", c1="a", c2="c1")
DEPENDENT = a_graph("b", "x2", a="", b="a", x1="", x2="x1|b")

TARGET = Target(name="db-1", history="app", dialect="postgresql", url="postgresql://h/d")
PATIENCE = Patience(timedelta(seconds=30), timedelta(minutes=5))
KNOWN = Knowledge(LINE, at("a", "b", "c", "newer"))


def a_state(status: Status = Status.BEHIND, **changes: object) -> TargetState:
    """Build what is known of the target; *changes* are fields of `TargetState`."""
    state = TargetState(target="db-1", status=status, heads=at("a"), checked_at=START)
    return replace(state, **changes)  # type: ignore[arg-type]  # the fields are the test's own


def a_doubt(run: str, noun: str = "statement", **facts: object) -> Doubt:
    """Build an act of revision b that has no known end; *facts* are those of its intent."""
    return Doubt(
        noun=noun,
        ticket="ticket",
        run=run,
        revision="b",
        facts={"before": ["a"], "after": ["b"], **facts},  # type: ignore[dict-item]  # JSON
        statements=(),
        sqls=("ALTER TYPE mood ADD VALUE 'new'",),
    )
