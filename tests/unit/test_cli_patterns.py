"""What people are told of patterns of tenants, and of very many targets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from providers.types import Policy
from sync.cli.patterns import complaints, empty
from sync.cli.table import brief
from sync.cli.views import statuses_table
from sync.model import Status, TargetStatus, TenantsStatus

NOON = datetime(2031, 5, 6, 12, tzinfo=UTC)
SHOP = TenantsStatus(
    name="shop",
    history="app",
    provider="postgresql",
    over="schema",
    targets=40,
    policy=Policy.APPLY,
    listed_at=NOON,
)


def of(name: str, status: Status) -> TargetStatus:
    """Return a target of that status."""
    return TargetStatus(
        name=name,
        history="app",
        provider="postgresql",
        status=status,
        heads=frozenset(),
        head=frozenset(),
        pending=(),
        policy=Policy.APPLY,
    )


def test_a_pattern_that_answers_is_no_line() -> None:
    """Where all is well nothing is said."""
    assert list(complaints([SHOP])) == []
    assert list(empty([SHOP])) == []


def test_an_outage_says_which_targets_stay() -> None:
    """The line has the reason, and what holds meanwhile."""
    away = replace(SHOP, problem="shop: cannot reach db")
    never = replace(away, listed_at=None, targets=0)
    assert list(complaints([away, replace(away, targets=1), never])) == [
        "shop: cannot reach db; the 40 targets of 2031-05-06T12:00:00Z stay",
        "shop: cannot reach db; the 1 target of 2031-05-06T12:00:00Z stays",
        "shop: cannot reach db; it has never told who the tenants are",
    ]
    assert list(empty([never])) == []


def test_what_is_left_out_is_named() -> None:
    """The first ones are named, and how many more there are."""
    left = replace(SHOP, left_out=tuple(f'"t{place}": comes twice' for place in range(5)))
    assert list(complaints([left])) == [
        'shop: left out "t0": comes twice',
        'shop: left out "t1": comes twice',
        'shop: left out "t2": comes twice',
        "shop: and 2 more are left out",
    ]


def test_nobody_is_not_passed_over() -> None:
    """A pattern that matches nothing says so, unless it is off."""
    nobody = replace(SHOP, targets=0)
    assert list(empty([nobody, replace(nobody, policy=Policy.OFF)])) == [
        "shop: no schema matches; it stands for no target"
    ]


def test_many_targets_on_a_terminal() -> None:
    """Those that need somebody are shown, the others are counted."""
    many = [of(f"t{place}", Status.CURRENT) for place in range(9_998)]
    some = [of("a", Status.BEHIND), of("b", Status.UNREACHABLE)]
    table = brief(statuses_table([*many, *some]), 100)
    assert [row[0] for row in table.rows] == ["a", "b"]
    assert table.summary == (
        "10,000 targets: 9,998 current, 1 behind, 1 unreachable; "
        "9,998 lines are not shown, in a pipe all are"
    )


def test_few_targets_on_a_terminal() -> None:
    """All are shown, and nothing is summed up."""
    table = brief(statuses_table([of("a", Status.CURRENT), of("b", Status.BEHIND)]), 100)
    assert len(table.rows) == 2
    assert table.summary == ""
