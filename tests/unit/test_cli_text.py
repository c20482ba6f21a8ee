"""How the command line words times, tables and JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from providers.types import BASE, Policy
from sync.cli.doctor import drifted
from sync.cli.document import document
from sync.cli.screen import TerminalScreen
from sync.cli.table import Column, Table, beneath, fitted, plain_lines
from sync.cli.views import at_head, events_table, runs_table, status_problem, statuses_table
from sync.cli.words import ago, heads_text, named, pending_text, span
from sync.events.chain import GENESIS, Draft, seal
from sync.events.kinds import Kind
from sync.model import Hold, Order, Run, RunState, Status, TargetStatus, Verb

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
)


def status_of(name: str, status: Status, **more: object) -> TargetStatus:
    """Return a target's status that is behind by two revisions unless *more* says otherwise."""
    values: dict[str, object] = {
        "history": "app",
        "provider": "postgresql",
        "heads": frozenset({"a1"}),
        "head": frozenset({"c3"}),
        "pending": ("b2", "c3"),
        "policy": Policy.APPLY,
    }
    return TargetStatus(name=name, status=status, **{**values, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (12.4, "12 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (90_000, "1 d 1 h"),
        (-5, "0 s"),
    ],
)
def test_span(seconds: float, text: str) -> None:
    """A duration shows its two largest units."""
    assert span(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "now"), (-3, "now"), (59, "59 s ago"), (61, "1 min ago"), (90_000, "1 d ago")],
)
def test_ago(seconds: float, text: str) -> None:
    """An age shows its largest unit; a clock that runs ahead is not an error."""
    assert ago(NOW - timedelta(seconds=seconds), NOW) == text


def test_nothing_is_a_dash() -> None:
    """What is absent shows as a dash, so that no cell of a line is empty."""
    assert (ago(None, NOW), heads_text(None), pending_text(())) == ("-", "-", "-")


def test_heads() -> None:
    """Heads stand in order; none at all is base."""
    assert heads_text(frozenset({"b", "a"})) == "a, b"
    assert heads_text(BASE) == "base"


def test_pending_names_the_first() -> None:
    """Pending shows how many, and which comes next."""
    assert pending_text(("b2",)) == "1, b2"
    assert pending_text(("b2", "c3")) == "2, first b2"


def test_a_problem_names_its_target_once() -> None:
    """A problem's line begins with its target, also where the error said so already."""
    assert named("eu", "no such\nhost") == "eu: no such host"
    assert named("eu", "eu: no such host") == "eu: no such host"


def test_plain_lines_are_whole() -> None:
    """Piped output has one aligned line for each row, no heading and nothing cut."""
    table = Table((Column("a"), Column("b", beneath=True)), (("x", "y" * 300), ("long", "-")))
    assert list(plain_lines(table)) == [f"x     {'y' * 300}", "long  -"]


def test_no_rows_no_lines() -> None:
    """Piped output of nothing is nothing."""
    assert list(plain_lines(Table((Column("a"),), ()))) == []


def test_a_narrow_terminal_loses_the_least() -> None:
    """Where room is short the column of the highest rank goes first; rank 0 stays."""
    table = Table(
        (Column("name"), Column("wide", rank=1), Column("wider", rank=2)),
        (("x" * 10, "y" * 10, "z" * 10),),
    )
    titles = {
        width: [column.title for column in fitted(table, width).columns] for width in (34, 33, 21)
    }
    assert titles == {34: ["name", "wide", "wider"], 33: ["name", "wide"], 21: ["name"]}
    assert fitted(table, 1).rows == (("x" * 10,),)


def test_what_just_fits_is_not_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table as wide as the terminal takes one line for each row."""
    table = Table((Column("name"), Column("run")), (("eu", "r" * 16),))
    monkeypatch.setenv("COLUMNS", "22")
    screen = TerminalScreen()
    with screen.console.capture() as captured:
        screen.show(table, ())
    assert captured.get().splitlines() == ["name  run             ", f"eu    {'r' * 16}"]


def test_problems_stand_under_the_table() -> None:
    """On a terminal the long text of a row follows the table, after the row's name."""
    table = Table(
        (Column("target"), Column("problem", beneath=True)), (("eu", "down"), ("us", "-"))
    )
    assert [column.title for column in fitted(table, 80).columns] == ["target"]
    assert list(beneath(table)) == ["eu: down"]


def test_what_several_rows_say_is_said_once() -> None:
    """Rows in a row with the same text share a line; many are counted."""
    rows = (*((name, "down") for name in "abcde"), ("f", "-"), ("g", "down"), ("h", "up"))
    table = Table((Column("target"), Column("problem", beneath=True)), rows)
    assert list(beneath(table)) == ["a, b, c, and 3 more: down", "h: up"]


def test_eighty_columns_show_what_matters() -> None:
    """At 80 columns a status row with ordinary names keeps target, status, heads, pending."""
    row = status_of(
        "orders-eu", Status.BEHIND, heads=frozenset({"a" * 12}), pending=("b" * 12, "c" * 12)
    )
    titles = [column.title for column in fitted(statuses_table([row]), 80).columns]
    assert titles == ["target", "history", "status", "heads", "head", "pending"]


def test_status_as_json() -> None:
    """Status as JSON has lists for heads, null for what was never read, and UTC times."""
    status = status_of("eu", Status.UNREACHABLE, heads=None, checked_at=NOW, problem="eu: down")
    [data] = json.loads(document([status]))
    assert data["heads"] is None
    assert data["head"] == ["c3"]
    assert data["pending"] == ["b2", "c3"]
    assert data["checked_at"] == "2026-03-01T12:00:00Z"
    assert {"name", "history", "provider", "status", "hold", "last_run", "policy", "labels"} <= set(
        data
    )


def test_a_hold_is_explained() -> None:
    """The line under a held target says who holds it, since when, and why."""
    hold = Hold("token:ann", "downgrade to a1", NOW)
    [row] = statuses_table([status_of("eu", Status.HELD, hold=hold)]).rows
    assert row[-1] == "on hold since 2026-03-01T12:00:00Z, token:ann: downgrade to a1"


@pytest.mark.parametrize(
    ("status", "policy", "well"),
    [
        (Status.CURRENT, Policy.APPLY, True),
        (Status.BEHIND, Policy.OFF, True),
        (Status.BEHIND, Policy.OBSERVE, False),
        (Status.HELD, Policy.APPLY, False),
        (Status.UNREACHABLE, Policy.APPLY, False),
        (Status.STARTING, Policy.APPLY, False),
    ],
)
def test_what_counts_as_well(status: Status, policy: Policy, well: bool) -> None:  # noqa: FBT001 - a column of the table
    """Only a target at head, or one that is switched off, counts as well."""
    assert at_head(status_of("eu", status, policy=policy)) is well


def test_drift() -> None:
    """A target that drifted is not well; `check` has a line for each difference, and for oddity."""
    found = status_of(
        "db-1", Status.DRIFTED, pending=(), drift=("+ table x", "- table y"), minority="odd"
    )
    assert not at_head(found)
    assert [(each.text, each.exit_code) for each in drifted(found)] == [
        ("drifted: + table x", 1),
        ("drifted: - table y", 1),
        ("odd", 0),
    ]


def test_drift_beside_a_hold() -> None:
    """What a hold says does not hide that the target drifted."""
    hold = Hold("ada", "downgrade to -1", NOW)
    found = status_of("db-1", Status.HELD, hold=hold, drift=("+ table x",), problem="db-1: drifted")
    assert str(status_problem(found)).endswith("ada: downgrade to -1; db-1: drifted")


def test_what_was_used() -> None:
    """An event of what a warehouse was used for says how long, and a run has it in its column."""
    draft = Draft(kind=Kind.WAREHOUSE_USED, actor="service", data={"seconds": 4.2, "sessions": 1})
    event = seal(draft, sequence=1, id="e1", at=NOW, previous=GENESIS.hash)
    assert events_table([event]).rows[0][-1] == "4.2 s, 1 session"
    rows = runs_table([RUN, replace(RUN, warehouse_seconds=61.0)], NOW).rows
    assert [row[-3] for row in rows] == ["-", "1 min 1 s"]
