"""Which targets are not like the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.types import BASE, Heads, Target
from sync.minority import Minority, minorities
from sync.store.fingerprints import Fingerprint
from tests.support.engine import at
from tests.support.states import TARGET

A = at("a")


def member(
    name: str, digest: str, heads: Heads = A, major: str = "15", **more: str
) -> tuple[Target, Fingerprint]:
    """Build a target and its live fingerprint."""
    target = replace(TARGET, name=name, **more)  # type: ignore[arg-type]  # the fields are the test's own
    return target, Fingerprint(digest, heads, major)


def test_who_differs_from_most() -> None:
    """The targets that have not what most have are named, with how many those are."""
    seen = [member("c", "odd"), member("a", "x"), member("b", "x"), member("d", "x")]
    assert minorities(seen) == (
        Minority(target="c", heads=at("a"), found="odd", usual="x", others=3),
    )
    assert minorities(seen[1:]) == ()


def test_nobody_has_most() -> None:
    """Of two that differ, the first by name is taken as it is, whatever order they come in."""
    assert [one.target for one in minorities([member("b", "y"), member("a", "x")])] == ["b"]


@pytest.mark.parametrize(
    "other",
    [
        member("b", "y", at("b")),
        member("b", "y", major="16"),
        member("b", "y", history="other"),
        member("b", "y", dialect="memory"),
        member("b", "y", schema="tenant"),
    ],
)
def test_only_like_is_compared(other: tuple[Target, Fingerprint]) -> None:
    """Other heads, another server, history or dialect, or a schema of its own: not compared."""
    assert minorities([member("a", "x"), other]) == ()


def test_nothing_is_compared_at_base() -> None:
    """At base nothing of the history is there."""
    assert minorities([member("a", "x", BASE), member("b", "y", BASE)]) == ()
