"""The revision graph: what is pending, and what is unknown."""

from __future__ import annotations

import pytest

from sync.history import Graph, ancestors, behind, strangers
from tests.support.engine import at
from tests.support.states import BRANCHES, DEPENDENT, DIAMOND, LINE


@pytest.mark.parametrize(
    ("tree", "heads", "expected"),
    [
        (LINE, at(), ("a", "b", "c")),
        (LINE, at("b"), ("c",)),
        (LINE, at("c"), ()),
        (DIAMOND, at("b"), ("c", "d")),
        (DIAMOND, at("b", "c"), ("d",)),
        (DIAMOND, at("d"), ()),
        (BRANCHES, at("b2"), ("c1", "c2")),
        (BRANCHES, at("b2", "c1"), ("c2",)),
        (DEPENDENT, at("x2"), ()),
        (DEPENDENT, at("b"), ("x1", "x2")),
        (LINE, at("gone"), ("a", "b", "c")),
    ],
)
def test_behind(tree: Graph, heads: frozenset[str], expected: tuple[str, ...]) -> None:
    """Pending is what no head stands on, in an order in which it can be applied."""
    assert behind(tree, heads) == expected


def test_ancestors_follow_dependencies() -> None:
    """A revision stands on its parents and on what it depends on."""
    assert ancestors(DEPENDENT, at("x2")) == {"x2", "x1", "b", "a"}


def test_ancestors_of_what_is_unknown() -> None:
    """Heads that the graph does not have stand on nothing."""
    assert ancestors(LINE, at("gone", "a")) == {"a"}


def test_strangers() -> None:
    """Heads that the graph does not have, in order."""
    assert strangers(LINE, at("z", "b", "y")) == ("y", "z")
    assert strangers(LINE, at()) == ()
